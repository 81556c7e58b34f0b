"""
Which of many files are open: at most so many, those that were used last.

A log has two files, so thousands of devices would take all descriptors of the process, and those of its listeners, its
connections and its control socket too.
"""

import resource
from typing import Protocol

from attrs import define, field, frozen

_KEPT_BACK = 1024
"""For everything else: readers, requests, the database, threads that sync."""
_LISTS_MOST = 512
_LEAST = 16


class Parked(Protocol):
    """
    What has a file that is closed while it is unused, and opened again by the next use.
    """

    used: bool
    """Set by each use."""

    def park(self) -> bool:
        """Close the file; False where it cannot be spared now."""


@define(eq=False)
class OpenFiles:
    """
    *most* files open at once.  Who has not used his since the others were asked gives his up first (the clock algorithm).
    """

    most: int
    _open: dict[int, Parked] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._open)

    def make_room(self) -> None:
        """Have files closed until one more may be opened, or none can be spared."""
        for _ in range(2 * len(self._open)):
            if len(self._open) < self.most:
                return
            key = next(iter(self._open))
            one = self._open.pop(key)
            if one.used or not one.park():
                one.used = False
                self._open[key] = one

    def opened(self, owner: Parked) -> None:
        """The file of *owner* is open."""
        self._open[id(owner)] = owner

    def closed(self, owner: Parked) -> None:
        """The file of *owner* is closed."""
        self._open.pop(id(owner), None)


@frozen
class FileShares:
    """How many texts and lists of segments may be open at once, and how many files may wait to be synced."""

    texts: int
    lists: int
    syncs: int


def shares(allowed: int, connections: int) -> FileShares:
    """
    What logs may have of the *allowed* descriptors, besides *connections* and what is kept back.

    Where there are few, a quarter is for connections and a quarter is kept back.
    """
    kept = min(_KEPT_BACK, allowed // 4)
    left = allowed - min(connections, allowed // 4) - kept
    lists = min(_LISTS_MOST, left // 4)
    return FileShares(max(_LEAST, left - lists), max(_LEAST, lists), max(1, kept // 4))


def allowed_files() -> int:
    """How many descriptors the process may have."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
