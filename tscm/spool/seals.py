"""
When logs that reached their size are sealed: each once a second at most, and all together so many a second.
"""

import math
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from tscm.spool.log import DeviceLog

SEAL_SECONDS = 1.0
"""
So long at least between two seals of one log for its size: a seal costs as much as hundreds of lines, and a size that
is reached many times a second asks for many.
"""
SEALS_A_SECOND = 32
"""Seals for a size, of all logs together, and how many at once: each costs a millisecond with what follows it."""
MOST_OVER_BYTES = 4 << 20
"""A log that passed its size by so much is sealed whatever the others had."""
_SEAL_SLACK = 0.5  # of a log's own second: upkeep comes a little early now and then
_LATER = 1 << 62  # no size that a segment reaches


@define
class SealPace:
    """
    Seals that all logs together may have: *rate* a second, and as many at once after a quiet second.
    """

    rate: float = SEALS_A_SECOND
    _left: float = field(init=False)
    _at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self.rate

    def take(self, now: float) -> bool:
        """Whether there is one more at *now* (the reactor's seconds)."""
        if now != self._at:
            self._left = min(self.rate, self._left + max(0.0, now - self._at) * self.rate)
            self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@define(eq=False)
class SealQueue:
    """
    Logs that reached their size and wait, the longest first; *seal_seconds* 0: none ever waits.
    """

    seal_seconds: float = SEAL_SECONDS
    _pace: SealPace = field(init=False)
    _waiting: "dict[DeviceLog, None]" = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._pace = SealPace(SEALS_A_SECOND if self.seal_seconds else math.inf)

    def at_once(self, log: "DeviceLog", now: float) -> bool:
        """Whether a log that has just reached its size is to be sealed at once; else it waits here."""
        if now - log.sealed_at >= self.seal_seconds and self._pace.take(now):
            return True
        self.add(log)
        return False

    def add(self, log: "DeviceLog") -> None:
        """Let *log* wait, and ask no more with each batch of it."""
        log.live.full_bytes = _LATER
        self._waiting[log] = None

    def take(self) -> "list[DeviceLog]":
        """All that wait: each is asked about with `is_due`."""
        waiting, self._waiting = list(self._waiting), {}
        return waiting

    def is_due(self, log: "DeviceLog", now: float, over: int) -> bool:
        """Whether *log*, *over* bytes larger than its size, is sealed now; else it waits on."""
        soon = now - log.sealed_at < self.seal_seconds * _SEAL_SLACK
        if not soon and (over >= MOST_OVER_BYTES or self._pace.take(now)):
            return True
        self.add(log)
        return False
