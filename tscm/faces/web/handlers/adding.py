"""
Add a device in three steps: its kind, its settings, and what its firewall shows.
"""

from attrs import evolve

from tscm.errors import TscmError
from tscm.faces.backend import ManagerError
from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.adding import Adding, Pinning, fields_to_ask, pin_words
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.kinds.kind import kind_named
from tscm.model import Json
from tscm.operations.arguments import NewDevice
from tscm.operations.table.devices import ADD
from tscm.settings.modules import types


@page(path="/add", role=Role.ADMIN)
async def ask(desk: Desk, visit: Visit) -> Answer:
    """Which kind, and then its settings."""
    del desk
    return _form(visit)


def _form(visit: Visit, fault: str = "", status: int = 200) -> Page:
    kind = visit.text("type")
    kind = kind if kind in types() else ""
    typed = {name: visit.text(name) for name in visit.fields}
    view = Adding(
        kinds=tuple(types()),
        kind=kind,
        name=visit.text("name")[:63],
        fields=fields_to_ask(kind, typed) if kind else (),
        fault=fault,
    )
    return Page(view=view, title="Add a device", status=status)


@page(path="/add", role=Role.ADMIN, method="POST")
async def add(desk: Desk, visit: Visit) -> Answer:
    """Have the manager check the device and store it; what its firewall shows may have to be compared first."""
    kind = visit.text("type")
    if kind not in types():
        raise Faulty(f"{kind[:20]!r} is not a type of device")
    settings: Json = {"type": kind}
    if visit.text("name"):
        settings["name"] = visit.text("name")
    for one in fields_to_ask(kind, {}):
        value = visit.secret(one.name) if one.secret else visit.text(one.name)
        if value:
            settings[one.name] = value
    return await _store(desk, visit, settings)


@page(path="/add/<key>", role=Role.ADMIN, method="POST")
async def pin(desk: Desk, visit: Visit) -> Answer:
    """The certificate or host key is the device's: pin it, and go on."""
    assert visit.session is not None
    draft = desk.drafts.take(visit.parts["key"], visit.session.number)
    if draft is None:
        raise Faulty("what was typed is not kept any more; begin again with Add a device")
    named = kind_named(str(draft.settings["type"])).pin
    return await _store(desk, visit, {**draft.settings, named: draft.shown})


async def _store(desk: Desk, visit: Visit, settings: Json) -> Answer:
    assert visit.session is not None
    try:
        done = await desk.asking.ask(ADD, NewDevice(settings=settings), visit.user)
    except ManagerError as error:
        named = kind_named(str(settings["type"])).pin
        if error.shown is None or settings.get(named) == error.shown:
            return _again(visit, settings, str(error))
        word, shown = pin_words(error.shown)
        view = Pinning(
            name=str(settings.get("name") or settings.get("device_id") or "the device"),
            key=desk.drafts.keep(visit.session.number, settings, error.shown),
            word=word,
            shown=shown,
            sentence=str(error),
        )
        return Page(view=view, title=f"Is this the {word} of the device?")
    except TscmError as error:
        return _again(visit, settings, str(error))
    notes = "".join(f"  {one}." for one in done.notes)
    return Redirect(
        to=f"/devices/{done.name}/setup",
        notice=f"{done.name} is added.  Enter the lines below on it, then plan its first update.{notes}",
    )


def _again(visit: Visit, settings: Json, fault: str) -> Page:
    """The form with what was typed, but for passwords."""
    typed = {name: (str(value),) for name, value in settings.items()}
    return _form(evolve(visit, fields=typed), fault, 400)
