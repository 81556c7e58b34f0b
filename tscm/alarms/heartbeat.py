"""
A sign of life at an interval, so that another system notices a manager that is gone.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.channels.fault import ChannelStopped
from tscm.errors import TscmError


@define(eq=False)
class Heartbeat(Service):
    """
    Calls *send* every *interval* seconds for as long as *alive* says that the manager does its work.

    *alive* is whether the alarms are evaluated: a process that hangs in there must not look well.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _interval: float
    _send: Callable[[], Awaitable[str]]
    _alive: Callable[[], bool]
    sent_at: float | None = field(default=None, init=False)
    """When it last arrived."""
    error: str | None = field(default=None, init=False)
    """Why the last one did not arrive."""
    _loop: PeriodicService = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = PeriodicService(
            self._reactor, self._interval, self._beat, "heartbeat", self._interval
        )

    def startService(self) -> None:
        """Begin; the first one is sent after the interval."""
        super().startService()
        self._loop.startService()

    def stopService(self) -> Deferred[None] | None:
        """Send no more."""
        super().stopService()
        return self._loop.stopService()

    def beat_soon(self) -> None:
        """Bring the next one forward to now."""
        self._loop.run_soon()

    async def _beat(self) -> None:
        if not self._alive():
            self._failed("the alarms are not evaluated, so no sign of life is sent")
            return
        try:
            await self._send()
        except ChannelStopped:
            return
        except TscmError as error:
            self._failed(str(error))
        else:
            self.sent_at, self.error = wall_seconds(self._reactor), None

    def _failed(self, error: str) -> None:
        if error != self.error:
            self._log.warn("heartbeat: {error}; retrying at the next interval", error=error)
        self.error = error
