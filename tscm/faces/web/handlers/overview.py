"""
The first page.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from tscm.events.answers import SeveralReport
from tscm.faces.web.asking import Latest
from tscm.faces.web.desk import Desk
from tscm.faces.web.hits import FRESH_SECONDS, by_hour, reported
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.fleet import device_line, state_counts
from tscm.faces.web.views.overview import NEEDS_SHOWN, Overview, TopList, TopRow
from tscm.faces.web.visit import Answer, Page, Visit
from tscm.model import Json
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.table.fleet import FLEET
from tscm.operations.table.manager import LEDGER
from tscm.operations.table.senders import SENDERS
from tscm.standing import Row, Verdict

_DAY = 86400.0
_TOP = 5
_TOPS = (("list", "Lists"), ("inside", "Inside hosts"), ("outside", "Listed addresses"))


def rounded(now: float, step: float = FRESH_SECONDS) -> float:
    """*now* for a question that many ask: the same for all of them within *step* seconds."""
    return now // step * step


@page(path="/", role=Role.VIEWER)
async def overview(desk: Desk, visit: Visit) -> Answer:
    """Needs you, how the devices stand, what was blocked."""
    fleet = await desk.asking.latest(FLEET, Nothing())
    rows = fleet.value or ()
    ledger = await desk.asking.latest(LEDGER, Balanced(), fresh=5)
    senders = await desk.asking.latest(SENDERS, Nothing(), fresh=5)
    now = rounded(visit.now)
    week = await by_hour(desk, (), {"since": now - 7 * _DAY, "until": now}) if rows else None
    day: Json = {"since": now - _DAY, "until": now}
    tops, actions, hosts = [], None, None
    if rows:
        actions = (await reported(desk, (), {**day, "by": "action"})).value
        for by, title in _TOPS:
            found = await reported(desk, (), {**day, "by": by, "action": "blocked", "top": _TOP})
            tops.append(_top(title, by, found))
            if by == "inside" and found.value is not None:
                hosts = found.value.groups
    needing = [row for row in rows if row.verdict not in (Verdict.OK, Verdict.NEW)]
    view = Overview(
        known=fleet.value is not None,
        fault=fleet.fault or "",
        at=fleet.at,
        total=len(rows),
        needs=tuple(device_line(row, None) for row in needing[:NEEDS_SHOWN]),
        needs_more=max(0, len(needing) - NEEDS_SHOWN),
        counts=state_counts(rows),
        balanced=None if ledger.value is None else ledger.value.balanced,
        strangers=None if senders.value is None else len(senders.value),
        strange_lines=sum(one.lines for one in senders.value or ()),
        oldest_policy=_oldest(rows),
        blocked=_hits(actions, "blocked"),
        allowed=_hits(actions, "allowed"),
        inside_hosts=hosts,
        chart=None if week is None else week.chart,
        tops=tuple(tops),
        since_href="/reports?since=7d&by=hour",
    )
    return Page(view=view, title="Overview")


def _oldest(rows: Sequence[Row]) -> float | None:
    ages = [row.good_update_age_seconds for row in rows]
    return max((age for age in ages if age is not None), default=None)


def _hits(actions: SeveralReport | None, action: str) -> int | None:
    if actions is None:
        return None
    return sum(int(row["hits"]) for row in actions.rows if row["action"] == action)


def _top(title: str, by: str, latest: Latest[SeveralReport]) -> TopList:
    found = () if latest.value is None else latest.value.rows
    most = max((int(row["hits"]) for row in found), default=0)
    rows = tuple(
        TopRow(
            value=str(row[by]),
            hits=int(row["hits"]),
            href="/reports?" + urlencode({"since": "24h", "action": "blocked", by: str(row[by])}),
            share=round(100 * int(row["hits"]) / most) if most else 0,
        )
        for row in found
    )
    return TopList(title=title, rows=rows, href=f"/reports?since=24h&action=blocked&by={by}")
