"""
Operations on what was counted.
"""

from tscm.model import Json
from tscm.operations.arguments import Asked, AskedOfSeveral, Device
from tscm.operations.operation import Needs, Operation

REPORT: Operation[Asked, Json] = Operation(
    answer=Json,
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

REPORT_SEVERAL: Operation[AskedOfSeveral, Json] = Operation(
    answer=Json,
    name="report_several",
    room="events",
    verb="POST",
    path="/v1/report",
    args=AskedOfSeveral,
    needs=Needs.FILES,
    noun="a report",
    long=True,
)
"""What the lists did on several devices together, and on each of them: `{rows, hits, lines, …, devices}`."""

REBUILD_EVENTS: Operation[Device, Json] = Operation(
    answer=Json,
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
