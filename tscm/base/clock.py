"""
Two times: one that only measures how long things take, and the time of day.

A reactor as Twisted makes it times its calls by the time of day.  When an operator or NTP sets that back
an hour, every timer stands still for an hour: retries, rotation, policy updates.  Set forth,
all of them fire at once.
"""

import time
from datetime import UTC, datetime
from typing import Any, Protocol

from attrs import define, field

LEAST_JUMP = 2.0
"""Seconds: less is the drift that NTP corrects by slewing, and what lies between two looks."""


class Clock(Protocol):
    """What tells a time: a reactor, or a test's clock."""

    def seconds(self) -> float:
        """Now."""


def make_steady(reactor: Any) -> None:
    """
    Have *reactor* time its calls by a clock that cannot be set; before it runs.

    It begins at the time of day, so that what was scheduled before still comes.
    """
    begun = time.time() - time.monotonic()
    reactor.seconds = lambda: begun + time.monotonic()
    reactor.wall_seconds = time.time


def wall_seconds(clock: Clock) -> float:
    """
    The time of day: for what is written down or shown, never for how long something took.

    A clock that knows one time alone (Twisted's `Clock`) gives that.
    """
    tell = getattr(clock, "wall_seconds", clock.seconds)
    return float(tell())


@define(eq=False)
class Jumps:
    """
    Notices when the time of day is set, by what that and the steady clock say since the last look.
    """

    _clock: Clock
    _apart: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._apart = self._difference()

    def _difference(self) -> float:
        return wall_seconds(self._clock) - self._clock.seconds()

    def since_last(self) -> float:
        """By how many seconds it was set forth (or, negative, back) since the last call; mostly 0."""
        before, self._apart = self._apart, self._difference()
        jump = self._apart - before
        return jump if abs(jump) >= LEAST_JUMP else 0.0


def told_time(seconds: float) -> str:
    """A time of day as a message tells it: ISO 8601 to the second, in this host's zone, with it; never fails."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # no year of four digits
        return f"{seconds:.0f} s after 1970"
