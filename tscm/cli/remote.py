"""
`tsadmin --portal`: another host's API, and the key for it out of a file or the environment.
"""

import os
from pathlib import Path
from stat import S_IRWXG, S_IRWXO

from tscm.base.safe_files import read_regular
from tscm.cli import say
from tscm.faces.remote import Portal, PortalFaulty

_KEY = "TSCM_KEY"
_KEY_BYTES = 4096


def portal_of(url: str, key_file: str | None, ca_file: str | None) -> Portal:
    """Where the API is, with its key.  Raises `PortalFaulty`."""
    return Portal.of(url, _key(key_file), ca_file)


def _key(file: str | None) -> str:
    if file is None:
        key = os.environ.get(_KEY, "")
        if not key:
            raise PortalFaulty(
                f"--portal requires a key; give its file with --key, or the key itself in {_KEY}"
            )
        return key
    path = Path(file)
    try:
        content = read_regular(path, _KEY_BYTES)
        mode = path.stat().st_mode
    except (OSError, ValueError):
        # What was typed may be a key: it is not repeated.
        raise PortalFaulty(
            "--key cannot be read as a file; it takes the name of a file, since every user of this "
            "host can read a command line"
        ) from None
    if mode & (S_IRWXG | S_IRWXO):
        say.warn(f"{path} can be read by others; run `chmod 600 {path}`")
    return content.decode("ascii", "replace")
