"""
What a policy run knows and comes to: its notes, its risks, what is remembered of the device, its outcome.

Values only: the steps of a run are in `tscm.update.run`.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import define, evolve, field

from tscm.errors import DeviceFault, TscmError
from tscm.kinds.asa.groups import KINDS, Present
from tscm.model import AsaDriver, Cidr, Group, Identity, Report, Traffic
from tscm.policy.cidr import CidrSet
from tscm.policy.guard import stale
from tscm.risks import Risk, RiskFound
from tscm.store.generations import StoredDamaged
from tscm.update.certificate import accepted_certificate
from tscm.update.figures import Result
from tscm.update.in_force import chosen_anew, not_in_force, shape_of
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.memory import DeviceMemory, edit_notes, layout_digest
from tscm.update.outcome import UpdateOutcome
from tscm.update.parents import absent_parents, not_in_use
from tscm.update.plan_id import PlanFaulty, PlanOutdated
from tscm.update.planning import Planned
from tscm.update.refusals import Lessons
from tscm.update.wanted import Wanted


@define(eq=False)
class RunState:
    """
    The state of one run of *job*, between its attempts and at its end.  *dry*: nothing is written.
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
    _other_plan: PlanFaulty | PlanOutdated | None = field(default=None, init=False)
    """Why the plan that the update is bound to is not pushed."""
    _wrote: bool = field(default=False, init=False)
    _reached: bool = field(default=False, init=False)
    _deleted_in_vain: set[str] = field(factory=set, init=False)
    """Groups whose deletion was asked for once and came to nothing."""

    def __attrs_post_init__(self) -> None:
        self._memory = DeviceMemory.from_json(self.job.memory)
        self._lessons = Lessons(
            self.job.settings.name,
            self.job.asa.prefix,
            self.job.asa.object_group_size,
            self._memory.group_limit,
            self._memory.group_ceiling,
        )
        self._outcome = UpdateOutcome(
            device=self.job.settings.name,
            started_at=self.job.now(),
            forced=bool(self.job.consent.words) or self.job.survey,
            cause=self.job.repair,
            act=f"rollback to generation {self.job.rollback.number}" if self.job.rollback else "",
            only_entries=self.job.only_entries and self.job.keeps_lists,
            paused=not self.job.settings.policy_updates,
        )

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

    def _named(self, names: tuple[KnownName, ...]) -> None:
        """What is known of names by now is kept however the run ends."""
        self._outcome = evolve(self._outcome, names=names)

    def _note_certificate(self, driver: AsaDriver) -> None:
        """That another certificate was accepted, where it was."""
        accepted = accepted_certificate({"driver": self._memory.driver}, driver, self.job.consent)
        if accepted is not None:
            self._found((accepted,))

    def _found(self, risks: Iterable[RiskFound]) -> None:
        """What was accepted, or is only looked for, is told."""
        self._risks.update(dict.fromkeys(risks))

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
        present = Present.of(self.job.asa.prefix, groups)
        for kind in KINDS:
            found = self._without_test(applied[kind], list(present.in_force(kind)))
            self._notes.update(dict.fromkeys(edit_notes(kind, applied[kind], found, right=right)))

    def _without_test(self, applied: Sequence[Cidr], present: Sequence[Cidr]) -> Sequence[Cidr]:
        """*present* without what a test that broke off left there: nobody edited that."""
        entry = self._memory.test_entry
        if entry is None or entry not in present or entry in applied:
            return present
        self._notes[f"{entry}, which a test that broke off had blocked, is taken out"] = None
        return [one for one in present if one != entry]

    def _look_for_parents(self, groups: Mapping[str, Group]) -> None:
        """Parents that the device had and has no more."""
        if self._wrote or self.job.applied is None:
            return
        absent = absent_parents(self.job.asa.prefix, groups)
        unused = tuple(dict.fromkeys((*self._memory.unused, *absent)))
        self._memory = evolve(self._memory, unused=unused)

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
            group_ceiling=self._lessons.ceiling,
            test_entry=None,
            # Where no list was fetched another choice of lists is still to come.
            shape=self._memory.shape if self.job.keeps_lists else shape_of(self.job.settings),
            by_hand=goal.by_hand,
            by_hand_left=goal.by_hand_left,
        )
        result = Result.CHANGED if self._wrote else Result.UNCHANGED
        done = self._finished(result)
        # By content, not by what was written: repairs would push older policies out of those that are
        # kept, and what a run that was killed had written whole is in force without a generation.
        fresh = not goal.is_kept_as(self.job.applied)
        return evolve(
            done,
            verified=True,
            saved=saved,
            rebased=self._is_rebased(),
            by_hand=goal.by_hand,
            version=who.version,
            generation=goal.generation(done.finished_at) if fresh else None,
        )

    def _is_rebased(self) -> bool:
        """Did the operator decide that less is right?"""
        job = self.job
        accepted = any(one.risk is Risk.SHRINK for one in self._risks)
        return accepted or job.rollback is not None or (chosen_anew(job) and not job.keeps_lists)

    def _end(self, result: Result, error: TscmError) -> UpdateOutcome:
        if isinstance(error, DeviceFault):
            self._memory = evolve(self._memory, failures=self._memory.failures + 1)
        if self._wrote:
            self._memory = evolve(self._memory, layout=None)  # what differs next time was ourselves
        self._memory = evolve(
            self._memory, group_limit=self._lessons.limit, group_ceiling=self._lessons.ceiling
        )
        return evolve(self._finished(result), error=str(error), exit_status=error.exit_status)

    def _finished(self, result: Result) -> UpdateOutcome:
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
                *not_in_use(self.job.asa.prefix, self._memory.unused),
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
