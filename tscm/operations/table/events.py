"""
Operations on what was counted.
"""

from tscm.events.answers import EventReport, Recount, SeveralReport
from tscm.operations.arguments import Asked, AskedOfSeveral, Device
from tscm.operations.operation import Needs, Operation

REPORT: Operation[Asked, EventReport] = Operation(
    answer=EventReport,
    name="report",
    room="events",
    verb="POST",
    path="/v1/devices/<name>/report",
    args=Asked,
    needs=Needs.FILES,
    noun="a report",
    long=True,
)
"""What the lists did on a device."""

REPORT_SEVERAL: Operation[AskedOfSeveral, SeveralReport] = Operation(
    answer=SeveralReport,
    name="report_several",
    room="events",
    verb="POST",
    path="/v1/report",
    args=AskedOfSeveral,
    needs=Needs.FILES,
    noun="a report",
    long=True,
)
"""What the lists did on several devices together, and on each of them."""

REBUILD_EVENTS: Operation[Device, Recount] = Operation(
    answer=Recount,
    name="rebuild_events",
    room="events",
    verb="POST",
    path="/v1/devices/<name>/events/rebuild",
    args=Device,
    needs=Needs.MANAGER,
    noun="a recount of events",
    long=True,
    changes=True,
)
"""Recount a device's events from the log that is still on disk."""
