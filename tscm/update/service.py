"""
Policy updates of all devices: each at a time of its own, a few at once, never two of one device.

Lives in the reactor thread and holds the store; the runs go into threads and know nothing of
either.  Between two attempts of a run nothing is held, so that a firewall that needs minutes
to come back delays no other device.  What brings numpy, dnspython and requests is imported by the first run.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.errors import NoSuchDevice, TscmError
from tscm.model import Identity, Report
from tscm.risks import NOTHING, Consent
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.update.checks import Checks
from tscm.update.entries import EntryDuty
from tscm.update.figures import UpdateFigures
from tscm.update.holds import Holds
from tscm.update.job import UpdateJob
from tscm.update.lookups import LookUps
from tscm.update.outcome import UpdateOutcome
from tscm.update.proofs import Proofs
from tscm.update.questions import Questions
from tscm.update.records import GenerationMoved, GenerationPurged, UpdateRecords
from tscm.update.runs import Runs
from tscm.update.scheduled import ScheduledUpdates
from tscm.update.turns import EXAMINATION, MANAGER, Asker, Turns, Updated
from tscm.update.ways import Gateways

if TYPE_CHECKING:
    from tscm.update.purge import PurgeOutcome

T = TypeVar("T")


@define(eq=False)
class UpdateService(Service):
    """
    Schedules updates, carries out those that are asked for, and keeps how they went.
    """

    _clock: IReactorTime
    _threads: Threads
    _node: NodeSettings
    _records: UpdateRecords = field(converter=UpdateRecords)
    _ways: Gateways
    _scheduled_told: Callable[[UpdateOutcome], None] = lambda _: None
    """Takes the outcome of each scheduled update that changed something or failed."""
    _devices: dict[str, Updated] = field(factory=dict, init=False)
    _turns: Turns = field(init=False)
    _runs: Runs = field(init=False)
    _look_up: LookUps = field(init=False)
    _checks: Checks = field(init=False)
    holds: Holds = field(init=False)
    _scheduled: ScheduledUpdates = field(init=False)
    proofs: Proofs = field(init=False)
    """Tests of the chain, each in the turn of its device."""
    questions: Questions = field(init=False)
    """What is asked of the stored lists and generations."""
    entries: EntryDuty = field(init=False)
    """Entries by hand: what was entered, and what is to be done for it."""

    def __attrs_post_init__(self) -> None:
        self._look_up = LookUps(self._ways.resolve)
        parallel = self._node.policy.parallel_updates
        self._turns = Turns(self._clock, self._threads, parallel, self._records.serials)
        self._runs = Runs(
            self._records,
            self._ways,
            self._node,
            self._turns,
            self._look_up,
            self._expire_entries,
            self._note_good,
        )
        self._checks = Checks(
            self._clock,
            self._records,
            self._turns,
            self._devices,
            self._runs.repair,
            self._scheduled_told,
        )
        self.holds = Holds(partial(wall_seconds, self._clock), self._records, self._devices)
        self._scheduled = ScheduledUpdates(
            self._clock,
            float(self._node.policy.interval_seconds),
            self._turns,
            self._records,
            self.holds,
            self._runs.job,
            self._runs.carry_out,
            self._runs.keep,
            self._scheduled_told,
        )
        self.proofs = Proofs(self._clock, self._turns, self._records, self._devices, self._runs.job)
        self.questions = Questions(self._threads, self._records, self._device, self._runs.question)
        self.entries = EntryDuty(
            self._clock,
            self._records,
            self._turns,
            self._devices,
            self._runs.job,
            self._runs.carry_out,
            self._scheduled_told,
            self._look_up,
        )

    def startService(self) -> None:
        """
        Begin the schedules.

        Without the store it is not to be started: what is asked for is refused with the store's sentence.
        """
        super().startService()
        self._turns.stopping = False
        for name, one in self._devices.items():
            self._recognise(one.settings)
            self._note_pause(one)
            self._scheduled.start(one)
            self._checks.hear_again(name)
            self.proofs.look_for_leftover(name)
        self.entries.start()

    def stopService(self) -> Deferred[Any]:
        """
        No further run; fires when those in progress have come to a safe point and are kept.
        """
        super().stopService()
        self._turns.stopping = True
        self._checks.lookout.stop()
        self.proofs.stop()
        self.entries.stop()
        for one in self._devices.values():
            self._scheduled.stop(one)
            one.hurry()
        return self._turns.when_idle()

    # -- devices ---------------------------------------------------------------

    def set_device(self, settings: DeviceSettings) -> None:
        """
        Take in a device, or its changed settings; a run in progress ends with the old ones.
        """
        present = self._devices.get(settings.name)
        if present is None:
            present = self._devices[settings.name] = Updated(settings)
            self._recognise(settings)
            if self.running:
                self._checks.hear_again(settings.name)
                self.proofs.look_for_leftover(settings.name)
        else:
            self._scheduled.stop(present)
            self._recognise(settings)
            before, present.settings = present.settings, settings
            # Without the store nothing of it is known, and no run comes that would believe it.
            with suppress(TscmError):
                self._records.settings_changed(before, settings)
        if self.running:
            self._note_pause(present)
            self._scheduled.start(present)
            self._checks.look_whether_held(settings.name)
            self.entries.touch([settings.name])

    def _recognise(self, settings: DeviceSettings) -> None:
        """Forget what is kept of an older device of that name."""
        if self._records.fault is None:
            with suppress(TscmError):  # looked at again before each run
                self._records.recognise(settings, self._ways.stored)

    def note_serial(self, name: str, who: Identity) -> None:
        """Keep the serial number that a check of the device was told, where anything can be kept."""
        with suppress(TscmError):
            self._records.note_serial(name, who)

    def _note_pause(self, one: Updated) -> None:
        name, at = one.settings.name, wall_seconds(self._clock)
        with suppress(TscmError):
            self._records.note_pause(name, at, paused=not one.settings.policy_updates)

    def forget_device(self, name: str) -> None:
        """Forget a device and all that is kept of it; a run in progress stops at the next step."""
        self._leave(name)
        if self._records.fault is None:
            self._records.forget(name)

    def is_under_way(self, name: str) -> bool:
        """Is an update or a test of the device running?"""
        one = self._devices.get(name)
        return one is not None and one.running_since is not None

    def rename_device(self, name: str, to: str) -> None:
        """
        Update the device no more under *name*; what is kept of it is kept of *to*.  No run may be in progress.

        Raises where the store cannot be used; then nothing has changed.
        """
        self._records.rename(name, to)
        self._leave(name)

    def _leave(self, name: str) -> None:
        one = self._devices.pop(name, None)
        self._checks.lookout.forget(name)
        self.proofs.forget(name)
        self.entries.forget(name)
        if one is not None:
            one.gone = True
            self._scheduled.stop(one)
            one.hurry()

    # -- what firewalls say ----------------------------------------------------

    def upheaval(self, name: str, messages: Mapping[str, float]) -> None:
        """
        A firewall reloaded, failed over or lost its agent, by *messages* of `syslog.upheavals` and when
        they were received: its groups are read again and repaired soon, whatever the schedule says.

        So are those of other entries for the same firewall, whose address its lines do not bear.
        """
        if name not in self._devices or not self.running:
            return
        for one in self._turns.same_firewall(self._devices[name], self._devices.values()):
            self._checks.hear(one.settings.name, messages)

    def uses(self, list_name: str) -> bool:
        """Does any device use this list?"""
        return any(
            list_name in (*one.settings.block_list.split(), *one.settings.allow_list.split())
            for one in self._devices.values()
        )

    def lists_changed(self, names: Collection[str]) -> None:
        """
        These lists were published again: devices that use one are updated now, as on the schedule.
        """
        if not self.running:
            return
        for one in list(self._devices.values()):
            used = {*one.settings.block_list.split(), *one.settings.allow_list.split()}
            if used & set(names) and one.timer is not None:
                self._scheduled.run_now(one)

    # -- what may be asked -----------------------------------------------------

    def update_now(
        self,
        name: str,
        report: Report,
        *,
        consent: Consent = NOTHING,
        plan: str | None = None,
        asker: Asker = MANAGER,
    ) -> Deferred[UpdateOutcome]:
        """
        Fetch and push, after what is in progress for the device; also where updates are disabled.

        What is risky about it is refused unless *consent* has it.  A run that waits for the device to
        come back tries again at once.

        With a *plan*, its ID, that one is pushed or nothing.

        The outcome is kept unless the plan is another by now; look at `raise_if_failed`.  Raises `NoSuchDevice`.
        """
        one = self._device(name)
        self._records.refuse_fault()
        self._turns.hurry(one)

        def release() -> None:
            self._records.release(name, wall_seconds(self._clock), "by an update")

        async def run() -> UpdateOutcome:
            job = evolve(self._runs.job(one), consent=consent, plan=plan)
            if plan is None:
                release()
            outcome = await self._runs.carry_out(one, job, report)
            if plan is not None and not outcome.outdated and not one.gone:
                release()  # not before it is known that there is an update at all
            return outcome

        return self._turns.take(one, run, asker)

    def plan(
        self,
        name: str,
        report: Report,
        *,
        consent: Consent = NOTHING,
        survey: bool = False,
        asker: Asker = MANAGER,
    ) -> Deferred[UpdateOutcome]:
        """
        What an update would do; its `diff` has every entry.  Nothing is written or kept.

        With *survey* it goes on behind every risk that can be looked behind, and its `risks` has all.
        """
        return self._ask(
            self._device(name),
            report,
            lambda job: evolve(job, consent=consent, survey=survey),
            asker,
            dry=True,
        )

    def rollback(
        self,
        name: str,
        number: int,
        report: Report,
        *,
        newest: int | None = None,
        asker: Asker = MANAGER,
    ) -> Deferred[UpdateOutcome]:
        """
        Push a kept generation, and hold scheduled updates until `resume` or `update_now`.

        With *newest* only while that generation is the newest when its turn comes; else it fails with `GenerationMoved`.
        """
        one = self._device(name)
        goal = self._records.generation(name, number)
        goal.check(name)  # before updates are held for it
        if goal.purged:
            raise GenerationPurged(name, number)

        def shape(job: UpdateJob) -> UpdateJob:
            last = 0 if job.applied is None else job.applied.number
            if newest not in {None, last}:
                raise GenerationMoved(name, last)
            self._records.hold(name, wall_seconds(self._clock), "after a rollback")
            return evolve(job, rollback=goal)

        return self._ask(one, report, shape, asker)

    def purge(
        self,
        name: str,
        report: Report,
        *,
        consent: Consent = NOTHING,
        asker: Asker = MANAGER,
    ) -> "Deferred[PurgeOutcome]":
        """
        Take our groups off the device, as far as its access-lists let it.

        Scheduled updates, which would make them again, are held from then on.
        """
        from tscm.update.purging import purge_in_turn

        one = self._device(name)

        async def purge() -> "PurgeOutcome":
            job = evolve(self._runs.job(one), consent=consent)
            return await purge_in_turn(one, self._turns, self._records, job, report)

        return self._turns.take(one, purge, asker)

    def stop(self, name: str, by: str) -> None:
        """End the update in progress for the device after the request in progress; the next one completes it."""
        self._turns.stop(self._device(name), by)

    def ask_device(
        self,
        name: str,
        call: Callable[[UpdateJob], T],
        *,
        refused: Callable[[T], bool] = lambda _: False,
    ) -> Deferred[T]:
        """
        *call* in a thread, when nothing else is in progress for the device: an agent bears one asker.

        Where its answer is that the password was *refused*, that is kept before another caller has its turn.
        Where the store cannot be read the job knows nothing of earlier runs.
        """
        one = self._device(name)

        async def work() -> T:
            try:
                job = self._runs.job(one)
            except TscmError:
                job = self._runs.bare_job(one)
            done = await self._turns.in_thread(one, call, job)
            if refused(done) and not one.gone:
                # Where nothing can be kept, no scheduled run comes either that would try once more.
                with suppress(TscmError):
                    self._records.note_refused_login(name)
            return done

        return self._turns.take(one, work, EXAMINATION)

    def resume(self, name: str) -> None:
        """Let scheduled updates run again after a rollback, a fifth failure or wrong passwords."""
        self._device(name)
        at = wall_seconds(self._clock)
        self._records.end_hold(name, at, "by an operator")
        self._records.release(name, at, "by an operator", broken=False, login_failures=0)
        self._checks.look_whether_held(name)
        self.entries.touch([name])

    def figures(self, name: str, *, anew: bool = False) -> UpdateFigures:
        """
        For `show`: the last update and the last good one, what is in progress, when the next comes.
        """
        one = self._device(name)
        return evolve(
            self._records.figures(name, wall_seconds(self._clock), anew=anew),
            next_run_at=self._scheduled.next_run_at(one),
            running_since=one.running_since,
            waiting_until=one.waiting_until,
            progress=None if one.progress is None else one.progress.text,
            paused=not one.settings.policy_updates,
            since_start=one.tally.figures(),
        )

    def stamp(self, name: str) -> tuple[object, ...]:
        """Equal to an earlier one as long as `figures` would judge the device alike."""
        one = self._device(name)
        return self._records.stamp(name), one.running_since is None, one.settings.policy_updates

    def _ask(
        self,
        one: Updated,
        report: Report,
        shape: Callable[[UpdateJob], UpdateJob],
        asker: Asker,
        *,
        dry: bool = False,
    ) -> Deferred[UpdateOutcome]:
        async def run() -> UpdateOutcome:
            return await self._runs.carry_out(one, shape(self._runs.job(one)), report, dry=dry)

        return self._turns.take(one, run, asker)

    def _expire_entries(self) -> None:
        self.entries.time()

    def _note_good(self, name: str, began: float, ended: float) -> None:
        self._checks.lookout.checked(name, began, ended)

    def _device(self, name: str) -> Updated:
        try:
            return self._devices[name]
        except KeyError:
            raise NoSuchDevice(name) from None
