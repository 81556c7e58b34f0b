"""
Leaving files to a manager that runs as a user of its own.

`tsadmin` is often run by root, and the manager as `tscm`: what root writes, 0600, the manager could not
read.  So what root has made in the node's folders is given to the owner of the settings' folder.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tscm.settings.layout import Layout


def owner_of(layout: Layout) -> tuple[int, int] | None:
    """User and group that the node's files belong to; None where there is nothing to give."""
    if os.geteuid() != 0:
        return None
    for folder in (layout.devices, layout.settings_file.parent):
        if folder.exists():
            found = folder.stat()
            return None if found.st_uid == 0 else (found.st_uid, found.st_gid)
    return None


@contextmanager
def left_to_owner(layout: Layout) -> Iterator[None]:
    """What is made meanwhile in the node's folders belongs to their owner afterwards."""
    owner = owner_of(layout)
    try:
        yield
    finally:
        if owner is not None:
            for path in _made(layout):
                _give(path, *owner)


def _made(layout: Layout) -> Iterator[Path]:
    """Everything that a command may have made; not the lines of logs, which root does not write."""
    portal = layout.portal
    for folder in (
        *(layout.devices, layout.state, layout.logs, layout.run),
        *(portal, portal / "entries", portal / "lists"),
    ):
        yield folder
        with contextlib.suppress(OSError):
            yield from sorted(folder.iterdir())


def _give(path: Path, user: int, group: int) -> None:
    """
    Change the owner of a folder or file of root's.

    Never of what a link leads to: somebody else may write in these folders.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        found = os.fstat(handle)
        plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if found.st_uid == 0 and (plain or stat.S_ISDIR(found.st_mode)):
            os.fchown(handle, user, group)
    finally:
        os.close(handle)
