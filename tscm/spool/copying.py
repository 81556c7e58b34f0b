"""
What a thread makes of a large live text in a file of its own while lines go on being appended: a copy, or a survey.

A live file that another process moved, deleted or wrote to is repaired by a copy of its text, one that another process truncated
by what is left of it (`tscm.spool.intact`).  A few megabytes are read where that is noticed, in the reactor's thread; of
gigabytes a thread reads what is there, and once more what came meanwhile, until the rest is small.
"""

from itertools import count
from pathlib import Path
from typing import Self

from attrs import define, field

from tscm.spool.disk import CREATE_EMPTY, Disk
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder, copy_names
from tscm.spool.text import CHUNK_BYTES

_numbers = count(1)


@define(eq=False)
class Apart:
    """
    Made of the first *size* bytes of the live text that began at *base*, in the file at *path*.
    """

    disk: Disk
    path: Path
    base: int
    number: int
    """The number of the file that is read, on its volume."""
    _source: int
    size: int = field(default=0, init=False)
    _fd: int = field(default=-1, init=False)

    @classmethod
    def of(cls, live: LiveLog) -> Self:
        """Of what is live now; nothing is read yet.  Raises `OSError`."""
        disk = live.disk
        path = live.folder.copying(next(_numbers))
        return cls(disk, path, live.base, live.number, disk.duplicate(live.fd))

    def fits(self, live: LiveLog) -> bool:
        """Is it of the text that is live now?  Raises `OSError`."""
        return self.base == live.base and self.number == live.number

    def extend(self, size: int) -> None:
        """Read on up to *size* bytes.  Blocks.  Raises `OSError`."""
        raise NotImplementedError

    def extend_apart(self, size: int) -> None:
        """
        `extend` for a thread: what was written is on the disk then, because a rename over a file waits for that.
        """
        self.extend(size)
        self.disk.fsync(self._fd)

    def open(self) -> None:
        """Make the file, where it is not made yet.  Raises `OSError`."""
        if self._fd < 0:
            self._fd = self.disk.open(self.path, CREATE_EMPTY)

    def take(self, place: Path) -> int:
        """Give the file its *place*, and its descriptor to the caller.  Raises `OSError`."""
        self.disk.rename(self.path, place)
        fd, self._fd = self._fd, -1
        return fd

    def discard(self) -> None:
        """Give back what is left of it.  Blocks where that is much.  Raises `OSError`."""
        fd, self._fd = self._fd, -1
        if self._source >= 0:
            self.disk.close(self._source)
            self._source = -1
        if fd >= 0:
            self.disk.close(fd)
            self.disk.unlink(self.path)


@define(eq=False)
class TextCopy(Apart):
    """
    A copy, with the holes of its source.
    """

    holed: bool = field(default=False, init=False)
    """Was anything not there?  A copy alone does not put that right."""

    def extend(self, size: int) -> None:
        """Copy on up to *size* bytes.  Blocks.  Raises `OSError`."""
        self.open()
        while self.size < size:
            data = self.disk.read_at(self._source, min(CHUNK_BYTES, size - self.size), self.size)
            if not data:
                self.holed, self.size = True, size
                return
            holed = b"\0" in data
            self.holed = self.holed or holed
            if not holed or data.strip(b"\0"):
                self.disk.write_all(self._fd, data, self.size)
            self.size += len(data)


def clear_copies(disk: Disk, folder: LogFolder) -> None:
    """At a start: remove copies that a stop left unfinished.  Raises `OSError`."""
    for name in copy_names(disk.names(folder.spool)):
        disk.unlink(folder.spool / name)
