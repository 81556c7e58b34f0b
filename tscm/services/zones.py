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
from zlib import crc32

import dns.name
from attrs import frozen

from tscm.policy.cidr import Entries
from tscm.policy.collect import Collector
from tscm.policy.lists import Refused
from tscm.policy.records import APL, IN, NS, SOA

TTL = 300
MESSAGE_BYTES = 32768
DIRECT_BYTES = 65535 - 1024
"""Records that one answer may hold, with room left for question, EDNS and signature."""
_ITEMS = 1000
_CUT_MASK = 0x3F
CHANGES_KEPT = 24
"""Generations back that differences are given for."""
_OWNER_IS_QUESTION = b"\xc0\x0c"
_FIXED = struct.Struct(">HHIH")
_HEADER = struct.Struct(">HHHHHH")
_SOA_TIMES = struct.pack(">IIII", 3600, 600, 604800, 300)
_QR_AA = 0x8400


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

    What is no CIDR is counted and kept with its cause.  Raises `ListTooLong`.
    """
    collector = Collector(max_entries)
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
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
    v4 = entries.v4_addresses.astype(">u4").tobytes()
    items = [
        _item(1, length, v4[at : at + 4].rstrip(b"\0"))
        for at, length in zip(range(0, len(v4), 4), entries.v4_lengths.tolist(), strict=True)
    ]
    halves = zip(
        entries.v6_high.tolist(),
        entries.v6_low.tolist(),
        entries.v6_lengths.tolist(),
        strict=True,
    )
    items += [
        _item(2, length, struct.pack(">QQ", high, low).rstrip(b"\0"))
        for high, low, length in halves
    ]
    records: dict[bytes, None] = {}
    part: list[bytes] = []
    for item in items:
        part.append(item)
        if not crc32(item) & _CUT_MASK or len(part) == _ITEMS:
            records[b"".join(part)] = None
            part = []
    if part:
        records[b"".join(part)] = None
    return tuple(records)


def next_changes(before: Zone | None, serial: int, apl: Sequence[bytes]) -> tuple[Change, ...]:
    """
    The changes of a zone that comes after *before* and holds *apl*.

    No more of them than the zone itself is large: whoever needs more is better served with all.
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


def _item(family: int, length: int, octets: bytes) -> bytes:
    return struct.pack(">HBB", family, length, len(octets)) + octets


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
