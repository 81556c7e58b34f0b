"""
API keys: created, shown once, removed.
"""

from attrs import evolve

from tscm.faces.web.accounts import AccountRefused
from tscm.faces.web.desk import Desk
from tscm.faces.web.keys import ApiKey, Keys, key_fault, network_of
from tscm.faces.web.nouns import NOUNS
from tscm.faces.web.roles import ROLES, Role, role_of
from tscm.faces.web.routes import page
from tscm.faces.web.views.keys import KeysPage
from tscm.faces.web.visit import Answer, Page, Redirect, Visit

_CALLS_SHOWN = 50
_DAY = 86400.0
_MOST_DAYS = 366


@page(path="/admin/keys", role=Role.ADMIN)
async def keys(desk: Desk, visit: Visit) -> Answer:
    """All keys, and the latest calls."""
    return _keys(desk, visit)


def _keys(desk: Desk, visit: Visit, fault: str = "", secret: str = "", status: int = 200) -> Page:
    stored = Keys(desk.accounts.database)
    view = KeysPage(
        keys=tuple(stored.all()),
        calls=tuple(stored.calls(_CALLS_SHOWN)),
        roles=tuple(role.word for role in ROLES),
        nouns=tuple(sorted(NOUNS)),
        secret=secret,
        fault=fault,
    )
    if secret:
        view = evolve(view, created=visit.text("name"))
    elif visit.method == "POST":  # what was typed stands in the form again
        view = evolve(
            view,
            name=visit.text("name")[:64],
            role=visit.text("role", "viewer")[:20],
            days=visit.text("days", "90")[:6],
            networks=visit.text("networks")[:2000],
            chosen=visit.some("noun"),
        )
    return Page(view=view, title="API keys", status=status)


@page(path="/admin/keys", role=Role.ADMIN, method="POST")
async def add_key(desk: Desk, visit: Visit) -> Answer:
    """One more key; the answer alone shows it, and a reload of the page does not."""
    try:
        key = _typed(visit)
        fault = key_fault(key, NOUNS, visit.now)
        if fault is not None:
            raise AccountRefused(fault)
        secret = Keys(desk.accounts.database).add(key)
    except (ValueError, AccountRefused) as error:
        return _keys(desk, visit, str(error), status=400)
    what = f"key {key.name} added as {key.role.word}"
    desk.accounts.note(visit.now, visit.user, visit.address, what, good=True)
    return _keys(desk, visit, secret=secret)


def _typed(visit: Visit) -> ApiKey:
    """The key that the form describes.  Raises `ValueError`."""
    days = visit.text("days")
    if not (days.isascii() and days.isdecimal() and 1 <= len(days) <= 3):
        raise ValueError(f"a key expires after 1 to {_MOST_DAYS} days")
    networks = (network_of(one) for one in visit.text("networks").replace(",", " ").split())
    return ApiKey(
        name=visit.text("name"),
        role=role_of(visit.text("role")),
        until=visit.now + int(days) * _DAY,
        nouns=tuple(dict.fromkeys(visit.some("noun"))),
        networks=tuple(dict.fromkeys(networks)),
        created_at=visit.now,
        created_by=visit.user,
    )


@page(path="/admin/keys/<name>/remove", role=Role.ADMIN, method="POST")
async def remove_key(desk: Desk, visit: Visit) -> Answer:
    """Forget a key."""
    name = visit.parts["name"]
    try:
        Keys(desk.accounts.database).remove(name)
    except AccountRefused as error:
        return _keys(desk, visit, str(error), status=404)
    desk.accounts.note(visit.now, visit.user, visit.address, f"key {name} removed", good=True)
    return Redirect(
        to="/admin/keys", notice=f"The key {name} is removed; its next call is rejected."
    )
