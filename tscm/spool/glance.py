"""
Opening a log only where that is soon done: a disk that gives so many bytes, and no more.

What a start reads of a log depends on what the last stop left: as a rule a few kilobytes, after a crash
the whole live file, and that may hold gigabytes.  In the reactor's thread the few kilobytes are read; where
there are more, the opening is interrupted, as a crash would break it off there, and begins again in a thread.
"""

import errno
from pathlib import Path
from typing import Any, cast

from attrs import define, field

from tscm.spool.disk import Disk

AT_ONCE_BYTES = 4 << 20
"""A few milliseconds; a fiftieth of a second from a slow disk."""
_INDEX_WEIGHT = 16
"""A record of an index is read in as much time as so many times its size of text."""


class TakesLong(OSError):
    """
    More would have to be read than may be at once.
    """

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "there is more to read than may be read at once")


@define(eq=False)
class Glance:
    """
    A disk of whose files *left* bytes can be read; then `TakesLong` is raised.
    """

    _disk: Disk
    left: int
    _indexes: set[int] = field(factory=set, init=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._disk, name)

    def open(self, path: Path, flags: int) -> int:
        """See `Disk`."""
        fd = self._disk.open(path, flags)
        if path.suffix == ".index":
            self._indexes.add(fd)
        else:
            self._indexes.discard(fd)
        return fd

    def read_at(self, fd: int, size: int, at: int) -> bytes:
        """See `Disk`."""
        return self._taken(fd, self._disk.read_at(fd, size, at))

    def pread(self, fd: int, size: int, at: int) -> bytes:
        """See `Disk`."""
        return self._taken(fd, self._disk.pread(fd, size, at))

    def _taken(self, fd: int, data: bytes) -> bytes:
        self.left -= len(data) * (_INDEX_WEIGHT if fd in self._indexes else 1)
        if self.left < 0:
            raise TakesLong
        return data

    @property
    def disk(self) -> Disk:
        """As a disk, for who asks for one."""
        return cast(Disk, self)
