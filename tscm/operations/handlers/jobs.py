"""
Operations on jobs, and on the audit of what was done.
"""

from tscm.manager.node import Node
from tscm.operations.answers import Audit
from tscm.operations.arguments import Audited, JobNumber, Nothing
from tscm.operations.call import Call
from tscm.operations.job_figures import JobFigures
from tscm.operations.registry import handles
from tscm.operations.table import jobs as table
from tscm.store.audits import Audits

MOST_AUDITED = 100_000


@handles(table.JOBS)
def jobs(node: Node, args: Nothing, call: Call) -> tuple[JobFigures, ...]:
    """The jobs since the manager's start, the oldest first."""
    del args, call
    return tuple(job.figures() for job in node.jobs)


@handles(table.JOB)
def job(node: Node, args: JobNumber, call: Call) -> JobFigures:
    """One job."""
    del call
    return node.jobs.job(args.id).figures()


@handles(table.WITHDRAW)
def withdraw(node: Node, args: JobNumber, call: Call) -> JobFigures:
    """Withdraw a job that has not begun."""
    del call
    return node.jobs.withdraw(args.id).figures()


@handles(table.STOP_JOB)
def stop(node: Node, args: JobNumber, call: Call) -> JobFigures:
    """End a job in progress at the next safe point; its own entry in the audit says who wanted that."""
    return node.jobs.stop(args.id, str(call.actor)).figures()


@handles(table.AUDIT)
def audit(node: Node, args: Audited, call: Call) -> Audit:
    """The latest entries of the audit; read in the reactor, therefore not all that are asked for."""
    del call
    top = max(1, min(args.top, MOST_AUDITED))
    entries = Audits(node.store).latest(args.device, args.since, top)
    return Audit(entries=tuple(entries))
