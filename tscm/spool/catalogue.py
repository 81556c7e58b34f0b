"""
The list of one log's sealed segments, on disk: a record of 64 bytes for each, oldest first.

Segments follow each other without a gap from offset to offset; what retention took, and what
was lost, stays as a record that says so.  The list is searched where it lies: a manager with
hundreds of devices and thousands of segments each neither reads it at start nor keeps it in memory.
"""

import contextlib
import errno
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zlib import crc32

from attrs import define, evolve, field, frozen

from tscm.spool.disk import CREATE, READ_WRITE, Disk
from tscm.spool.open_files import OpenFiles

RECORD_BYTES = 64
DELETED = 1
"""Retention took it; the cause stands in the bits above."""
LOST = 2
"""It is missing, or never was: a stretch that a power cut took."""
CHECKED = 4
"""`text_crc` has been computed."""
COMPRESSED = 8
"""The text lies in a file `.zst`."""
DAMAGED = 16
"""The text is not what it was when it was sealed."""
_CAUSE_SHIFT = 8
_RECORD = struct.Struct("<QQQQddII")
_PACKED = struct.Struct("<QQQQddIII")
_TOMBSTONES_MAX = 4096
_RECORDS_AT_ONCE = 64


class CatalogueDamaged(OSError):
    """
    A record's checksum does not hold; the list is made again from the segments.

    An `OSError`, since for those who use the log the disk does not give what was written.
    """

    def __init__(self, how: str = "damaged") -> None:
        super().__init__(errno.EIO, f"the list of segments is {how}")


@frozen
class Segment:
    """
    One sealed segment: bytes *start* to *end* of the log.
    """

    start: int
    size: int
    lines_before: int
    lines: int
    first_at: float
    last_at: float
    text_crc: int = 0
    flags: int = 0

    @property
    def end(self) -> int:
        """Offset behind its last byte, where the next one starts."""
        return self.start + self.size

    @property
    def lines_end(self) -> int:
        """Lines of the log up to its end."""
        return self.lines_before + self.lines

    @property
    def gone(self) -> bool:
        """Whether its text cannot be read any more."""
        return bool(self.flags & (DELETED | LOST))

    @property
    def cause(self) -> int:
        """Why it is gone, as a number in `cursor.CAUSES`."""
        return self.flags >> _CAUSE_SHIFT & 0xFF

    def with_crc(self, crc: int) -> "Segment":
        """The record once the text's checksum is known."""
        return evolve(self, text_crc=crc, flags=self.flags | CHECKED)

    def with_flag(self, flag: int) -> "Segment":
        """The record with one more flag."""
        return evolve(self, flags=self.flags | flag)

    def deleted(self, cause: int) -> "Segment":
        """The record once retention has taken it."""
        return evolve(self, flags=self.flags & ~0xFF00 | DELETED | cause << _CAUSE_SHIFT)

    def lost(self, cause: int) -> "Segment":
        """The record once it is found missing."""
        return evolve(self, flags=self.flags & ~0xFF00 | LOST | cause << _CAUSE_SHIFT)


def encode_segment(segment: Segment) -> bytes:
    """The record's bytes."""
    body = _RECORD.pack(
        segment.start,
        segment.size,
        segment.lines_before,
        segment.lines,
        segment.first_at,
        segment.last_at,
        segment.text_crc,
        segment.flags,
    )
    return body + crc32(body).to_bytes(4, "little") + b"\0" * (RECORD_BYTES - _PACKED.size)


def decode_segment(data: bytes) -> Segment:
    """What `encode_segment` was given; raises `CatalogueDamaged`."""
    body = data[: _RECORD.size]
    if len(data) != RECORD_BYTES or crc32(body) != int.from_bytes(
        data[_RECORD.size : _PACKED.size], "little"
    ):
        raise CatalogueDamaged
    return Segment(*_RECORD.unpack(body))


@define(eq=False)
class Catalogue:
    """
    The list as a file; *first* is the number of the oldest record that is not deleted.
    """

    _disk: Disk
    _path: Path
    count: int = field(default=0, init=False)
    first: int = field(default=0, init=False)
    last: Segment | None = field(default=None, init=False)
    _before: Segment | None = field(default=None, init=False)
    """The record before the last, for `drop_last`."""
    _begin: int = field(default=0, init=False)
    """Where the first record starts."""
    _fd: int = field(default=-1, init=False)
    used: bool = field(default=False, init=False)
    files: OpenFiles | None = field(default=None, init=False)
    """Shared with the lists of other logs and the positions of their readers; None: the file stays open."""
    _found: tuple[int, Segment] | None = field(default=None, init=False)
    _oldest: tuple[int, Segment] | None = field(default=None, init=False)

    def open(self) -> None:
        """
        Look at both ends of the list.  A record that a crash left half-written is cut off.

        Raises `CatalogueDamaged`, `OSError`.
        """
        self._fd = self._disk.open(self._path, CREATE)
        if self.files is not None:
            self.files.opened(self)
        size = self._disk.size(self._fd)
        self.count = size // RECORD_BYTES
        if size % RECORD_BYTES:
            self._disk.truncate(self._fd, self.count * RECORD_BYTES)
        self._look()

    def _look(self) -> None:
        self._found = self._oldest = None
        self.last = self.at(self.count - 1) if self.count else None
        self._before = self.at(self.count - 2) if self.count > 1 else None
        self._begin = self.at(0).start if self.count else 0
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self.at(middle).flags & DELETED:
                low = middle + 1
            else:
                high = middle
        self.first = low

    def take_disk(self, disk: Disk) -> None:
        """Go on with another disk."""
        self._disk = disk

    def share(self, files: OpenFiles) -> None:
        """Have the file open only while it is used, from now on."""
        self.files = files
        if self._fd >= 0:
            files.make_room()
            files.opened(self)

    def park(self) -> bool:
        """Close the file until it is used again."""
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):
            self._disk.close(fd)
        return True

    def _file(self) -> int:
        """The descriptor.  Raises `OSError` where the file cannot be opened again."""
        if self._fd < 0:
            self._reopen()
        self.used = True
        return self._fd

    def close(self) -> None:
        """Give the descriptor back."""
        if self.files is not None:
            self.files.closed(self)
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1

    @property
    def end(self) -> int:
        """Where the live segment starts."""
        return self.last.end if self.last else 0

    @property
    def lines(self) -> int:
        """Lines of the log before the live segment."""
        return self.last.lines_end if self.last else 0

    def at(self, number: int) -> Segment:
        """Record *number*.  Raises `CatalogueDamaged`."""
        if self._found is not None and self._found[0] == number:
            return self._found[1]
        try:
            data = self._disk.read_at(self._file(), RECORD_BYTES, number * RECORD_BYTES)
        except OSError:
            self._reopen()
            data = self._disk.read_at(self._fd, RECORD_BYTES, number * RECORD_BYTES)
        segment = decode_segment(data)
        self._found = (number, segment)
        return segment

    @property
    def oldest(self) -> Segment | None:
        """
        The oldest record that is not deleted; None where there is none.

        Retention asks for it with each seal of each device, so it is kept.  Raises `OSError`.
        """
        if self.first >= self.count:
            return None
        if self._oldest is None or self._oldest[0] != self.first:
            self._oldest = (self.first, self.at(self.first))
        return self._oldest[1]

    def number_of(self, offset: int) -> int | None:
        """The number of the record that holds *offset*; None before the list and behind it."""
        if not self.count or not self._begin <= offset < self.end:
            return None
        if self._found is not None:
            number, found = self._found
            if found.start <= offset < found.end:
                return number
            if offset == found.end and offset < self.at(number + 1).end:
                return number + 1
        low, high = 0, self.count
        while high - low > 1:
            middle = (low + high) // 2
            if self.at(middle).start <= offset:
                low = middle
            else:
                high = middle
        return low

    def find(self, offset: int) -> Segment | None:
        """The segment that holds *offset*, gone or not."""
        number = self.number_of(offset)
        return None if number is None else self.at(number)

    def segments(self, number: int = 0, end: int | None = None) -> Iterator[Segment]:
        """Records from *number* on, gone ones too."""
        for one in range(number, self.count if end is None else end):
            yield self.at(one)

    def newest(self, first: int) -> Iterator[tuple[int, Segment]]:
        """Records from the last back to *first* with their numbers, read many at a time."""
        for end in range(self.count, first, -_RECORDS_AT_ONCE):
            start = max(first, end - _RECORDS_AT_ONCE)
            size = (end - start) * RECORD_BYTES
            data = self._disk.read_at(self._file(), size, start * RECORD_BYTES)
            for number in range(end - 1, start - 1, -1):
                at = (number - start) * RECORD_BYTES
                yield number, decode_segment(data[at : at + RECORD_BYTES])

    def first_without(self, flags: int) -> int:
        """
        The number of the oldest record that has none of *flags*, which are set from the oldest on.
        """
        low, high = self.first, self.count
        while low < high:
            middle = (low + high) // 2
            if self.at(middle).flags & flags:
                low = middle + 1
            else:
                high = middle
        return low

    def add(self, *segments: Segment) -> None:
        """Some more at the end: in the list whole, or not at all."""
        at = self.count * RECORD_BYTES
        try:
            self._write(self.count, *segments)
        except OSError:
            with contextlib.suppress(OSError):  # else the next one is written over it
                self._disk.truncate(self._file(), at)
            raise
        for segment in segments:
            if not self.count:
                self._begin = segment.start
            self.count += 1
            self._before, self.last = self.last, segment

    def drop_last(self, count: int = 1) -> None:
        """
        Take back what was just added, for a seal that could not be ended.

        Where the disk does not let us, the record stays in the file until the next one is written
        over it; a start that finds it sees that its segment was never named.
        """
        self.count -= count
        self.last = self._before if count == 1 else self.at(self.count - 1) if self.count else None
        self._found = self._oldest = None
        with contextlib.suppress(OSError):
            self._disk.truncate(self._file(), self.count * RECORD_BYTES)

    def change(self, number: int, segment: Segment) -> None:
        """Write record *number* again: with other flags, or a checksum of the text."""
        self._write(number, segment)
        self._found = None
        if self._oldest is not None and self._oldest[0] == number:
            self._oldest = None
        if number == self.count - 1:
            self.last = segment
        if segment.flags & DELETED and number == self.first:
            self.first = number + 1

    def _write(self, number: int, *segments: Segment) -> None:
        data, at = b"".join(map(encode_segment, segments)), number * RECORD_BYTES
        try:
            self._disk.write_all(self._file(), data, at)
        except OSError:
            self._reopen()
            self._disk.write_all(self._fd, data, at)

    def _reopen(self) -> None:
        """
        The file that lies there now: its volume may have been repaired and mounted again.

        Raises `CatalogueDamaged` where it is not the list as it was, `OSError`.
        """
        if self._fd < 0 and self.files is not None:
            self.files.make_room()
        try:
            fd = self._disk.open(self._path, READ_WRITE)
        except FileNotFoundError:
            raise CatalogueDamaged("missing") from None
        if self._disk.size(fd) < self.count * RECORD_BYTES:
            self._disk.close(fd)
            raise CatalogueDamaged("truncated")
        old, self._fd = self._fd, fd
        if old >= 0:
            with contextlib.suppress(OSError):
                self._disk.close(old)
        if self.files is not None:
            self.files.opened(self)

    def replace(self, changed: Mapping[int, Sequence[Segment]]) -> None:
        """Make the file again with other records in the place of some; whole, or not at all."""
        kept = (
            encode_segment(one)
            for number, segment in enumerate(self.segments())
            for one in changed.get(number, (segment,))
        )
        self._disk.publish(self._path, b"".join(kept))
        self.close()
        self.open()

    def forget_deleted(self) -> None:
        """
        Make the file again without the oldest deleted records, when they are many.

        The list is right without it, so a disk that refuses is no fault: it is tried again.
        """
        if self.first <= _TOMBSTONES_MAX or self.first * 2 < self.count:
            return
        at = (self.first - 1) * RECORD_BYTES
        try:
            kept = self._disk.read_at(self._file(), self.count * RECORD_BYTES - at, at)
            if len(kept) == self.count * RECORD_BYTES - at:
                self._disk.publish(self._path, kept)
        except OSError:
            return
        self.close()
        self.open()


def write_catalogue(disk: Disk, path: Path, segments: list[Segment]) -> None:
    """Put a list in the place of one that was damaged."""
    disk.publish(path, b"".join(map(encode_segment, segments)))
