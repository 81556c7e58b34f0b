"""
Many networks as columns of machine words.

numpy, because a list has 100,000 entries and a firewall's manager two small cores.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from tscm.model import Cidr
from tscm.policy.spans import Lengths, Words
from tscm.policy.spelling import V4_BITS, V6_BITS, parse_cidr, spell_address

V4_SHIFT = np.uint64(32)
"""An IPv4 address is the upper half of a word: the common form of `tscm.policy.spans`."""
_MAGIC = b"CIDR"
_HEADER = struct.Struct(">4sII")


def _column(values: object, dtype: type[np.generic]) -> NDArray[np.generic]:
    column = np.ascontiguousarray(values, dtype=dtype)
    column.flags.writeable = False
    return column


def _u32(values: object) -> NDArray[np.uint32]:
    return _column(values, np.uint32)  # type: ignore[return-value]  # by its dtype


def _u64(values: object) -> Words:
    return _column(values, np.uint64)  # type: ignore[return-value]  # by its dtype


def _u8(values: object) -> Lengths:
    return _column(values, np.uint8)  # type: ignore[return-value]  # by its dtype


@frozen(eq=False)
class Entries:
    """
    Networks as published, duplicates and overlaps included; IPv4 first, each family in order.

    Host bits are clear in every row.  Index n of `cidrs()` is row n of the IPv4 columns, then of the
    IPv6 columns; `tscm.policy.match` gives such an index.
    """

    v4_addresses: NDArray[np.uint32] = field(converter=_u32, factory=list)
    v4_lengths: Lengths = field(converter=_u8, factory=list)
    v6_high: Words = field(converter=_u64, factory=list)
    v6_low: Words = field(converter=_u64, factory=list)
    v6_lengths: Lengths = field(converter=_u8, factory=list)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """
        From texts, in the canonical spelling or not; `ValueError` at the first that is not a CIDR.
        """
        v4: list[bytes] = []
        v4_lengths = bytearray()
        v6: list[bytes] = []
        v6_lengths = bytearray()
        for text in texts:
            packed, length = parse_cidr(text)
            if len(packed) == 4:
                v4.append(packed)
                v4_lengths.append(length)
            else:
                v6.append(packed)
                v6_lengths.append(length)
        words = np.frombuffer(b"".join(v6), ">u8").astype(np.uint64).reshape(-1, 2)
        addresses = np.frombuffer(b"".join(v4), ">u4").astype(np.uint32)
        short = np.frombuffer(bytes(v4_lengths), np.uint8)
        long = np.frombuffer(bytes(v6_lengths), np.uint8)
        high_mask, low_mask = _masks(long)
        v4_mask = (_masks(short)[0] >> V4_SHIFT).astype(np.uint32)
        return cls(
            addresses & v4_mask, short, words[:, 0] & high_mask, words[:, 1] & low_mask, long
        )

    @classmethod
    def from_columns(
        cls,
        v4_addresses: object,
        v4_lengths: object,
        v6_high: object,
        v6_low: object,
        v6_lengths: object,
    ) -> Self:
        """
        From columns whose host bits are clear already; `ValueError` where one is not.
        """
        entries = cls(v4_addresses, v4_lengths, v6_high, v6_low, v6_lengths)
        short, long = entries.v4_lengths, entries.v6_lengths
        if len(entries.v4_addresses) != len(short) or not len(entries.v6_high) == len(
            entries.v6_low
        ) == len(long):
            raise ValueError("columns of different length")
        if (short > V4_BITS).any() or (long > V6_BITS).any():
            raise ValueError("a prefix length is over its family's bits")
        high_mask, low_mask = _masks(long)
        v4_mask = (_masks(short)[0] >> V4_SHIFT).astype(np.uint32)
        if (
            (entries.v4_addresses & ~v4_mask).any()
            or (entries.v6_high & ~high_mask).any()
            or (entries.v6_low & ~low_mask).any()
        ):
            raise ValueError("an entry has host bits")
        return entries

    @classmethod
    def joined(cls, parts: Sequence["Entries"]) -> Self:
        """All rows of *parts*, family by family in their order."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in (cls(), *parts)])
                for name in ("v4_addresses", "v4_lengths", "v6_high", "v6_low", "v6_lengths")
            )
        )

    def __add__(self, other: "Entries") -> "Entries":
        return Entries.joined((self, other))

    def __len__(self) -> int:
        return len(self.v4_lengths) + len(self.v6_lengths)

    def __eq__(self, other: object) -> bool:
        """The same rows in the same order."""
        if not isinstance(other, Entries):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def same_networks(self, other: "Entries") -> bool:
        """Do both list the same, in whatever order and however often?"""
        if self == other:
            return True
        mine, others = _distinct(self), _distinct(other)
        return all(np.array_equal(one, two) for one, two in zip(mine, others, strict=True))

    def __repr__(self) -> str:
        return f"Entries({len(self.v4_lengths)} IPv4, {len(self.v6_lengths)} IPv6)"

    def cidrs(self) -> list[Cidr]:
        """The rows in their canonical spelling."""
        octets = self.v4_addresses.astype(">u4").view(np.uint8).reshape(-1, 4).T.tolist()
        lengths = self.v4_lengths.tolist()
        found = [
            Cidr(f"{a}.{b}.{c}.{d}/{n}") for a, b, c, d, n in zip(*octets, lengths, strict=True)
        ]
        words = np.empty((len(self.v6_lengths), 2), ">u8")
        words[:, 0], words[:, 1] = self.v6_high, self.v6_low
        packed = words.tobytes()
        found += [
            Cidr(f"{spell_address(packed[row * 16 : row * 16 + 16])}/{n}")
            for row, n in enumerate(self.v6_lengths.tolist())
        ]
        return found

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Entries":
        """
        Some rows: by a flag for each, or by indices in ascending order.
        """
        if rows.dtype != np.bool_:
            flags = np.zeros(len(self), np.bool_)
            flags[rows] = True
            rows = flags
        short, long = rows[: len(self.v4_lengths)], rows[len(self.v4_lengths) :]
        return Entries(
            self.v4_addresses[short],
            self.v4_lengths[short],
            self.v6_high[long],
            self.v6_low[long],
            self.v6_lengths[long],
        )

    def distinct(self) -> "Entries":
        """Each row once, in ascending order, family by family."""
        v4, v6 = _distinct(self)
        return Entries(
            (v4 >> np.uint64(8)).astype(np.uint32),
            (v4 & np.uint64(0xFF)).astype(np.uint8),
            v6[:, 0],
            v6[:, 1],
            v6[:, 2].astype(np.uint8),
        )

    def head(self, count: int) -> "Entries":
        """The first *count* rows."""
        return self if len(self) <= count else self.take(np.arange(count))

    def to_bytes(self) -> bytes:
        """For the store: 5 bytes for an IPv4 row, 17 for an IPv6 row."""
        return b"".join(
            (
                _HEADER.pack(_MAGIC, len(self.v4_lengths), len(self.v6_lengths)),
                self.v4_addresses.astype("<u4").tobytes(),
                self.v4_lengths.tobytes(),
                self.v6_high.astype("<u8").tobytes(),
                self.v6_low.astype("<u8").tobytes(),
                self.v6_lengths.tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` gave; `ValueError` if it was damaged in a way that shows."""
        return cls.from_columns(*stored_columns(data))

    def v4_columns(self) -> tuple[Words, Words, Lengths]:
        """The IPv4 rows as `tscm.policy.spans` wants them: high, low, lengths."""
        high = self.v4_addresses.astype(np.uint64) << V4_SHIFT
        return high, np.zeros(len(high), np.uint64), self.v4_lengths

    def v6_columns(self) -> tuple[Words, Words, Lengths]:
        """The IPv6 rows: high, low, lengths."""
        return self.v6_high, self.v6_low, self.v6_lengths


def stored_columns(data: bytes) -> list[NDArray[np.generic]]:
    """
    The columns that `Entries.to_bytes` gave, in the order of `Entries.from_columns`, unchecked and not copied.
    """
    if len(data) < _HEADER.size:
        raise ValueError("stored entries are cut off")
    magic, short, long = _HEADER.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEADER.size + 5 * short + 17 * long:
        raise ValueError("stored entries are damaged")
    columns: list[NDArray[np.generic]] = []
    at = _HEADER.size
    for dtype, count in (
        ("<u4", short),
        ("u1", short),
        ("<u8", long),
        ("<u8", long),
        ("u1", long),
    ):
        column = np.frombuffer(data, dtype, count, at)
        columns.append(column)
        at += column.nbytes
    return columns


def _distinct(entries: Entries) -> tuple[Words, Words]:
    """Each row once, in ascending order, family by family."""
    v4 = entries.v4_addresses.astype(np.uint64) << np.uint64(8) | entries.v4_lengths
    columns = (entries.v6_high, entries.v6_low, entries.v6_lengths.astype(np.uint64))
    return np.unique(v4), np.unique(np.stack(columns, axis=1), axis=0)


def _masks(lengths: Lengths) -> tuple[Words, Words]:
    """The network mask of each length, as left-aligned words."""
    full = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    wide = lengths.astype(np.int64)

    def word(bits: NDArray[np.int64]) -> Words:
        shift = np.clip(64 - bits, 0, 63).astype(np.uint64)
        return np.where(bits <= 0, np.uint64(0), full << shift).astype(np.uint64)

    return word(wide), word(wide - 64)
