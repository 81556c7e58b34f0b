"""
Operations on jobs and the audit.
"""

from tscm.operations.answers import Audit
from tscm.operations.arguments import Audited, JobNumber, Nothing
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Needs, Operation

JOBS: Operation[Nothing, tuple[JobFigures, ...]] = Operation(
    answer=tuple[JobFigures, ...],
    name="jobs",
    room="jobs",
    verb="GET",
    path="/v1/jobs",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of jobs",
)
"""Long calls that wait or run, and the last that ended."""

JOB: Operation[JobNumber, JobFigures] = Operation(
    answer=JobFigures,
    name="job",
    room="jobs",
    verb="GET",
    path="/v1/jobs/<id>",
    args=JobNumber,
    needs=Needs.MANAGER,
    noun="the state of a job",
)
"""One job."""

WITHDRAW: Operation[JobNumber, JobFigures] = Operation(
    answer=JobFigures,
    name="withdraw",
    room="jobs",
    verb="POST",
    path="/v1/jobs/<id>/withdraw",
    args=JobNumber,
    needs=Needs.MANAGER,
    noun="withdrawing a job",
)
"""Withdraw a job that has not begun."""

STOP_JOB: Operation[JobNumber, JobFigures] = Operation(
    answer=JobFigures,
    name="stop_job",
    room="jobs",
    verb="POST",
    path="/v1/jobs/<id>/stop",
    args=JobNumber,
    needs=Needs.MANAGER,
    noun="stopping a job",
)
"""End an update, plan or rollback in progress after the request in progress."""

AUDIT: Operation[Audited, Audit] = Operation(
    answer=Audit,
    name="audit",
    room="jobs",
    verb="GET",
    path="/v1/audit",
    args=Audited,
    needs=Needs.STORE,
    noun="the audit",
)
"""`{entries}`: who did what, when, and with what outcome."""
