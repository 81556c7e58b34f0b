"""
Policies and targets of the embedded policy service.
"""

from typing import TypeVar

from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.handlers.lists import refuse_accepting
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.lists import Policies, Targets, policy_card, target_lines
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.model import Json
from tscm.operations.arguments import Nothing
from tscm.operations.operation import Operation
from tscm.operations.portal_answers import PortalDone
from tscm.operations.portal_arguments import (
    HeldConfirmed,
    ItemKept,
    ItemNamed,
    TargetSwitched,
)
from tscm.operations.table.listing import DEVICES
from tscm.operations.table.portal import (
    ADOPT_POLICY,
    CONFIRM_POLICY,
    KEEP_POLICY,
    PORTAL_POLICIES,
    PORTAL_TARGETS,
    SWITCH_TARGET,
)

Args = TypeVar("Args")


@page(path="/policies", role=Role.VIEWER)
async def policies(desk: Desk, visit: Visit) -> Answer:
    """All policies, and the patterns that are shipped."""
    return await _policies(desk, visit)


async def _policies(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(PORTAL_POLICIES, Nothing())
    devices = await desk.asking.latest(DEVICES, Nothing())
    used: dict[str, list[str]] = {}
    for one in devices.value or ():
        for name in one.lists or ():
            used.setdefault(name, []).append(one.name)
    value = found.value
    view = Policies(
        cards=() if value is None else tuple(policy_card(one, used) for one in value.policies),
        shipped=() if value is None else tuple(policy_card(one, used) for one in value.shipped),
        faults=() if value is None else value.faults,
        may_edit=visit.role >= Role.OPERATOR,
        may_confirm=visit.role >= Role.ADMIN,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        name=visit.text("name")[:64],
        block=visit.text("block")[:4000],
        allow=visit.text("allow")[:4000],
    )
    return Page(view=view, title="Policies", status=status)


@page(path="/policies", role=Role.OPERATOR, method="POST")
async def keep(desk: Desk, visit: Visit) -> Answer:
    """Make a policy, or change the parts of one: only while it is what the form showed."""
    name, word = visit.text("name"), visit.text("version", "0")
    try:
        if not name:
            raise Faulty("a policy needs a name")
        if not (word.isascii() and word.isdecimal() and len(word) <= 9):
            raise Faulty(f"{word[:20]!r} is not the number of a version")
        content: Json = {}
        if int(word):
            rows = (await desk.asking.ask(PORTAL_POLICIES, Nothing())).policies
            content = next((dict(one.content) for one in rows if one.name == name), {})
        content |= {"block": visit.text("block").split(), "allow": visit.text("allow").split()}
        document = {"content": content, "version": int(word)}
        done = await desk.asking.ask(
            KEEP_POLICY, ItemKept(item=name, document=document), visit.user
        )
    except TscmError as error:
        return await _policies(desk, visit, str(error), 400)
    return Redirect(to="/policies", notice=f"{done.sentence}.")


@page(path="/policies/<name>/adopt", role=Role.OPERATOR, method="POST")
async def adopt(desk: Desk, visit: Visit) -> Answer:
    """Make a policy of a shipped pattern."""
    return await _done(desk, visit, ADOPT_POLICY, ItemNamed(item=visit.parts["name"]))


@page(path="/policies/<name>/confirm", role=Role.ADMIN, method="POST")
async def confirm(desk: Desk, visit: Visit) -> Answer:
    """Publish what is held because it empties or halves a list: what the form showed, and nothing later."""
    asked = HeldConfirmed(item=visit.parts["name"], mark=visit.text("mark")[:64])
    return await _done(desk, visit, CONFIRM_POLICY, asked)


async def _done(
    desk: Desk, visit: Visit, operation: Operation[Args, PortalDone], asked: Args
) -> Answer:
    try:
        done = await desk.asking.ask(operation, asked, visit.user)
    except TscmError as error:
        return await _policies(desk, visit, str(error), 400)
    return Redirect(to="/policies", notice=f"{done.sentence}.")


@page(path="/targets", role=Role.VIEWER)
async def targets(desk: Desk, visit: Visit) -> Answer:
    """All targets, with their terms and known false positives."""
    return await _targets(desk, visit)


async def _targets(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(PORTAL_TARGETS, Nothing())
    lines = () if found.value is None else target_lines(found.value.targets)
    view = Targets(
        lines=lines,
        on=sum(one.row.on for one in lines),
        may_switch=visit.role >= Role.OPERATOR,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
    )
    return Page(view=view, title="Targets", status=status)


@page(path="/targets/<name>/switch", role=Role.OPERATOR, method="POST")
async def switch(desk: Desk, visit: Visit) -> Answer:
    """Turn a target on, with its terms accepted, or off."""
    try:
        asked = TargetSwitched(
            item=visit.parts["name"],
            on=visit.text("on") == "yes",
            accept_terms=visit.text("accept_terms") == "yes",
        )
        refuse_accepting(visit, SWITCH_TARGET, asked)
        done = await desk.asking.ask(SWITCH_TARGET, asked, visit.user)
    except TscmError as error:
        return await _targets(desk, visit, str(error), 400)
    return Redirect(to="/targets", notice=f"{done.sentence}.")
