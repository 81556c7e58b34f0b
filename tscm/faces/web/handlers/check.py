"""
Check an address, and allow or block it for a while, with a reason.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.faces.web.desk import Desk
from tscm.faces.web.limits import analysts_entry_fault, reason_fault
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.check import (
    Check,
    Entries,
    Verdicts,
    entry_rows,
    summary,
    terms,
    verdicts,
)
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.operations.answers import Entered, EntriesRemoved, EntryDevice
from tscm.operations.arguments import AnyAddress, EntryNamed, NewEntry, Nothing, PushedEntries
from tscm.operations.job_figures import JobFigures
from tscm.operations.table.entries import ENTER, ENTRIES, PUSH_ENTRIES, REMOVE_ENTRY
from tscm.operations.table.policies import WHY_ALL
from tscm.plural import many

_HOUR = 3600.0


@page(path="/check", role=Role.VIEWER)
async def check(desk: Desk, visit: Visit) -> Answer:
    """How all devices see an address."""
    return await _checked(desk, visit)


async def _checked(desk: Desk, visit: Visit, fault: str = "", status: int = 200) -> Page:
    asked = visit.text("address")[:100]
    found: tuple[Verdicts, ...] = ()
    if asked and not fault:
        try:
            answer = await desk.asking.ask(WHY_ALL, AnyAddress(address=asked))
            found, asked = verdicts(answer.devices), answer.asked
        except TscmError as error:
            fault, status = str(error), 400
    analyst = visit.role < Role.OPERATOR
    most = desk.settings.analyst_hours
    view = Check(
        asked=asked,
        fault=fault,
        summary=summary(found) if found else "",
        devices=found,
        may_enter=visit.role >= Role.ANALYST and (bool(found) or visit.method == "POST"),
        must_end=analyst,
        terms=terms(most if analyst else None, min(24, most)),
        action=visit.text("action", "allow"),
        where=visit.text("device")[:64],
        reason=visit.text("reason")[:300],
        reports="/reports?" + urlencode({"since": "7d", "outside": asked, "by": "inside"}),
    )
    return Page(view=view, title=f"Check {asked}" if asked else "Check an address", status=status)


@page(path="/check", role=Role.ANALYST, method="POST")
async def enter(desk: Desk, visit: Visit) -> Answer:
    """An entry by hand, pushed at once; it ends by itself."""
    try:
        entry = _entry(desk, visit)
        answer, jobs = await desk.asking.with_backend(enter_and_push, visit.user, entry)
    except TscmError as error:
        return await _checked(desk, visit, str(error), 400)
    return Redirect(to=_to(jobs), notice=_told(answer.sentence, answer.devices, jobs))


def _entry(desk: Desk, visit: Visit) -> NewEntry:
    """What is to be entered.  Raises `Faulty` for what the user's role does not allow."""
    reason, action = visit.text("reason"), visit.text("action")
    word = visit.text("hours", "24")
    seconds = None if word == "none" else _hours(word) * _HOUR
    fault = reason_fault(reason)
    if fault is None and visit.role < Role.OPERATOR:
        most = desk.settings.analyst_hours
        fault = analysts_entry_fault(visit.text("address"), seconds, most)
    if fault is not None:
        raise Faulty(fault)
    return NewEntry(
        action=action,
        cidr=visit.text("address"),
        device=visit.text("device") or None,
        seconds=seconds,
        reason=reason,
    )


def _hours(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 6 and int(word) > 0):
        raise Faulty(f"{word[:20]!r} is not a number of hours")
    return int(word)


def enter_and_push(backend: Backend, entry: NewEntry) -> tuple[Entered, list[JobFigures]]:
    """Store the entry, and have the manager push it to each device that may get it.  Blocking."""
    answer = backend.call(ENTER, entry)
    return answer, push_each(backend, answer.devices)


def remove_and_push(backend: Backend, entry: EntryNamed) -> tuple[EntriesRemoved, list[JobFigures]]:
    """End the entry, and have the manager take it off each device.  Blocking."""
    answer = backend.call(REMOVE_ENTRY, entry)
    return answer, push_each(backend, answer.devices)


def push_each(backend: Backend, devices: Sequence[EntryDevice]) -> list[JobFigures]:
    """A job for each device that may be pushed to.  Blocking."""
    return [
        backend.detach(PUSH_ENTRIES, PushedEntries(name=one.name)) for one in devices if one.push
    ]


def _to(jobs: list[JobFigures]) -> str:
    return f"/jobs/{jobs[0].number}" if len(jobs) == 1 else "/jobs"


def _told(sentence: str, devices: Sequence[EntryDevice], jobs: list[JobFigures]) -> str:
    held = [one for one in devices if not one.push]
    said = f"{sentence}. It is being pushed to {many(len(jobs), 'device', 'devices')}"
    if held:
        first = held[0]
        more = f" and {len(held) - 1:,} more" if len(held) > 1 else ""
        said += f", and not to {first.name}{more}: {first.cause}"
    return f"{said}."


@page(path="/entries", role=Role.VIEWER)
async def entries(desk: Desk, visit: Visit) -> Answer:
    """All entries by hand."""
    found = await desk.asking.latest(ENTRIES, Nothing())
    view = Entries(
        rows=() if found.value is None else entry_rows(found.value.entries),
        fault=found.fault or "",
        at=found.at,
        may_remove=visit.role >= Role.OPERATOR,
    )
    return Page(view=view, title="Entries by hand")


@page(path="/entries/<int:number>/remove", role=Role.OPERATOR, method="POST")
async def remove(desk: Desk, visit: Visit) -> Answer:
    """End an entry, and take it off the devices."""
    named = EntryNamed(entry=str(visit.parts["number"]))
    answer, jobs = await desk.asking.with_backend(remove_and_push, visit.user, named)
    return Redirect(to="/entries", notice=_told(f"Ended: {answer.sentence}", answer.devices, jobs))
