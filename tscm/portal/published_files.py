"""
The lists of policies as files, from which the policy service serves them.  Blocking.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from tscm.policy.cidr import Entries
from tscm.policy.plain_lines import as_lines
from tscm.settings.files import write_private


def published_file(portal: Path, name: str) -> Path:
    """Where the list *name* of a policy is published."""
    return portal / "published" / f"{name}.txt"


def file_mark(file: Path) -> list[int] | None:
    """What tells that a file is still the one that was written."""
    try:
        state = file.stat()
    except OSError:
        return None
    return [state.st_mtime_ns, state.st_size]


def digest(entries: Entries) -> str:
    """Tells entries from other ones."""
    return hashlib.sha256(entries.to_bytes()).hexdigest()


def write_list(portal: Path, name: str, entries: Entries, what: str) -> bool:
    """Put a list in its place, unless it is there already.  Raises `OSError`."""
    file = published_file(portal, name)
    head = f"# {what}: written by tscm, and again at its next change\n"
    content = head.encode() + as_lines(entries)
    with suppress(OSError):  # what cannot be read is written
        if file.stat().st_size == len(content) and file.read_bytes() == content:
            return False
    write_private(file, content)
    return True
