"""
What of a node's files belongs into a backup: each room says it of the files that it writes.

Patterns are of paths below the root directory, without the first slash: `*` is any text within one name, `**` any
number of names.  `tscm.backup.rules` collects the rules of all rooms; the first that matches a path counts.
"""

import re
from enum import StrEnum
from functools import lru_cache

from attrs import frozen


class Treatment(StrEnum):
    """
    What a backup does with a file.
    """

    COPY = "copy"
    """Copied as it is."""
    SECRET = "secret"  # noqa: S105 - a word for a kind of file
    """Encrypted with the passphrase; left out of a backup without one."""
    KEY = "key"
    """The sealing key: encrypted with the passphrase, and without it the sealed secrets cannot be decrypted."""
    DATABASE = "database"
    """Copied by SQLite, which gives one state of it while others write."""
    LOG = "log"
    """Text of a log and what lists it: only where the logs are asked for."""
    UPLOAD = "upload"
    """Stored uploads of devices: only where they are asked for."""
    LEFT_OUT = "left out"
    """Never: it is made again, or means nothing elsewhere."""


@frozen
class BackupRule:
    """
    Files that match *pattern* are treated so; *why* says why those that are left out are.
    """

    pattern: str
    treatment: Treatment
    why: str = ""

    def matches(self, path: str) -> bool:
        """Is *path*, relative to the root directory, one of these files?"""
        return _compiled(self.pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (
        ".+" if part == "**" else "".join("[^/]*" if c == "*" else re.escape(c) for c in part)
        for part in pattern.split("/")
    )
    return re.compile("/".join(parts), re.DOTALL)
