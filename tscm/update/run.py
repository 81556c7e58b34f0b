"""
One device's policy run: values in, values out, blocking, for a thread.

1. fetch both lists; what is unchanged comes from the store
2. guard, merge, cut (`tscm.update.wanted`)
3. ask the device who it is, and read its groups of our prefix
4. plan the steps from what is there to what shall be there
5. apply them portion by portion
6. read back, and plan again: nothing may be left to do
7. save the configuration, if anything changed

After any doubt the run starts again at 3 with a new session, so that nothing rests on what was
believed before.  A dry run ends after 4.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve, field

from tscm.asa.faults import (
    AgentAbsent,
    AgentFailed,
    CertificateChanged,
    LoginRefused,
    NoConnection,
    Replicating,
    SaveFailed,
    StepRefused,
)
from tscm.errors import DeviceFault, PolicyRefused, TscmError
from tscm.model import (
    AsaDriver,
    Cidr,
    DeleteGroup,
    Group,
    Identity,
    Progress,
    Report,
    Step,
    Traffic,
)
from tscm.policy.cidr import CidrSet
from tscm.policy.groups import KINDS, Present
from tscm.policy.guard import stale
from tscm.risks import Risk, RiskFound
from tscm.store.policies import StoredDamaged
from tscm.update import outcome as results
from tscm.update.in_force import chosen_anew, not_in_force, shape_of
from tscm.update.job import UpdateJob
from tscm.update.memory import GROUPS_KEPT, DeviceMemory, edit_notes, layout_digest
from tscm.update.names import KnownName
from tscm.update.outcome import Pause, UpdateOutcome
from tscm.update.parents import absent_parents, not_in_use, still_unused
from tscm.update.patience import (
    ReadBackDiffers,
    given_up,
    pause_after,
    worth_another_try,
)
from tscm.update.plan_id import PlanFaulty, PlanOutdated, plan_id, refuse_other_plan
from tscm.update.planning import (
    OwnedByAnother,
    Planned,
    check_budget,
    check_length,
    needs_closer_look,
    plan_for,
)
from tscm.update.refusals import Lessons
from tscm.update.wanted import Wanted, refuse, wanted

_MATE = (
    "groups were changed while it replicated its configuration to its mate, which may not have got them: "
    "`write standby` on the active unit brings both in step"
)


class UpdateStopped(TscmError):
    """
    The manager is stopping in the middle of an update.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        super().__init__(device)

    def __str__(self) -> str:
        return (
            f"the update of {self.device} was stopped with the manager; "
            f"what was done so far is safe, and the next update finishes it"
        )


def run_update(job: UpdateJob, report: Report) -> UpdateOutcome:
    """
    Get the policy onto the device, pauses included.  Never raises a `TscmError`.
    """
    return _to_the_end(UpdateRun(job, report))


def plan_update(job: UpdateJob, report: Report) -> UpdateOutcome:
    """
    The same without writing: what an update would do now.
    """
    return _to_the_end(UpdateRun(job, report, dry=True))


def _to_the_end(run: "UpdateRun") -> UpdateOutcome:
    while True:
        done = run.attempt()
        if isinstance(done, UpdateOutcome):
            return done
        if run.job.pause(done.seconds):
            return run.stopped()


@define(eq=False)
class UpdateRun:
    """
    A run that can be interrupted by pauses: call `attempt` until it gives an outcome.

    Between two attempts nothing is held: no thread, no connection, no token.
    """

    job: UpdateJob
    report: Report
    dry: bool = False
    _wanted: Wanted | None = field(default=None, init=False)
    _applied: Mapping[str, list[Cidr]] | None = field(default=None, init=False)
    """What the device was made to hold last, by kind; None where nobody knows."""
    _memory: DeviceMemory = field(init=False)
    _lessons: Lessons = field(init=False)
    _outcome: UpdateOutcome = field(init=False)
    _failures: list[str] = field(factory=list, init=False)
    _notes: dict[str, None] = field(factory=dict, init=False)
    _traffic: Traffic = field(factory=Traffic, init=False)
    _planned: Planned | None = field(default=None, init=False)
    _risks: dict[RiskFound, None] = field(factory=dict, init=False)
    _plan_id: str | None = field(default=None, init=False)
    _wrote: bool = field(default=False, init=False)
    _reached: bool = field(default=False, init=False)
    _deleted_in_vain: set[str] = field(factory=set, init=False)
    """Groups whose deletion was asked for once and came to nothing."""

    def __attrs_post_init__(self) -> None:
        self._memory = DeviceMemory.from_json(self.job.memory)
        self._lessons = Lessons(
            self.job.settings.name,
            self.job.settings.prefix,
            self.job.settings.object_group_size,
            self._memory.group_limit,
        )
        self._outcome = UpdateOutcome(
            device=self.job.settings.name,
            started_at=self.job.now(),
            forced=bool(self.job.consent.words) or self.job.survey,
            cause=self.job.repair,
            act=f"rollback to generation {self.job.rollback.number}" if self.job.rollback else "",
            paused=not self.job.settings.policy_updates,
        )

    def attempt(self) -> UpdateOutcome | Pause:
        """
        Go on from what there is: the outcome, or how long the device needs to be left alone.
        """
        try:
            self._go_on()
            if self._wanted is None:
                self._wanted = wanted(self.job, self.report, self._found, self._named)
                self._remember_changes(self._wanted)
                self._applied = self._last_applied()
            return self._on_device(self._wanted)
        except DeviceFault as fault:
            return self._after(fault)
        except (PolicyRefused, PlanOutdated, PlanFaulty) as error:
            return self._end(results.REFUSED, error)
        except UpdateStopped as error:
            return self._end(results.STOPPED, error)
        except TscmError as error:
            if self.job.pause(0.0):  # cut off because the manager stops: no fault of anybody's
                return self.stopped()
            return self._end(results.FAILED, error)

    def stopped(self) -> UpdateOutcome:
        """The outcome of a run that is given up between two attempts."""
        return self._end(results.STOPPED, UpdateStopped(self.job.settings.name))

    def _remember_changes(self, goal: Wanted) -> None:
        """When lists changed, and whether one seems to be no longer maintained."""
        now = self.job.now()
        self._notes.update(dict.fromkeys(goal.notes))
        for name in goal.changed_lists:
            self._memory = self._memory.seen_changed(name, now)
        for name in (
            one.name for whole in (goal.block_figures, goal.allow_figures) for one in whole.lists
        ):
            reason = stale(self._memory.changes.get(name, ()), now)
            if reason is not None:
                self._notes[f"list {name} is {reason}: is it still maintained?"] = None

    def _last_applied(self) -> Mapping[str, list[Cidr]] | None:
        """From the store; a generation that lies damaged there is replaced when the run is good."""
        name, applied = self.job.settings.name, self.job.applied
        if applied is None:
            return None
        try:
            return {kind: CidrSet.of(applied.entries(name, kind.lower())).cidrs() for kind in KINDS}
        except StoredDamaged as error:
            self._notes[f"{error.what} lay damaged in the database"] = None
            return None

    def _on_device(self, goal: Wanted) -> UpdateOutcome:
        driver = self.job.opener(
            self.job.settings,
            self.job.node,
            self._memory.driver,
            accept_certificate=self.job.consent.certificate,
        )
        try:
            done = self._work(driver, goal)
        finally:
            driver.close()
            said = driver.traffic
            self._traffic = self._traffic.plus(
                requests=said.requests, sent=said.sent, received=said.received
            )
            self._memory = evolve(self._memory, driver=driver.learnt)
        # What closing said, and what the driver learnt, belong to it too.
        return evolve(done, traffic=self._traffic, memory=self._memory.to_json())

    def _work(self, driver: AsaDriver, goal: Wanted) -> UpdateOutcome:
        self.report(Progress(phase="plan", text="reading the device's groups"))
        who = driver.probe()
        self._reached = True
        self._note_certificate(driver)
        self._memory = evolve(self._memory, login_failures=0)
        groups = self._read(driver)
        planned = self._plan(groups, goal)
        self._bind(groups, goal)
        self._look_for_changes(who, groups, right=not planned.steps)
        self._look_for_parents(groups)
        if not planned.steps and not goal.is_kept_as(self.job.applied):
            # What a run wrote that was lost with its manager may not have been saved either.
            self._memory = evolve(self._memory, unsaved=True)
        if planned.steps:
            if not self._wrote:  # something changes, so what could not be deleted is tried again
                self._memory = evolve(self._memory, undeletable=())
                self._planned = planned
            who = driver.identify()
            self._memory = self._memory.with_serial(who)
            if who.replicating and not self.dry:
                raise Replicating(self.job.settings.name)
            planned = self._weigh(driver, self._plan(groups, goal), who, groups, goal)
        if not self._wrote:  # later plans are only what was left of the first
            requests = len(driver.portions(planned.steps))
            self._planned = evolve(planned, requests=requests)
        if self.dry:
            return evolve(
                self._finished(results.PLANNED), diff=planned.diff(), plan_id=self._plan_id
            )
        if planned.steps:
            groups = self._push(driver, planned.steps, goal)
        self._look_for_serial(driver)
        self._look_for_use(driver)
        saved = self._save(driver)
        return self._end_good(goal, who, groups, saved=saved)

    def _bind(self, groups: Mapping[str, Group], goal: Wanted) -> None:
        """Name the plan, and refuse another one than the update is bound to."""
        if self._wrote:  # what is left of a plan is not the plan
            return
        now, bound = self.job.now(), self.job.plan
        self._plan_id = plan_id(groups, goal.block, goal.allow, now)
        if bound is not None:
            refuse_other_plan(self.job.settings.name, bound, self._plan_id, now)

    def _named(self, names: tuple[KnownName, ...]) -> None:
        """What is known of names by now is kept however the run ends."""
        self._outcome = evolve(self._outcome, names=names)

    def _note_certificate(self, driver: AsaDriver) -> None:
        """That another certificate was accepted, where it was."""
        last, now = (one.get("certificate") for one in (self._memory.driver, driver.learnt))
        if last is not None and now != last and now == self.job.consent.certificate:
            sentence = (
                f"it shows another certificate (SHA-256 {now}) than at the last update ({last})"
            )
            self._found((RiskFound(risk=Risk.CERTIFICATE, sentence=sentence, value=now),))

    def _plan(self, groups: Mapping[str, Group], goal: Wanted) -> Planned:
        planned = plan_for(
            self.job,
            groups,
            goal,
            self._memory.undeletable,
            taken=self._lessons.taken,
            size=self._lessons.size,
        )
        self._found(planned.risks)
        return planned

    def _found(self, risks: Iterable[RiskFound]) -> None:
        """What was accepted, or is only looked for, is told."""
        self._risks.update(dict.fromkeys(risks))

    def _read(self, driver: AsaDriver) -> Mapping[str, Group]:
        groups = driver.read_groups(self.job.settings.prefix)
        self._memory = evolve(self._memory, groups=tuple(sorted(groups)[:GROUPS_KEPT]))
        self._lessons.saw(groups)
        return groups

    def _look_for_changes(self, who: Identity, groups: Mapping[str, Group], *, right: bool) -> None:
        """Note a reload, another version, and what someone else did to our groups, be it *right* or not."""
        if self._wrote:
            return
        if self.job.applied is not None and self.job.applied.purged:
            self._notes[f"until this update the policy was {not_in_force(self.job.applied)}"] = None
        self._notes.update(dict.fromkeys(self._memory.reload_notes(who)))
        applied = self._applied
        if applied is None or self._memory.layout in {None, layout_digest(groups)}:
            return
        present = Present.of(self.job.settings.prefix, groups)
        for kind in KINDS:
            self._notes.update(
                dict.fromkeys(edit_notes(kind, applied[kind], present.in_force(kind), right=right))
            )

    def _look_for_parents(self, groups: Mapping[str, Group]) -> None:
        """Parents that the device had and has no more."""
        if self._wrote or self.job.applied is None:
            return
        absent = absent_parents(self.job.settings.prefix, groups)
        unused = tuple(dict.fromkeys((*self._memory.unused, *absent)))
        self._memory = evolve(self._memory, unused=unused)

    def _look_for_serial(self, driver: AsaDriver) -> None:
        """Which device is it?  Asked once, where nothing had to be changed since that is known of devices."""
        if not self._memory.serials:
            with suppress(DeviceFault):  # the next run asks again
                self._memory = self._memory.with_serial(driver.identify())

    def _look_for_use(self, driver: AsaDriver) -> None:
        """Does an access-list use them by now?"""
        if not self._memory.unused:
            return
        try:
            text = driver.running_config()
        except DeviceFault:
            return  # the next run looks again
        left = still_unused(text, self.job.settings.prefix, self._memory.unused)
        self._memory = evolve(self._memory, unused=left)

    def _weigh(
        self,
        driver: AsaDriver,
        planned: Planned,
        who: Identity,
        groups: Mapping[str, Group],
        goal: Wanted,
    ) -> Planned:
        """
        The plan as the device's agent bears it, where the rest of its configuration counts too.
        """
        planned, others = evolve(planned, budget=who.budget_bytes), 0
        if needs_closer_look(planned, who) and who.budget_bytes is not None:
            before = planned.plan.estimate.bytes_before
            others = max(0, len(driver.running_config()) - before)
            room = max(0, who.budget_bytes - others)
            made = plan_for(
                self.job,
                groups,
                goal,
                self._memory.undeletable,
                taken=self._lessons.taken,
                size=self._lessons.size,
                room=room,
            )
            planned = evolve(made, budget=who.budget_bytes)
        first = not self._wrote and (self.job.applied is None or self.job.applied.purged)
        writes = sum(map(len, driver.portions(planned.steps)))
        for warning, risk in (
            check_budget(planned, who, others),
            check_length(planned, writes, first=first),
        ):
            if risk is not None:
                self._found((risk,))
                refuse(self.job, (risk,))
            elif warning is not None:
                self._notes[warning] = None
        return planned

    def _push(self, driver: AsaDriver, steps: Sequence[Step], goal: Wanted) -> Mapping[str, Group]:
        portions = driver.portions(steps)
        for number, portion in enumerate(portions):
            self._go_on()
            self.report(
                Progress(phase="push", text="changing groups", done=number, total=len(portions))
            )
            self._wrote = True
            self._memory = evolve(self._memory, unsaved=True)
            self._apply(driver, portion)
            self._lessons.did(portion)
        total = len(portions)
        self.report(Progress(phase="push", text="groups changed", done=total, total=total))
        self._go_on()
        self.report(Progress(phase="read back", text="comparing what the device holds"))
        groups = self._read(driver)
        left = self._plan(groups, goal).steps
        if left:
            self._differs(left)
        return groups

    def _differs(self, left: Sequence[Step]) -> None:
        """
        Raise `ReadBackDiffers`; a deletion that was taken twice and not done is left instead.
        """
        fault = ReadBackDiffers(
            self.job.settings.name,
            f"it does not hold what was sent; steps still to do: {len(left):,}",
            "look whether someone else changes the same groups",
            retry=True,
        )
        doomed = {one.group for one in left if isinstance(one, DeleteGroup)}
        if len(doomed) < len(left) or not doomed <= self._deleted_in_vain:
            self._deleted_in_vain |= doomed
            raise fault
        for group in sorted(doomed):
            self._leave(group, fault)

    def _apply(self, driver: AsaDriver, portion: Sequence[Step]) -> None:
        """
        One portion; a group that the device will not delete is left, for it does no harm.

        Something of others uses it, or the device answers 500 to that (docs/asa.md, section 2).
        """
        doomed = portion[0].group if isinstance(portion[0], DeleteGroup) else None
        try:
            driver.apply_all(portion)
        except StepRefused as refused:
            if doomed is None:
                self._lessons.learn(driver, portion, refused)
                raise
            self._leave(doomed, refused)
        except AgentFailed as failed:
            if doomed is None:
                if failed.told:
                    self._lessons.learn(driver, portion, failed)
                raise
            if doomed not in self._deleted_in_vain:
                self._deleted_in_vain.add(doomed)
                raise
            self._leave(doomed, failed)

    def _leave(self, group: str, fault: DeviceFault) -> None:
        kept = dict.fromkeys((*self._memory.undeletable, group))
        self._memory = evolve(self._memory, undeletable=tuple(kept))
        self._notes[
            f"{group} is used no more and could not be deleted: {fault.cause}; "
            f"look what else uses it, it does no harm"
        ] = None

    def _go_on(self) -> None:
        if self.job.pause(0):
            raise UpdateStopped(self.job.settings.name)

    def _save(self, driver: AsaDriver) -> bool:
        if not (self._memory.unsaved and self.job.node.policy.save_config):
            return False
        self._go_on()
        self.report(Progress(phase="save", text="saving the device's configuration"))
        try:
            driver.save()
        except SaveFailed as fault:  # the policy is in force; the next run saves again
            self._notes[str(fault)] = None
            return False
        self._memory = evolve(self._memory, unsaved=False)
        return True

    def _after(self, fault: DeviceFault) -> UpdateOutcome | Pause:
        """Another attempt after a pause, or the end."""
        self._failures.append(fault.cause)  # what to do about it is told when it was not overcome
        count = len(self._failures)
        if isinstance(fault, Replicating) and self._wrote:
            self._notes[_MATE] = None
        if isinstance(fault, CertificateChanged | OwnedByAnother) and fault.risk is not None:
            self._found((fault.risk,))
        if isinstance(fault, LoginRefused):
            self._memory = evolve(self._memory, login_failures=self._memory.login_failures + 1)
        settings = self.job.settings
        had_agent = self._memory.version is not None
        if (
            self.job.repair
            and not self._reached
            and isinstance(fault, NoConnection | AgentAbsent | AgentFailed)
        ):
            return evolve(self._end(results.FAILED, fault), unreached=True)
        again = worth_another_try(fault, reached=self._reached, had_agent=had_agent)
        if self.dry or not self.job.patient or not again:
            return self._end(results.FAILED, fault)
        pause = pause_after(fault, count, self.job.pause_before)
        if pause is not None:
            return pause
        self._memory = evolve(self._memory, broken=True)
        return self._end(
            results.FAILED,
            given_up(
                fault,
                settings.name,
                settings.prefix,
                self._memory.groups,
                remedy=self._lessons.remedy,
            ),
        )

    def _end_good(
        self, goal: Wanted, who: Identity, groups: Mapping[str, Group], *, saved: bool
    ) -> UpdateOutcome:
        self._memory = evolve(
            self._memory,
            layout=layout_digest(groups),
            version=who.version or self._memory.version,
            started_at=who.started_at,
            failures=0,
            broken=False,
            group_limit=self._lessons.limit,
            # A repair puts back what was in force: another choice of lists is still to come.
            shape=self._memory.shape if self.job.repair else shape_of(self.job.settings),
        )
        result = results.CHANGED if self._wrote else results.UNCHANGED
        done = self._finished(result)
        # By content, not by what was written: repairs would push older policies out of those that are
        # kept, and what a run that was killed had written whole is in force without a generation.
        fresh = not goal.is_kept_as(self.job.applied)
        return evolve(
            done,
            verified=True,
            saved=saved,
            rebased=self._is_rebased(),
            version=who.version,
            generation=goal.generation(done.finished_at) if fresh else None,
        )

    def _is_rebased(self) -> bool:
        """Did the operator decide that less is right?"""
        job = self.job
        accepted = any(one.risk is Risk.SHRINK for one in self._risks)
        return accepted or job.rollback is not None or chosen_anew(job)

    def _end(self, result: str, error: TscmError) -> UpdateOutcome:
        if isinstance(error, DeviceFault):
            self._memory = evolve(self._memory, failures=self._memory.failures + 1)
        if self._wrote:
            self._memory = evolve(self._memory, layout=None)  # what differs next time was ourselves
        return evolve(self._finished(result), error=str(error), exit_status=error.exit_status)

    def _finished(self, result: str) -> UpdateOutcome:
        goal = self._wanted
        figures = self._planned.figures if self._planned else None
        accepted = [one for one in self._risks if self.job.consent.accepts(one)]
        return evolve(
            self._outcome,
            finished_at=self.job.now(),
            result=result,
            block=goal.block_figures if goal else None,
            allow=goal.allow_figures if goal else None,
            accepted=tuple(dict.fromkeys(str(one.risk) for one in accepted)),
            risks=tuple(self._risks),
            findings=goal.findings if goal else (),
            good_lists=goal.good_lists if goal else (),
            warnings=(
                *(goal.warnings if goal else ()),
                *not_in_use(self.job.settings.prefix, self._memory.unused),
                *(self._planned.warnings if self._planned else ()),
            ),
            plan=figures,
            notes=(
                *(f"accepted by {one.option}: {one.sentence}" for one in accepted),
                *self._notes,
                *self._lessons.notes,
            ),
            failures=tuple(self._failures),
            traffic=self._traffic,
            memory=self._memory.to_json(),
        )
