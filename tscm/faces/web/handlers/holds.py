"""
Hold the scheduled updates of a device, and resume them.
"""

from datetime import UTC, datetime

from tscm.base.time_words import read_end
from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import fleet
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.holds import HoldRow, Holds
from tscm.faces.web.views.states import badge
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.operations.arguments import Device, Holding
from tscm.operations.table.policies import HOLD, RESUME
from tscm.standing import Row

_WORDS = (
    "updates are held",
    "updates are paused",
    "password was rejected",
    "gave up after",
    "groups were removed",
)


@page(path="/holds", role=Role.VIEWER)
async def holds(desk: Desk, visit: Visit) -> Answer:
    """Every device to which nothing is pushed by itself."""
    return await _page(desk, visit)


def held_because(row: Row) -> str:
    """Why the schedule pushes nothing to a device; empty where it does."""
    return next((cause for cause in row.causes if any(word in cause for word in _WORDS)), "")


async def _page(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await fleet(desk)
    rows = found.value or ()
    view = Holds(
        rows=tuple(
            HoldRow(name=row.name, badge=badge(row.verdict), sentence=held_because(row))
            for row in rows
            if held_because(row)
        ),
        names=tuple(sorted(row.name for row in rows)),
        may_act=visit.role >= Role.OPERATOR,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        device=visit.text("device")[:64],
        until=visit.text("until")[:40],
        reason=visit.text("reason")[:300],
    )
    return Page(view=view, title="Holds", status=status)


@page(path="/holds", role=Role.OPERATOR, method="POST")
async def hold(desk: Desk, visit: Visit) -> Answer:
    """No scheduled updates until a time, or until they are resumed."""
    name, reason, until = visit.text("device"), visit.text("reason"), visit.text("until")
    here = datetime.fromtimestamp(visit.now, UTC).astimezone()
    try:
        if not reason:
            raise Faulty("a reason is needed: it is shown wherever the hold is")
        end = read_end(until, here) if until else None
        held = await desk.asking.ask(HOLD, Holding(name=name, until=end, reason=reason), visit.user)
    except (ValueError, TscmError) as error:
        return await _page(desk, visit, str(error), 400)
    return Redirect(to="/holds", notice=f"{held.sentence[0].upper()}{held.sentence[1:]}.")


@page(path="/devices/<name>/resume", role=Role.OPERATOR, method="POST")
async def resume(desk: Desk, visit: Visit) -> Answer:
    """Scheduled updates again."""
    name = visit.parts["name"]
    await desk.asking.ask(RESUME, Device(name=name), visit.user)
    return Redirect(to=f"/devices/{name}", notice=f"Updates of {name} run by themselves again.")
