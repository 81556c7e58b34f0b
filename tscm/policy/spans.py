"""
Intervals of addresses, as columns: the arithmetic below `tscm.policy.cidr`.

An address is 128 bits in two unsigned words, *high* and *low*.  An IPv4 address stands
at the left (its 32 bits are the upper half of *high*), so that one arithmetic serves both
families and a prefix length means the same in both; families never stand in one `Spans`.

Ends are exclusive.  The end of an interval that reaches the last address is 2**128, which
wraps to zero; no interval begins and ends at zero otherwise, so nothing is lost.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Lengths = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

_ONE = np.uint64(1)
_WORD = 64
_WHOLE = 128


@frozen(eq=False)
class Spans:
    """
    Disjoint intervals in ascending order, none touching the next.
    """

    first_high: Words
    first_low: Words
    end_high: Words
    end_low: Words


def order(high: Words, low: Words) -> Counts:
    """The permutation that sorts addresses ascending, equal ones as they stood."""
    if low.any():
        return np.lexsort((low, high))
    return np.argsort(high, kind="stable")


def add_block(high: Words, low: Words, exponent: Counts) -> tuple[Words, Words]:
    """Each address plus 2**exponent (0 to 128), modulo 2**128."""
    shift = (exponent % _WORD).astype(np.uint64)
    in_low = exponent < _WORD
    in_high = (exponent >= _WORD) & (exponent < _WHOLE)
    new_low = low + np.where(in_low, _ONE << shift, 0).astype(np.uint64)
    carry = (new_low < low).astype(np.uint64)
    return high + np.where(in_high, _ONE << shift, 0).astype(np.uint64) + carry, new_low


def ends(high: Words, low: Words, lengths: Lengths) -> tuple[Words, Words]:
    """The exclusive end of each network."""
    return add_block(high, low, _WHOLE - lengths.astype(np.int64))


def merge(high: Words, low: Words, lengths: Lengths) -> Spans:
    """The addresses of all these networks, which may overlap and repeat."""
    end_high, end_low = ends(high, low, lengths)
    points = _points(high, low, end_high, end_low)
    return _sweep(points, [_depth_changes(high, end_high, end_low)], lambda depths: depths[0] > 0)


def combine(one: Spans, other: Spans, wanted: Callable[[Flags, Flags], Flags]) -> Spans:
    """
    The addresses for which *wanted*(in one, in other) holds; false for neither.
    """
    first = _points(one.first_high, one.first_low, one.end_high, one.end_low)
    second = _points(other.first_high, other.first_low, other.end_high, other.end_low)
    points = (np.concatenate((first[0], second[0])), np.concatenate((first[1], second[1])))
    changes = _depth_changes(one.first_high, one.end_high, one.end_low)
    other_changes = _depth_changes(other.first_high, other.end_high, other.end_low)
    columns = [
        np.concatenate((changes, np.zeros(len(other_changes), np.int64))),
        np.concatenate((np.zeros(len(changes), np.int64), other_changes)),
    ]
    return _sweep(points, columns, lambda depths: wanted(depths[0] > 0, depths[1] > 0))


def split(spans: Spans) -> tuple[Words, Words, Lengths]:
    """
    The fewest networks that hold exactly these addresses, ascending.

    Each round takes the largest aligned block off the front of every interval that is left.
    """
    high, low = spans.first_high, spans.first_low
    end_high, end_low = spans.end_high, spans.end_low
    found: list[tuple[Words, Words, Counts]] = []
    while len(high):
        left_low = end_low - low
        left_high = end_high - high - (end_low < low).astype(np.uint64)
        whole = (left_high == 0) & (left_low == 0)
        fits = np.where(whole, _WHOLE, _top_bit(left_high, left_low))
        exponent = np.minimum(_trailing_zeros(high, low), fits)
        found.append((high, low, exponent))
        high, low = add_block(high, low, exponent)
        more = (high != end_high) | (low != end_low)
        high, low, end_high, end_low = high[more], low[more], end_high[more], end_low[more]
    if not found:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint8)
    all_high, all_low, exponents = (np.concatenate(column) for column in zip(*found, strict=True))
    sorting = order(all_high, all_low)
    lengths = (_WHOLE - exponents[sorting]).astype(np.uint8)
    return all_high[sorting], all_low[sorting], lengths


def distinct(high: Words, low: Words) -> tuple[Words, Words]:
    """Each address once, ascending."""
    sorting = order(high, low)
    high, low = high[sorting], low[sorting]
    first = np.append([True], (high[1:] != high[:-1]) | (low[1:] != low[:-1]))[: len(high)]
    return high[first], low[first]


def touching(high: Words, low: Words, lengths: Lengths, known: Spans) -> Flags:
    """
    For each network: does it share an address with *known*?

    Of ascending, disjoint intervals only the last that begins before a network ends can do so.
    """
    if not len(known.first_high) or not len(high):
        return np.zeros(len(high), np.bool_)
    end_high, end_low = ends(high, low, lengths)
    begun = search(known.first_high, known.first_low, end_high, end_low, "left")
    begun[(end_high == 0) & (end_low == 0)] = len(known.first_high)
    candidate = np.maximum(begun - 1, 0)
    last_high, last_low = known.end_high[candidate], known.end_low[candidate]
    unending = (last_high == 0) & (last_low == 0)
    later = (last_high > high) | ((last_high == high) & (last_low > low))
    found: Flags = (begun > 0) & (unending | later)
    return found


def search(
    high: Words, low: Words, wanted_high: Words, wanted_low: Words, side: Literal["left", "right"]
) -> Counts:
    """`numpy.searchsorted` for addresses in two words."""
    if low.any() or wanted_low.any():
        return np.searchsorted(keys(high, low), keys(wanted_high, wanted_low), side)
    return np.searchsorted(high, wanted_high, side)


def keys(high: Words, low: Words) -> NDArray[np.bytes_]:
    """Each address as one value that sorts and searches like the pair: its 16 bytes."""
    words = np.empty((len(high), 2), ">u8")
    words[:, 0], words[:, 1] = high, low
    return words.view("S16").reshape(-1)


def _points(high: Words, low: Words, end_high: Words, end_low: Words) -> tuple[Words, Words]:
    """Starts, then ends; an end behind the last address is no point."""
    inside = (end_high != 0) | (end_low != 0)
    return np.concatenate((high, end_high[inside])), np.concatenate((low, end_low[inside]))


def _depth_changes(high: Words, end_high: Words, end_low: Words) -> Counts:
    inside = int(np.count_nonzero((end_high != 0) | (end_low != 0)))
    return np.concatenate((np.ones(len(high), np.int64), np.full(inside, -1, np.int64)))


def _sweep(
    points: tuple[Words, Words],
    changes: list[Counts],
    wanted: Callable[[list[Counts]], Flags],
) -> Spans:
    sorting = order(*points)
    high, low = points[0][sorting], points[1][sorting]
    if not len(high):
        return Spans(high, low, high, low)
    # What holds from a point on is known after the last event at that point.
    last = np.append((high[1:] != high[:-1]) | (low[1:] != low[:-1]), [True])
    high, low = high[last], low[last]
    inside = wanted([np.cumsum(column[sorting])[last] for column in changes])
    before = np.concatenate(([False], inside[:-1]))
    begins, stops = inside & ~before, before & ~inside
    end_high, end_low = high[stops], low[stops]
    if inside[-1]:
        end_high, end_low = np.append(end_high, np.uint64(0)), np.append(end_low, np.uint64(0))
    return Spans(high[begins], low[begins], end_high, end_low)


def _exponent(powers: Words) -> Counts:
    """The logarithm of what is close to a power of two from above; -1 for zero."""
    return np.frexp(powers.astype(np.float64))[1].astype(np.int64) - 1


def _trailing_zeros(high: Words, low: Words) -> Counts:
    lowest = np.where(low != 0, low & (~low + _ONE), high & (~high + _ONE))
    zeros = _exponent(lowest) + np.where(low != 0, 0, _WORD)
    return np.where((low == 0) & (high == 0), _WHOLE, zeros)


def _top_bit(high: Words, low: Words) -> Counts:
    word = np.where(high != 0, high, low)
    # Without its neighbour below, the top bit survives rounding to a float.
    return _exponent(word & ~(word >> _ONE)) + np.where(high != 0, _WORD, 0)
