"""
Looking at lines where they lie, block by block: never a whole file in memory.
"""

import errno
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from attrs import define

from tscm.model import Stretch
from tscm.spool.compress import CompressedText, open_compressed
from tscm.spool.disk import READ, Disk
from tscm.spool.names import LogFolder
from tscm.spool.sums import line_ends

CHUNK_BYTES = 1 << 20
LINE_MOST = 64 << 20
"""More octets without an LF are no line, but what another process did to the file: no message is so long."""
_FOLDERS_KEPT = 8192
_MOST_EXTENTS = 4096
"""Holes that are looked for; what stands behind so many counts as written."""


class Text(Protocol):
    """Lines that can be read at any place."""

    def read(self, size: int, at: int) -> bytes:
        """Up to *size* bytes from *at* on; fewer only where the text ends."""

    def close(self) -> None:
        """Give back what reading took."""


@define(eq=False)
class LiveText:
    """
    A text whose descriptor belongs to another process.
    """

    _disk: Disk
    _fd: int

    def read(self, size: int, at: int) -> bytes:
        """Up to *size* bytes from *at* on; fewer only where the text ends."""
        return self._disk.read_at(self._fd, size, at)

    def close(self) -> None:
        """Nothing: its owner closes it."""


@define(eq=False)
class SegmentText:
    """
    The text of one sealed segment, open for reading at any place.
    """

    _disk: Disk
    start: int
    size: int
    _fd: int

    def read(self, size: int, at: int) -> bytes:
        """Up to *size* bytes from *at* on; fewer only where the text ends."""
        return self._disk.read_at(self._fd, size, at)

    def read_into(self, room: memoryview, at: int) -> int:
        """The same into *room*, as much as it holds; gives how many octets came."""
        return self._disk.read_into(self._fd, room, at)

    def duplicate(self) -> int:
        """A descriptor of its own for the code that sends the text on, and closes it."""
        return self._disk.duplicate(self._fd)

    def close(self) -> None:
        """Give back what reading took."""
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1


def open_text(disk: Disk, folder: LogFolder, start: int) -> SegmentText | CompressedText:
    """
    The sealed segment at *start*, plain or compressed.  Raises `FileNotFoundError`, `OSError`.
    """
    try:
        fd = disk.open(folder.segment(start), READ)
    except FileNotFoundError:
        return open_compressed(disk, folder.compressed(start), start)
    return SegmentText(disk, start, disk.size(fd), fd)


def read_stretch(disk: Disk, stretch: Stretch) -> bytes:
    """
    The lines of a stretch that the manager's process told of.  Raises `OSError` where they are not all there.

    A live file may have been sealed since, or lie at another place for a moment; which one it is tells its number.  A sealed
    segment's name is its own for ever.
    """
    folder = _folder(stretch.folder)
    text = _text_of(disk, folder, stretch)
    try:
        data = text.read(stretch.end - stretch.start, stretch.start - stretch.base)
    finally:
        text.close()
    whole = len(data) == stretch.end - stretch.start and data.endswith(b"\n")
    if not whole or (stretch.inode and b"\0" in data):  # a file that was cut off, and a hole in it
        raise OSError(errno.EIO, "the log holds less than was written")
    return data


@lru_cache(maxsize=_FOLDERS_KEPT)
def _folder(path: str) -> LogFolder:
    return LogFolder(Path(path))


def _text_of(disk: Disk, folder: LogFolder, stretch: Stretch) -> SegmentText | CompressedText:
    if not stretch.inode:
        return open_text(disk, folder, stretch.base)
    for path in (folder.live, folder.next):
        try:
            fd = disk.open(path, READ)
        except FileNotFoundError:
            continue
        if disk.number_of(fd) == stretch.inode:
            return SegmentText(disk, stretch.base, disk.size(fd), fd)
        disk.close(fd)
    return open_text(disk, folder, stretch.base)


def count_lines(text: Text, at: int, end: int) -> int:
    """How many lines close between two places of a text."""
    lines = 0
    while at < end:
        data = text.read(min(CHUNK_BYTES, end - at), at)
        if not data:
            break
        lines += line_ends(data)
        at += len(data)
    return lines


def written(disk: Disk, fd: int, start: int, end: int) -> list[tuple[int, int]]:
    """Where a file has been written between two places, holes left out."""
    found: list[tuple[int, int]] = []
    at = start
    while at < end:
        begin = disk.next_data(fd, at)
        if begin is None or begin >= end:
            break
        if len(found) == _MOST_EXTENTS:
            found.append((begin, end))
            break
        at = min(disk.next_hole(fd, begin), end)
        found.append((begin, at))
    return found


def last_line_end(disk: Disk, fd: int, size: int) -> int:
    """The place behind the last LF of an open file of *size* bytes; 0 where there is none.  Holes hold none."""
    for begin, stop in reversed(written(disk, fd, 0, size)):
        end = stop
        while end > begin:
            start = max(begin, end - CHUNK_BYTES)
            found = disk.read_at(fd, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def unused_torn(disk: Disk, folder: LogFolder, offset: int) -> Path:
    """A free name for bytes that are kept aside and belong to no segment."""
    number = 0
    while not disk.is_free(folder.torn(offset, number)):
        number += 1
    return folder.torn(offset, number)
