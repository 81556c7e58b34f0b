"""
More of one device: generations and the way back, settings, and what to enter on its firewall.
"""

from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.handlers.devices import seen
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.device_more import (
    Diff,
    Settings,
    Setup,
    changed_of,
    entry_changes,
    setting_rows,
)
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.operations.arguments import ChangedDevice, Device, Generations, Rollback
from tscm.operations.table.devices import CHANGE, SETUP_LINES, VIEW
from tscm.operations.table.policies import DIFF, HISTORY, ROLLBACK
from tscm.plural import many
from tscm.update.answers import Difference

_REASON_LEAST, _REASON_MOST = 3, 300
_DIGITS = 12


def _number(visit: Visit, name: str) -> int:
    word = visit.text(name)
    if not (word.isascii() and word.isdecimal() and len(word) < _DIGITS):
        raise Faulty(f"{word[:20]!r} is not the number of a generation")
    return int(word)


async def _newest(desk: Desk, name: str) -> int:
    found = await desk.asking.ask(HISTORY, Device(name=name))
    return max((one.number for one in found.generations), default=0)


@page(path="/devices/<name>/policy/diff", role=Role.VIEWER)
async def diff(desk: Desk, visit: Visit) -> Answer:
    """What came and went between two generations."""
    older, newest, fault = _number(visit, "older"), 0, ""
    try:
        newest = await _newest(desk, visit.parts["name"])
    except ControlUnavailable as error:
        fault = str(error)
    newer = _number(visit, "newer") if visit.text("newer") else newest
    return await _diff(desk, visit, older, newer, newest=newest, fault=fault)


async def _diff(
    desk: Desk,
    visit: Visit,
    older: int,
    newer: int,
    *,
    newest: int,
    fault: str = "",
    status: int = 200,
) -> Page:
    head, _ = await seen(desk, visit, "policy")
    found = Difference()
    try:
        asked = Generations(name=head.name, older=older, newer=newer)
        found = await desk.asking.ask(DIFF, asked)
    except TscmError as error:
        if not fault:
            fault, status = str(error), 400
    view = Diff(
        head=head,
        older=older,
        newer=newer,
        newest=newest,
        changes=entry_changes(found),
        may_push=visit.role >= Role.OPERATOR and newer == newest and older != newest,
        fault=fault,
        reason=visit.text("reason")[:_REASON_MOST],
    )
    return Page(view=view, title=f"{head.name}: generations {older} and {newer}", status=status)


@page(path="/devices/<name>/policy/rollback", role=Role.OPERATOR, method="POST")
async def rollback(desk: Desk, visit: Visit) -> Answer:
    """Push a kept generation, as long as what it was compared with is the newest."""
    name = visit.parts["name"]
    goal, shown, reason = (
        _number(visit, "generation"),
        _number(visit, "newest"),
        visit.text("reason"),
    )
    newest = await _newest(desk, name)
    if newest != shown:
        fault = f"generation {newest} is the newest by now, so nothing was pushed; below is what has changed"
        return await _diff(desk, visit, goal, newest, newest=newest, fault=fault, status=409)
    if not _REASON_LEAST <= len(reason) <= _REASON_MOST:
        fault = f"a reason of {_REASON_LEAST} to {_REASON_MOST} characters is needed: it stands in the audit"
        return await _diff(desk, visit, goal, newest, newest=newest, fault=fault, status=400)
    asked = Rollback(name=name, generation=goal, newest=newest, reason=reason)
    try:
        job = await desk.asking.start(ROLLBACK, asked, visit.user)
    except TscmError as error:
        return await _diff(desk, visit, goal, newest, newest=newest, fault=str(error), status=409)
    return Redirect(
        to=f"/jobs/{job.number}",
        notice=f"Generation {goal} of {name} is being pushed as job {job.number}; its updates are held until they are resumed.",
    )


@page(path="/devices/<name>/setup", role=Role.VIEWER)
async def setup(desk: Desk, visit: Visit) -> Answer:
    """What to enter on the firewall."""
    head, _ = await seen(desk, visit, "setup")
    text, fault = "", ""
    try:
        text = (await desk.asking.ask(SETUP_LINES, Device(name=head.name))).text
    except TscmError as error:
        fault = str(error)
    return Page(view=Setup(head=head, text=text, fault=fault), title=f"{head.name}: firewall")


@page(path="/devices/<name>/settings", role=Role.VIEWER)
async def settings(desk: Desk, visit: Visit) -> Answer:
    """All settings, with secrets masked."""
    return await _settings(desk, visit)


async def _settings(desk: Desk, visit: Visit, fault: str = "", status: int = 200) -> Page:
    head, found = await seen(desk, visit, "settings", fresh=0)
    typed = {} if visit.method == "GET" else {name: visit.text(name) for name in visit.fields}
    view = Settings(
        head=head,
        rows=() if found.value is None else setting_rows(found.value.settings, typed),
        version="" if found.value is None else found.value.version,
        may_change=visit.role >= Role.ADMIN and not found.fault,
        fault=fault,
    )
    return Page(view=view, title=f"{head.name}: settings", status=status)


@page(path="/devices/<name>/settings", role=Role.ADMIN, method="POST")
async def change(desk: Desk, visit: Visit) -> Answer:
    """Store what was typed otherwise, as long as no other user has stored something meanwhile."""
    name = visit.parts["name"]
    found = await desk.asking.ask(VIEW, Device(name=name))
    typed = {one: visit.text(one) for one in visit.fields}
    changes = changed_of(setting_rows(found.settings, typed))
    if found.version != visit.text("version"):
        fault = "Another user has changed the settings meanwhile, so nothing was stored.  What you typed is kept below, beside the values as they are now; look at both and store again."
        return await _settings(desk, visit, fault, 409)
    if not changes:
        return Redirect(
            to=f"/devices/{name}/settings",
            notice="Nothing was typed otherwise; nothing was stored.",
        )
    asked = ChangedDevice(name=name, settings=changes, version=found.version)
    try:
        done = await desk.asking.ask(CHANGE, asked, visit.user)
    except TscmError as error:
        return await _settings(desk, visit, str(error), 400)
    count = many(len(done.changed), "setting", "settings")
    notes = "".join(f"  {one}." for one in done.notes)
    return Redirect(
        to=f"/devices/{name}/settings",
        notice=f"{count} of {name} changed: {', '.join(done.changed)}.{notes}",
    )
