"""
What the lists had to do with the policy's lines: which entry, in which direction.

Pure.  A denied packet with an end on the block list is *blocked*, a permitted one with an end on
the allow list *allowed*: permit stands above deny, so a packet on both lists is allowed and
says so itself.  Everything else was some other rule's doing and counts as no hit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, Self

from attrs import define, field, frozen

from tscm.model import Cidr
from tscm.policy.entries import Entries
from tscm.policy.match import Matcher
from tscm.syslog.asa_bulk import Row

BLOCKED, ALLOWED = "blocked", "allowed"
INBOUND, OUTBOUND = "inbound", "outbound"

LATE_SECONDS = 900.0
"""
How long lines may tell of another generation than the one in force: an interval line comes up to 300
seconds late, and a push takes effect entry by entry before it is recorded.
"""


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
class Force:
    """
    The lists of one generation, ready to be asked.
    """

    number: int
    applied_at: float
    names: Mapping[str, str]
    """Name of the list, by what it does: `blocked`, `allowed`."""
    matchers: Mapping[str, Matcher]
    cidrs: Mapping[str, list[Cidr]]

    @classmethod
    def of(
        cls, number: int, applied_at: float, block: tuple[str, Entries], allow: tuple[str, Entries]
    ) -> Self:
        """From both lists, each a name and its entries."""
        parts = {BLOCKED: block, ALLOWED: allow}
        return cls(
            number=number,
            applied_at=applied_at,
            names={action: name for action, (name, _) in parts.items()},
            matchers={
                action: Matcher.of({name: entries}) for action, (name, entries) in parts.items()
            },
            cidrs={action: entries.cidrs() for action, (_, entries) in parts.items()},
        )

    def find(self, action: str, addresses: Sequence[bytes]) -> dict[bytes, Cidr]:
        """The entry that each of *addresses* stands under; absent where none."""
        texts = [address.decode("utf-8", "replace") for address in addresses]
        rows = self.matchers[action].find(texts).rows.tolist()
        cidrs = self.cidrs[action]
        return {
            address: cidrs[row] for address, row in zip(addresses, rows, strict=True) if row >= 0
        }


def applicable(forces: Sequence[Force], at: float) -> list[Force]:
    """
    The generations that lines received *at* may tell of, likeliest first.

    The one in force then, the one before it while lines may be late, and the one
    after it when its push was under way.
    """
    ordered = sorted(forces, key=lambda force: force.applied_at)
    now = sum(1 for force in ordered if force.applied_at <= at) - 1
    found = [ordered[now]] if now >= 0 else []
    if now >= 1 and at - ordered[now].applied_at <= LATE_SECONDS:
        found.append(ordered[now - 1])
    if now + 1 < len(ordered) and ordered[now + 1].applied_at - at <= LATE_SECONDS:
        found.append(ordered[now + 1])
    return found


RawHit = tuple[str, str, str, Cidr, bytes, bytes, bytes, bytes]
"""A `Hit` whose last four fields stand as in the line: most lines are counted and never shown."""


@define(eq=False)
class Tally:
    """
    What a number of lines came to; *others* are the lines that no entry explains.
    """

    sums: dict[RawHit, list[int]] = field(factory=dict)
    others: int = 0

    def __iter__(self) -> Iterator[tuple[Hit, Sum]]:
        for raw, (lines, hits) in self.sums.items():
            yield hit_of(raw), Sum(lines, hits)


def hit_of(raw: RawHit) -> Hit:
    """The hit that *raw* stands for."""
    inside, outside, protocol, port = (part.decode("utf-8", "replace") for part in raw[4:])
    return Hit(*raw[:4], inside, outside, protocol, int(port) if port else -1)


_COUNTED = itemgetter(1, 2, 3, 4, 5, 6)

_Counted = tuple[bytes, bytes, bytes, bytes, bytes, bytes]


def judge(rows: Iterable[Row], forces: Sequence[Force]) -> Tally:
    """
    Roll-ups of *rows*, each by the first of *forces* that has an entry for it.
    """
    counted: Counter[_Counted] = Counter(map(_COUNTED, rows))
    tally = Tally()
    for force in forces:
        if not counted:
            break
        counted = _judge_by(force, counted, tally.sums)
    tally.others = counted.total()
    return tally


def _judge_by(
    force: Force, counted: Counter[_Counted], sums: dict[RawHit, list[int]]
) -> Counter[_Counted]:
    """Take what this generation explains out of *counted*; gives the rest."""
    blocked, allowed = _entries(force, counted)
    block_name, allow_name = force.names[BLOCKED], force.names[ALLOWED]
    rest: Counter[_Counted] = Counter()
    for row, lines in counted.items():
        word, protocol, source, destination, port, hits = row
        if word == b"denied":
            action, name, table = BLOCKED, block_name, blocked
        else:
            action, name, table = ALLOWED, allow_name, allowed
        if source in table:
            raw = (action, INBOUND, name, table[source], destination, source, protocol, port)
        elif destination in table:
            raw = (action, OUTBOUND, name, table[destination], source, destination, protocol, port)
        else:
            rest[row] = lines
            continue
        count = lines if hits == b"1" else lines * int(hits)
        total = sums.get(raw)
        if total is None:
            sums[raw] = [lines, count]
        else:
            total[0] += lines
            total[1] += count
    return rest


def _entries(
    force: Force, counted: Iterable[_Counted]
) -> tuple[dict[bytes, Cidr], dict[bytes, Cidr]]:
    blocked: set[bytes] = set()
    allowed: set[bytes] = set()
    for row in counted:
        (blocked if row[0] == b"denied" else allowed).update(row[2:4])
    return force.find(BLOCKED, list(blocked)), force.find(ALLOWED, list(allowed))
