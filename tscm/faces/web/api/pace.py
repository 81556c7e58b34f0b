"""
How fast a key may call, and how many of its calls may be open.  Pure: the time is handed in.
"""

from attrs import define, field

PER_SECOND = 20.0
BURST = 100.0
MOST_OPEN = 8
"""Calls of one key that wait for the manager."""


@define(eq=False)
class Pace:
    """
    By the names of the keys, which are few: calls that are left (a bucket that fills), and calls that are open.
    """

    _left: dict[str, tuple[float, float]] = field(factory=dict, init=False)
    _open: dict[str, int] = field(factory=dict, init=False)

    def wait(self, key: str, now: float) -> float:
        """Take one call; the seconds to wait where none is left, else 0."""
        left, at = self._left.get(key, (BURST, now))
        left = min(BURST, left + max(0.0, now - at) * PER_SECOND)
        if left < 1.0:
            self._left[key] = left, now
            return (1.0 - left) / PER_SECOND
        self._left[key] = left - 1.0, now
        return 0.0

    def begin(self, key: str) -> bool:
        """One more open call, unless as many as may be are open."""
        count = self._open.get(key, 0)
        if count >= MOST_OPEN:
            return False
        self._open[key] = count + 1
        return True

    def end(self, key: str) -> None:
        """An open call has its answer."""
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
