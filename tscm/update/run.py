"""
One device's policy run: values in, values out, blocking, for a thread.

1. fetch both lists, guard, merge and cut them: the goal (`tscm.update.fetch`)
2. have the device's enforcer bring it to the goal (`tscm.update.enforcer`)
3. after a fault: pause and bring again, or give up (`tscm.update.patience`)
"""

from attrs import define, evolve, field

from tscm.errors import DeviceFault, PolicyRefused, TscmError
from tscm.kinds.faults import (
    IdentityChanged,
    InterfaceAbsent,
    Overloaded,
    Unauthorised,
    Unreachable,
    Untrusted,
)
from tscm.model import (
    Report,
)
from tscm.policy.guard import stale
from tscm.risks import Risk
from tscm.update.enforcer import Brought, Enforcer, UpdateStopped
from tscm.update.enforcers import enforcer_of
from tscm.update.fetch import fetch_goal
from tscm.update.figures import Result
from tscm.update.goal import Goal
from tscm.update.in_force import chosen_anew, shape_of
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.outcome import RetryDelay, UpdateOutcome
from tscm.update.patience import (
    is_retryable,
    quick_retry_delay,
    retry_delay,
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

    Between two attempts nothing is held: no thread, no connection, no token.  *dry*: nothing is written.
    """

    job: UpdateJob
    report: Report
    dry: bool = False
    _goal: Goal | None = field(default=None, init=False)
    _enforcer: Enforcer = field(init=False)
    _outcome: UpdateOutcome = field(init=False)
    _failures: list[str] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._enforcer = enforcer_of(self.job, dry=self.dry)
        self._outcome = UpdateOutcome(
            device=self.job.settings.name,
            started_at=self.job.now(),
            forced=bool(self.job.consent.words) or self.job.survey,
            cause=self.job.repair,
            act=f"rollback to generation {self.job.rollback.number}" if self.job.rollback else "",
            only_entries=self.job.only_entries and self.job.keeps_lists,
            kept=self.job.kept and self.job.keeps_lists,
            paused=not self.job.settings.policy_updates,
        )

    def attempt(self) -> UpdateOutcome | RetryDelay:
        """
        Go on from what there is: the outcome, or how long the device needs to be left alone.
        """
        done = self._attempt()
        if isinstance(done, UpdateOutcome) and self._enforcer.other_plan is not None:
            return evolve(done, outdated=True)
        return done

    def _attempt(self) -> UpdateOutcome | RetryDelay:
        try:
            self._enforcer.go_on()
            if self._goal is None:
                self._goal = fetch_goal(self.job, self.report, self._enforcer.found, self._named)
                self._remember_changes(self._goal)
            brought = self._enforcer.bring(self._goal, self.report)
            return self._brought(self._goal, brought)
        except DeviceFault as fault:
            return self._after(fault)
        except PolicyRefused as error:
            return self._end(Result.REFUSED, error)
        except UpdateStopped as error:
            return self._end(Result.STOPPED, error)
        except TscmError as error:
            if self.job.pause(0.0):  # cut off because it is to end: no fault of the device
                return self.stopped()
            return self._end(Result.FAILED, error)

    def stopped(self) -> UpdateOutcome:
        """The outcome of a run that is given up between two attempts."""
        return self._end(Result.STOPPED, UpdateStopped.of(self.job))

    def _remember_changes(self, goal: Goal) -> None:
        """When lists changed, and whether one seems to be no longer maintained."""
        now = self.job.now()
        self._enforcer.notes.update(dict.fromkeys(goal.notes))
        for name in goal.changed_lists:
            self._enforcer.memory = self._enforcer.memory.seen_changed(name, now)
        for name in (
            one.name for whole in (goal.block_figures, goal.allow_figures) for one in whole.lists
        ):
            reason = stale(self._enforcer.memory.changes.get(name, ()), now)
            if reason is not None:
                self._enforcer.notes[
                    f"list {name} is {reason}; check that it is still maintained"
                ] = None

    def _named(self, names: tuple[KnownName, ...]) -> None:
        """What is known of names by now is kept however the run ends."""
        self._outcome = evolve(self._outcome, names=names)

    def _after(self, fault: DeviceFault) -> UpdateOutcome | RetryDelay:
        """Another attempt after a pause, or the end."""
        self._failures.append(fault.cause)  # what to do about it is told when it was not overcome
        count = len(self._failures)
        if isinstance(fault, IdentityChanged) and fault.risk is not None:
            self._enforcer.found((fault.risk,))
        if isinstance(fault, Unauthorised):
            self._enforcer.memory = evolve(
                self._enforcer.memory, login_failures=self._enforcer.memory.login_failures + 1
            )
        had_agent = self._enforcer.memory.version is not None
        if (
            self.job.repair
            and not self._enforcer.reached
            and isinstance(fault, Unreachable | InterfaceAbsent | Overloaded)
        ):
            return evolve(self._end(Result.FAILED, fault), unreached=True)
        again = is_retryable(fault, reached=self._enforcer.reached, had_agent=had_agent)
        if self._enforcer.dry or not self.job.patient or not again:
            return self._end(Result.FAILED, fault)
        if self.job.only_entries:
            return quick_retry_delay(fault, count) or self._end(Result.FAILED, fault)
        pause = retry_delay(fault, count, self.job.pause_before)
        if pause is not None:
            return pause
        self._enforcer.memory = evolve(self._enforcer.memory, broken=True)
        return self._end(Result.FAILED, self._enforcer.given_up(fault))

    def _brought(self, goal: Goal, brought: Brought) -> UpdateOutcome:
        """The outcome of an attempt without a fault."""
        if self._enforcer.dry:
            other = self._enforcer.other_plan
            done = self._end(Result.REFUSED, other) if other else self._finished(Result.PLANNED)
            return evolve(done, diff=brought.diff, plan_id=self._enforcer.plan_id)
        self._enforcer.memory = evolve(
            self._enforcer.memory,
            failures=0,
            broken=False,
            # Where no list was fetched another choice of lists is still to come.
            shape=self._enforcer.memory.shape
            if self.job.keeps_lists
            else shape_of(self.job.settings),
            by_hand=goal.by_hand,
            by_hand_left=goal.by_hand_left,
        )
        result = Result.CHANGED if self._enforcer.wrote else Result.UNCHANGED
        done = self._finished(result)
        # By content, not by what was written: repairs would push older policies out of those that are
        # kept, and what a run that was killed had written whole is in force without a generation.
        fresh = not goal.matches_stored(self.job.applied)
        return evolve(
            done,
            verified=True,
            saved=brought.saved,
            rebased=self._is_rebased(),
            by_hand=goal.by_hand,
            version=brought.version,
            generation=goal.generation(done.finished_at) if fresh else None,
        )

    def _is_rebased(self) -> bool:
        """Did the operator decide that less is right?"""
        job = self.job
        accepted = any(one.risk is Risk.SHRINK for one in self._enforcer.risks)
        return accepted or job.rollback is not None or (chosen_anew(job) and not job.keeps_lists)

    def _end(self, result: Result, error: TscmError) -> UpdateOutcome:
        if isinstance(error, DeviceFault):
            self._enforcer.memory = evolve(
                self._enforcer.memory, failures=self._enforcer.memory.failures + 1
            )
        if self._enforcer.wrote:
            memory = self._enforcer.memory  # what differs next time was ourselves
            self._enforcer.memory = evolve(memory, layout=None)
        return evolve(
            self._finished(result),
            error=str(error),
            exit_status=error.exit_status,
            untrusted=isinstance(error, Untrusted),
        )

    def _finished(self, result: Result) -> UpdateOutcome:
        goal = self._goal
        accepted = [one for one in self._enforcer.risks if self.job.consent.accepts(one)]
        return evolve(
            self._outcome,
            finished_at=self.job.now(),
            result=result,
            block=goal.block_figures if goal else None,
            allow=goal.allow_figures if goal else None,
            accepted=tuple(dict.fromkeys(str(one.risk) for one in accepted)),
            risks=tuple(self._enforcer.risks),
            findings=goal.findings if goal else (),
            good_lists=goal.good_lists if goal else (),
            warnings=(
                *(goal.warnings if goal else ()),
                *self._enforcer.warnings,
            ),
            plan=self._enforcer.figures,
            notes=(
                *(f"accepted by {one.option}: {one.sentence}" for one in accepted),
                *self._enforcer.notes,
                *self._enforcer.last_notes,
            ),
            failures=tuple(self._failures),
            traffic=self._enforcer.traffic,
            memory=self._enforcer.memory.to_json(),
        )
