"""
A plan first, then the push of just that plan.
"""

from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import fleet, row_of
from tscm.faces.web.planned import Planned
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.plans import plan_view
from tscm.faces.web.visit import Answer, NotHere, Page, Redirect, Visit
from tscm.operations.arguments import Push
from tscm.operations.table.policies import UPDATE

_REASON_LEAST, _REASON_MOST = 3, 300


@page(path="/devices/<name>/plan", role=Role.ANALYST, method="POST")
async def make(desk: Desk, visit: Visit) -> Answer:
    """Have the manager make a plan."""
    name = row_of((await fleet(desk)).value or (), visit.parts["name"]).name
    made = desk.plans.make(name, visit.user)
    return Redirect(to=f"/plans/{made.key}")


@page(path="/plans/<key>", role=Role.VIEWER)
async def show(desk: Desk, visit: Visit) -> Answer:
    """The plan, or that it is being made."""
    return _page(visit, _found(desk, visit))


@page(path="/plans/<key>", role=Role.OPERATOR, method="POST")
async def push(desk: Desk, visit: Visit) -> Answer:
    """Push what was shown and nothing else: the manager refuses where anything has moved since."""
    made, reason = _found(desk, visit), visit.text("reason")
    if len(reason) < _REASON_LEAST or len(reason) > _REASON_MOST:
        fault = f"a reason of {_REASON_LEAST} to {_REASON_MOST} characters is needed: it stands in the audit"
        return _page(visit, made, fault=fault, status=400)
    plan_id = plan_view(made, may_push=True).plan_id
    if not plan_id:
        return _page(visit, made, fault="there is nothing in this plan to push", status=409)
    asked = Push(name=made.device, plan=plan_id, reason=reason)
    try:
        job = await desk.asking.start(UPDATE, asked, visit.user)
    except TscmError as error:
        return _page(visit, made, fault=str(error), status=409)
    return Redirect(
        to=f"/jobs/{job.number}",
        notice=f"The plan for {made.device} is being pushed as job {job.number}.  Leaving this page changes nothing.",
    )


def _found(desk: Desk, visit: Visit) -> Planned:
    found = desk.plans.find(visit.parts["key"])
    if found is None:
        raise NotHere
    return found


def _page(visit: Visit, made: Planned, *, fault: str = "", status: int = 200) -> Page:
    view = plan_view(
        made,
        may_push=visit.role >= Role.OPERATOR,
        fault=fault,
        reason=visit.text("reason")[:_REASON_MOST],
    )
    return Page(view=view, title=f"Plan for {made.device}", status=status)
