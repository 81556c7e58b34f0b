"""
Scheduled updates: a timer a device, and what its run does when its turn has come.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from attrs import define, evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService, spread
from tscm.model import Report
from tscm.settings.sealed import is_sealed
from tscm.update.figures import Result
from tscm.update.holds import Holds
from tscm.update.job import UpdateJob
from tscm.update.memory import DeviceMemory
from tscm.update.outcome import UpdateOutcome
from tscm.update.records import UpdateRecords
from tscm.update.turns import Turns, Updated, witness


@define(eq=False)
class ScheduledUpdates:
    """
    Runs each device's update at its time of the interval.

    *job* makes the job of a device, *run* carries it out in its turn, *keep* puts back what was in force, *told* takes each outcome that changed
    something or failed.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _interval_seconds: float
    _turns: Turns
    _records: UpdateRecords
    _holds: Holds
    _job: Callable[[Updated], UpdateJob]
    _run: Callable[[Updated, UpdateJob, Report], Coroutine[Any, Any, UpdateOutcome]]
    _keep: Callable[[Updated, DeviceMemory], Coroutine[Any, Any, UpdateOutcome | None]]
    _told: Callable[[UpdateOutcome], None]

    def start(self, one: Updated) -> None:
        """Begin the schedule of a device, unless its updates are disabled or its secrets cannot be read."""
        name = one.settings.name
        if not one.settings.policy_updates or is_sealed(one.settings):
            return

        async def scheduled() -> None:
            await self._scheduled(one)

        # By the clock on the wall, so that restarts of the manager neither delay nor bunch the runs.
        one.timer = PeriodicService(
            self._clock,
            self._interval_seconds,
            scheduled,
            label=f"policy update of {name}",
            delay=self._seconds_to_next(name) or 1.0,
        )
        one.timer.startService()

    def stop(self, one: Updated) -> None:
        """End the schedule of a device; a run in progress goes on."""
        timer, one.timer = one.timer, None
        if timer is not None and timer.running:
            timer.stopService()

    def run_now(self, one: Updated) -> None:
        """A run as on the schedule, besides those of the timer."""
        run = Deferred.fromCoroutine(self._scheduled(one))
        run.addErrback(self._failed_unwitnessed, one.settings.name)

    def next_run_at(self, one: Updated) -> float | None:
        """POSIX seconds; None without a schedule."""
        if one.timer is None:
            return None
        return wall_seconds(self._clock) + self._seconds_to_next(one.settings.name)

    def _seconds_to_next(self, name: str) -> float:
        now, interval = wall_seconds(self._clock), self._interval_seconds
        return (spread(name, interval) - now) % interval

    async def _scheduled(self, one: Updated) -> None:
        run = self._turns.take(one, lambda: self._run_in_turn(one))
        try:
            outcome = await witness(run, take=True)  # the timer may be cancelled; the run may not
        except CancelledError:
            run.addErrback(self._failed_unwitnessed, one.settings.name)
            raise
        if outcome is not None and outcome.result is not Result.UNCHANGED:
            self._told(outcome)
        if outcome is not None and not outcome.good:
            self._log.warn("update failed: {sentence}", sentence=outcome.sentence())

    def _failed_unwitnessed(self, failure: Failure, name: str) -> None:
        self._log.failure("policy update of {device} failed", failure, device=name)

    async def _run_in_turn(self, one: Updated) -> UpdateOutcome | None:
        """None where it is not to be: checked in its turn, for a run before it may change that."""
        if self._turns.over(one):
            return None
        name = one.settings.name
        memory = self._records.memory(name)
        if self._holds.keep(name, memory):
            return None
        if memory.locked_out:
            self._log.warn(
                "updates of {device} stopped: the password was rejected {count} times "
                "in a row, and another attempt could lock the account; set it with "
                "`tsadmin configure {device}`",
                device=name,
                count=memory.login_failures,
            )
            return None
        job = evolve(self._job(one), patient=not memory.broken)
        outcome = await self._run(one, job, lambda _: None)
        if outcome.lists_failed and not self._turns.over(one):
            await self._keep_in_force(one, memory)
        return outcome

    async def _keep_in_force(self, one: Updated, memory: DeviceMemory) -> None:
        """The update ended before the device was asked: what was taken off it by hand is put back all the same."""
        kept = await self._keep(one, memory)
        if kept is None or kept.result is Result.UNCHANGED:
            return
        self._told(kept)
        self._log.warn(
            "{device}: its lists could not be used, so what was in force was checked on the device: {sentence}",
            device=one.settings.name,
            sentence=kept.sentence(),
        )
