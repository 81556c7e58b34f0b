"""
The ends of what a manager began: each within a limited time, all of a stop within one.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


@define(eq=False)
class Endings:
    """
    Waits for the end of one part after another; one that does not end, or fails, keeps no other from ending.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    each_seconds: float = 20.0
    whole_seconds: float = 60.0
    """For all of a stop together; the unit's TimeoutStopSec lies well above it."""
    least_seconds: float = 1.0
    _stop_by: float | None = field(default=None, init=False)

    def begin_stop(self) -> None:
        """From now on all ends together have `whole_seconds`."""
        self._stop_by = self._clock.seconds() + self.whole_seconds

    async def end(self, what: str, stop: Callable[[], Any]) -> None:
        """Call *stop* and wait for it, as long as there is time.  Never raises."""
        limit = self.each_seconds
        if self._stop_by is not None:
            limit = max(self.least_seconds, min(limit, self._stop_by - self._clock.seconds()))
        ended = maybeDeferred(stop)
        ended.addTimeout(limit, self._clock)
        try:
            await ended
        except DeferredTimeout:
            self._log.warn("{what} did not stop in {limit:.0f} s", what=what, limit=limit)
        except Exception:  # noqa: BLE001 - the others must be stopped whatever this one says
            self._log.failure("{what} failed to stop", what=what)
