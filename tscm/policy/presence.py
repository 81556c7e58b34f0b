"""
Is a network in a merged set as it is stored, are addresses?  Looks at the columns, nothing is built of them.
"""

from collections.abc import Set as AbstractSet
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tscm.model import Cidr
from tscm.policy import spans
from tscm.policy.entries import stored_columns
from tscm.policy.spelling import V4_BITS, V6_BITS

_WORD = (1 << 64) - 1


def presence(stored: bytes, asked: Cidr) -> str:
    """
    `all`, `part` or `none` of *asked* is in the set of which `CidrSet.entries.to_bytes()` is *stored*.

    The set is merged and ascending: what covers a network wholly is one CIDR, the last that does
    not begin behind it.  `ValueError` where *stored* is damaged.
    """
    network = ip_network(asked)
    first, last = int(network.network_address), int(network.broadcast_address)
    short, lengths, high, low, long = stored_columns(stored)
    if network.version == 4:
        at = int(np.searchsorted(short, np.uint32(first), "right"))
        starts = [int(short[row]) for row in (at - 1, at) if 0 <= row < len(short)]
        bits, prefixes = V4_BITS, lengths
    else:
        at = _first_after(high, low, first)
        rows = [row for row in (at - 1, at) if 0 <= row < len(high)]
        starts = [int(high[row]) << 64 | int(low[row]) for row in rows]
        bits, prefixes = V6_BITS, long
    if at:
        end = starts[0] + (1 << (bits - int(prefixes[at - 1]))) - 1
        if end >= last:
            return "all"
        if end >= first:
            return "part"
    following = starts[1:] if at else starts
    return "part" if following and following[0] <= last else "none"


def _first_after(high: NDArray[np.generic], low: NDArray[np.generic], number: int) -> int:
    """The first row that begins behind *number*."""
    upper = np.uint64(number >> 64)
    begin = int(np.searchsorted(high, upper, "left"))
    end = int(np.searchsorted(high, upper, "right"))
    return begin + int(np.searchsorted(low[begin:end], np.uint64(number & _WORD), "right"))


@frozen(eq=False)
class MergedSet:
    """
    A merged set as it is stored, ready to be asked for many addresses at once.
    """

    v4: NDArray[np.generic]
    v4_lengths: NDArray[np.generic]
    v6: NDArray[np.generic]
    v6_lengths: NDArray[np.generic]

    @classmethod
    def of(cls, stored: bytes) -> Self:
        """*stored* is `CidrSet.entries.to_bytes()`; `ValueError` where it is damaged."""
        short, lengths, high, low, long = stored_columns(stored)
        return cls(short, lengths, spans.keys(high, low), long)  # type: ignore[arg-type]  # words, by their place

    def without(self, addresses: AbstractSet[bytes]) -> set[bytes]:
        """Those of *addresses*, as text, that are not in the set; what is not an address is not."""
        found: set[bytes] = set(addresses)
        for family, starts, lengths in (
            (AF_INET, self.v4, self.v4_lengths),
            (AF_INET6, self.v6, self.v6_lengths),
        ):
            packed = _packed(addresses, family) if len(starts) else {}
            if not packed:
                continue
            dtype = ">u4" if family == AF_INET else "S16"
            asked = np.frombuffer(b"".join(packed.values()), dtype)
            wanted = asked.astype(np.uint32) if family == AF_INET else asked
            rows = np.searchsorted(starts, wanted, "right") - 1
            for address, octets, row in zip(packed, packed.values(), rows.tolist(), strict=True):
                if row >= 0 and _within(octets, starts[row], int(lengths[row])):
                    found.discard(address)
        return found


def _packed(addresses: AbstractSet[bytes], family: int) -> dict[bytes, bytes]:
    found = {}
    for address in addresses:
        if (b":" in address) == (family == AF_INET6):
            try:
                found[address] = inet_pton(family, address.decode("ascii"))
            except (OSError, ValueError):
                continue
    return found


def _within(octets: bytes, start: np.generic, length: int) -> bool:
    """Do the first *length* bits agree?"""
    bits = len(octets) * 8
    first = int.from_bytes(start.item().ljust(16, b"\0")) if bits == V6_BITS else int(start)
    return (int.from_bytes(octets) ^ first) >> (bits - length) == 0
