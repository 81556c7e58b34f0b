"""
When retention works: each minute, soon after a seal that brings a bound near, and at once while anything is over one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.spool.log import DeviceLog
from tscm.spool.names import log_names
from tscm.spool.orphans import Orphans
from tscm.spool.retention import Retention, RetentionRules

_SECONDS = 60.0
_PAUSE = 0.25  # between passes that seals ask for


@define(eq=False)
class RoomKeeper(MultiService):
    """
    Has retention work on all logs under *logs*: the *devices* that are open, and those of no device, which it
    looks for; *taken* are names that belong to devices.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _threads: Threads
    _logs: Path
    _retention: Retention
    _orphans: Orphans
    _devices: Mapping[str, DeviceLog]
    _taken: Callable[[], Collection[str]]
    _passes: PeriodicService = field(init=False)
    _again: IDelayedCall | None = field(default=None, init=False)
    _in_pass: bool = field(default=False, init=False)
    _names: Sequence[str] = field(default=(), init=False)
    _names_due: float = field(default=0.0, init=False)
    """When the folders of logs are looked through again."""

    def __attrs_pre_init__(self) -> None:
        MultiService.__init__(self)

    def __attrs_post_init__(self) -> None:
        self._passes = PeriodicService(self._clock, _SECONDS, self._retain, "log retention", 1.0)
        self._passes.setServiceParent(self)

    def stopService(self) -> Deferred[None]:
        """Fires when no pass is in progress."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        stopped: Deferred[None] = super().stopService()
        return stopped

    def take_rules(self, rules: RetentionRules) -> None:
        """Put other bounds in force."""
        self._retention.rules = rules
        self.soon()

    def look(self, grown: Sequence[DeviceLog]) -> None:
        """Have retention work soon where logs that have *grown* brought a bound too near for a minute."""
        if (
            self._again is None
            and grown
            and (any(map(self._retention.over, grown)) or self._retention.lacks_room(self._logs))
        ):
            self.soon()

    def soon(self) -> None:
        """Begin the next pass in a moment."""
        if self.running and self._again is None:
            self._again = self._clock.callLater(_PAUSE, self._begin)

    def now(self) -> None:
        """Begin the next pass at once."""
        self._passes.run_soon()

    def _begin(self) -> None:
        self._again = None
        if self._in_pass:
            self.soon()
        else:
            self.now()

    async def _retain(self) -> None:
        self._in_pass = True
        try:
            more = await self._once()
        finally:
            self._in_pass = False
        if self._retention.fault:
            self._log.error(
                "cannot delete old segments: {cause}; retrying",
                cause=self._retention.fault,
            )
        elif more:
            self.soon()

    async def _once(self) -> bool:
        """
        What is over a bound goes, and logs of devices that are gone are taken up; whether more waits.
        """
        logs = {**self._orphans.logs, **self._devices}
        more = await self._retention.run(self._logs, logs, wall_seconds(self._clock))
        now = self._clock.seconds()
        if now >= self._names_due:
            self._names_due = now + _SECONDS - 1
            self._names = await self._threads.run(log_names, self._logs)
        wall = wall_seconds(self._clock)
        return (
            self._orphans.adopt_removed_logs(self._logs, self._names, self._taken(), wall) or more
        )
