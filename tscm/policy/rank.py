"""
What stays when a policy is larger than the device bears.

An order is decided once, for every entry of the merged block list, and the list is cut
at the room that the allow list leaves; the allow list is never cut.
"""

from collections.abc import Callable

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from tscm.errors import TscmError
from tscm.model import Cidr
from tscm.policy.cidr import CidrSet, Entries, overlapping

Hits = Callable[[Entries], NDArray[np.int64]]
"""For each row: how often it was seen hitting lately."""


class AllowOverMaximum(TscmError):
    """
    The allow list leaves no room under the Max policy size.
    """

    def __init__(self, allow: int, maximum: int) -> None:
        self.allow = allow
        self.maximum = maximum
        super().__init__(allow, maximum)

    def __str__(self) -> str:
        return (
            f"the allow list has {self.allow:,} entries after merging and the Max policy size is "
            f"{self.maximum:,}, which leaves no room to block anything; nothing was changed: "
            f"shorten the allow list, or raise the Max policy size with "
            f"`tsadmin configure` if the device bears it"
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
