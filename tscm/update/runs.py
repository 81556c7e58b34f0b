"""
A run of one device: its job of what is stored and set, the run in a thread, and what it brought into the store.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from tscm.model import Progress, Report
from tscm.settings.node import NodeSettings
from tscm.update.figures import Result
from tscm.update.job import UpdateJob
from tscm.update.lookups import LookUps
from tscm.update.memory import DeviceMemory
from tscm.update.outcome import UpdateOutcome
from tscm.update.records import UpdateRecords
from tscm.update.turns import Turns, Updated
from tscm.update.ways import Gateways

if TYPE_CHECKING:
    from tscm.policy.rank import Hits


@frozen(eq=False)
class Runs:
    """
    Makes the jobs of devices and carries them out, each within the turn of its device.

    *expire* brings the entries by hand up to the present time.  *checked* is told of each good run: the name, and
    when it began and ended.
    """

    _records: UpdateRecords
    _ways: Gateways
    _node: NodeSettings
    _turns: Turns
    _look_up: LookUps
    _expire: Callable[[], None]
    _checked: Callable[[str, float, float], None]

    async def repair(self, one: Updated, cause: str, memory: DeviceMemory) -> UpdateOutcome:
        """What was in force put back, without the lists: *cause* is what the firewall said."""
        job = evolve(self.job(one), repair=cause, patient=not memory.broken)
        return await self.carry_out(one, job, lambda _: None)

    async def keep(self, one: Updated, memory: DeviceMemory) -> UpdateOutcome | None:
        """What was in force put back, for the lists cannot be used; None where nothing was in force."""
        job = evolve(self.job(one), kept=True, patient=not memory.broken)
        return await self.carry_out(one, job, lambda _: None) if job.keeps_lists else None

    async def carry_out(
        self, one: Updated, job: UpdateJob, report: Report, *, dry: bool = False
    ) -> UpdateOutcome:
        """A run from begin to end, in its turn, and what it brought into the store."""
        from tscm.update.run import UpdateRun

        def told(progress: Progress) -> None:
            one.progress = progress  # a plain assignment: safe from any thread
            report(progress)

        result: Result | None = Result.FAILED  # where a bug ends it
        try:
            outcome = await self._turns.carry(one, UpdateRun(job, told, dry=dry), told)
            one.tally.add_traffic(outcome.traffic)
            result = None if outcome.unreached or outcome.outdated else outcome.result
        finally:
            if not dry and result is not None:
                one.tally.add_update(result)
        if one.gone or outcome.unreached:
            return outcome
        if dry or outcome.outdated:
            self._records.keep_seen(job, outcome)
            return outcome
        if outcome.good:
            self._checked(one.settings.name, outcome.started_at, outcome.finished_at)
        return self._records.keep(job.settings, one.settings, outcome)

    def job(self, one: Updated) -> UpdateJob:
        """With all that is stored of the device.  Raises `TscmError` where the store cannot be used."""
        self._expire()  # before it is asked which entries by hand stand now
        hits = self._ways.hits_of(one.settings.name)
        return self._records.with_history(self.bare_job(one, hits), self._ways.stored())

    def question(self, one: Updated) -> UpdateJob:
        """A job of which only is asked how things stand."""
        self._expire()
        return self._records.with_lists(self.bare_job(one))

    def bare_job(self, one: Updated, hits: "Hits | None" = None) -> UpdateJob:
        """As the settings are, with nothing of earlier runs."""
        ways = self._ways
        return UpdateJob(
            settings=one.settings,
            node=self._node,
            hits=hits,
            claimed=ways.claimed,
            fetch=ways.fetch,
            asked_at=ways.asked_at,
            opener=ways.opener,
            published=ways.published,
            look_up=self._look_up,
            now=ways.now,
            pause=lambda _: self._turns.over(one),
            stopped_by=lambda: one.stopped_by,
        )
