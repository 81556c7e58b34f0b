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
from typing import Any
from zlib import crc32

from attrs import define, field

from tscm.spool.disk import CREATE_EMPTY, READ, Disk

FRAME_BYTES = 1 << 20
_LEVEL = 1
"""Of a firewall's lines level 3 makes no less (7.1 to 1 against 7.2), and takes half as long again."""
_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_SKIP_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")


class CompressedDamaged(OSError):
    """
    A compressed segment does not hold what it should: damaged, or not written by us.
    """


def compress_segment(disk: Disk, source: Path, target: Path, size: int) -> int:
    """
    Write the first *size* bytes of *source*, compressed, to *target*; gives their CRC-32.

    Blocks; for a thread.  The result is on the disk on return and has been read back.
    Raises `OSError`.
    """
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    decompressor = zstandard.ZstdDecompressor()
    table, crc, at = [], 0, 0
    reading = disk.open(source, READ)
    try:
        writing = disk.open(target, CREATE_EMPTY)
        try:
            for start in range(0, size, FRAME_BYTES):
                data = disk.read_at(reading, min(FRAME_BYTES, size - start), start)
                frame = compressor.compress(data)
                disk.write_all(writing, frame, at)
                if (
                    _unpacked(decompressor, disk.read_at(writing, len(frame), at), len(data))
                    != data
                ):
                    raise CompressedDamaged(5, "the compressed segment does not match the original")
                crc = crc32(data, crc)
                table.append(_ENTRY.pack(len(frame), len(data)))
                at += len(frame)
                if len(data) < min(FRAME_BYTES, size - start):
                    raise CompressedDamaged(5, "the segment is shorter than it was")
            disk.write_all(writing, _seek_table(table), at)
            disk.fsync(writing)
        finally:
            disk.close(writing)
    finally:
        disk.close(reading)
    text = open_compressed(disk, target, 0)
    text.close()
    if text.size != size:
        raise CompressedDamaged(5, "the compressed segment does not match the original")
    return crc


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


def text_crc(text: "CompressedText | Any", size: int) -> int:
    """CRC-32 of a text's first *size* bytes; blocks for as long as reading takes."""
    crc, at = 0, 0
    while at < size and (data := text.read(min(FRAME_BYTES, size - at), at)):
        crc = crc32(data, crc)
        at += len(data)
    return crc


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
        if size > FRAME_BYTES:
            raise CompressedDamaged(5, "a compressed segment has a damaged seek table")
        frames.append((place, packed, size))
        place += packed
    if place != table - _SKIP_HEAD.size:
        raise CompressedDamaged(5, "a compressed segment has a damaged seek table")
    return frames
