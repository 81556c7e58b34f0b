"""
Lists as zones: a CIDR file read, its entries packed into APL records (RFC 3123), its messages made.

A zone holds SOA, NS and APL records at its own name.  An APL record carries some hundred entries,
so that 100,000 of them come in a few dozen messages.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Self

import dns.name
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tscm.policy.cidr import Entries
from tscm.policy.collect import Collector
from tscm.policy.lists import Refused
from tscm.policy.plain_lines import v4_lines
from tscm.policy.records import APL, IN, NS, SOA

TTL = 300
MESSAGE_BYTES = 32768
DIRECT_BYTES = 65535 - 1024
"""Records that one answer may hold, with room left for question, EDNS and signature."""
_ITEMS = 1000
_CUT_MASK = 0x3F
_ITEM_HEAD = 4
"""Octets of an item before those of its address."""
CHANGES_KEPT = 24
"""Generations back that differences are given for."""
_OWNER_IS_QUESTION = b"\xc0\x0c"
_FIXED = struct.Struct(">HHIH")
_HEADER = struct.Struct(">HHHHHH")
_SOA_TIMES = struct.pack(">IIII", 3600, 600, 604800, 300)
_QR_AA = 0x8400


def _crc_table() -> NDArray[np.uint32]:
    """What CRC-32 (ISO 3309) makes of each octet."""
    sums = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        sums = np.where(sums & 1, sums >> 1 ^ 0xEDB8_8320, sums >> 1).astype(np.uint32)
    return sums


_CRC = _crc_table()


@frozen
class Change:
    """
    From one generation to the next: the serial before it, and the APL records that went and came.
    """

    before: int
    removed: tuple[bytes, ...]
    added: tuple[bytes, ...]

    @property
    def octets(self) -> int:
        """What its records hold."""
        return sum(map(len, self.removed)) + sum(map(len, self.added))


@frozen(kw_only=True, slots=False)
class Zone:
    """
    One generation of one list, ready to be sent.
    """

    name: str
    serial: int
    digest: str
    apl: tuple[bytes, ...]
    entries: int
    refused_count: int
    refused: tuple[Refused, ...]
    changes: tuple[Change, ...] = ()
    """The latest ones, oldest first; the last leads to this generation."""

    @cached_property
    def owner(self) -> bytes:
        """The name on the wire."""
        return dns.name.from_text(self.name).to_digestable()

    @cached_property
    def soa(self) -> bytes:
        """The data of the SOA record."""
        return self.soa_of(self.serial)

    def soa_of(self, serial: int) -> bytes:
        """The data of the SOA record of another generation."""
        return (
            b"\2ns" + self.owner + b"\5admin" + self.owner + serial.to_bytes(4, "big") + _SOA_TIMES
        )

    @cached_property
    def ns(self) -> bytes:
        """The data of the NS record; there is no such host, the name is there for form's sake."""
        return b"\2ns" + self.owner

    @property
    def apl_bytes(self) -> int:
        """What all APL records take in one answer."""
        return sum(len(one) + 12 for one in self.apl)


def read_list(content: bytes, max_entries: int) -> Collector:
    """
    Entries of a list file: a CIDR a line, the rest of a line after it and `#` or `;` passed over.

    What is not a CIDR is counted and kept with its cause.  Raises `ListTooLong`.
    """
    collector, before = Collector(max_entries), 0
    while content.startswith(b"#"):
        before, content = before + 1, content.partition(b"\n")[2]
    quick = v4_lines(content)
    if quick is not None:
        addresses, lengths, end = quick
        collector.add_v4(addresses, lengths)
        before, content = before + len(lengths), content[end:]
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), before + 1):
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) == 1:
            collector.add_text(words[0])
        elif words:
            collector.refuse(line.strip(), f"line {number} contains more than one word")
    collector.check_bound()
    return collector


def zone_digest(entries: Entries) -> str:
    """Tells one content from another, whatever the file looks like around it."""
    return hashlib.sha256(entries.to_bytes()).hexdigest()


def next_serial(last: int | None, now: float) -> int:
    """
    A serial above *last*: the time, or one more where time stands still or went back (RFC 1982).
    """
    return max(int(now), 1 if last is None else last + 1) & 0xFFFF_FFFF


def pack_apl(entries: Entries) -> tuple[bytes, ...]:
    """
    All entries as the data of APL records; trailing zero octets are left out, as they must be.

    Where a record ends is told by the entries themselves: so a changed entry changes one record and
    leaves the others alone, and differences between generations stay small.
    """
    v4 = entries.v4_addresses.astype(">u4").view(np.uint8).reshape(-1, 4)
    words = np.empty((len(entries.v6_lengths), 2), ">u8")
    words[:, 0], words[:, 1] = entries.v6_high, entries.v6_low
    v6 = words.view(np.uint8).reshape(-1, 16)
    short, long = _Items.of(1, entries.v4_lengths, v4), _Items.of(2, entries.v6_lengths, v6)
    content = short.content + long.content
    ends = np.concatenate((short.ends, long.ends + len(short.content))).tolist()
    closing = np.flatnonzero(np.concatenate((short.closing, long.closing))) + 1
    records: dict[bytes, None] = {}
    begin = start = 0
    for stop in (*closing.tolist(), len(ends)):
        for cut in (*range(start + _ITEMS, stop, _ITEMS), stop):
            if cut > start:
                records[content[begin : ends[cut - 1]]] = None
                begin, start = ends[cut - 1], cut
    return tuple(records)


@frozen(eq=False)
class _Items:
    """
    Items of one family: their octets, where each ends, and whether it ends its record.
    """

    content: bytes
    ends: NDArray[np.int64]
    closing: NDArray[np.bool_]

    @classmethod
    def of(cls, family: int, lengths: NDArray[np.uint8], addresses: NDArray[np.uint8]) -> Self:
        count, width = addresses.shape
        there = addresses[:, ::-1] != 0
        octets = np.where(there.any(axis=1), width - there.argmax(axis=1), 0) if count else there
        rows = np.zeros((count, _ITEM_HEAD + width), np.uint8)
        rows[:, 1], rows[:, 2], rows[:, _ITEM_HEAD:] = family, lengths, addresses
        if count:
            rows[:, 3] = octets
        sizes = rows[:, 3].astype(np.int64) + _ITEM_HEAD
        shown = np.arange(rows.shape[1]) < sizes[:, None]
        sums = np.full(count, 0xFFFF_FFFF, np.uint32)
        for at in range(rows.shape[1]):
            after = _CRC[(sums ^ rows[:, at]) & 0xFF] ^ (sums >> np.uint32(8))
            sums = np.where(shown[:, at], after, sums)
        return cls(rows[shown].tobytes(), np.cumsum(sizes), ~sums & _CUT_MASK == 0)


def next_changes(before: Zone | None, serial: int, apl: Sequence[bytes]) -> tuple[Change, ...]:
    """
    The changes of a zone that comes after *before* and holds *apl*.

    No more of them than the zone itself is large: a client that needs more is better served with all.
    """
    if before is None or before.serial == serial:
        return before.changes if before is not None else ()
    old, new = dict.fromkeys(before.apl), dict.fromkeys(apl)
    change = Change(
        before.serial,
        tuple(one for one in old if one not in new),
        tuple(one for one in new if one not in old),
    )
    kept: list[Change] = []
    room = sum(map(len, apl))
    for one in reversed((*before.changes, change)):
        room -= one.octets
        if room < 0 or len(kept) == CHANGES_KEPT:
            break
        kept.append(one)
    return tuple(reversed(kept))


def record(kind: int, data: bytes) -> bytes:
    """One record whose owner is the question's name."""
    return _OWNER_IS_QUESTION + _FIXED.pack(kind, IN, TTL, len(data)) + data


def transfer(
    zone: Zone, query_id: int, question: bytes, bound: int = MESSAGE_BYTES
) -> Iterator[bytes]:
    """
    The messages of an AXFR (RFC 5936); *question* stands in each, since owners point to it.
    """
    soa = record(SOA, zone.soa)
    records = chain((soa, record(NS, zone.ns)), (record(APL, one) for one in zone.apl), (soa,))
    yield from messages(records, query_id, question, bound)


def differences(
    zone: Zone, since: int, query_id: int, question: bytes, bound: int = MESSAGE_BYTES
) -> Iterator[bytes] | None:
    """
    The messages of an IXFR (RFC 1995) for who has generation *since*.

    None where only the whole zone will do.
    """
    soa = record(SOA, zone.soa)
    if since == zone.serial:
        return messages((soa,), query_id, question, bound)
    serials = [one.before for one in zone.changes]
    if since not in serials:
        return None
    wanted = zone.changes[serials.index(since) :]
    after = [*(change.before for change in wanted[1:]), zone.serial]

    def told() -> Iterator[bytes]:
        yield soa
        for change, serial in zip(wanted, after, strict=True):
            yield record(SOA, zone.soa_of(change.before))
            yield from (record(APL, one) for one in change.removed)
            yield record(SOA, zone.soa_of(serial))
            yield from (record(APL, one) for one in change.added)
        yield soa

    return messages(told(), query_id, question, bound)


def messages(
    records: Iterable[bytes], query_id: int, question: bytes, bound: int
) -> Iterator[bytes]:
    """*records* in as few messages of at most about *bound* bytes as they need."""
    part: list[bytes] = []
    size = 0
    for one in records:
        if part and size + len(one) > bound:
            yield _message(part, query_id, question)
            part, size = [], 0
        part.append(one)
        size += len(one)
    yield _message(part, query_id, question)


def _message(part: Sequence[bytes], query_id: int, question: bytes) -> bytes:
    return _HEADER.pack(query_id, _QR_AA, 1, len(part), 0, 0) + question + b"".join(part)
