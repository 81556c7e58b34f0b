"""
From DNS messages to list entries: the reader for the bulk of a zone.

A transfer of 100,000 records costs dnspython some 80 times what it costs this reader, which knows
one thing only: where each record of a message lies.  What the records say about networks is read
by `tscm.policy.collect`.  Everything is checked against the message's bounds; a name's compression
pointers must lead strictly backwards (RFC 1035, 4.1.4), so that none can loop.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

A, NS, CNAME, SOA, TXT, AAAA, APL = 1, 2, 5, 6, 16, 28, 42
OPT, TSIG = 41, 250
IN = 1

_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_SERIAL = struct.Struct(">I")
_ROW = struct.Struct("=6I")
_TYPE = 2
_POINTER = 0xC0
_LABEL_MAX = 63
_NAME_MAX = 255
_HOPS_MAX = 128  # no name has more labels; a longer chain is made to be slow


class MessageDamaged(ValueError):
    """
    A message that no honest server sends: cut off, out of bounds, looping.
    """


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

    def owner(self, record: Record) -> bytes:
        """The owner as `read_name` gives it."""
        return read_name(self.message, record.owner_at)[0]

    def rdata(self, record: Record) -> bytes:
        """The record's data as it stands in the message."""
        return self.message[record.rdata_at : record.rdata_at + record.rdata_octets]


def read_table(message: bytes) -> Table:
    """
    Find every record of *message*; raises `MessageDamaged`.
    """
    try:
        number, flags, questions, *counts = _HEADER.unpack_from(message)
        names: dict[int, int] = {}
        at, question = _HEADER.size, None
        if questions > 1:
            raise MessageDamaged("more than one question")
        if questions:
            name, at = read_name(message, at)
            question = (name, *struct.unpack_from(">HH", message, at))
            at += 4
        sections = []
        for count in counts:
            records, at = _read_section(message, at, count, names)
            sections.append(records)
    except (IndexError, struct.error):
        raise MessageDamaged("the message is cut off") from None
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
    message: bytes, at: int, count: int, names: dict[int, int]
) -> tuple[Section, int]:
    # 100,000 turns in a large zone: nothing here makes more objects than it must.
    rows = bytearray()
    unpack, pack, size = _FIXED.unpack_from, _ROW.pack, len(message)
    for _ in range(count):
        owner_at = at
        octets, at = _skip_name(message, at, names)
        kind, cls, _ttl, length = unpack(message, at)
        at += 10
        rows += pack(owner_at, octets, kind, cls, at, length)
        at += length
        if at > size:
            raise MessageDamaged("a record reaches beyond the message")
    return Section(rows), at


def _skip_name(message: bytes, at: int, names: dict[int, int]) -> tuple[int, int]:
    """
    The uncompressed length of the name at *at*, and where the next thing begins.

    *names* remembers the length at each offset that was found good, so that a pointer is
    followed once however many records use it.
    """
    start, octets = at, 0
    while True:
        length = message[at]
        if length >= _POINTER:
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= start:
                raise MessageDamaged("a compression pointer does not lead backwards")
            tail = names.get(target)
            if tail is None:
                tail = names[target] = len(read_name(message, target)[0])
            octets += tail
            at += 2
            break
        if length > _LABEL_MAX:
            raise MessageDamaged("a label of a kind that does not exist")
        octets += length + 1
        at += length + 1
        if not length:
            break
        if octets > _NAME_MAX:
            raise MessageDamaged("a name over 255 octets")
    if octets > _NAME_MAX:
        raise MessageDamaged("a name over 255 octets")
    names[start] = octets
    return octets, at


def read_name(message: bytes, at: int) -> tuple[bytes, int]:
    """
    The name at *at*, uncompressed and in lower case, as on the wire; and where the next thing begins.
    """
    labels, octets, lowest, end, hops = [], 0, at, -1, 0
    try:
        while length := message[at]:
            if length >= _POINTER:
                target = (length & 0x3F) << 8 | message[at + 1]
                end = at + 2 if end < 0 else end
                hops += 1
                if target >= lowest:
                    raise MessageDamaged("a compression pointer does not lead backwards")
                if hops > _HOPS_MAX:
                    raise MessageDamaged("a chain of compression pointers without end")
                at = lowest = target
                continue
            if length > _LABEL_MAX:
                raise MessageDamaged("a label of a kind that does not exist")
            label = message[at : at + 1 + length]
            octets += len(label)
            if octets >= _NAME_MAX or len(label) <= length:
                raise MessageDamaged("a name over 255 octets, or cut off")
            labels.append(label)
            at += 1 + length
    except IndexError:
        raise MessageDamaged("a name is cut off") from None
    # Length octets are below 64, so that lowering cannot touch them.
    return b"".join(labels).lower() + b"\0", at + 1 if end < 0 else end


def soa_serial(message: bytes, record: Record) -> int:
    """The serial of a SOA record (RFC 1035, 3.3.13)."""
    end = record.rdata_at + record.rdata_octets
    at = record.rdata_at
    for _ in range(2):
        _name, at = read_name(message, at)
    if at + 20 != end:
        raise MessageDamaged("a SOA record of the wrong length")
    return int(_SERIAL.unpack_from(message, at)[0])
