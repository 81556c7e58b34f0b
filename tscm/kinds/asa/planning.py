"""
The plan of a run: what the planner says, and what the device bears.

Pure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from attrs import frozen

from tscm.errors import PolicyRefused
from tscm.kinds.asa.capacity import GroupsFull, most_entries, size_for
from tscm.kinds.asa.driver import CreateGroup, DeleteGroup, Group, Step
from tscm.kinds.asa.groups import parent_name
from tscm.kinds.asa.owner import find_owner, mark
from tscm.kinds.asa.plan import Desired, Plan, make_plan
from tscm.kinds.asa.platforms import push_seconds
from tscm.kinds.asa.settings import AsaSettings, asa
from tscm.model import Identity
from tscm.risks import Risk, RiskFound
from tscm.update.figures import Edits, PlanDiff, PlanFigures
from tscm.update.goal import Goal
from tscm.update.job import UpdateJob

NAMES_KEPT = 100
LONG_SECONDS = 7200.0
_LOOK_CLOSER = 0.5
"""Above this share of the budget the rest of the configuration is worth reading."""


@frozen(kw_only=True, eq=False)
class Planned:
    """
    A plan and its figures.
    """

    plan: Plan
    requests: int = 0
    budget: int | None = None
    """Bytes of running configuration that the device's agent bears, where known."""
    undeletable: frozenset[str] = frozenset()
    risks: tuple[RiskFound, ...] = ()
    """What was found and is accepted, or only looked for."""

    notes: tuple[str, ...] = ()
    """What was found out about the groups' owner."""

    @property
    def steps(self) -> Sequence[Step]:
        """What is to be done, in order, without what the device will not do."""
        return [
            step
            for step in self.plan.steps
            if not (isinstance(step, DeleteGroup) and step.group in self.undeletable)
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know before."""
        return (*self.notes, *self.plan.notes)

    @property
    def figures(self) -> PlanFigures:
        """The plan in numbers."""
        plan = self.plan
        return PlanFigures(
            steps=len(self.steps),
            requests=self.requests,
            added=len(plan.block.added) + len(plan.allow.added),
            removed=len(plan.block.removed) + len(plan.allow.removed),
            groups_made=_names(self.steps, CreateGroup),
            groups_deleted=_names(self.steps, DeleteGroup),
            summary=plan.summary,
            bytes_before=plan.estimate.bytes_before,
            bytes_after=plan.estimate.bytes_after,
            budget=self.budget,
        )

    def raised(self, settings: AsaSettings) -> str:
        """That children are larger than the Object-Group Size, where the parent could not hold so many; else empty."""
        wished = settings.object_group_size
        size, kind = max((size, kind) for kind, size in self.plan.sizes.items())
        if size <= wished:
            return ""
        return (
            f"children of {wished:,} would be more than the device takes in {parent_name(settings.prefix, kind)}, so they "
            f"hold up to {size:,}; `tsadmin configure {settings.name} --object_group_size {size}`"
        )

    def diff(self) -> PlanDiff:
        """Every entry that comes and goes, by list."""
        block, allow = self.plan.block, self.plan.allow
        return PlanDiff(
            block=Edits(added=tuple(block.added), removed=tuple(block.removed)),
            allow=Edits(added=tuple(allow.added), removed=tuple(allow.removed)),
        )


def _names(steps: Sequence[Step], kind: type[CreateGroup] | type[DeleteGroup]) -> tuple[str, ...]:
    names = (one.group for one in steps if isinstance(one, kind))
    return tuple(islice(names, NAMES_KEPT))


def plan_for(
    job: UpdateJob,
    groups: Mapping[str, Group],
    goal: Goal,
    undeletable: Iterable[str] = (),
    *,
    taken: Collection[str] = (),
    limit: int | None = None,
    ceiling: int | None = None,
    room: int | None = None,
    serials: Collection[str] = (),
    begun: bool = False,
) -> Planned:
    """
    From the device's *groups* to *goal*, within *room* bytes if it can be, without the *taken*
    names, with *limit* members in a group at most, or up to *ceiling* where they do not fit otherwise.  *serials* and *begun* are as in `find_owner`.

    Raises `OwnedByAnother` unless that is accepted, and `PolicyRefused` where the groups cannot hold all.
    """
    settings = asa(job.settings)

    def made(limit: int | None) -> Plan:
        desired = Desired(
            prefix=settings.prefix,
            block=goal.block,
            allow=goal.allow,
            size=settings.object_group_size,
            mark=mark(job.owner),
            limit=limit,
            enough=1 if limit is None else size_for(settings.max_policy_size, limit) or 1,
        )
        return make_plan(groups, desired, taken=taken, room=room)

    try:
        plan = made(limit)
    except GroupsFull as error:
        try:
            if ceiling is None or ceiling <= error.limit:
                raise
            plan = made(ceiling)
        except GroupsFull as last:
            raise PolicyRefused(settings.name, [_full(settings, last)]) from None
    risk, notes = find_owner(job, groups, serials, begun=begun)
    return Planned(
        plan=plan,
        notes=notes,
        undeletable=frozenset(undeletable),
        risks=() if risk is None else (risk,),
    )


def _full(settings: AsaSettings, error: GroupsFull) -> str:
    """Why the policy does not fit, with what helps."""
    most = most_entries(error.limit)
    if settings.max_policy_size > most:
        return (
            f"{error}; lower Max Policy Size, which is {settings.max_policy_size:,}: "
            f"`tsadmin configure {settings.name} --max_policy_size {most}`"
        )
    return (
        f"{error}, because its children are only partly filled: run `tsadmin purge {settings.name}`, then "
        f"`tsadmin update {settings.name}`, which fills them again; nothing is blocked in between"
    )


def needs_full_configuration(planned: Planned, who: Identity) -> bool:
    """Is the plan large enough for the rest of the configuration to matter?"""
    budget = who.budget_bytes
    return budget is not None and planned.plan.estimate.bytes_peak > _LOOK_CLOSER * budget


def check_length(
    planned: Planned, writes: int, *, first: bool
) -> tuple[str | None, RiskFound | None]:
    """
    A warning where the push takes hours in so many *writes*, by the platform's figures; the risk where it
    is the *first* load, for which an operator waits.
    """
    cost = planned.plan.estimate
    seconds = push_seconds(writes, cost.bytes_before, cost.bytes_after, planned.budget)
    if seconds < LONG_SECONDS:
        return None, None
    reason = (
        "by the figures of its platform the push takes about "
        f"{round(seconds / 3600):,} hours in {writes:,} writes; a larger Object-Group Size "
        "or a smaller Max Policy Size needs fewer"
    )
    return (None, RiskFound(risk=Risk.LONG, sentence=reason)) if first else (reason, None)


def check_budget(
    planned: Planned, who: Identity, others_bytes: int = 0
) -> tuple[str | None, RiskFound | None]:
    """
    A warning where the plan gets near to what the device's agent bears, or the risk where it ends over that.
    """
    if who.budget_bytes is None:
        return None, None
    cost = planned.plan.estimate
    reason = cost.over(who.budget_bytes, others_bytes)
    over = cost.bytes_after + others_bytes > who.budget_bytes
    if reason and over and cost.bytes_after > cost.bytes_before:
        return None, RiskFound(risk=Risk.BUDGET, sentence=reason)
    return reason, None
