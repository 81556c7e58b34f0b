"""
What stays when a policy is larger than the device bears.

An order is decided once, for every entry of the merged block list, and the list is cut
at the room that the allow list leaves; the allow list is never cut.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from tscm.errors import TscmError
from tscm.model import Cidr
from tscm.plural import many
from tscm.policy import spans
from tscm.policy.cidr import CidrSet, Entries, overlapping

Hits = Callable[[Entries], NDArray[np.int64]]
"""For each row: how often it was seen hitting lately."""


@define(eq=False)
class AllowOverMaximum(TscmError):
    """
    The allow list leaves no room under the Max policy size.
    """

    allow: int
    maximum: int

    def __str__(self) -> str:
        return (
            f"the allow list has {many(self.allow, 'entry', 'entries')} after merging and "
            f"Max Policy Size is {self.maximum:,}, so no block entries fit; nothing was "
            "changed: shorten the allow list, or raise Max Policy Size "
            "(--max_policy_size) if the device can handle it"
        )


@frozen(kw_only=True, eq=False)
class Confident:
    """A list whose entries are believed more (higher) or less than others (0)."""

    networks: CidrSet
    confidence: float


@frozen(kw_only=True, eq=False)
class Ranking:
    """
    What is known of entries: in this order it decides which ones stay.

    The operator's *own* entries; then what was seen hitting lately; then *confidence* (of
    several lists that hold an entry, the highest); then width.
    """

    own: CidrSet = field(factory=CidrSet)
    hits: Hits | None = None
    confidence: tuple[Confident, ...] = ()


@frozen(kw_only=True, eq=False)
class Cut:
    """
    A policy that fits.

    *dropped* holds what was cut off the block list, merged CIDRs in the order of addresses; *places*
    says for each where it stands in the queue to come back, 0 being the next.
    """

    block: CidrSet
    allow: CidrSet
    maximum: int
    dropped: Entries = field(factory=Entries)
    places: NDArray[np.int64] = field(factory=lambda: np.zeros(0, np.int64))

    @property
    def size(self) -> int:
        """Entries of both lists."""
        return len(self.block) + len(self.allow)

    def queue(self) -> list[Cidr]:
        """What was dropped, the next to come back first."""
        cidrs = self.dropped.cidrs()
        return [cidrs[row] for row in np.argsort(self.places).tolist()]


def cut(block: CidrSet, allow: CidrSet, maximum: int, ranking: Ranking | None = None) -> Cut:
    """
    Make both lists fit into *maximum* entries together, at the cost of the block list alone.

    `AllowOverMaximum` when that would leave the block list with nothing.
    """
    room = maximum - len(allow)
    if room < 0 or (room == 0 and len(block)):
        raise AllowOverMaximum(len(allow), maximum)
    if len(block) <= room:
        return Cut(block=block, allow=allow, maximum=maximum)
    best_first = ranked(block.entries, ranking or Ranking())
    places = np.empty(len(best_first), np.int64)
    places[best_first] = np.arange(len(best_first))
    stays = places < room
    return Cut(
        # Out of a merged set no two that are left can be merged either.
        block=CidrSet(block.entries.take(stays)),
        allow=allow,
        maximum=maximum,
        dropped=block.entries.take(~stays),
        places=places[~stays] - room,
    )


def ranked(entries: Entries, ranking: Ranking) -> NDArray[np.int64]:
    """
    The rows of *entries*, those to be kept first at the front.

    Equal rows stand in the order of addresses, so that a small change of a list changes little of
    what is cut.  An IPv6 prefix is as wide as an IPv4 one of half its length: a /48 like a /24.
    """
    own = overlapping(entries, ranking.own)
    hits = np.zeros(len(entries), np.int64)
    if ranking.hits is not None and len(entries):
        hits = np.asarray(ranking.hits(entries), np.int64)
    confidence = np.full(len(entries), -np.inf)
    for source in ranking.confidence:
        held = overlapping(entries, source.networks)
        confidence[held] = np.maximum(confidence[held], source.confidence)
    confidence[np.isneginf(confidence)] = 0.0  # of no source
    width = np.concatenate((entries.v4_lengths / 1.0, entries.v6_lengths / 2.0))
    return np.lexsort((width, -confidence, -hits, ~own))


def hits_on(entries: Entries, seen: Iterable[tuple[str, int]]) -> NDArray[np.int64]:
    """
    For each row of *entries*, merged and ascending: the hits of all *seen* that share an address with it.

    Hits are counted under the entries of their day.  Since then a neighbour may have been listed and
    merged with one, or a wider network listed instead: what was seen there is seen of the new entry too.
    """
    counted = sorted(seen, key=lambda one: ":" in one[0])  # as rows stand in `Entries`
    known = Entries.of(cidr for cidr, _ in counted)
    hits = [count for _, count in counted]
    v4 = len(known.v4_lengths)
    return np.concatenate(
        (
            _summed(entries.v4_columns(), known.v4_columns(), hits[:v4]),
            _summed(entries.v6_columns(), known.v6_columns(), hits[v4:]),
        )
    )


def _summed(
    rows: tuple[spans.Words, spans.Words, spans.Lengths],
    seen: tuple[spans.Words, spans.Words, spans.Lengths],
    counts: Sequence[int],
) -> NDArray[np.int64]:
    high, low, _ = rows
    if not len(high) or not counts:
        return np.zeros(len(high), np.int64)
    end_high, end_low = spans.ends(*rows)
    stop_high, stop_low = spans.ends(*seen)
    # From the first row that ends behind the begin of what was seen to the last that begins before its end.
    begun = spans.search(high, low, seen[0], seen[1], "right")
    row = np.maximum(begun - 1, 0)
    unending = (end_high[row] == 0) & (end_low[row] == 0)
    later = (end_high[row] > seen[0]) | ((end_high[row] == seen[0]) & (end_low[row] > seen[1]))
    first = np.where((begun > 0) & (unending | later), begun - 1, begun)
    stop = spans.search(high, low, stop_high, stop_low, "left")
    stop[(stop_high == 0) & (stop_low == 0)] = len(high)
    steps = np.zeros(len(high) + 1, np.int64)
    np.add.at(steps, first, counts)
    np.subtract.at(steps, stop, counts)
    found: NDArray[np.int64] = np.cumsum(steps)[:-1]
    return found
