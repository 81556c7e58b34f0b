"""
Networks: one spelling for each, many as published, and sets of the addresses they cover.

`Entries` stand as a list published them; a `CidrSet` is merged.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from tscm.model import Cidr
from tscm.policy import spans
from tscm.policy.entries import V4_SHIFT, Entries
from tscm.policy.spans import Spans
from tscm.policy.spelling import V4_BITS, V6_BITS, read_cidr

__all__ = ["CidrSet", "Entries", "overlapping", "read_cidr"]


@frozen(eq=False)
class CidrSet:
    """
    A set of addresses, held as the fewest CIDRs that cover exactly these.

    That form is unique: equal sets have equal columns, and `len` counts what a device would hold.
    """

    entries: Entries = field(factory=Entries)
    """The merged CIDRs, ascending."""

    @classmethod
    def of(cls, entries: Entries) -> Self:
        """Merge *entries*."""
        return cls._from_spans(
            spans.merge(*entries.v4_columns()), spans.merge(*entries.v6_columns())
        )

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Self:
        """Read and merge; `ValueError` at the first that is not a CIDR."""
        return cls.of(Entries.of(texts))

    @classmethod
    def _from_spans(cls, v4: Spans, v6: Spans) -> Self:
        v4_high, _, v4_lengths = spans.split(v4)
        v6_columns = spans.split(v6)
        return cls(Entries((v4_high >> V4_SHIFT).astype(np.uint32), v4_lengths, *v6_columns))

    def intervals(self) -> tuple[Spans, Spans]:
        """
        IPv4 and IPv6 as intervals, one for each CIDR: neighbours may touch.
        """
        v4, v6 = self.entries.v4_columns(), self.entries.v6_columns()
        return (
            Spans(v4[0], v4[1], *spans.ends(*v4)),
            Spans(v6[0], v6[1], *spans.ends(*v6)),
        )

    def union(self, other: "CidrSet") -> "CidrSet":
        """Addresses of either."""
        return CidrSet.of(self.entries + other.entries)

    def difference(self, other: "CidrSet") -> "CidrSet":
        """Addresses of this one that are not in *other*."""
        mine, theirs = self.intervals(), other.intervals()
        return CidrSet._from_spans(
            *(spans.combine(a, b, lambda x, y: x & ~y) for a, b in zip(mine, theirs, strict=True))
        )

    def intersection(self, other: "CidrSet") -> "CidrSet":
        """Addresses of both."""
        mine, theirs = self.intervals(), other.intervals()
        return CidrSet._from_spans(
            *(spans.combine(a, b, lambda x, y: x & y) for a, b in zip(mine, theirs, strict=True))
        )

    def overlaps(self, other: "CidrSet") -> bool:
        """Is any address in both?"""
        return bool(self.intersection(other))

    def contains(self, other: "CidrSet") -> bool:
        """Is every address of *other* in this one?"""
        return not other.difference(self)

    def covers(self, address: str) -> bool:
        """Is this address, or every address of this network, in the set?"""
        return self.contains(CidrSet.of(Entries.of((address,))))

    def cidrs(self) -> list[Cidr]:
        """The merged CIDRs, IPv4 first, ascending."""
        return self.entries.cidrs()

    @property
    def addresses(self) -> int:
        """How many addresses are covered."""
        counts = (
            (self.entries.v4_lengths, V4_BITS),
            (self.entries.v6_lengths, V6_BITS),
        )
        return sum(
            int(count) << (bits - length)
            for lengths, bits in counts
            for length, count in enumerate(np.bincount(lengths).tolist())
        )

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        """The same addresses."""
        return self.entries == other.entries if isinstance(other, CidrSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        return f"CidrSet({len(self)} CIDRs)"


def overlapping(entries: Entries, networks: CidrSet) -> NDArray[np.bool_]:
    """For each row of *entries*: does it share an address with *networks*?"""
    flags = []
    for columns, known in zip(
        (entries.v4_columns(), entries.v6_columns()), networks.intervals(), strict=True
    ):
        flags.append(spans.touching(*columns, known))
    return np.concatenate(flags)


def without(entries: Entries, networks: CidrSet) -> Entries:
    """*entries* without the addresses of *networks*: rows that meet them are split, the others stay as they are."""
    touched = overlapping(entries, networks)
    if not touched.any():
        return entries
    rest = CidrSet.of(entries.take(touched)).difference(networks)
    return Entries.joined([entries.take(~touched), rest.entries])
