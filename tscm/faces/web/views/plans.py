"""
A plan, and the job that pushes it.
"""

from typing import ClassVar

from attrs import frozen

from tscm.faces.web.planned import Planned
from tscm.faces.web.views.device import ListRow, list_rows
from tscm.faces.web.views.states import Badge, job_badge
from tscm.operations.job_figures import JobFigures, JobState
from tscm.risks import RiskFound
from tscm.update.figures import PlanDiff, UpdateRecord

ENTRIES_SHOWN = 500


@frozen(kw_only=True)
class Change:
    """Entries that come, or go."""

    kind: str
    plus: bool
    entries: tuple[str, ...]
    more: int


@frozen(kw_only=True)
class Figure:
    """A number of the plan."""

    name: str
    value: int | None
    key: str


@frozen(kw_only=True)
class Plan:
    """What an update would change."""

    TEMPLATE: ClassVar[str] = "plan.html"

    device: str
    by: str
    asked_at: float
    key: str
    under_way: bool
    error: str
    sentence: str
    figures: tuple[Figure, ...]
    lists: tuple[ListRow, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    risks: tuple[RiskFound, ...]
    findings: tuple[str, ...]
    plan_id: str
    """Empty where there is nothing to push."""
    may_push: bool
    fault: str = ""
    reason: str = ""


def plan_view(made: Planned, *, may_push: bool, fault: str = "", reason: str = "") -> Plan:
    """The plan as far as it is there."""
    record = made.outcome or UpdateRecord()
    plan = record.plan
    figures: tuple[Figure, ...] = ()
    if plan is not None:
        figures = (
            Figure(name="entries to add", value=plan.added, key="added"),
            Figure(name="entries to remove", value=plan.removed, key="removed"),
            Figure(name="requests", value=plan.requests, key="requests"),
            Figure(name="group bytes before", value=plan.bytes_before, key="bytes_before"),
            Figure(name="group bytes after", value=plan.bytes_after, key="bytes_after"),
        )
        if plan.budget is not None:
            figures += (Figure(name="bytes the agent supports", value=plan.budget, key="budget"),)
    pushable = made.error is None and plan is not None and plan.steps > 0
    return Plan(
        device=made.device,
        by=made.by,
        asked_at=made.asked_at,
        key=made.key,
        under_way=made.under_way,
        error=made.error or "",
        sentence=made.sentence,
        figures=figures,
        lists=list_rows(record),
        changes=_changes(record.diff or PlanDiff()),
        notes=record.notes,
        warnings=record.warnings,
        risks=record.risks,
        findings=record.findings[:ENTRIES_SHOWN],
        plan_id=(record.plan_id or "") if pushable else "",
        may_push=may_push,
        fault=fault,
        reason=reason,
    )


def _changes(diff: PlanDiff) -> tuple[Change, ...]:
    found = []
    for kind, edits in (("block", diff.block), ("allow", diff.allow)):
        for plus, entries in ((True, edits.added), (False, edits.removed)):
            if entries:
                found.append(
                    Change(
                        kind=kind,
                        plus=plus,
                        entries=tuple(map(str, entries[:ENTRIES_SHOWN])),
                        more=max(0, len(entries) - ENTRIES_SHOWN),
                    )
                )
    return tuple(found)


@frozen(kw_only=True)
class JobLine:
    """A job."""

    number: int
    operation: str
    device: str
    actor: str
    badge: Badge
    asked_at: float
    begun_at: float | None
    ended_at: float | None
    doing: str
    done: int | None
    of: int | None
    queued: bool
    stoppable: bool
    stopped_by: str
    over: bool


@frozen(kw_only=True)
class Jobs:
    """What the manager is doing, and did last."""

    TEMPLATE: ClassVar[str] = "jobs.html"

    rows: tuple[JobLine, ...]
    fault: str
    at: float


@frozen(kw_only=True)
class Job:
    """One job."""

    TEMPLATE: ClassVar[str] = "job.html"

    job: JobLine
    may_act: bool
    fault: str
    at: float


def job_line(job: JobFigures) -> JobLine:
    """A job as it is shown."""
    progress = job.progress
    doing = job.sentence or ""
    if job.waits_for:
        doing = f"waiting: {job.waits_for}"
    elif job.state is JobState.RUNNING and progress is not None:
        doing = f"{progress.phase}: {progress.text}"
    counted = job.state is JobState.RUNNING and progress is not None and bool(progress.total)
    return JobLine(
        number=job.number,
        operation=job.operation.replace("_", " "),
        device=job.device or "",
        actor=job.actor,
        badge=job_badge(job.state),
        asked_at=job.asked_at,
        begun_at=job.begun_at,
        ended_at=job.ended_at,
        doing=doing,
        done=progress.done if counted and progress is not None else None,
        of=progress.total if counted and progress is not None else None,
        queued=job.state is JobState.QUEUED,
        stoppable=job.stoppable and not job.stopped_by,
        stopped_by=job.stopped_by if job.state is JobState.RUNNING else "",
        over=job.state in {JobState.DONE, JobState.FAILED, JobState.WITHDRAWN},
    )
