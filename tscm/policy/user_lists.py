"""
User lists: entries as people write them, and what an edit makes of a list.

Pure, and without numpy.  A text is read whole before anything is changed: each fault has its line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import MAXYEAR, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address, summarize_address_range

from attrs import define, field, frozen

from tscm.errors import TscmError
from tscm.plural import many
from tscm.policy.by_hand import REASON_MOST, EntryFaulty, read_span
from tscm.policy.spelling import V4_BITS, V6_BITS, parse_cidr, spell_address
from tscm.printable import visible

TEXT_BYTES = 6 << 20
"""Of one edit; a larger list comes from a feed."""
ENTRIES_MOST = 500_000
"""Entries of one list."""
FAULTS_KEPT = 1000
"""Faults of one text that are told with their lines; the others are counted."""
WIDEST_V4, WIDEST_V6 = 8, 19
"""The shortest prefixes that an edit takes unasked: what the guard takes by default."""
_LINE_MOST = 1000
_SHOWN = 60
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_COMMENT = re.compile(r"#|;|//")
_TERM = re.compile(r"(?:^|(?<=\s))(until|for)=(\S*)")
_FAMILIES = {4: b"\x04", 16: b"\x06"}


class Mode(StrEnum):
    """
    What a text does to a list.
    """

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


@define(eq=False)
class ListFaulty(TscmError):
    """
    What was asked of a user list cannot be done.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


@frozen
class LineFault:
    """
    A line that is not an entry: its number in the text, from 1, and why.
    """

    line: int
    cause: str


@define(eq=False)
class TextFaulty(TscmError):
    """
    Some lines of a text are not entries; nothing of the text was used.
    """

    exit_status = 2

    list_name: str
    faults: Sequence[LineFault]
    count: int

    def __str__(self) -> str:
        first = "; ".join(f"line {one.line}: {one.cause}" for one in self.faults[:3])
        more = f"; and {self.count - 3:,} more" if self.count > 3 else ""
        return (
            f"list {self.list_name!r} is unchanged, because {many(self.count, 'line', 'lines')} of the text "
            f"cannot be used: {first}{more}; correct them, or leave them out with --skip_faults"
        )


@define(eq=False)
class ListChanged(TscmError):
    """
    Another edit came first.
    """

    list_name: str
    expected: int
    present: int
    by: str

    def __str__(self) -> str:
        return (
            f"list {self.list_name!r} has version {self.present} by {self.by}, not "
            f"{self.expected}; look at it again with `tsadmin lists versions "
            f"{self.list_name}`, then repeat the edit"
        )


@frozen(kw_only=True)
class ListEntry:
    """
    One entry: a CIDR, or a range that is none, with its ends as octets that sort like addresses.

    *until* is POSIX seconds, None for ever.
    """

    network: str
    first: bytes
    last: bytes
    until: float | None = None
    comment: str = ""


@frozen(kw_only=True)
class KnownEntry:
    """
    An entry as it is stored, as far as an edit must know it.
    """

    id: int
    network: str
    until: float | None
    comment: str


@frozen(kw_only=True)
class Parsed:
    """
    What a text holds: each network once, in the order of the text, and what is wrong with the other lines.
    """

    entries: tuple[ListEntry, ...]
    faults: tuple[LineFault, ...] = ()
    fault_count: int = 0
    repeated: int = 0


@frozen(kw_only=True)
class Edit:
    """
    The difference that an edit makes: entries that come, and numbers of those that go.

    A *changed* entry, with another end or comment, is in both.
    """

    added: tuple[ListEntry, ...] = ()
    removed: tuple[int, ...] = ()
    changed: int = 0
    same: int = 0
    absent: int = 0
    """Of those to remove: not in the list."""


def list_name(text: str) -> str:
    """The name of a user list in its one spelling.  Raises `ListFaulty`."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise ListFaulty(
            f"{visible(text[:_SHOWN])!r} is not a name of a list; use 1 to 63 letters, digits, "
            "- and _, such as partners"
        )
    return name


def read_text(
    text: str,
    now: float,
    *,
    wide: bool = False,
    until: float | None = None,
    comment: str = "",
) -> Parsed:
    """
    The entries of *text*: a line is `NETWORK [until=DAY] [for=SPAN] [# comment]`.

    *until* and *comment* are for lines that say nothing of it.  Raises `ListFaulty` for a text that is
    too long.
    """
    if len(text) > TEXT_BYTES:
        raise ListFaulty(
            f"the text is longer than {TEXT_BYTES >> 20} MB; use a shorter one, or have it read "
            "as a feed with `tsadmin lists replace --url`"
        )
    found: dict[str, ListEntry] = {}
    faults: list[LineFault] = []
    count = repeated = 0
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if not words or words.startswith(("#", ";", "//")):
            continue
        try:
            entry = _read_line(words, now, wide=wide, until=until, comment=comment)
        except EntryFaulty as fault:
            count += 1
            if count <= FAULTS_KEPT:
                faults.append(LineFault(number, visible(str(fault))))
            continue
        repeated += entry.network in found
        found[entry.network] = entry
    if len(found) > ENTRIES_MOST:
        raise ListFaulty(f"the text has more than {ENTRIES_MOST:,} entries; split it over lists")
    return Parsed(
        entries=tuple(found.values()), faults=tuple(faults), fault_count=count, repeated=repeated
    )


def _read_line(
    line: str, now: float, *, wide: bool, until: float | None, comment: str
) -> ListEntry:
    if len(line) > _LINE_MOST:
        raise EntryFaulty(f"the line is longer than {_LINE_MOST:,} characters")
    mark = _COMMENT.search(line)
    network, remark = (line, "") if mark is None else (line[: mark.start()], line[mark.end() :])
    terms = _TERM.findall(network) + _TERM.findall(remark)
    if len(terms) > 1:
        raise EntryFaulty("it has more than one end; use until=2026-12-31 or for=4h once")
    network, remark = _TERM.sub("", network), _TERM.sub("", remark)
    name, first, last = read_network(network, wide=wide)
    told = " ".join(visible(remark).split()) or comment
    if len(told) > REASON_MOST:
        raise EntryFaulty(f"the comment is longer than {REASON_MOST} characters")
    end = read_end(terms[0][0], terms[0][1], now) if terms else until
    return ListEntry(network=name, first=first, last=last, until=end, comment=told)


def read_end(word: str, value: str, now: float) -> float:
    """
    The time that `until=2026-12-31`, `until=2026-12-31T17:30` or `for=4h` names, in this host's zone.

    A day counts to its end.  Raises `EntryFaulty`, also for a time that is over.
    """
    if word == "for":
        return now + read_span(value)
    try:
        at = datetime.fromisoformat(value[:40])
        if at.year == MAXYEAR:  # in another zone it may be a year later, which no clock tells
            raise ValueError
        end = (at + timedelta(days=1) if len(value) <= len("2026-12-31") else at).timestamp()
    except (ValueError, OverflowError, OSError):
        raise EntryFaulty(
            f"{value[:40]!r} is not a time; use until=2026-12-31, until=2026-12-31T17:30 or for=4h"
        ) from None
    if end <= now:
        raise EntryFaulty(f"it has already expired ({word}={value[:40]})")
    return end


def read_network(text: str, *, wide: bool = False) -> tuple[str, bytes, bytes]:
    """
    A CIDR, an address or a range `A-B`: its one spelling, and both ends.  Raises `EntryFaulty`.

    A length that does not fit the address is refused: either may be mistyped.
    """
    start, dash, end = text.partition("-")
    if dash:
        low, high = _address(start.strip()), _address(end.strip())
        if len(low) != len(high):
            raise EntryFaulty("a range begins and ends in one family, IPv4 or IPv6")
        if low > high:
            raise EntryFaulty(
                f"the range ends before it begins; did you mean {end.strip()}-{start.strip()}?"
            )
    else:
        low, high = _cidr(text.strip())
    family, bits = _FAMILIES[len(low)], 8 * len(low)
    count = int.from_bytes(high, "big") - int.from_bytes(low, "big") + 1
    widest = WIDEST_V4 if len(low) == 4 else WIDEST_V6
    if count == 1 << bits:
        raise EntryFaulty("it covers every address, and a list must not")
    if count > 1 << (bits - widest) and not wide:
        raise EntryFaulty(f"it is wider than /{widest}; if that is meant, use --accept_wide")
    return _spelled(low, high), family + low, family + high


def _address(text: str) -> bytes:
    try:
        packed, length = parse_cidr(text)
    except ValueError as error:
        raise EntryFaulty(str(error)) from None
    if "/" in text or length != 8 * len(packed):
        raise EntryFaulty(f"{text[:_SHOWN]!r} is a network; a range has an address at each end")
    return packed


def _cidr(text: str) -> tuple[bytes, bytes]:
    if len(text.split()) > 1:
        raise EntryFaulty("it has more than one word; enter a network a line, # begins a comment")
    try:
        packed, length = parse_cidr(text)
    except ValueError as error:
        raise EntryFaulty(str(error)) from None
    size = len(packed)
    number, free = int.from_bytes(packed, "big"), 8 * size - length
    low = number >> free << free
    if low != number:
        network = f"{spell_address(low.to_bytes(size, 'big'))}/{length}"
        raise EntryFaulty(
            f"{text[:_SHOWN]} has host bits set; use {network} for the network, or "
            f"{spell_address(packed)} for the address"
        )
    return packed, (low | ((1 << free) - 1)).to_bytes(size, "big")


def _spelled(low: bytes, high: bytes) -> str:
    first, last = int.from_bytes(low, "big"), int.from_bytes(high, "big")
    size = last - first + 1
    if size & (size - 1) == 0 and first % size == 0:
        return f"{spell_address(low)}/{8 * len(low) - size.bit_length() + 1}"
    return f"{spell_address(low)}-{spell_address(high)}"


def cidrs_of(network: str) -> Iterator[str]:
    """The fewest CIDRs that cover *network*, as `read_network` spells it."""
    start, dash, end = network.partition("-")
    if not dash:
        yield network
        return
    for one in summarize_address_range(ip_address(start), ip_address(end)):
        packed = one.network_address.packed
        yield f"{spell_address(packed)}/{one.prefixlen}"


def wider_firsts(first: bytes, last: bytes) -> list[bytes]:
    """
    Where each CIDR begins that covers an entry with these ends, itself included.

    So many exact look-ups find what holds an address among any number of entries.
    """
    octets = len(first) - 1
    bits = V4_BITS if octets == 4 else V6_BITS
    low = int.from_bytes(first[1:], "big")
    found = {
        low >> free << free
        for free in range(bits + 1)
        if (low >> free << free) + (1 << free) > int.from_bytes(last[1:], "big")
    }
    return [first[:1] + one.to_bytes(octets, "big") for one in sorted(found)]


def edited(known: Mapping[str, KnownEntry], wanted: Iterable[ListEntry], mode: Mode) -> Edit:
    """
    What *wanted* changes in a list.

    *known* holds at least the entries that have a network of *wanted*, and for `replace` all.
    """
    added: list[ListEntry] = []
    removed: list[int] = []
    changed = same = absent = 0
    named = set()
    for one in wanted:
        named.add(one.network)
        present = known.get(one.network)
        if mode is Mode.REMOVE:
            if present is None:
                absent += 1
            else:
                removed.append(present.id)
        elif present is None:
            added.append(one)
        elif (present.until, present.comment) == (one.until, one.comment):
            same += 1
        else:
            changed += 1
            removed.append(present.id)
            added.append(one)
    if mode is Mode.REPLACE:
        removed += [one.id for network, one in known.items() if network not in named]
    return Edit(
        added=tuple(added), removed=tuple(removed), changed=changed, same=same, absent=absent
    )


@frozen(kw_only=True)
class Shrink:
    """
    How much of a list or policy an edit takes away.
    """

    before: int
    after: int

    @property
    def halves(self) -> bool:
        """Does less than half of it stay, or nothing?"""
        return self.before > 0 and (self.after == 0 or 2 * self.after < self.before)


@define(eq=False)
class EditHeld(TscmError):
    """
    An edit would empty or halve a list.
    """

    list_name: str
    shrink: Shrink = field()

    def __str__(self) -> str:
        after = "nothing" if not self.shrink.after else f"{self.shrink.after:,}"
        return (
            f"list {self.list_name!r} is unchanged: of its "
            f"{many(self.shrink.before, 'entry', 'entries')} {after} would be left; if that is "
            "meant, repeat the command with --accept_shrink"
        )
