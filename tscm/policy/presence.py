"""
Is a network in a merged set as it is stored?  One look at the columns, nothing built.
"""

from ipaddress import ip_network

import numpy as np
from numpy.typing import NDArray

from tscm.model import Cidr
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
        at = _behind(high, low, first)
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


def _behind(high: NDArray[np.generic], low: NDArray[np.generic], number: int) -> int:
    """The first row that begins behind *number*."""
    upper = np.uint64(number >> 64)
    begin = int(np.searchsorted(high, upper, "left"))
    end = int(np.searchsorted(high, upper, "right"))
    return begin + int(np.searchsorted(low[begin:end], np.uint64(number & _WORD), "right"))
