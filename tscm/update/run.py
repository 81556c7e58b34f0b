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

from collections.abc import Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve

from tscm.errors import DeviceFault, PolicyRefused, TscmError
from tscm.kinds.asa.faults import Replicating
from tscm.kinds.faults import (
    IdentityChanged,
    InterfaceAbsent,
    Overloaded,
    Refused,
    SaveFailed,
    Unauthorised,
    Unreachable,
)
from tscm.model import (
    AsaDriver,
    DeleteGroup,
    Group,
    Identity,
    Progress,
    Report,
    Step,
)
from tscm.update.figures import Result
from tscm.update.job import UpdateJob
from tscm.update.memory import GROUPS_KEPT
from tscm.update.outcome import Pause, UpdateOutcome
from tscm.update.parents import still_unused
from tscm.update.patience import (
    ReadBackDiffers,
    given_up,
    pause_after,
    quick_pause_after,
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
from tscm.update.run_state import RunState
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
class UpdateRun(RunState):
    """
    A run that can be interrupted by pauses: call `attempt` until it gives an outcome.

    Between two attempts nothing is held: no thread, no connection, no token.
    """

    def attempt(self) -> UpdateOutcome | Pause:
        """
        Go on from what there is: the outcome, or how long the device needs to be left alone.
        """
        done = self._attempt()
        if isinstance(done, UpdateOutcome) and self._other_plan is not None:
            return evolve(done, outdated=True)
        return done

    def _attempt(self) -> UpdateOutcome | Pause:
        try:
            self._go_on()
            if self._wanted is None:
                self._wanted = wanted(self.job, self.report, self._found, self._named)
                self._remember_changes(self._wanted)
                self._applied = self._last_applied()
            return self._on_device(self._wanted)
        except DeviceFault as fault:
            return self._after(fault)
        except PolicyRefused as error:
            return self._end(Result.REFUSED, error)
        except UpdateStopped as error:
            return self._end(Result.STOPPED, error)
        except TscmError as error:
            if self.job.pause(0.0):  # cut off because the manager stops: no fault of anybody's
                return self.stopped()
            return self._end(Result.FAILED, error)

    def stopped(self) -> UpdateOutcome:
        """The outcome of a run that is given up between two attempts."""
        return self._end(Result.STOPPED, UpdateStopped(self.job.settings.name))

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
            other = self._other_plan
            done = self._end(Result.REFUSED, other) if other else self._finished(Result.PLANNED)
            return evolve(done, diff=planned.diff(), plan_id=self._plan_id)
        if planned.steps:
            groups = self._push(driver, planned.steps, goal)
        self._look_for_serial(driver)
        self._look_for_use(driver)
        saved = self._save(driver)
        return self._end_good(goal, who, groups, saved=saved)

    def _bind(self, groups: Mapping[str, Group], goal: Wanted) -> None:
        """Name the plan; where the update is bound to another one it is shown, and nothing is pushed."""
        if self._wrote:  # what is left of a plan is not the plan
            return
        now, bound = self.job.now(), self.job.plan
        self._plan_id = plan_id(groups, goal.block, goal.allow, now)
        if bound is not None:
            try:
                refuse_other_plan(self.job.settings.name, bound, self._plan_id, now)
            except (PlanFaulty, PlanOutdated) as error:
                self._other_plan, self.dry = error, True

    def _plan(self, groups: Mapping[str, Group], goal: Wanted) -> Planned:
        planned = plan_for(
            self.job,
            groups,
            goal,
            self._memory.undeletable,
            taken=self._lessons.taken,
            limit=self._lessons.limit,
            ceiling=self._lessons.ceiling,
            serials=self._memory.serials,
            begun=self._wrote,
        )
        self._found(planned.risks)
        raised = planned.raised(self.job.asa)
        if raised:
            self._notes[raised] = None
        return planned

    def _read(self, driver: AsaDriver) -> Mapping[str, Group]:
        groups = driver.read_groups(self.job.asa.prefix)
        self._memory = evolve(self._memory, groups=tuple(sorted(groups)[:GROUPS_KEPT]))
        self._lessons.saw(groups)
        return groups

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
            text = driver.running_config(self.job.asa.prefix).text
        except DeviceFault:
            return  # the next run looks again
        left = still_unused(text, self.job.asa.prefix, self._memory.unused)
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
            others = max(0, driver.running_config(self.job.asa.prefix).size - before)
            room = max(0, who.budget_bytes - others)
            made = plan_for(
                self.job,
                groups,
                goal,
                self._memory.undeletable,
                taken=self._lessons.taken,
                limit=self._lessons.limit,
                ceiling=self._lessons.ceiling,
                room=room,
                serials=self._memory.serials,
                begun=self._wrote,
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

        Something of others uses it, or the device answers 500 to that (docs/develop/asa.md, section 2).
        """
        doomed = portion[0].group if isinstance(portion[0], DeleteGroup) else None
        try:
            driver.apply_all(portion)
        except Refused as refused:
            if doomed is None:
                self._lessons.learn(driver, portion, refused)
                raise
            self._leave(doomed, refused)
        except Overloaded as failed:
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
        if isinstance(fault, IdentityChanged | OwnedByAnother) and fault.risk is not None:
            self._found((fault.risk,))
        if isinstance(fault, Unauthorised):
            self._memory = evolve(self._memory, login_failures=self._memory.login_failures + 1)
        settings = self.job.asa
        had_agent = self._memory.version is not None
        if (
            self.job.repair
            and not self._reached
            and isinstance(fault, Unreachable | InterfaceAbsent | Overloaded)
        ):
            return evolve(self._end(Result.FAILED, fault), unreached=True)
        again = worth_another_try(fault, reached=self._reached, had_agent=had_agent)
        if self.dry or not self.job.patient or not again:
            return self._end(Result.FAILED, fault)
        if self.job.only_entries:
            return quick_pause_after(fault, count) or self._end(Result.FAILED, fault)
        pause = pause_after(fault, count, self.job.pause_before)
        if pause is not None:
            return pause
        self._memory = evolve(self._memory, broken=True)
        return self._end(
            Result.FAILED,
            given_up(
                fault,
                settings.name,
                settings.prefix,
                self._memory.groups,
                remedy=self._lessons.remedy,
            ),
        )
