"""
What the manager is doing.
"""

from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.plans import Job, Jobs, job_line
from tscm.faces.web.visit import Answer, NotHere, Page, Redirect, Visit
from tscm.operations.arguments import JobNumber, Nothing
from tscm.operations.table.jobs import JOBS, STOP_JOB, WITHDRAW

_SHOWN = 200


@page(path="/jobs", role=Role.VIEWER)
async def jobs(desk: Desk, visit: Visit) -> Answer:
    """Those in progress, and the last that ended."""
    del visit
    found = await desk.asking.latest(JOBS, Nothing())
    rows = tuple(job_line(one) for one in reversed(found.value or ()))[:_SHOWN]
    return Page(view=Jobs(rows=rows, fault=found.fault or "", at=found.at), title="Jobs")


@page(path="/jobs/<int:number>", role=Role.VIEWER)
async def job(desk: Desk, visit: Visit) -> Answer:
    """One of them."""
    number = int(visit.parts["number"])
    found = await desk.asking.latest(JOBS, Nothing(), fresh=0.5)
    for one in found.value or ():
        if one.number == number:
            line = job_line(one)
            may = visit.role >= Role.OPERATOR
            view = Job(job=line, may_act=may, fault=found.fault or "", at=found.at)
            return Page(view=view, title=f"Job {number}")
    raise NotHere


@page(path="/jobs/<int:number>/withdraw", role=Role.OPERATOR, method="POST")
async def withdraw(desk: Desk, visit: Visit) -> Answer:
    """Take back a job that has not begun."""
    number = int(visit.parts["number"])
    await desk.asking.ask(WITHDRAW, JobNumber(id=number), visit.user)
    return Redirect(
        to=f"/jobs/{number}", notice=f"Job {number} was withdrawn; nothing was changed."
    )


@page(path="/jobs/<int:number>/stop", role=Role.OPERATOR, method="POST")
async def stop(desk: Desk, visit: Visit) -> Answer:
    """End a job in progress after the request in progress."""
    number = int(visit.parts["number"])
    await desk.asking.ask(STOP_JOB, JobNumber(id=number), visit.user)
    return Redirect(
        to=f"/jobs/{number}",
        notice=f"Job {number} stops after the request in progress.  What was changed so far is safe.",
    )
