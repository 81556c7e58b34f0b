"""
From DNS messages to list entries: the reader for the bulk of a zone.

A transfer of 100,000 records costs dnspython some 80 times what it costs this reader, which knows
one thing only: where each record of a message lies.  What the records say about networks is read
by `tscm.policy.collect`.  Everything is checked against the message's bounds, and names
(`tscm.policy.names`) cost no more than the message is long.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tscm.policy.names import MessageDamaged, Names, read_name, skip_name

A, NS, CNAME, SOA, TXT, AAAA, APL = 1, 2, 5, 6, 16, 28, 42
OPT, TSIG = 41, 250
IN = 1

_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_SERIAL = struct.Struct(">I")
_ROW = struct.Struct("=6I")
_TYPE = 2
_FEW = 16  # either way gives the same
"""Of rows: up to so many are looked at one by one, which costs less than a column."""


class Record(NamedTuple):
    """
    Where one record of a message lies; *owner_octets* is its owner's length, uncompressed.
    """

    owner_at: int
    owner_octets: int
    type: int
    cls: int
    rdata_at: int
    rdata_octets: int


@frozen
class Section:
    """
    The records of one section, as packed rows.

    Not as a list of objects: 100,000 of these in a thread make the garbage collector stop every
    other thread, intake's too, for a tenth of a second at a time.
    """

    rows: bytes | bytearray = b""

    def __len__(self) -> int:
        return len(self.rows) // _ROW.size

    def __iter__(self) -> Iterator[Record]:
        return map(Record._make, _ROW.iter_unpack(self.rows))

    def __getitem__(self, index: int) -> Record:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return Record._make(_ROW.unpack_from(self.rows, index % len(self) * _ROW.size))

    def part(self, begin: int, end: int) -> "Section":
        """The records from number *begin* up to *end*."""
        return Section(self.rows[begin * _ROW.size : end * _ROW.size])

    def pick(self, numbers: Iterable[int]) -> "Section":
        """The records of these numbers."""
        return Section(b"".join(self.part(number, number + 1).rows for number in numbers))

    def columns(self) -> NDArray[np.uint32]:
        """The fields of `Record` as columns, a row for each record."""
        return np.frombuffer(self.rows, np.uint32).reshape(-1, len(Record._fields))

    def where(self, kind: int) -> list[int]:
        """The numbers of the records of type *kind*."""
        if len(self) <= _FEW:
            return [number for number, record in enumerate(self) if record.type == kind]
        found: list[int] = np.flatnonzero(self.columns()[:, _TYPE] == kind).tolist()
        return found


@frozen(kw_only=True)
class Table:
    """
    One message and its records by section.
    """

    message: bytes
    id: int
    flags: int
    question: tuple[bytes, int, int] | None
    answers: Section
    authorities: Section
    additionals: Section

    @property
    def rcode(self) -> int:
        """The plain response code, without the bits that EDNS adds."""
        return self.flags & 0x0F

    @property
    def truncated(self) -> bool:
        """TC."""
        return bool(self.flags & 0x0200)

    def rdata(self, record: Record) -> bytes:
        """The record's data as it stands in the message."""
        return self.message[record.rdata_at : record.rdata_at + record.rdata_octets]


def read_table(message: bytes) -> Table:
    """
    Find every record of *message*; raises `MessageDamaged`.
    """
    try:
        number, flags, questions, *counts = _HEADER.unpack_from(message)
        tails: dict[int, int] = {}
        at, question = _HEADER.size, None
        if questions > 1:
            raise MessageDamaged("more than one question")
        if questions:
            name, at = read_name(message, at)
            question = (name, *struct.unpack_from(">HH", message, at))
            at += 4
        sections = []
        for count in counts:
            records, at = _read_section(message, at, count, tails)
            sections.append(records)
    except (IndexError, struct.error):
        raise MessageDamaged("the message is truncated") from None
    if at != len(message):
        raise MessageDamaged("bytes after the last record")
    return Table(
        message=message,
        id=number,
        flags=flags,
        question=question,
        answers=sections[0],
        authorities=sections[1],
        additionals=sections[2],
    )


def _read_section(
    message: bytes, at: int, count: int, tails: dict[int, int]
) -> tuple[Section, int]:
    # 100,000 turns in a large zone: nothing here makes more objects than it must.
    rows = bytearray()
    unpack, pack, size = _FIXED.unpack_from, _ROW.pack, len(message)
    for _ in range(count):
        owner_at = at
        octets, at = skip_name(message, at, tails)
        kind, cls, _ttl, length = unpack(message, at)
        at += 10
        rows += pack(owner_at, octets, kind, cls, at, length)
        at += length
        if at > size:
            raise MessageDamaged("a record reaches beyond the message")
    return Section(rows), at


def soa_serial(names: Names, record: Record) -> int:
    """The serial of a SOA record (RFC 1035, 3.3.13) of the message that *names* reads."""
    end = record.rdata_at + record.rdata_octets
    at = record.rdata_at
    for _ in range(2):
        _name, at = names.read_on(at)
    if at + 20 != end:
        raise MessageDamaged("a SOA record of the wrong length")
    return int(_SERIAL.unpack_from(names.message, at)[0])
