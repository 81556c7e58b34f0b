"""
Reports: the question stands in the address.
"""

from datetime import UTC, datetime

from attrs import evolve

from tscm.base.time_words import read_time
from tscm.errors import TscmError
from tscm.events.answers import SeveralReport
from tscm.faces.web.asking import Latest
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import device_names
from tscm.faces.web.hits import FRESH_SECONDS, Hours, by_hour, reported
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.saved import NAME_MOST, delete_report, save_report, saved_reports
from tscm.faces.web.views.filters import REPORT_FILTERS
from tscm.faces.web.views.reports import (
    BY,
    PAIRS,
    PRESETS,
    Fields,
    Report,
    as_csv,
    as_json,
    chips,
    columns_of,
    command_of,
    doubts,
    fields_of,
    present_of,
    report_rows,
    total_words,
)
from tscm.faces.web.views.words import iso
from tscm.faces.web.visit import Answer, Download, Faulty, Page, Redirect, Visit
from tscm.model import Json
from tscm.operations.arguments import AskedOfSeveral
from tscm.operations.table.events import REPORT_SEVERAL
from tscm.portal.items import THREATS

MOST_DEVICES = 500
_ALL = "100000"


@page(path="/reports", role=Role.VIEWER)
async def reports(desk: Desk, visit: Visit) -> Answer:
    """Rows, the picture, or a file of all rows."""
    fields = fields_of(visit)
    devices = visit.some("device")[:MOST_DEVICES]
    wanted = visit.text("format")
    try:
        options = options_of(fields, visit.now)
        if wanted in {"csv", "json"}:
            return await _file(desk, devices, options, wanted)
        latest = await reported(desk, devices, options)
        hours = await by_hour(desk, devices, options)
    except TscmError as error:
        none: Latest[SeveralReport] = Latest(value=None)
        return await _page(desk, visit, devices, fields, latest=none, hours=None, fault=str(error))
    return await _page(desk, visit, devices, fields, latest=latest, hours=hours)


@page(path="/reports/save", role=Role.VIEWER, method="POST")
async def save(desk: Desk, visit: Visit) -> Answer:
    """Keep the report that the form shows, for this user; only fields of reports are kept."""
    devices = visit.some("device")[:MOST_DEVICES]
    shown = evolve(present_of(devices, fields_of(visit), ()), name=visit.text("name").strip())
    try:
        save_report(desk.accounts.database, visit.user, shown)
    except TscmError as error:
        return Redirect(to=shown.href, notice=f"Not saved: {error}.")
    return Redirect(to=shown.href, notice=f"The report is saved as {shown.name}.")


@page(path="/reports/delete", role=Role.VIEWER, method="POST")
async def delete(desk: Desk, visit: Visit) -> Answer:
    """Keep a saved report no longer."""
    name = visit.text("name")[:NAME_MOST]
    delete_report(desk.accounts.database, visit.user, name)
    return Redirect(to="/reports", notice=f"The saved report {name} is deleted.")


def options_of(fields: Fields, now: float) -> Json:
    """What is asked of the manager.  Raises `Faulty` for a time that is none."""
    since, until = read_span(fields.since, fields.until, now)
    if not fields.until:  # the same question for all who ask within some seconds
        step = now - now // FRESH_SECONDS * FRESH_SECONDS
        until, since = until - step, since - step
    found: Json = {"since": since, "until": until, "by": fields.by, "top": fields.top}
    return found | {name: getattr(fields, name) for name in REPORT_FILTERS if getattr(fields, name)}


def read_span(since: str, until: str, now: float) -> tuple[float, float]:
    """Two times as they were typed; *until* is now where it is empty.  Raises `Faulty`."""
    here = datetime.fromtimestamp(now, UTC).astimezone()
    try:
        return read_time(since, here), read_time(until, here) if until else now
    except ValueError as error:
        raise Faulty(str(error)) from None


async def _file(desk: Desk, devices: tuple[str, ...], options: Json, kind: str) -> Answer:
    asked = {**options, "top": _ALL}
    found = await desk.asking.ask(REPORT_SEVERAL, AskedOfSeveral(devices=devices, options=asked))
    name = f"report-{'-'.join(devices[:3]) or 'all'}-{options['by'].replace(',', '-')}"
    if kind == "csv":
        return Download(
            name=f"{name}.csv", content_type="text/csv; charset=utf-8", content=as_csv(found)
        )
    question = {"devices": list(devices) or "all", **asked}
    content = as_json(question, found)
    return Download(name=f"{name}.json", content_type="application/json", content=content)


async def _page(
    desk: Desk,
    visit: Visit,
    devices: tuple[str, ...],
    fields: Fields,
    *,
    latest: Latest[SeveralReport],
    hours: Hours | None,
    fault: str = "",
) -> Page:
    saved = saved_reports(desk.accounts.database, visit.user)
    found = latest.value
    known = found is not None
    view = Report(
        names=await device_names(desk),
        devices=devices,
        fields=fields,
        by_words=(*BY, *PAIRS),
        threats=THREATS,
        chips=chips(visit, fields),
        presets=PRESETS,
        saved=saved,
        present=present_of(devices, fields, saved),
        rows=report_rows(visit, found) if found is not None else (),
        by=" and ".join(columns_of(fields.by)),
        columns=columns_of(fields.by),
        total=total_words(found) if found is not None else "",
        span=(
            f"{iso(found.since)} to {iso(found.until)}, in whole hours" if found is not None else ""
        ),
        doubts=tuple(doubts(found)) if found is not None else (),
        hours=hours,
        command=command_of(devices, fields),
        csv=visit.at(format="csv") if known else "",
        json=visit.at(format="json") if known else "",
        fault=fault,
        stale=latest.fault or "",
        at=latest.at,
    )
    return Page(view=view, title="Reports", status=400 if fault else 200)
