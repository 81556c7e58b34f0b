"""
The text of a large live file in a file of its own, copied in a thread while lines go on being appended.

A live file that somebody moved, deleted or wrote to is put right by a copy of its text (`tscm.spool.intact`).
A few megabytes are copied where that is noticed, in the reactor's thread; of gigabytes a thread copies what is there, and once
more what came meanwhile, until the rest is small.
"""

import errno
from itertools import count
from pathlib import Path

from attrs import define, field

from tscm.spool.disk import CREATE_EMPTY, Disk
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder, copy_names
from tscm.spool.text import CHUNK_BYTES

_numbers = count(1)


class TextTruncated(OSError):
    """
    The text has a hole, or ends before: no copy of it puts anything right.
    """

    def __init__(self) -> None:
        super().__init__(errno.EIO, "it was truncated while it was being copied")


@define(eq=False)
class TextCopy:
    """
    The first *size* bytes of the live text that began at *base*, in the file at *path*.
    """

    disk: Disk
    path: Path
    base: int
    number: int
    """The number of the file that is copied, on its volume."""
    _source: int
    size: int = field(default=0, init=False)
    _fd: int = field(default=-1, init=False)

    @classmethod
    def of(cls, live: LiveLog) -> "TextCopy":
        """Of what is live now; nothing is copied yet.  Raises `OSError`."""
        disk = live.disk
        path = live.folder.copying(next(_numbers))
        return cls(disk, path, live.base, live.number, disk.duplicate(live.fd))

    def fits(self, live: LiveLog) -> bool:
        """Is it of the text that is live now?  Raises `OSError`."""
        return self.base == live.base and self.number == live.number

    def extend(self, size: int) -> None:
        """
        Copy on up to *size* bytes.  Blocks.  Raises `TextTruncated`, `OSError`.
        """
        if self._fd < 0:
            self._fd = self.disk.open(self.path, CREATE_EMPTY)
        while self.size < size:
            data = self.disk.read_at(self._source, min(CHUNK_BYTES, size - self.size), self.size)
            if not data or b"\0" in data:
                raise TextTruncated
            self.disk.write_all(self._fd, data, self.size)
            self.size += len(data)

    def extend_apart(self, size: int) -> None:
        """
        `extend` for a thread: what was copied is on the disk then, because a rename over a file waits for that.
        """
        self.extend(size)
        self.disk.fsync(self._fd)

    def take(self, place: Path) -> int:
        """Give the copy its *place*, and its descriptor to the caller.  Raises `OSError`."""
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


def clear_copies(disk: Disk, folder: LogFolder) -> None:
    """At a start: remove copies that a stop left unfinished.  Raises `OSError`."""
    for name in copy_names(disk.names(folder.spool)):
        disk.unlink(folder.spool / name)
