"""
The enforcer of an ASA: its object-groups are read, planned, changed portion by portion, and read back.

1. ask the device who it is, and read its groups of our prefix
2. plan the steps from what is there to what is to be there; a dry run ends here
3. apply them portion by portion
4. read back, and plan again: nothing may be left to do
5. save the configuration, if anything changed

After any doubt `bring` starts again at 1 with a new session, so that nothing rests on what was believed before.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve, field

from tscm.errors import DeviceFault
from tscm.kinds.asa.changes import changes, last_applied
from tscm.kinds.asa.deletions import Deletions, Left
from tscm.kinds.asa.driver import AsaDriver, Group, Step, asa_driver, layout_digest
from tscm.kinds.asa.faults import Replicating
from tscm.kinds.asa.giving_up import given_up
from tscm.kinds.asa.owner import OwnedByAnother
from tscm.kinds.asa.parents import absent_parents, not_in_use, still_unused
from tscm.kinds.asa.planning import (
    Planned,
    check_budget,
    check_length,
    needs_full_configuration,
    plan_for,
)
from tscm.kinds.asa.refusals import Lessons
from tscm.kinds.asa.settings import AsaSettings, asa
from tscm.kinds.faults import (
    SaveFailed,
)
from tscm.kinds.kind import kind_of
from tscm.model import Cidr, Identity, Progress, Report
from tscm.update.certificate import accepted_certificate
from tscm.update.enforcer import Brought, Enforcer
from tscm.update.figures import PlanFigures
from tscm.update.goal import Goal, refuse
from tscm.update.memory import GROUPS_KEPT

_MATE = (
    "groups changed while it replicated its configuration to its failover peer, which may "
    "have missed them; synchronise both with `write standby` on the active unit"
)

_TOLD = 20
"""Warnings of a device that a run keeps."""


@define(eq=False)
class AsaEnforcer(Enforcer):
    """
    By whichever driver leads to the ASA.
    """

    asa: AsaSettings = field(init=False)
    _applied: Mapping[str, list[Cidr]] | None = field(default=None, init=False)
    """What the device was made to hold last, by kind; None where that is unknown."""
    _looked_up: bool = field(default=False, init=False)
    _lessons: Lessons = field(init=False)
    _told: dict[str, None] = field(factory=dict, init=False)
    """What the device warned of, each once."""
    _planned: Planned | None = field(default=None, init=False)
    _deletions: Deletions = field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.asa = asa(self.job.settings)
        self._deletions = Deletions(self.job.settings.name)
        self._lessons = Lessons(
            self.job.settings.name,
            self.asa.prefix,
            self.asa.object_group_size,
            self.memory.group_limit,
            self.memory.group_ceiling,
        )

    @property
    def figures(self) -> PlanFigures | None:
        """Of the first plan; later ones are only what was left of it."""
        return self._planned.figures if self._planned else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Parents that no access-list uses, and what the plan says."""
        return (
            *not_in_use(self.asa.prefix, self.memory.unused, new=self.memory.never_used),
            *(self._planned.warnings if self._planned else ()),
            *(f"the device warned: {one}" for one in self._told),
        )

    @property
    def last_notes(self) -> tuple[str, ...]:
        """Names and sizes that the device does not take."""
        return tuple(self._lessons.notes)

    def given_up(self, fault: DeviceFault) -> DeviceFault:
        """With what revives the agent that holds the groups."""
        settings = self.asa
        return given_up(
            fault,
            settings.name,
            settings.prefix,
            self.memory.groups,
            remedy=self._lessons.remedy,
            agent="agent" in kind_of(settings).links,
        )

    def bring(self, goal: Goal, report: Report) -> Brought:
        """Ask who it is, read, plan, push portion by portion, read back and save."""
        if not self._looked_up:
            self._applied, note = last_applied(self.job)
            self._note(note)
            self._looked_up = True
        driver = asa_driver(
            self.job.opener(
                self.job.settings,
                self.job.node,
                self.memory.driver,
                accept_certificate=self.job.consent.certificate,
            )
        )
        try:
            return self._work(driver, goal, report)
        except Replicating:
            if self.wrote:
                self._note(_MATE)
            raise
        except OwnedByAnother as fault:
            self.found((fault.risk,))
            raise
        finally:
            driver.close()
            for one in driver.told:
                if len(self._told) < _TOLD:
                    self._told[one] = None
            said = driver.traffic
            self.traffic = self.traffic.plus(
                requests=said.requests, sent=said.sent, received=said.received
            )
            self.memory = evolve(
                self.memory,
                driver={**self.memory.driver, **driver.learnt},  # of other ways to it, too
                group_limit=self._lessons.limit,
                group_ceiling=self._lessons.ceiling,
            )

    def _work(self, driver: AsaDriver, goal: Goal, report: Report) -> Brought:
        report(Progress(phase="plan", text="reading the device's groups"))
        who = driver.probe()
        self.reached = True
        self._note_certificate(driver)
        self.memory = evolve(self.memory, login_failures=0)
        groups = self._read(driver)
        planned = self._plan(groups, goal)
        self.bind(layout_digest(groups), goal)
        if not self.wrote:
            self._note(
                *changes(self.job, self.memory, self._applied, who, groups, right=not planned.steps)
            )
        self._look_for_parents(groups)
        if not planned.steps and not goal.matches_stored(self.job.applied):
            # What a run wrote that was lost with its manager may not have been saved either.
            self.memory = evolve(self.memory, unsaved=True)
        if planned.steps:
            if not self.wrote:  # something changes, so what could not be deleted is tried again
                self.memory = evolve(self.memory, undeletable=())
                self._planned = planned
            who = driver.identify()
            self.memory = self.memory.with_serial(who)
            if who.replicating and not self.dry:
                raise Replicating(self.job.settings.name)
            planned = self._weigh(driver, self._plan(groups, goal), who, groups, goal)
        if not self.wrote:  # later plans are only what was left of the first
            requests = len(driver.portions(planned.steps))
            self._planned = evolve(planned, requests=requests)
        if self.dry:
            return Brought(version=who.version, diff=planned.diff())
        if planned.steps:
            groups = self._push(driver, planned.steps, goal, report)
        self._look_for_serial(driver)
        self._look_for_use(driver)
        saved = self._save(driver, report)
        self.memory = evolve(
            self.memory,
            layout=layout_digest(groups),
            version=who.version or self.memory.version,
            started_at=who.started_at,
            test_entry=None,
        )
        return Brought(version=who.version, saved=saved)

    def _plan(self, groups: Mapping[str, Group], goal: Goal) -> Planned:
        planned = plan_for(
            self.job,
            groups,
            goal,
            self.memory.undeletable,
            taken=self._lessons.taken,
            limit=self._lessons.limit,
            ceiling=self._lessons.ceiling,
            serials=self.memory.serials,
            begun=self.wrote,
        )
        self.found(planned.risks)
        raised = planned.raised(self.asa)
        self._note(raised)
        return planned

    def _read(self, driver: AsaDriver) -> Mapping[str, Group]:
        groups = driver.read_groups(self.asa.prefix)
        self.memory = evolve(self.memory, groups=tuple(sorted(groups)[:GROUPS_KEPT]))
        self._lessons.saw(groups)
        return groups

    def _look_for_serial(self, driver: AsaDriver) -> None:
        """Which device is it?  Asked once, where nothing had to be changed since that is known of devices."""
        if not self.memory.serials:
            with suppress(DeviceFault):  # the next run asks again
                self.memory = self.memory.with_serial(driver.identify())

    def _look_for_use(self, driver: AsaDriver) -> None:
        """Does an access-list use them by now?"""
        if not self.memory.unused:
            return
        try:
            text = driver.running_config(self.asa.prefix).text
        except DeviceFault:
            return  # the next run looks again
        left = still_unused(text, self.asa.prefix, self.memory.unused)
        self.memory = evolve(
            self.memory, unused=left, never_used=self.memory.never_used and bool(left)
        )

    def _weigh(
        self,
        driver: AsaDriver,
        planned: Planned,
        who: Identity,
        groups: Mapping[str, Group],
        goal: Goal,
    ) -> Planned:
        """
        The plan as the device's agent bears it, where the rest of its configuration counts too.
        """
        planned, others = evolve(planned, budget=who.budget_bytes), 0
        if needs_full_configuration(planned, who) and who.budget_bytes is not None:
            before = planned.plan.estimate.bytes_before
            others = max(0, driver.running_config(self.asa.prefix).size - before)
            room = max(0, who.budget_bytes - others)
            made = plan_for(
                self.job,
                groups,
                goal,
                self.memory.undeletable,
                taken=self._lessons.taken,
                limit=self._lessons.limit,
                ceiling=self._lessons.ceiling,
                room=room,
                serials=self.memory.serials,
                begun=self.wrote,
            )
            planned = evolve(made, budget=who.budget_bytes)
        first = not self.wrote and (self.job.applied is None or self.job.applied.purged)
        writes = sum(map(len, driver.portions(planned.steps)))
        for warning, risk in (
            check_budget(planned, who, others),
            check_length(planned, writes, first=first),
        ):
            if risk is not None:
                self.found((risk,))
                refuse(self.job, (risk,))
            elif warning is not None:
                self._note(warning)
        return planned

    def _push(
        self, driver: AsaDriver, steps: Sequence[Step], goal: Goal, report: Report
    ) -> Mapping[str, Group]:
        portions = driver.portions(steps)
        for number, portion in enumerate(portions):
            self.go_on()
            report(Progress(phase="push", text="changing groups", done=number, total=len(portions)))
            self.wrote = True
            self.memory = evolve(self.memory, unsaved=True)
            self._leave(self._deletions.apply(driver, portion, self._lessons))
            self._lessons.did(portion)
        total = len(portions)
        report(Progress(phase="push", text="groups changed", done=total, total=total))
        self.go_on()
        report(Progress(phase="read back", text="comparing the device's groups"))
        groups = self._read(driver)
        left = self._plan(groups, goal).steps
        for one in self._deletions.undone(left):
            self._leave(one)
        return groups

    def _leave(self, left: Left | None) -> None:
        """A group stays on the device and in no later plan."""
        if left is not None:
            kept = dict.fromkeys((*self.memory.undeletable, left.group))
            self.memory = evolve(self.memory, undeletable=tuple(kept))
            self._note(str(left))

    def _note(self, *notes: str) -> None:
        self.notes.update(dict.fromkeys(one for one in notes if one))

    def _save(self, driver: AsaDriver, report: Report) -> bool:
        if not (self.memory.unsaved and self.job.node.policy.save_config):
            return False
        self.go_on()
        report(Progress(phase="save", text="saving the device's configuration"))
        try:
            driver.save()
        except SaveFailed as fault:  # the policy is in force; the next run saves again
            self._note(str(fault))
            return False
        self.memory = evolve(self.memory, unsaved=False)
        return True

    def _note_certificate(self, driver: AsaDriver) -> None:
        """That another certificate was accepted, where it was."""
        accepted = accepted_certificate({"driver": self.memory.driver}, driver, self.job.consent)
        if accepted is not None:
            self.found((accepted,))

    def _look_for_parents(self, groups: Mapping[str, Group]) -> None:
        """Parents that the device has not, or no more: no access-list can use them."""
        first = self.job.applied is None
        if self.wrote or (first and self.dry):
            return
        absent = absent_parents(self.asa.prefix, groups)
        unused = tuple(dict.fromkeys((*self.memory.unused, *absent)))
        never = self.memory.never_used or (first and bool(absent))
        self.memory = evolve(self.memory, unused=unused, never_used=never)
