"""
Compressed segments that can still be read at any place.

The file is a row of independent zstd frames (RFC 8878) of at most `FRAME_BYTES` of text each, with
a seek table in a skippable frame at its end, as zstd's own "seekable format" (contrib/seekable_format
of the zstd sources) lays it down.  So `zstdcat` and `zstdgrep` work on it, and a reader takes one frame
into memory, never the whole.
"""

import struct
from bisect import bisect_right
from pathlib import Path
from typing import Any, Protocol

from attrs import define, field

from tscm.spool.disk import CREATE_EMPTY, READ, Disk
from tscm.spool.sums import Looked, Sums, best_sums

FRAME_BYTES = 256 << 10
"""As much as stays in a core's own cache while it is counted, compressed and unpacked again."""
_MOST_FRAME_BYTES = 1 << 20
"""Of a frame that is read: earlier versions wrote such."""
_HASH_LOG = 13
_MATCH_LEAST = 7
_WINDOW_LOG = 18
"""
Between zstd's levels 1 and 2, but for its table of places, which is half as large and so stays in the first cache: of a
firewall's lines this makes as little as level 3 (7.3 to 1) in less time than level 1.
"""
_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_SKIP_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")


class CompressedDamaged(OSError):
    """
    A compressed segment does not hold what it should: damaged, or not written by us.
    """


class Readable(Protocol):
    """A text that fills a buffer."""

    def read_into(self, room: memoryview, at: int) -> int:
        """As much of the text from *at* on as *room* holds; gives how many octets came."""


@define(eq=False)
class Workbench:
    """
    Buffers and contexts for looking at texts, one after the other: for one thread.

    Fresh buffers would cost more than counting: the system clears each page of theirs.
    """

    sums: Sums = field(factory=best_sums)
    _text: bytearray = field(factory=lambda: bytearray(FRAME_BYTES), init=False)
    _again: bytearray = field(factory=lambda: bytearray(FRAME_BYTES), init=False)
    _contexts: tuple[Any, Any] | None = field(default=None, init=False)

    def look(self, text: "Readable", size: int) -> Looked:
        """CRC-32 and lines of a text's first *size* bytes.  Raises `OSError`."""
        crc = lines = at = 0
        while at < size and (came := text.read_into(self._room(size - at), at)):
            some, crc = self.sums(self._text, came, crc)
            lines += some
            at += came
        return Looked(crc, lines)

    def compress(self, disk: Disk, source: Readable, target: Path, size: int) -> Looked:
        """
        Write the first *size* bytes of *source*, compressed, to *target*, and tell what they hold.

        Blocks; for a thread.  The result has been read back on return, and is to be synced before the plain text
        goes.  Raises `OSError`.
        """
        table, crc, lines, at = [], 0, 0, 0
        writing = disk.open(target, CREATE_EMPTY)
        try:
            for start in range(0, size, FRAME_BYTES):
                came = source.read_into(self._room(size - start), start)
                if came < min(FRAME_BYTES, size - start):
                    raise CompressedDamaged(5, "the segment is shorter than it was")
                packed = self._write_frame(disk, writing, at, came)
                some, crc = self.sums(self._text, came, crc)
                lines += some
                table.append(_ENTRY.pack(packed, came))
                at += packed
            disk.write_all(writing, _seek_table(table), at)
        finally:
            disk.close(writing)
        text = open_compressed(disk, target, 0)
        text.close()
        if text.size != size:
            raise CompressedDamaged(5, "the compressed segment does not match the original")
        return Looked(crc, lines)

    def _room(self, wanted: int) -> memoryview:
        return memoryview(self._text)[:wanted]

    def _write_frame(self, disk: Disk, writing: int, at: int, size: int) -> int:
        """One frame of the text in hand, read back from the file; gives its length there."""
        import zstandard

        if self._contexts is None:
            self._contexts = (
                zstandard.ZstdCompressor(compression_params=_parameters()),
                zstandard.ZstdDecompressor(),
            )
        compressor, decompressor = self._contexts
        frame = compressor.compress(self._room(size))
        disk.write_all(writing, frame, at)
        try:
            reader = decompressor.stream_reader(disk.read_at(writing, len(frame), at))
            same = reader.readinto(self._again) == size
        except zstandard.ZstdError:
            same = False
        if size == FRAME_BYTES:
            same = same and self._again == self._text
        else:
            same = same and self._again[:size] == self._text[:size]
        if not same:
            raise CompressedDamaged(5, "the compressed segment does not match the original")
        return len(frame)


def _parameters() -> Any:
    import zstandard

    return zstandard.ZstdCompressionParameters(
        strategy=zstandard.STRATEGY_FAST,
        window_log=_WINDOW_LOG,
        hash_log=_HASH_LOG,
        chain_log=_HASH_LOG,
        search_log=1,
        min_match=_MATCH_LEAST,
        write_checksum=True,
    )


def _unpacked(decompressor: Any, frame: bytes, size: int) -> bytes:
    """The text of one frame.  Raises `CompressedDamaged`."""
    import zstandard

    try:
        text: bytes = decompressor.decompress(frame, max_output_size=size)
    except zstandard.ZstdError as error:
        raise CompressedDamaged(5, f"a compressed segment is damaged: {error}") from None
    if len(text) != size:
        raise CompressedDamaged(5, "a compressed segment is damaged")
    return text


def _seek_table(entries: list[bytes]) -> bytes:
    body = b"".join(entries) + _FOOTER.pack(len(entries), 0, _SEEKABLE)
    return _SKIP_HEAD.pack(_SKIPPABLE, len(body)) + body


@define(eq=False)
class CompressedText:
    """
    The text of one compressed segment, open for reading at any place.
    """

    _disk: Disk
    start: int
    _fd: int
    _starts: list[int]
    _frames: list[tuple[int, int, int]]
    """Place in the file, compressed bytes, bytes of text."""
    size: int
    _held: tuple[int, bytes] = field(default=(-1, b""), init=False)

    def read(self, size: int, at: int) -> bytes:
        """
        Up to *size* bytes from *at* on; fewer only where the text ends.  Raises `CompressedDamaged`.
        """
        parts = []
        number = bisect_right(self._starts, at) - 1
        while size > 0 and 0 <= number < len(self._frames):
            frame = self._frame(number)
            part = frame[at - self._starts[number] :][:size]
            parts.append(part)
            size -= len(part)
            at += len(part)
            number += 1
        return b"".join(parts)

    def read_into(self, room: memoryview, at: int) -> int:
        """The same into *room*, as much as it holds; gives how many octets came."""
        data = self.read(len(room), at)
        room[: len(data)] = data
        return len(data)

    def _frame(self, number: int) -> bytes:
        import zstandard

        if self._held[0] != number:
            place, packed, size = self._frames[number]
            data = self._disk.read_at(self._fd, packed, place)
            found = _unpacked(zstandard.ZstdDecompressor(), data, size)
            self._held = (number, found)
        return self._held[1]

    def close(self) -> None:
        """Give back what reading took."""
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1
            self._held = (-1, b"")


def open_compressed(disk: Disk, path: Path, start: int) -> CompressedText:
    """
    A compressed segment.  Raises `FileNotFoundError`, `CompressedDamaged`, `OSError`.
    """
    fd = disk.open(path, READ)
    try:
        frames = _frames(disk, fd)
    except BaseException:
        disk.close(fd)
        raise
    starts, at = [], 0
    for _, _, size in frames:
        starts.append(at)
        at += size
    return CompressedText(disk, start, fd, starts, frames, at)


def _frames(disk: Disk, fd: int) -> list[tuple[int, int, int]]:
    end = disk.size(fd)
    footer = disk.read_at(fd, _FOOTER.size, max(0, end - _FOOTER.size))
    if len(footer) != _FOOTER.size:
        raise CompressedDamaged(5, "a compressed segment has no seek table")
    count, _, magic = _FOOTER.unpack(footer)
    table = end - _FOOTER.size - count * _ENTRY.size
    if magic != _SEEKABLE or table < _SKIP_HEAD.size:
        raise CompressedDamaged(5, "a compressed segment has no seek table")
    frames, place = [], 0
    for packed, size in _ENTRY.iter_unpack(disk.read_at(fd, count * _ENTRY.size, table)):
        if size > _MOST_FRAME_BYTES:
            raise CompressedDamaged(5, "a compressed segment has a damaged seek table")
        frames.append((place, packed, size))
        place += packed
    if place != table - _SKIP_HEAD.size:
        raise CompressedDamaged(5, "a compressed segment has a damaged seek table")
    return frames
