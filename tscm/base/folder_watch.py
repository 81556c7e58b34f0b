"""
Whether something in a folder may have changed: asked of the kernel (inotify), so that thousands of files need no look.

The kernel does not tell of what another machine does on a network file system, nor of what a link leads to: who
asks looks at the files themselves from time to time.
"""

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

if TYPE_CHECKING:
    from twisted.internet.inotify import INotify

_READ_BYTES = 64 << 10
_READS_MOST = 64
_EVENT = struct.Struct("iIII")
"""`struct inotify_event`: watch, mask, cookie, and the length of the name behind it (inotify(7))."""
_UNMOUNTED, _IGNORED = 0x2000, 0x8000
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    ]
)


class _NotToldHere(Exception):
    """The kernel does not tell of changes in this folder."""


@define(eq=False)
class FolderWatch:
    """
    Watches one *folder*, which may be away, be replaced, or come on another volume meanwhile.

    Takes one inotify instance and one watch, whatever is in the folder.  Where neither can be had, it says at
    each question that something may have changed.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    folder: Path
    mounts: Path = _MOUNTS
    _told: "INotify | None" = field(default=None, init=False)
    _watched: tuple[int, int] | None = field(default=None, init=False)
    """The folder that is watched, by volume and number."""
    _fault: str = field(default="", init=False)

    @property
    def works(self) -> bool:
        """Whether the kernel tells of changes."""
        return self._told is not None

    def changed(self) -> bool:
        """Whether something may have changed since the last call.  Does not wait."""
        try:
            found = self.folder.stat()
        except OSError:
            self.stop()
            return True
        if self._told is None or self._watched != (found.st_dev, found.st_ino):
            self.stop()
            self._begin((found.st_dev, found.st_ino))
            return True
        return self._take(self._told.fileno())

    def stop(self) -> None:
        """Give the descriptor back; the next `changed` begins again."""
        told, self._told, self._watched = self._told, None, None
        if told is not None:
            told.connectionLost(Failure(ConnectionDone()))

    def _begin(self, found: tuple[int, int]) -> None:
        try:
            self._told = self._watch(found[0])
        except _NotToldHere as error:
            self._tell(str(error))
        else:
            self._watched, self._fault = found, ""

    def _tell(self, cause: str) -> None:
        if cause != self._fault:
            self._log.info(
                "the kernel does not report changes in {folder} ({cause}); its files are "
                "checked in turn instead",
                folder=str(self.folder),
                cause=cause,
            )
        self._fault = cause

    def _watch(self, volume: int) -> "INotify":
        kind = volume_kind(volume, self.mounts)
        if kind in _NETWORK or kind.startswith("fuse."):
            raise _NotToldHere(f"it is on a network file system, {kind}")
        try:
            from twisted.internet import inotify  # looks for the C library, which may be missing
        except ImportError as error:
            raise _NotToldHere(str(error)) from None
        changes = (
            inotify.IN_ATTRIB
            | inotify.IN_CREATE
            | inotify.IN_DELETE
            | inotify.IN_MODIFY
            | inotify.IN_MOVE_SELF
            | inotify.IN_MOVED_FROM
            | inotify.IN_MOVED_TO
        )
        told = None
        try:
            told = inotify.INotify(self._reactor)
            told.watch(FilePath(str(self.folder)), changes)
        except (OSError, inotify.INotifyError):  # Twisted keeps the number of the error to itself
            if told is not None:
                told.connectionLost(Failure(ConnectionDone()))
            raise _NotToldHere(
                "no free inotify watch; raise fs.inotify.max_user_instances and "
                "fs.inotify.max_user_watches"
            ) from None
        return told

    def _take(self, fd: int) -> bool:
        """
        Read what the kernel has queued; of a queue that overflowed too, for that began with a change.

        The kernel drops the watch of a folder that is deleted, and a new one in its place may get its number.
        """
        found = dropped = False
        for _ in range(_READS_MOST):
            try:
                data = os.read(fd, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                return True
            found = found or bool(data)
            dropped = dropped or _is_dropped(data)
        if dropped:
            self.stop()
        return found


def _is_dropped(data: bytes) -> bool:
    """Whether one of the events says that the kernel watches no more; it gives whole events."""
    at = 0
    while at + _EVENT.size <= len(data):
        _, mask, _, size = _EVENT.unpack_from(data, at)
        if mask & (_UNMOUNTED | _IGNORED):
            return True
        at += _EVENT.size + size
    return False


def volume_kind(volume: int, mounts: Path = _MOUNTS) -> str:
    """The type of the file system of volume number *volume*, as the kernel calls it; empty where that is unknown."""
    number = f"{os.major(volume)}:{os.minor(volume)}"
    try:
        text = mounts.read_text("utf-8", "replace")
    except OSError:
        return ""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        parts = before.split()
        if dash and len(parts) > 2 and parts[2] == number:
            return after.split(" ", 1)[0]
    return ""
