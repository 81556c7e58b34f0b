"""
The index of a segment: who sent which lines, and when.

Records of 32 bytes, little-endian, each closed by the CRC-32 of what stands before it:

    header   segment's offset u64, lines before it u64, made at f64, 0 u16, flags u16
    name     24 bytes of a sender's name, its number u16, flags u16 (several make a long name)
    run      offset in the segment u64, bytes u32, lines u32, received at f64, sender u16, flags u16

Runs follow each other without a gap from the segment's first byte on, so what is damaged shows,
and the text behind the last good record can be counted again.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

from attrs import define, field, frozen

RECORD_BYTES = 32
_ESCAPED = 1
_UNKNOWN = 2
_HEADER = 0x100
_NAME = 0x200
_NAME_BYTES = 24
_NAME_MAX = 10 * _NAME_BYTES
_SENDERS_MAX = 0xFFFE
_RUN_MAX = 64 << 10  # a reader passes whole runs on unseen, so they must fit what it sends at once
_JOIN_SECONDS = 1.0
_HEAD = struct.Struct("<QQdHH")
_RUN = struct.Struct("<QIIdHH")
_NAMED = struct.Struct("<24sHH")
_CRC = struct.Struct("<28sI")

Pending = tuple[int, int, int, float, str | None, bool]
"""Offset in the segment, bytes, lines, received at, sender (None: not known), escaped."""


class IndexedRun(NamedTuple):
    """
    Lines that came together.  *sender* None, and a time of 0, say that a crash took the record.

    A tuple, since an index may hold tens of thousands, read in the reactor's thread.
    """

    offset: int
    size: int
    lines: int
    received_at: float
    sender: str | None
    escaped: bool


@frozen
class Index:
    """
    What could be read of an index: everything up to the first record that is not right.
    """

    start: int
    lines_before: int
    runs: tuple[IndexedRun, ...]
    senders: dict[str, int]
    good_bytes: int

    @property
    def end(self) -> int:
        """Offset in the segment up to which it tells."""
        return self.runs[-1].offset + self.runs[-1].size if self.runs else 0

    @property
    def lines(self) -> int:
        """Lines that it tells of."""
        return sum(run.lines for run in self.runs)

    def up_to(self, size: int) -> "Index":
        """The part that tells of the segment's first *size* bytes, in whole runs."""
        if self.end <= size:
            return self
        kept = tuple(run for run in self.runs if run.offset + run.size <= size)
        return Index(self.start, self.lines_before, kept, self.senders, 0)


def read_index(data: bytes) -> Index | None:
    """An index; None where not even its header is whole."""
    header: tuple[int, int] | None = None
    names: dict[int, bytes] = {}
    told: dict[int, str] = {}
    runs: list[IndexedRun] = []
    add, unpack = runs.append, _RUN.unpack
    end = good = 0
    for body, crc in _CRC.iter_unpack(memoryview(data)[: len(data) // RECORD_BYTES * RECORD_BYTES]):
        if crc32(body) != crc:
            break
        offset, size, lines, received_at, number, flags = unpack(body)
        if header is None:
            if flags != _HEADER:
                break
            header = _HEAD.unpack(body)[:2]
        elif flags == _NAME:
            piece, number, _ = _NAMED.unpack(body)
            names[number] = names.get(number, b"") + piece.rstrip(b"\0")
            told[number] = names[number].decode("utf-8", "replace")
        else:
            if offset != end or flags > _ESCAPED | _UNKNOWN:
                break
            sender = None if flags & _UNKNOWN else told.get(number)
            add(IndexedRun(offset, size, lines, received_at, sender, flags & _ESCAPED != 0))
            end += size
        good += RECORD_BYTES
    if header is None:
        return None
    senders = {name.decode("utf-8", "replace"): number for number, name in names.items()}
    return Index(header[0], header[1], tuple(runs), senders, good)


def grown(last: Pending, more: Pending) -> Pending | None:
    """
    *last* with the lines of *more*, which follow it; None where they are a run of their own.

    Neighbours of one sender within a second are one: the index is sparse under load.  Their time is that of the first.
    """
    offset, size, lines, received_at, sender, escaped = last
    _, more_size, more_lines, at, by, odd = more
    if sender != by or escaped != odd or abs(at - received_at) >= _JOIN_SECONDS:
        return None
    if size + more_size >= _RUN_MAX:
        return None
    return offset, size + more_size, lines + more_lines, received_at, sender, escaped


def joined(pending: Iterable[Pending]) -> list[Pending]:
    """Runs with their neighbours (`grown`)."""
    found: list[Pending] = []
    for run in pending:
        whole = grown(found[-1], run) if found else None
        if whole is None:
            found.append(run)
        else:
            found[-1] = whole
    return found


@define(eq=False)
class IndexEncoder:
    """
    Makes the bytes of one segment's index; knows which senders have a number already.
    """

    senders: dict[str, int] = field(factory=dict)

    def header(self, start: int, lines_before: int, now: float) -> bytes:
        """The first record."""
        return _closed(_HEAD.pack(start, lines_before, now, 0, _HEADER))

    def runs(self, pending: Iterable[Pending]) -> bytes:
        """Records for *pending*, with the names that are new."""
        parts = []
        for offset, size, lines, received_at, sender, escaped in joined(pending):
            number, flags = 0, _ESCAPED if escaped else 0
            known = None if sender is None else self.senders.get(sender)
            if known is not None:
                number = known
            elif sender is None or len(self.senders) >= _SENDERS_MAX:
                flags |= _UNKNOWN
            else:
                number = self.senders[sender] = len(self.senders) + 1
                name = sender.encode("utf-8", "replace")[:_NAME_MAX]
                parts += [
                    _closed(_NAMED.pack(name[at : at + _NAME_BYTES], number, _NAME))
                    for at in range(0, len(name), _NAME_BYTES)
                ]
            parts.append(_closed(_RUN.pack(offset, size, lines, received_at, number, flags)))
        return b"".join(parts)


def _closed(body: bytes) -> bytes:
    return body + crc32(body).to_bytes(4, "little")
