"""
What the lists had to do with the policy's lines: which entry, in which direction.

Pure.  A denied packet with an end on the block list is *blocked*, a permitted one with an end on
the allow list *allowed*.  Permit stands above deny: a packet on both lists is allowed and says so
itself, and where one with an end on the allow list was denied, another rule did it.  `est-allowed` was
denied by the access-list and passed as part of a connection that stood already.  Everything else was
some other rule's doing and counts as no hit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
from attrs import define, field, frozen

from tscm.model import Cidr
from tscm.policy.by_hand import LIST_NAME
from tscm.policy.entries import Entries
from tscm.policy.match import Asked, Matcher
from tscm.syslog.asa_bulk import Row

BLOCKED, ALLOWED = "blocked", "allowed"
INBOUND, OUTBOUND = "inbound", "outbound"

LATE_SECONDS = 900.0
"""
How long lines may tell of another generation than the one in force: an interval line comes up to 300
seconds late, and a push takes effect entry by entry before it is recorded.
"""


TEST_LIST = "tsadmin test"
"""In the place of a list's name for hits on what a test of the chain blocked; no list has a blank in its name."""
PERMITTED = Cidr("permitted")
"""In the place of the block list's entry for addresses that the allow list has."""
_FOUND_KEPT = 1 << 16
"""Addresses of whose entries a generation keeps note."""


class Hit(NamedTuple):
    """
    What a roll-up is kept by.  *outside* is the end on the list, *inside* the other;
    inbound: the packet came from it.
    """

    action: str
    direction: str
    list: str
    entry: Cidr
    inside: str
    outside: str
    protocol: str
    port: int


@frozen
class Sum:
    """
    Raw lines, and the hits that they count (106100 counts a flow's packets by interval).
    """

    lines: int = 0
    hits: int = 0


@frozen(kw_only=True, eq=False)
class Judged:
    """
    The entries of a block and an allow list, ready to be asked: one for all generations that hold the same.
    """

    entries: Mapping[str, Entries]
    """By what a list does: `blocked`, `allowed`."""
    matchers: Mapping[str, Matcher]
    by_hand: Mapping[str, frozenset[Cidr]]
    """Entries of each that are there by hand, and not by the list."""

    @classmethod
    def of(
        cls,
        block: Entries,
        allow: Entries,
        by_hand: tuple[frozenset[Cidr], frozenset[Cidr]] = (frozenset(), frozenset()),
    ) -> Self:
        """From the entries of both lists, and those of each that are there *by_hand*."""
        parts = {BLOCKED: block, ALLOWED: allow}
        return cls(
            entries=parts,
            matchers={action: Matcher.of({action: entries}) for action, entries in parts.items()},
            by_hand=dict(zip(parts, by_hand, strict=True)),
        )

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    found_kept: int = field(default=_FOUND_KEPT, kw_only=True)
    """Addresses whose entries are remembered."""
    _found: Mapping[str, dict[bytes, Cidr | None]] = field(
        factory=lambda: {BLOCKED: {}, ALLOWED: {}}, init=False
    )

    def found(self, action: str) -> Mapping[bytes, Cidr | None]:
        """
        The entries of addresses that were looked up, None where there is none; the same one always.

        Of the block list: `PERMITTED` for addresses that are on the allow list too.
        """
        return self._found[action]

    def look_up(self, addresses: set[bytes]) -> None:
        """
        Put the entries that each of *addresses* stands under among what was found.

        They are kept for a while: the same few come again and again.
        """
        blocked, allowed = self._found[BLOCKED], self._found[ALLOWED]
        if len(blocked) + len(addresses) > self.found_kept:
            blocked.clear()
            allowed.clear()
        fresh = list(addresses)
        asked = Asked.of([address.decode("utf-8", "replace") for address in fresh])
        for action, found in self._found.items():
            found.update(dict.fromkeys(fresh))
            rows = self.matchers[action].rows(asked)
            places = np.flatnonzero(rows >= 0)
            if not len(places):
                continue
            # Only what was met is spelled: to spell a whole list takes longer than all the rest.
            distinct, which = np.unique(rows[places], return_inverse=True)
            cidrs = self.entries[action].take(distinct).cidrs()
            for place, number in zip(places.tolist(), which.tolist(), strict=True):
                found[fresh[place]] = cidrs[number]
                if action == ALLOWED:
                    blocked[fresh[place]] = PERMITTED


@frozen(kw_only=True, eq=False)
class Force:
    """
    The lists of one generation, ready to be asked.
    """

    number: int
    applied_at: float
    names: Mapping[str, str]
    """Name of the list, by what it does: `blocked`, `allowed`."""
    judged: Judged

    @classmethod
    def of(
        cls,
        number: int,
        applied_at: float,
        block: tuple[str, Entries],
        allow: tuple[str, Entries],
        by_hand: tuple[frozenset[Cidr], frozenset[Cidr]] = (frozenset(), frozenset()),
    ) -> Self:
        """From both lists, each a name and its entries, and those of each that are there *by_hand*."""
        judged = Judged.of(block[1], allow[1], by_hand)
        return cls.by(number, applied_at, (block[0], allow[0]), judged)

    @classmethod
    def by(cls, number: int, applied_at: float, names: tuple[str, str], judged: Judged) -> Self:
        """The generation of this number, whose lists have these *names* (block, allow) and hold *judged*."""
        named = dict(zip((BLOCKED, ALLOWED), names, strict=True))
        return cls(number=number, applied_at=applied_at, names=named, judged=judged)


class Applied(Protocol):
    """Whatever came into force at a time."""

    @property
    def applied_at(self) -> float:
        """POSIX seconds."""


A = TypeVar("A", bound=Applied)


def applicable(forces: Sequence[A], at: float) -> list[A]:
    """
    The generations that lines received *at* may tell of, likeliest first.

    The one in force then, the one before it while lines may be late, and the one
    after it when its push was in progress.
    """
    ordered = sorted(forces, key=lambda force: force.applied_at)
    now = sum(1 for force in ordered if force.applied_at <= at) - 1
    found = [ordered[now]] if now >= 0 else []
    if now >= 1 and at - ordered[now].applied_at <= LATE_SECONDS:
        found.append(ordered[now - 1])
    if now + 1 < len(ordered) and ordered[now + 1].applied_at - at <= LATE_SECONDS:
        found.append(ordered[now + 1])
    return found


_SHIFT = 40
_LINES = (1 << _SHIFT) - 1
_ONE_HIT = (1 << _SHIFT) + 1
RawHit = tuple[str, str, str, Cidr, bytes, bytes, bytes, bytes]
"""A `Hit` whose last four fields stand as in the line: most lines are counted and never shown."""


@define(eq=False)
class Tally:
    """
    What a number of lines came to; *others* are the lines that no entry explains.

    Of each sum the lines are the lower bits, the hits stand above them (`parted`): one number is added
    and kept faster than two.
    """

    sums: dict[RawHit, int] = field(factory=dict)
    others: int = 0

    def __iter__(self) -> Iterator[tuple[Hit, Sum]]:
        for raw, total in self.sums.items():
            yield hit_of(raw), Sum(*parted(total))


def joined(lines: int, hits: int) -> int:
    """As a `Tally` keeps them."""
    return (hits << _SHIFT) + lines


def parted(total: int) -> tuple[int, int]:
    """Lines and hits of a sum in a `Tally`."""
    return total & _LINES, total >> _SHIFT


def by_list(tallies: Iterable[Tally]) -> dict[str, dict[str, int]]:
    """Hits of *tallies*: by action, and by name of the list."""
    counts: dict[tuple[str, str], int] = {}
    for tally in tallies:
        for (action, _, listed, *_), total in tally.sums.items():
            counts[action, listed] = counts.get((action, listed), 0) + (total >> _SHIFT)
    found: dict[str, dict[str, int]] = {}
    for (action, listed), hits in counts.items():
        found.setdefault(action, {})[listed] = hits
    return found


def hit_of(raw: RawHit) -> Hit:
    """The hit that *raw* stands for."""
    inside, outside, protocol, port = (part.decode("utf-8", "replace") for part in raw[4:])
    return Hit(*raw[:4], inside, outside, protocol, int(port) if port else -1)


_ENDS = itemgetter(4, 5)


def judge(rows: Iterable[Row], forces: Sequence[Force]) -> Tally:
    """
    Roll-ups of *rows*, each by the first of *forces* that has an entry for it.
    """
    left = list(rows)
    tally = Tally()
    for force in forces:
        if not left:
            break
        left = _judge_by(force, left, tally.sums)
    tally.others = len(left)
    return tally


def with_listed_flows(rows: Sequence[Row], forces: Sequence[Force]) -> list[Row]:
    """
    *rows*, of which those that have no end on any list of *forces* belong to no flow: none of their lines counts.
    """
    addresses = set(chain.from_iterable(_ENDS(row) for row in rows if row[0]))
    listed: set[bytes] = set()
    for force in forces:
        for action in (BLOCKED, ALLOWED):
            known = force.judged.found(action)
            if not addresses <= known.keys():
                force.judged.look_up(addresses)
            listed |= {one for one in addresses if known.get(one) is not None}
    return [
        row if not row[0] or not listed.isdisjoint(_ENDS(row)) else (b"", *row[1:]) for row in rows
    ]


def _judge_by(force: Force, rows: list[Row], sums: dict[RawHit, int]) -> list[Row]:
    """Count what this generation explains of *rows*; gives the rest."""
    permitted = [row for row in rows if row[2] == b"permitted"]
    if not permitted:
        return _count(force, BLOCKED, rows, sums)
    rest = _count(force, ALLOWED, permitted, sums)
    return rest + _count(force, BLOCKED, [row for row in rows if row[2] != b"permitted"], sums)


def _count(force: Force, action: str, rows: list[Row], sums: dict[RawHit, int]) -> list[Row]:
    known = force.judged.found(action)
    name, by_hand = force.names[action], force.judged.by_hand[action]
    rest: list[Row] = []
    while rows:
        unseen: list[Row] = []
        for row in rows:
            _, _, _, protocol, source, destination, port, hits, _ = row
            raw: RawHit
            try:
                entry, other = known[source], known[destination]
            except KeyError:
                unseen.append(row)
                continue
            if entry is None:
                if other is None or other is PERMITTED:
                    rest.append(row)
                    continue
                named = LIST_NAME if other in by_hand else name
                raw = (action, OUTBOUND, named, other, source, destination, protocol, port)
            elif entry is PERMITTED or other is PERMITTED:
                rest.append(row)
                continue
            else:
                named = LIST_NAME if entry in by_hand else name
                raw = (action, INBOUND, named, entry, destination, source, protocol, port)
            count = _ONE_HIT if hits == b"1" else (int(hits) << _SHIFT) + 1
            sums[raw] = sums.get(raw, 0) + count
        if unseen:
            force.judged.look_up(set(chain.from_iterable(map(_ENDS, unseen))))
        rows = unseen
    return rest
