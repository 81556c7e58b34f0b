"""
What records and texts say about networks, gathered into one list.

A and AAAA records are hosts, APL items (RFC 3123) and words of TXT records are CIDRs.  In a response
policy zone the owner tells the network (`24.0.2.0.192.rpz-ip.…`, draft-vixie-dnsop-dns-rpz,
4.2.1), whatever is to be answered for it.  What a list excepts, by negated APL items or
`rpz-passthru`, is taken out of its entries.
"""

import re
import struct
from collections.abc import Callable, Collection, Sequence
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from tscm.plural import many
from tscm.policy.cidr import Entries
from tscm.policy.exceptions import without
from tscm.policy.lists import REFUSED_KEPT, PolicyList, Refused
from tscm.policy.names import MessageDamaged, Names
from tscm.policy.records import (
    AAAA,
    APL,
    CNAME,
    IN,
    TXT,
    A,
    Record,
    Section,
)
from tscm.policy.spelling import parse_cidr

_APL_ITEM = struct.Struct(">HBB")
_NEGATED = 0x80
_IPV4, _IPV6 = 1, 2
_SHOWN = 80
_V4_BITS = 32
_V4_LENGTHS = {str(length): length for length in range(_V4_BITS + 1)}
_OWNER_AT, _OWNER_OCTETS, _TYPE, _CLS, _AT, _OCTETS = range(6)  # columns of `Section`
_WIDTHS = {A: 4, AAAA: 16}
FEW = 16  # either way gives the same
"""Of records of a message: up to so many are read one by one."""
_RPZ_IP = b"\x06rpz-ip"
_PASSTHRU = b"\x0crpz-passthru\0"
_SPREAD = re.compile(r"/|-$|255\.")
"""How a word begins that belongs to the address before it: a length, a range's dash, a mask."""


class ListTooLong(ValueError):
    """
    More entries than the caller is ready to take, those that are none included.
    """


class ReadingTooLong(ValueError):
    """
    Reading takes more time than the caller is ready to give.
    """


@define(eq=False)
class Collector:
    """
    Gathers the entries of one list; what is none is counted and kept, up to a bound, with its cause.

    *out_of_time* says that reading has to end; it is asked at every `check_bound`.  *now* is the time by
    which entries that end are judged, *next_change* when the first of them begins or ends.
    """

    max_entries: int = 10_000_000
    out_of_time: Callable[[], bool] = lambda: False
    now: float = 0.0
    next_change: float | None = None
    passed_over: dict[str, int] = field(factory=dict)
    """What some of the other records are, and how many."""
    other_records: int = 0
    refused_count: int = 0
    _refused: list[Refused] = field(factory=list)
    _v4: bytearray = field(factory=bytearray)
    _v4_lengths: bytearray = field(factory=bytearray)
    _v6: bytearray = field(factory=bytearray)
    _v6_lengths: bytearray = field(factory=bytearray)
    _everywhere: list[str] = field(factory=list)
    _from_wider: list[str] = field(factory=list)

    def __len__(self) -> int:
        return len(self._v4_lengths) + len(self._v6_lengths)

    @property
    def excepted(self) -> int:
        """How many networks the list excepts."""
        return len(self._everywhere) + len(self._from_wider)

    def add_records(
        self, message: bytes, records: Section, servers: Collection[bytes] = ()
    ) -> None:
        """
        Take every record of *records*; raises `MessageDamaged`, `ListTooLong`.

        *servers* are the zone's own name servers, whose addresses are no entries.
        """
        names = Names(message)
        if _RPZ_IP in message.lower():
            records = records.pick(
                number for number, record in enumerate(records) if not self._add_rpz(names, record)
            )
        if len(records) <= FEW:
            self._add_few(names, records, servers)
            return
        rows = records.columns()
        content = np.frombuffer(message, np.uint8)
        kinds = np.where(rows[:, _CLS] == IN, rows[:, _TYPE], 0)
        for kind, width, addresses, lengths in (
            (A, 4, self._v4, self._v4_lengths),
            (AAAA, 16, self._v6, self._v6_lengths),
        ):
            found = rows[kinds == kind]
            if (found[:, _OCTETS] != width).any():
                raise MessageDamaged("an address record of the wrong length")
            found = self._without_glue(names, found, servers)
            addresses.extend(content[found[:, _AT, None] + np.arange(width)].tobytes())
            lengths.extend(bytes([width * 8]) * len(found))
        for number in np.flatnonzero((kinds != A) & (kinds != AAAA)).tolist():
            at, octets = int(rows[number, _AT]), int(rows[number, _OCTETS])
            self._add_other(message, int(kinds[number]), at, octets)
        self.check_bound()

    def _add_few(self, names: Names, records: Section, servers: Collection[bytes]) -> None:
        """As `add_records`, one by one: columns cost more than some records, and a zone may come record by record."""
        message = names.message
        for record in records:
            kind = record.type if record.cls == IN else 0
            if kind not in _WIDTHS:
                self._add_other(message, kind, record.rdata_at, record.rdata_octets)
                continue
            if record.rdata_octets != _WIDTHS[kind]:
                raise MessageDamaged("an address record of the wrong length")
            if servers and names.read(record.owner_at) in servers:
                self.other_records += 1
                continue
            packed = message[record.rdata_at : record.rdata_at + record.rdata_octets]
            self._take(packed, record.rdata_octets * 8)
        self.check_bound()

    def _add_other(self, message: bytes, kind: int, at: int, octets: int) -> None:
        if kind == APL:
            self._add_apl(message, at, at + octets)
        elif kind == TXT:
            self._add_txt(message, at, at + octets)
        else:
            self.other_records += 1

    def _without_glue(
        self, names: Names, rows: NDArray[np.uint32], servers: Collection[bytes]
    ) -> NDArray[np.uint32]:
        suspects = np.isin(rows[:, _OWNER_OCTETS], [len(name) for name in servers])
        glue = [
            number
            for number in np.flatnonzero(suspects).tolist()
            if names.read(int(rows[number, _OWNER_AT])) in servers
        ]
        self.other_records += len(glue)
        return np.delete(rows, glue, axis=0) if glue else rows

    def check_bound(self) -> None:
        """
        Raise `ListTooLong` when more was gathered than is wanted, `ReadingTooLong` when time is up.

        What was left out counts too: reading it took as long.
        """
        if len(self) + self.refused_count + self.excepted > self.max_entries:
            raise ListTooLong(f"more than {many(self.max_entries, 'entry', 'entries')}")
        if self.out_of_time():
            raise ReadingTooLong("reading it takes too long")

    def _add_rpz(self, names: Names, record: Record) -> bool:
        """Take a record whose owner is an IP trigger; false for any other."""
        owner = names.read(record.owner_at)
        before, trigger, _zone = owner.partition(_RPZ_IP)
        if not trigger or record.cls != IN:
            return False
        labels, at = [], 0
        while at < len(before):
            labels.append(before[at + 1 : at + 1 + before[at]].decode("latin-1"))
            at += 1 + before[at]
        shown = ".".join([*labels, "rpz-ip"])
        try:
            network = rpz_network(labels)
            if record.type == CNAME and names.read(record.rdata_at) in {
                _PASSTHRU,
                before + _RPZ_IP + b"\0",  # as it was written before there was that word
            }:
                parse_cidr(network)
                self._from_wider.append(network)
            else:
                self.add_text(network)
        except ValueError as error:
            self.refuse(shown, str(error))
        return True

    def _add_apl(self, message: bytes, at: int, end: int) -> None:
        while at < end:
            if at + 4 > end:
                raise MessageDamaged("an APL item is truncated")
            family, prefix, length = _APL_ITEM.unpack_from(message, at)
            negated, length = length & _NEGATED, length & ~_NEGATED
            part = message[at + 4 : at + 4 + length]
            at += 4 + length
            if at > end:
                raise MessageDamaged("an APL item is truncated")
            if family == _IPV4 and length <= 4 and prefix <= 32:
                self._take(part.ljust(4, b"\0"), prefix, negated=bool(negated))
            elif family == _IPV6 and length <= 16 and prefix <= 128:
                self._take(part.ljust(16, b"\0"), prefix, negated=bool(negated))
            else:
                shown = f"{'!' * bool(negated)}{family}:{part.hex()}/{prefix}"
                self.refuse(shown, "not an IPv4 or IPv6 APL item")

    def _take(self, packed: bytes, length: int, *, negated: bool = False) -> None:
        if negated:
            family = AF_INET if len(packed) == 4 else AF_INET6
            self._everywhere.append(f"{inet_ntop(family, packed)}/{length}")
        elif len(packed) == 4:
            self._v4 += packed
            self._v4_lengths.append(length)
        else:
            self._v6 += packed
            self._v6_lengths.append(length)

    def _add_txt(self, message: bytes, at: int, end: int) -> None:
        while at < end:
            length = message[at]
            text = message[at + 1 : at + 1 + length]
            at += 1 + length
            if at > end:
                raise MessageDamaged("a TXT string is truncated")
            words = text.decode("latin-1").split()
            if any(map(_SPREAD.match, words)):
                # The first word alone would be another network than the one that is meant.
                self.refuse(" ".join(words), "a network in several words")
                continue
            for word in words:
                self.add_text(word)

    def add_text(self, text: str) -> None:
        """One entry as text; what is not a CIDR is refused and counted."""
        address, slash, tail = text.partition("/")
        length = _V4_LENGTHS.get(tail) if slash else _V4_BITS
        if length is not None:
            # Nearly all entries of nearly all lists; the rest, and every refusal, by the one reader.
            try:
                self._v4 += inet_pton(AF_INET, address)
                self._v4_lengths.append(length)
            except (OSError, ValueError):
                pass
            else:
                return
        if self.refused_count >= REFUSED_KEPT and ":" not in address:
            self.refused_count += 1  # the quick way is strict; only the words for it are missing
            return
        try:
            self._take(*parse_cidr(text))
        except ValueError as error:
            self.refuse(text, str(error))

    def add_v4(self, addresses: NDArray[np.uint32], lengths: NDArray[np.uint8]) -> None:
        """Columns of IPv4 networks, lengths of 0 to 32."""
        self._v4 += addresses.astype(">u4").tobytes()
        self._v4_lengths += lengths.tobytes()

    def pass_over(self, what: str) -> None:
        """Count a record that holds no entry, by what it is."""
        self.other_records += 1
        self.passed_over[what] = self.passed_over.get(what, 0) + 1

    def refuse(self, entry: str, cause: str) -> None:
        """Count one entry that is left out."""
        self.refused_count += 1
        if len(self._refused) < REFUSED_KEPT:
            self._refused.append(Refused(entry=entry[:_SHOWN], cause=cause))

    def to_list(
        self, name: str, *, serial: int | None, fetched_at: float, source: str
    ) -> PolicyList:
        """All that was gathered as one generation, host bits cleared and counted."""
        v4 = np.frombuffer(bytes(self._v4), ">u4").astype(np.uint32)
        v4_lengths = np.frombuffer(bytes(self._v4_lengths), np.uint8)
        v6 = np.frombuffer(bytes(self._v6), ">u8").astype(np.uint64).reshape(-1, 2)
        v6_lengths = np.frombuffer(bytes(self._v6_lengths), np.uint8)
        net4 = v4 & _V4_MASKS[v4_lengths]
        high, low = v6[:, 0] & _HIGH_MASKS[v6_lengths], v6[:, 1] & _LOW_MASKS[v6_lengths]
        cleared = np.count_nonzero(net4 != v4) + np.count_nonzero(
            (high != v6[:, 0]) | (low != v6[:, 1])
        )
        entries = Entries.from_columns(net4, v4_lengths, high, low, v6_lengths)
        if self.excepted:
            exceptions = Entries.of(self._everywhere), Entries.of(self._from_wider)
            entries = without(entries, *exceptions)
        return PolicyList(
            name=name,
            entries=entries,
            serial=serial,
            fetched_at=fetched_at,
            source=source,
            refused=tuple(self._refused),
            refused_count=self.refused_count,
            normalised=int(cleared),
            other_records=self.other_records,
            excepted=self.excepted,
            passed_over=tuple(sorted(self.passed_over.items())),
        )


def is_rpz_trigger(owner: bytes) -> bool:
    """Whether a name, as `read_name` gives it, has labels before `rpz-ip`: such a one tells a network."""
    before, trigger, _zone = owner.partition(_RPZ_IP)
    return bool(before and trigger)


def rpz_network(labels: Sequence[str]) -> str:
    """
    The network of an RPZ IP trigger by its labels before `rpz-ip`: length, then the parts backwards.

    `zz` stands for the longest run of zeros in an IPv6 address.  `ValueError` for what is none.
    """
    length, *parts = labels or [""]
    if len(parts) == 4 and all(part.isdecimal() for part in parts):
        return f"{'.'.join(reversed(parts))}/{length}"
    if not parts or "" in parts or parts.count("zz") > 1:
        raise ValueError("not an RPZ IP trigger")
    words = ["" if part == "zz" else part for part in reversed(parts)]
    text = ":".join(words)
    if words[0] == "":
        text = ":" + text
    if words[-1] == "":
        text += ":"
    return f"{text}/{length}"


_V4_MASKS = np.array([(1 << 32) - (1 << (32 - n)) for n in range(33)], np.uint32)
_V6_MASKS = [(1 << 128) - (1 << (128 - n)) for n in range(129)]
_HIGH_MASKS = np.array([mask >> 64 for mask in _V6_MASKS], np.uint64)
_LOW_MASKS = np.array([mask & (1 << 64) - 1 for mask in _V6_MASKS], np.uint64)
