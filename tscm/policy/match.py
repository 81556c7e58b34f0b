"""
From an address to the list entry that it stands under.

Merged sets say whether an address is blocked; a report wants the entry as it was published, of all
that hold the address the narrowest, and the list that it came from.
"""

from collections.abc import Iterable, Mapping, Sequence
from socket import AF_INET, AF_INET6, inet_pton
from typing import Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tscm.policy import spans
from tscm.policy.entries import V4_SHIFT, Entries
from tscm.policy.spans import Counts, Lengths, Words


@frozen(eq=False)
class Matches:
    """
    For each address asked: the number of the list, and the row in its `Entries`; -1 for none.
    """

    lists: NDArray[np.int64]
    rows: NDArray[np.int64]


@frozen(eq=False)
class _Family:
    """
    The space of one family cut at every point where an entry begins or ends.

    Addresses from *points[n]* up to the next point stand under entry *owners[n + 1]*, or under none (-1),
    as do those before the first point: *owners[0]*.
    """

    points: Words | NDArray[np.bytes_]
    """The upper words where all lower ones are 0, else `spans.keys`: made once, searched often."""
    owners: NDArray[np.int64]

    @classmethod
    def of(cls, high: Words, low: Words, lengths: Lengths) -> Self:
        end_high, end_low = spans.ends(high, low, lengths)
        points_high, points_low = spans.distinct(
            np.concatenate((high, end_high)), np.concatenate((low, end_low))
        )
        first = spans.search(points_high, points_low, high, low, "left")
        stop = spans.search(points_high, points_low, end_high, end_low, "left")
        stop[(end_high == 0) & (end_low == 0)] = len(points_high)
        owners = np.full(len(points_high), -1, np.int64)
        # Networks nest or are disjoint: painted from wide to narrow, the narrowest is on top.
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            rows = rows[np.unique(first[rows], return_index=True)[1]]
            counts = stop[rows] - first[rows]
            painted = np.repeat(first[rows] - (np.cumsum(counts) - counts), counts)
            owners[painted + np.arange(len(painted))] = np.repeat(rows, counts)
        wide = bool(points_low.any())
        points = spans.keys(points_high, points_low) if wide else points_high
        return cls(points, np.concatenate((np.full(1, -1, np.int64), owners)))

    def find(self, high: Words, low: Words) -> NDArray[np.int64]:
        wanted = high if self.points.dtype == np.uint64 else spans.keys(high, low)
        return self.owners[np.searchsorted(self.points, wanted, "right")]


@frozen(eq=False)
class Matcher:
    """
    Many addresses at once against the entries of several lists.

    Of equal entries in two lists the one of the list named first is found; ask one matcher for each
    list where both matter.
    """

    names: tuple[str, ...]
    v4: _Family
    v6: _Family
    v4_offsets: Counts
    v6_offsets: Counts
    v4_counts: Counts

    @classmethod
    def of(cls, lists: Mapping[str, Entries]) -> Self:
        """Ready to be asked; takes some tenths of a second for 100,000 entries."""
        parts = list(lists.values())
        together = Entries.joined(parts)
        v4_counts = np.array([len(part.v4_lengths) for part in parts], np.int64)
        v6_counts = np.array([len(part.v6_lengths) for part in parts], np.int64)
        return cls(
            tuple(lists),
            _Family.of(*together.v4_columns()),
            _Family.of(*together.v6_columns()),
            np.cumsum(v4_counts) - v4_counts,
            np.cumsum(v6_counts) - v6_counts,
            v4_counts,
        )

    def find_v4(self, addresses: NDArray[np.uint32]) -> Matches:
        """IPv4 addresses as numbers.  Sorted ones are found several times faster."""
        high = addresses.astype(np.uint64) << V4_SHIFT
        found = self.v4.find(high, np.zeros(len(high), np.uint64))
        return self._named(found, self.v4_offsets, np.zeros_like(self.v4_counts))

    def find_v6(self, high: Words, low: Words) -> Matches:
        """IPv6 addresses, each in two words."""
        # Within `Entries`, rows of IPv6 stand behind those of IPv4.
        return self._named(self.v6.find(high, low), self.v6_offsets, self.v4_counts)

    def find(self, addresses: "Sequence[str] | Asked") -> Matches:
        """Addresses of either family as text; what is not an address is under no entry."""
        asked = addresses if isinstance(addresses, Asked) else Asked.of(addresses)
        lists = np.full(asked.count, -1, np.int64)
        rows = np.full(asked.count, -1, np.int64)
        if asked.short:
            matches = self.find_v4(asked.v4)
            lists[asked.short], rows[asked.short] = matches.lists, matches.rows
        if asked.long:
            matches = self.find_v6(asked.v6[:, 0], asked.v6[:, 1])
            lists[asked.long], rows[asked.long] = matches.lists, matches.rows
        return Matches(lists, rows)

    def rows(self, asked: "Asked") -> NDArray[np.int64]:
        """Of a matcher of one list the row of each address; -1 for none."""
        if len(asked.short) == asked.count:
            return self.v4.find(asked.high, asked.zeros)
        found = np.full(asked.count, -1, np.int64)
        if asked.short:
            found[asked.short] = self.v4.find(asked.high, asked.zeros)
        if asked.long:
            rows = self.v6.find(asked.v6[:, 0], asked.v6[:, 1])
            rows[rows >= 0] += self.v4_counts[0]
            found[asked.long] = rows
        return found

    def _named(self, found: NDArray[np.int64], offsets: Counts, before: Counts) -> Matches:
        lists = np.searchsorted(offsets, found, "right") - 1
        # An empty list has the offset of its successor; the last one of equal offsets has the row.
        known = found >= 0
        lists = np.where(known, lists, -1)
        if not len(offsets):
            return Matches(lists, found)
        return Matches(lists, np.where(known, found - offsets[lists] + before[lists], -1))


@frozen(eq=False)
class Asked:
    """
    Addresses as numbers: made once where several matchers are asked.
    """

    count: int
    short: list[int]
    """Places of those of IPv4, *long* of those of IPv6."""
    long: list[int]
    v4: NDArray[np.uint32]
    high: Words
    """Those of IPv4 in the upper of two words, and *zeros* for the lower."""
    zeros: Words
    v6: Words

    @classmethod
    def of(cls, addresses: Sequence[str]) -> Self:
        """From text; what is not an address has no place."""
        short, packed_short = _packed(addresses, AF_INET)
        long, packed_long = (
            ([], b"") if len(short) == len(addresses) else _packed(addresses, AF_INET6)
        )
        v4 = np.frombuffer(packed_short, ">u4").astype(np.uint32)
        return cls(
            len(addresses),
            short,
            long,
            v4,
            v4.astype(np.uint64) << V4_SHIFT,
            np.zeros(len(v4), np.uint64),
            np.frombuffer(packed_long, ">u8").astype(np.uint64).reshape(-1, 2),
        )


def _packed(addresses: Iterable[str], family: int) -> tuple[list[int], bytes]:
    places, packed = [], []
    for place, address in enumerate(addresses):
        if (":" in address) == (family == AF_INET6):
            try:
                packed.append(inet_pton(family, address))
            except (OSError, ValueError):
                continue
            places.append(place)
    return places, b"".join(packed)
