"""
What pages ask of the roll-ups, and how the answers become charts.
"""

from collections.abc import Sequence

from attrs import frozen

from tscm.events.answers import SeveralReport
from tscm.faces.web.asking import Latest
from tscm.faces.web.desk import Desk
from tscm.faces.web.views.charts import Chart, chart
from tscm.model import Json
from tscm.operations.arguments import AskedOfSeveral
from tscm.operations.table.events import REPORT_SEVERAL

FRESH_SECONDS = 30.0
_ALL = 100_000


@frozen
class Hours:
    """Blocked and allowed by the hour, and the totals of both."""

    chart: Chart
    blocked: int
    allowed: int


async def reported(
    desk: Desk, devices: Sequence[str], options: Json, *, fresh: float = FRESH_SECONDS
) -> Latest[SeveralReport]:
    """The report over *devices*, or over all where none is named."""
    key = tuple(devices), tuple(sorted((name, str(value)) for name, value in options.items()))
    asked = AskedOfSeveral(devices=tuple(devices), options=options)
    return await desk.asking.latest(REPORT_SEVERAL, asked, fresh=fresh, key=key)


async def by_hour(
    desk: Desk, devices: Sequence[str], options: Json, *, fresh: float = FRESH_SECONDS
) -> Hours | None:
    """The picture of a question; None where nothing is known.  *options* have `since` and `until`."""
    asked = {**options, "by": "hour,action", "top": _ALL}
    latest = await reported(desk, devices, asked, fresh=fresh)
    if latest.value is None:
        return None
    found: dict[str, dict[int, int]] = {"blocked": {}, "allowed": {}}
    for row in latest.value.rows:
        found[row["action"]][int(row["hour"])] = int(row["hits"])
    blocked, allowed = found["blocked"], found["allowed"]
    return Hours(
        chart(blocked, allowed, float(options["since"]), float(options["until"])),
        sum(blocked.values()),
        sum(allowed.values()),
    )
