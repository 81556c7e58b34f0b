"""
All devices, and one of them: how it stands, its policy, its hits, its chain.
"""

from tscm.faces.web.asking import Latest
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import fleet, row_of
from tscm.faces.web.handlers.holds import held_because
from tscm.faces.web.handlers.overview import rounded
from tscm.faces.web.hits import by_hour, reported
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.device import (
    Checks,
    Head,
    Hits,
    Now,
    Policy,
    generation_rows,
    lights,
    links,
    list_rows,
    log_pairs,
    policy_pairs,
    reader_rows,
    run_rows,
)
from tscm.faces.web.views.fleet import (
    PAGE_ROWS,
    Devices,
    chosen,
    device_line,
    shown_words,
    state_counts,
)
from tscm.faces.web.views.states import badge
from tscm.faces.web.visit import Answer, Page, Redirect, Visit
from tscm.operations.answers import DeviceView
from tscm.operations.arguments import Device
from tscm.operations.table.devices import VIEW
from tscm.operations.table.policies import HISTORY
from tscm.standing import ORDER
from tscm.state import DeviceState
from tscm.update.figures import UpdateFigures

_DAY = 86400.0


@page(path="/devices", role=Role.VIEWER)
async def devices(desk: Desk, visit: Visit) -> Answer:
    """All of them, a hundred a page, the worst first."""
    found = await fleet(desk)
    rows = found.value or ()
    name, state = visit.text("name")[:64], visit.text("state")
    state = state if state in set(ORDER) else ""
    fitting = chosen(rows, name, state)
    number = visit.text("page", "1")
    first = (int(number) - 1 if number.isdecimal() and len(number) < 6 else 0) * PAGE_ROWS
    first = max(0, min(first, (len(fitting) - 1) // PAGE_ROWS * PAGE_ROWS))
    shown = fitting[first : first + PAGE_ROWS]
    now = rounded(visit.now)
    blocked = None
    if rows:
        day = {"since": now - _DAY, "until": now, "action": "blocked", "by": "action"}
        hits = (await reported(desk, (), day)).value
        if hits is not None:
            blocked = {one.device: one.hits for one in hits.devices}
    here = first // PAGE_ROWS + 1
    view = Devices(
        rows=tuple(device_line(row, blocked) for row in shown),
        counts=state_counts(rows),
        total=len(rows),
        shown=shown_words(first, len(shown), len(fitting), len(rows)),
        name=name,
        state=state,
        states=tuple(str(one) for one in reversed(ORDER)),
        fault=found.fault or "",
        at=found.at,
        before=visit.at(page=str(here - 1), live=None) if first else "",
        after=(visit.at(page=str(here + 1), live=None) if first + PAGE_ROWS < len(fitting) else ""),
    )
    return Page(view=view, title="Devices")


async def seen(
    desk: Desk, visit: Visit, tab: str, *, fresh: float = 1.0
) -> tuple[Head, Latest[DeviceView]]:
    """What stands above each tab.  Raises `NotHere` for a device that the manager does not know."""
    rows = await fleet(desk)
    name = visit.parts["name"]
    row = row_of(rows.value or (), name) if rows.value is not None else None
    found = await desk.asking.latest(VIEW, Device(name=name), fresh=fresh)
    policy = _state(found).policy
    settings = {} if found.value is None else found.value.settings
    address = settings.get("device") or settings.get("endpoint") or ""
    head = Head(
        name=name if row is None else row.name,
        badge=None if row is None else badge(row.verdict),
        causes=() if row is None else row.causes,
        address=str(address),
        tab=tab,
        fault=found.fault or "",
        at=found.at,
        held="" if row is None else held_because(row),
        may_resume=visit.role >= Role.OPERATOR,
        under_way=_under_way(policy),
    )
    return head, found


def _state(found: Latest[DeviceView]) -> DeviceState:
    return (None if found.value is None else found.value.state) or DeviceState()


def _under_way(policy: UpdateFigures) -> str:
    return (policy.progress or "an update is in progress") if policy.running_since else ""


@page(path="/devices/<name>", role=Role.VIEWER)
async def now(desk: Desk, visit: Visit) -> Answer:
    """How it stands."""
    head, found = await seen(desk, visit, "")
    state = _state(found)
    view = Now(
        head=head,
        lights=lights(state, desk.now()),
        lists=list_rows(state.policy.last_good or state.policy.last_update),
        readers=reader_rows(state),
        pairs=tuple(policy_pairs(state.policy)),
        log=tuple(log_pairs(state)),
    )
    return Page(view=view, title=head.name)


@page(path="/devices/<name>/policy", role=Role.VIEWER)
async def policy(desk: Desk, visit: Visit) -> Answer:
    """What was applied when."""
    head, found = await seen(desk, visit, "policy")
    last = _state(found).policy.last_update
    history = await desk.asking.latest(HISTORY, Device(name=head.name))
    view = Policy(
        head=head,
        lists=list_rows(_state(found).policy.last_good or last),
        runs=() if history.value is None else run_rows(history.value),
        generations=() if history.value is None else generation_rows(history.value),
        notes=() if last is None else (*last.notes, *last.warnings),
        findings=() if last is None else last.findings,
        fault=history.fault or "",
    )
    return Page(view=view, title=f"{head.name}: policy")


@page(path="/devices/<name>/hits", role=Role.VIEWER)
async def hits(desk: Desk, visit: Visit) -> Answer:
    """What its lists did in a day."""
    head, _ = await seen(desk, visit, "hits")
    until = rounded(visit.now)
    hours = await by_hour(desk, (head.name,), {"since": until - _DAY, "until": until})
    view = Hits(head=head, hours=hours, report=f"/reports?device={head.name}&since=24h")
    return Page(view=view, title=f"{head.name}: hits")


@page(path="/devices/<name>/checks", role=Role.VIEWER)
async def checks(desk: Desk, visit: Visit) -> Answer:
    """The chain, as it was found last."""
    head, _ = await seen(desk, visit, "checks")
    looked = desk.chain.of(head.name)
    view = Checks(
        head=head,
        links=None if looked.findings is None else links(looked.findings),
        looked_at=looked.at,
        looking=looked.looking,
        fault=looked.fault,
    )
    return Page(view=view, title=f"{head.name}: checks")


@page(path="/devices/<name>/checks", role=Role.ANALYST, method="POST")
async def look(desk: Desk, visit: Visit) -> Answer:
    """Look at the chain of one device."""
    found = await fleet(desk)
    name = row_of(found.value or (), visit.parts["name"]).name
    desk.chain.look([name])
    return Redirect(to=f"/devices/{name}/checks")
