"""
Operations on scheduled reports.
"""

from tscm.operations.arguments import Nothing, ReportNamed
from tscm.operations.operation import Needs, Operation
from tscm.reports.answers import ReportSent, ReportStanding

REPORTS: Operation[Nothing, tuple[ReportStanding, ...]] = Operation(
    answer=tuple[ReportStanding, ...],
    name="reports",
    room="reports",
    verb="GET",
    path="/v1/reports",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of scheduled reports",
)
"""When each scheduled report is due, and how the last one went."""

SEND_REPORT: Operation[ReportNamed, ReportSent] = Operation(
    answer=ReportSent,
    name="send_report",
    room="reports",
    verb="POST",
    path="/v1/reports/send",
    args=ReportNamed,
    needs=Needs.MANAGER,
    noun="sending a report",
    long=True,
    changes=True,
)
"""Send a scheduled report now, for the time that it covered last."""
