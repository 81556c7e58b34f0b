"""
Bundles: rules over the attributes of targets.
"""

from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.bundles import (
    NUMBERS,
    WORDS,
    Bundles,
    bundle_content,
    bundle_line,
    number,
    typed_of,
)
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.operations.arguments import Nothing
from tscm.operations.portal_arguments import ItemKept, ItemNamed
from tscm.operations.table.portal import DELETE_BUNDLE, KEEP_BUNDLE, PORTAL_BUNDLES

_TEXT_MOST = 500


@page(path="/bundles", role=Role.VIEWER)
async def bundles(desk: Desk, visit: Visit) -> Answer:
    """All bundles; with `name` the form holds that one."""
    return await _bundles(desk, visit)


async def _bundles(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(PORTAL_BUNDLES, Nothing())
    rows = () if found.value is None else found.value.bundles
    name, version, typed = visit.text("name")[:64], "0", _typed(visit)
    chosen = next((one for one in rows if one.name == name), None)
    if visit.method == "POST":  # what was typed stands in the form again
        version = visit.text("version", "0")[:9]
    elif chosen is not None:
        version, typed = str(chosen.version), typed_of(chosen)
    view = Bundles(
        lines=tuple(map(bundle_line, rows)),
        may_edit=visit.role >= Role.OPERATOR,
        may_delete=visit.role >= Role.ADMIN,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        name=name,
        version=version,
        typed=typed,
    )
    return Page(view=view, title="Bundles", status=status)


def _typed(visit: Visit) -> dict[str, str]:
    names = ("title", *dict(NUMBERS), *dict(WORDS))
    return {name: visit.text(name).strip()[:_TEXT_MOST] for name in names}


@page(path="/bundles", role=Role.OPERATOR, method="POST")
async def keep(desk: Desk, visit: Visit) -> Answer:
    """Make a bundle, or change one: only while it is what the form showed."""
    try:
        if not visit.text("name"):
            raise Faulty("a bundle needs a name")
        try:
            content = bundle_content(_typed(visit))
            version = number(visit.text("version", "0"))
        except ValueError as error:
            raise Faulty(str(error)) from None
        document = {"content": content, "version": version}
        asked = ItemKept(item=visit.text("name"), document=document)
        done = await desk.asking.ask(KEEP_BUNDLE, asked, visit.user)
    except TscmError as error:
        return await _bundles(desk, visit, str(error), 400)
    return Redirect(to="/bundles", notice=f"{done.sentence}.")


@page(path="/bundles/<name>/delete", role=Role.ADMIN, method="POST")
async def delete(desk: Desk, visit: Visit) -> Answer:
    """Delete a bundle that no policy uses."""
    try:
        asked = ItemNamed(item=visit.parts["name"])
        done = await desk.asking.ask(DELETE_BUNDLE, asked, visit.user)
    except TscmError as error:
        return await _bundles(desk, visit, str(error), 400)
    return Redirect(to="/bundles", notice=f"{done.sentence}.")
