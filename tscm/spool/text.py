"""
Looking at lines where they lie, block by block: never a whole file in memory.
"""

from pathlib import Path
from typing import Protocol

from attrs import define

from tscm.spool.compress import CompressedText, open_compressed
from tscm.spool.disk import READ, Disk
from tscm.spool.names import LogFolder

CHUNK_BYTES = 1 << 20
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
    A text whose descriptor belongs to somebody else.
    """

    _disk: Disk
    _fd: int

    def read(self, size: int, at: int) -> bytes:
        """Up to *size* bytes from *at* on; fewer only where the text ends."""
        return self._disk.read_at(self._fd, size, at)

    def close(self) -> None:
        """Nothing: whoever opened it closes it."""


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

    def duplicate(self) -> int:
        """A descriptor of its own for whoever sends the text on, and closes it."""
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


def count_lines(text: Text, at: int, end: int) -> int:
    """How many lines close between two places of a text."""
    lines = 0
    while at < end:
        data = text.read(min(CHUNK_BYTES, end - at), at)
        if not data:
            break
        lines += data.count(b"\n")
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
