"""
Sends each scheduled report when it is due, once; a mail server that does not take it is tried again.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import random
from typing import Any, ClassVar, Protocol

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.clock import wall_seconds
from tscm.base.safe_files import read_regular
from tscm.base.schedule import PeriodicService, backoff
from tscm.channels.fault import ChannelFault
from tscm.errors import TscmError
from tscm.reports.answers import ReportStanding, ReportUnknown
from tscm.reports.due import Due, latest_due, next_due, to_send
from tscm.settings.files import write_private
from tscm.settings.reports import Schedule

BACKUP = (BackupRule("var/lib/tscm/reports.json", Treatment.COPY),)
"""What a backup does with the file."""
LOOK_SECONDS = 30.0
_FIRST_SECONDS = 20.0
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
_MOST_BYTES = 1 << 20
_DAY = 86400.0

Send = Callable[[Schedule, Due], Awaitable[str]]
"""Make a report and send it; gives the server's answer, raises `TscmError`."""


class Runner(Protocol):
    """Where blocking calls are made."""

    def run(self, call: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """Make the call; the answer is awaited."""


@frozen(kw_only=True)
class _Trouble:
    failures: int
    retry_at: float
    """By the steady clock."""
    error: str


@define(eq=False)
class ReportService(Service):
    """
    The schedules of one manager.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _files: Runner
    _path: Path
    """Remembers which reports were sent."""
    schedules: tuple[Schedule, ...]
    _send: Send
    _dealt_with: dict[str, float] = field(factory=dict, init=False)
    _sent_at: dict[str, float] = field(factory=dict, init=False)
    _troubles: dict[str, _Trouble] = field(factory=dict, init=False)
    _loop: PeriodicService = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = PeriodicService(
            self._reactor, LOOK_SECONDS, self._look, "scheduled reports", _FIRST_SECONDS
        )

    def startService(self) -> None:
        """Begin, where there is a schedule."""
        super().startService()
        if self.schedules:
            self._dealt_with = self._kept()
            self._loop.startService()

    def stopService(self) -> Deferred[None] | None:
        """Send no more; what is due then is sent after the next start."""
        super().stopService()
        return self._loop.stopService() if self._loop.running else None

    def look_soon(self) -> None:
        """Bring the next look forward to now."""
        self._loop.run_soon()

    async def send(self, name: str) -> str:
        """Send a report now, as it was due last; gives the server's answer.  Raises `TscmError`."""
        schedule = next((one for one in self.schedules if one.name == name), None)
        if schedule is None:
            raise ReportUnknown(name)
        return await self._send(schedule, latest_due(schedule, wall_seconds(self._reactor)))

    def standing(self) -> tuple[ReportStanding, ...]:
        """When each is due, and how the last one went."""
        now = wall_seconds(self._reactor)
        return tuple(
            ReportStanding(
                name=one.name,
                every=one.every,
                to=(*one.to, *one.cc),
                next_at=next_due(one, now),
                sent_at=self._sent_at.get(one.name),
                error=self._troubles[one.name].error if one.name in self._troubles else None,
            )
            for one in self.schedules
        )

    async def _look(self) -> None:
        for schedule in self.schedules:
            now, name = wall_seconds(self._reactor), schedule.name
            before = self._dealt_with.get(name)
            if before is None or before > now + _DAY:  # new, or the clock was set back far
                self._dealt_with[name] = now
                await self._keep()
                continue
            due = to_send(schedule, before, now)
            trouble = self._troubles.get(name)
            if due is None or (trouble and trouble.retry_at > self._reactor.seconds()):
                continue
            await self._try(schedule, due, trouble)

    async def _try(self, schedule: Schedule, due: Due, before: _Trouble | None) -> None:
        name = schedule.name
        try:
            answer = await self._sent(schedule, due)
        except TscmError as error:
            failures = 1 + (before.failures if before else 0)
            pause = backoff(failures, random(), first=_FIRST_PAUSE, most=_LONGEST_PAUSE)  # noqa: S311 - spreads a pause
            trouble = _Trouble(
                failures=failures, retry_at=self._reactor.seconds() + pause, error=str(error)
            )
            self._log.warn(
                "report {name} cannot be sent: {error}; retrying", name=name, error=str(error)
            )
            self._troubles[name] = trouble
            return
        self._troubles.pop(name, None)
        self._dealt_with[name] = due.at
        self._sent_at[name] = wall_seconds(self._reactor)
        self._log.info("report {name} sent: {answer}", name=name, answer=answer)
        await self._keep()

    async def _sent(self, schedule: Schedule, due: Due) -> str:
        """Send; whatever happens to one report must not keep the others back.  Raises `TscmError`."""
        try:
            return await self._send(schedule, due)
        except (TscmError, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - it is tried again, whatever happened
            self._log.failure("report {name} failed", name=schedule.name)
            raise ChannelFault(f"internal error: {type(error).__name__}: {error}") from None

    def _kept(self) -> dict[str, float]:
        try:
            kept = json.loads(read_regular(self._path, _MOST_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self._log.error(
                "the file of scheduled reports cannot be read: {error}; each begins with its next time",
                error=str(error),
            )
            return {}
        return read_kept(kept)

    async def _keep(self) -> None:
        names = {one.name for one in self.schedules}
        kept = {name: at for name, at in self._dealt_with.items() if name in names}
        content = json.dumps({"format": 1, "dealt_with": kept}).encode()
        try:
            await self._files.run(write_private, self._path, content)
        except OSError as error:
            self._log.error(
                "the file of scheduled reports cannot be written: {error}; a report may come twice",
                error=str(error),
            )


def read_kept(kept: Any) -> dict[str, float]:
    """What the file remembers, as far as it can be understood."""
    found = kept.get("dealt_with") if isinstance(kept, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name): float(at)
        for name, at in found.items()
        if isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < 1e15
    }
