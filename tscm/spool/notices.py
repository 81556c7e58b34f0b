"""
Telling readers that their log has grown, once for all that came in a turn of the reactor.
"""

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tscm.spool.log import DeviceLog


@define(eq=False)
class Notices:
    """
    The logs that have more since the last time, and the timer that tells their readers.
    """

    _clock: IReactorTime
    _grown: list[DeviceLog] = field(factory=list, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def add(self, log: DeviceLog) -> None:
        """The readers of *log* have more to read: told in the next turn."""
        log.live.waiting = False
        self._grown.append(log)
        if self._timer is None:
            self._timer = self._clock.callLater(0, self._notify)

    def stop(self) -> None:
        """Tell none any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _notify(self) -> None:
        self._timer = None
        grown, self._grown = self._grown, []
        for log in grown:
            log.notify()
