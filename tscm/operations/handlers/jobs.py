"""
Operations on jobs, and on the audit of what was done.
"""

from tscm.manager.node import Node
from tscm.model import Json
from tscm.operations.arguments import Audited, JobNumber, Nothing
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.table import jobs as table
from tscm.store.audits import Audits
from tscm.wire.writing import as_json

MOST_AUDITED = 100_000


@handles(table.JOBS)
def jobs(node: Node, args: Nothing, call: Call) -> list[Json]:
    """The jobs since the manager's start, the oldest first."""
    del args, call
    return [job.as_json() for job in node.jobs]


@handles(table.JOB)
def job(node: Node, args: JobNumber, call: Call) -> Json:
    """One job."""
    del call
    return node.jobs.job(args.id).as_json()


@handles(table.WITHDRAW)
def withdraw(node: Node, args: JobNumber, call: Call) -> Json:
    """Withdraw a job that has not begun."""
    del call
    return node.jobs.withdraw(args.id).as_json()


@handles(table.AUDIT)
def audit(node: Node, args: Audited, call: Call) -> Json:
    """The latest entries of the audit; read in the reactor, therefore not all that are asked for."""
    del call
    top = max(1, min(args.top, MOST_AUDITED))
    entries = Audits(node.store).latest(args.device, args.since, top)
    return {"entries": [as_json(one) for one in entries]}
