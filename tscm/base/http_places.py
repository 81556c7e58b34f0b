"""
Who of an HTTP listener's connections has to go for a new one.  Pure.

A request that is whole is being answered and is left alone.  One that is not can be any number of connections
that say nothing: the oldest of those makes room, so that they shut no other client out.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import frozen

K = TypeVar("K")


@frozen
class Held(Generic[K]):
    """
    An open connection: what it is known by, whose it is, and whether its request is whole.
    """

    key: K
    peer: str
    whole: bool


@frozen
class Room(Generic[K]):
    """
    Whether there is a place, and who has to leave it.
    """

    free: bool
    leaves: K | None = None


def room_for(peer: str, held: Sequence[Held[K]], most: int, by_peer: int) -> Room[K]:
    """
    Whether one more connection of *peer* has a place among *most*, and *by_peer* of its own.

    *held* is in the order in which they came.  A peer at its own bound loses its own oldest half request; at
    the bound of all it is that of the peer with the most of them.
    """
    half = [one for one in held if not one.whole]
    if peer and sum(one.peer == peer for one in held) >= by_peer:
        half = [one for one in half if one.peer == peer]
    elif len(held) < most:
        return Room(free=True)
    if not half:
        return Room(free=False)
    count = Counter(one.peer for one in half)
    crowd = max(count, key=count.__getitem__)
    return Room(free=True, leaves=next(one.key for one in half if one.peer == crowd))
