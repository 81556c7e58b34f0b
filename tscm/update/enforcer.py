"""
What brings a device to its goal: an ASA is pushed to, another firewall pulls a list.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from attrs import define, field, frozen

from tscm.errors import DeviceFault, TscmError
from tscm.model import Report, Traffic
from tscm.risks import RiskFound
from tscm.update.figures import PlanDiff, PlanFigures
from tscm.update.goal import Goal
from tscm.update.job import UpdateJob
from tscm.update.memory import DeviceMemory
from tscm.update.patience import stopped
from tscm.update.plan_id import PlanFaulty, PlanOutdated, plan_id, refuse_other_plan


@define(eq=False)
class UpdateStopped(TscmError):
    """
    An update ends in the middle: the manager is stopping, or a user wants it.
    """

    device: str
    by: str = ""
    """Who wants it; empty where the manager is stopping."""
    rollback: bool = False

    @classmethod
    def of(cls, job: UpdateJob) -> "UpdateStopped":
        """How *job* ends that is to end."""
        return cls(job.settings.name, job.stopped_by(), job.rollback is not None)

    def __str__(self) -> str:
        how = f"stopped by {self.by}" if self.by else "interrupted because the manager stopped"
        what, rest = "update", "the next update completes them"
        if self.rollback:
            what, rest = "rollback", "repeat the rollback to complete them"
        return f"the {what} of {self.device} was {how}; changes made so far are safe, and {rest}"


@frozen(kw_only=True, eq=False)
class Brought:
    """
    An attempt without a fault: the device holds the goal, or a dry run knows what it would take.
    """

    version: str | None = None
    """What the device runs."""
    saved: bool = False
    diff: PlanDiff | None = None
    """Of a dry run: every entry that would come and go, by list."""


@define(eq=False)
class Enforcer(ABC):
    """
    Brings one device to a goal, in as many attempts as a run makes; its fields are what it found out in all of them.

    Between two attempts nothing is held: no thread, no connection, no token.  A fault is a `DeviceFault` whose class
    says what the run does about it (`tscm.kinds.faults`).
    """

    job: UpdateJob
    dry: bool = False
    """Nothing is written; also once the plan is another one than the run is bound to."""
    memory: DeviceMemory = field(init=False)
    """What is known of the device from now on."""
    notes: dict[str, None] = field(factory=dict, init=False)
    risks: dict[RiskFound, None] = field(factory=dict, init=False)
    """What was accepted, or is only looked for."""
    traffic: Traffic = field(factory=Traffic, init=False)
    reached: bool = field(default=False, init=False)
    """The device answered in this run."""
    wrote: bool = field(default=False, init=False)
    """Something was changed on the device, or may have been."""
    plan_id: str | None = field(default=None, init=False)
    other_plan: PlanFaulty | PlanOutdated | None = field(default=None, init=False)
    """Why the plan that the run is bound to is not pushed."""

    def __attrs_post_init__(self) -> None:
        self.memory = DeviceMemory.from_json(self.job.memory)

    @abstractmethod
    def bring(self, goal: Goal, report: Report) -> Brought:
        """
        Have the device hold *goal*, and prove that it does.  Blocks, possibly for long.

        Raises `DeviceFault`, `PolicyRefused`, `UpdateStopped`.  After a fault it may be called again, and rests on
        nothing that was believed before.
        """

    def given_up(self, fault: DeviceFault) -> DeviceFault:
        """The last *fault* as the operator is told of it."""
        return stopped(fault)

    @property
    def figures(self) -> PlanFigures | None:
        """The plan in numbers."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know of the device."""
        return ()

    @property
    def last_notes(self) -> tuple[str, ...]:
        """What was learnt, told behind all notes."""
        return ()

    def bind(self, layout: str, goal: Goal) -> None:
        """
        Name the plan from what *layout* is a digest of to *goal*.

        Where the update is bound to another plan that is shown, and nothing is written.
        """
        if self.wrote:  # what is left of a plan is not the plan
            return
        now, bound = self.job.now(), self.job.plan
        self.plan_id = plan_id(layout, goal.block, goal.allow, now)
        if bound is not None:
            try:
                refuse_other_plan(self.job.settings.name, bound, self.plan_id, now)
            except (PlanFaulty, PlanOutdated) as error:
                self.other_plan, self.dry = error, True

    def found(self, risks: Iterable[RiskFound]) -> None:
        """What was accepted, or is only looked for, is told."""
        self.risks.update(dict.fromkeys(risks))

    def go_on(self) -> None:
        """Raise `UpdateStopped` where the run must end now."""
        if self.job.pause(0):
            raise UpdateStopped.of(self.job)
