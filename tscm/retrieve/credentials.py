"""
What a feed's publisher wants to see of us: a key in a header, or a name and a password.

The secret lies in a file of its own.  Written in the clear it is sealed with the node's key when it is
first used, so that whoever copies the settings has nothing of it.
"""

import base64
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from tscm.base.safe_files import read_private
from tscm.base.secrets import PREFIX, Secret
from tscm.errors import SecretUnavailable
from tscm.retrieve.content import FeedFault
from tscm.retrieve.feed_source import FeedSource
from tscm.settings.files import key_for_sealing
from tscm.settings.layout import Layout

_MOST_BYTES = 1 << 16


def headers_for(source: FeedSource, layout: Layout | None) -> Mapping[str, str]:
    """
    The headers that show who asks; none for a feed without a secret.  Raises `FeedFault`.

    Without a *layout* there is no node's key: then only a secret in the clear can be read.
    """
    if source.secret_file is None:
        return {}
    feed = source.name.partition("+")[0]  # all places of a feed
    secret = _read(Path(source.secret_file), f"feed/{feed}/secret", layout).reveal()
    if source.header is not None:
        return {source.header: secret}
    pair = f"{source.user or ''}:{secret}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _read(path: Path, where: str, layout: Layout | None) -> Secret:
    try:
        text = read_private(path, _MOST_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        raise FeedFault(f"{path} holds more than ASCII", "write only the key into it") from None
    except OSError as error:
        cause = error.strerror or str(error)
        raise FeedFault(
            f"its secret cannot be read: {path}: {cause}", "check secret_file"
        ) from None
    if not text or not text.isprintable():
        raise FeedFault(f"{path} does not contain a one-line secret", "write only the key into it")
    if text.startswith(PREFIX):
        return _opened(text, path, where, layout)
    secret = Secret(text)
    if layout is not None:
        _seal(path, secret, where, layout)
    return secret


def _opened(text: str, path: Path, where: str, layout: Layout | None) -> Secret:
    remedy = "write the key into it again, unencrypted"
    if layout is None:
        raise FeedFault(f"{path} is sealed, but this host has no sealing key", remedy)
    try:
        return key_for_sealing(layout).open(text, where)
    except SecretUnavailable as error:
        raise FeedFault(f"{path} cannot be decrypted: {error}", remedy) from None


def _seal(path: Path, secret: Secret, where: str, layout: Layout) -> None:
    """Where the file or its folder cannot be written, the secret stays as it is: closed by its mode."""
    with contextlib.suppress(OSError, SecretUnavailable):
        text = key_for_sealing(layout).seal(secret, where)
        fresh = path.with_name(f".{path.name}.sealed")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(handle)
        found = path.stat()
        os.chown(fresh, found.st_uid, found.st_gid)
        fresh.replace(path)
