"""
Operations on scheduled reports: list them, send one now.
"""

from tscm.manager.node import Node, parts
from tscm.operations.arguments import Nothing, ReportNamed
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.table import reports as table
from tscm.reports.answers import ReportSent, ReportStanding


@handles(table.REPORTS)
def reports(node: Node, args: Nothing, call: Call) -> tuple[ReportStanding, ...]:
    """All schedules."""
    del args, call
    return parts(node).reports().standing()


@handles(table.SEND_REPORT)
async def send(node: Node, args: ReportNamed, call: Call) -> ReportSent:
    """Send one now; its next time stays as it is."""
    del call
    answer = await parts(node).reports().send(args.report)
    return ReportSent(
        report=args.report, answer=answer, sentence=f"{args.report} was sent: {answer}"
    )
