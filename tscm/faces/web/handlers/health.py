"""
The chain, senders, the ledger, the audit.
"""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

from tscm.base.time_words import read_time
from tscm.errors import TscmError
from tscm.faces.web.chain import NODE
from tscm.faces.web.desk import Desk
from tscm.faces.web.fleet import device_names, fleet
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.health import (
    Audit,
    Health,
    Senders,
    audit_rows,
    ledger_view,
    matrix,
    subject,
)
from tscm.faces.web.visit import Answer, Download, Page, Redirect, Visit
from tscm.operations.arguments import Adoption, Audited, Balanced, Nothing
from tscm.operations.table.jobs import AUDIT
from tscm.operations.table.manager import LEDGER
from tscm.operations.table.senders import ADOPT, SENDERS
from tscm.printable import spreadsheet_cell
from tscm.store.audit_entry import AuditEntry
from tscm.wire.writing import as_json

_AUDIT_SHOWN, _AUDIT_MOST = 300, 100_000


@page(path="/health", role=Role.VIEWER)
async def health(desk: Desk, visit: Visit) -> Answer:
    """The chain of host and devices, as it was found last."""
    found = await fleet(desk)
    names = sorted(row.name for row in found.value or ())
    subjects = [subject("Host and manager", "", desk.chain.of(NODE))]
    subjects += [subject(name, f"/devices/{name}/checks", desk.chain.of(name)) for name in names]
    view = Health(
        subjects=tuple(subjects),
        matrix=matrix({name: desk.chain.of(name) for name in names}),
        looking=any(one.looking for one in subjects),
        may_look=visit.role >= Role.ANALYST,
        certificate_fault=desk.certificate_fault(),
        fault=found.fault or "",
        at=found.at,
    )
    return Page(view=view, title="Health")


@page(path="/health", role=Role.ANALYST, method="POST")
async def look(desk: Desk, visit: Visit) -> Answer:
    """Look at everything, one after the other."""
    del visit
    desk.chain.look([NODE, *await device_names(desk)])
    return Redirect(
        to="/health", notice="The chain is being checked; leaving this page changes nothing."
    )


@page(path="/health/senders", role=Role.VIEWER)
async def senders(desk: Desk, visit: Visit) -> Answer:
    """Who sends lines and is unknown."""
    return await _senders(desk, visit)


async def _senders(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(SENDERS, Nothing())
    view = Senders(
        senders=found.value or (),
        names=await device_names(desk),
        may_adopt=visit.role >= Role.OPERATOR,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
    )
    return Page(view=view, title="Unknown senders", status=status)


@page(path="/health/senders", role=Role.OPERATOR, method="POST")
async def adopt(desk: Desk, visit: Visit) -> Answer:
    """Take a sender in as a source of a device."""
    address, name = visit.text("address"), visit.text("device")
    try:
        await desk.asking.ask(ADOPT, Adoption(address=address, name=name), visit.user)
    except TscmError as error:
        return await _senders(desk, visit, str(error), 400)
    return Redirect(
        to="/health/senders", notice=f"Lines from {address} belong to {name} from now on."
    )


@page(path="/health/ledger", role=Role.VIEWER)
async def ledger(desk: Desk, visit: Visit) -> Answer:
    """Is every line accounted for?"""
    del visit
    found = await desk.asking.latest(LEDGER, Balanced())
    view = ledger_view(found.value, found.fault or "", found.at)
    return Page(view=view, title="Ledger")


@page(path="/health/audit", role=Role.VIEWER)
async def audit(desk: Desk, visit: Visit) -> Answer:
    """Who did what."""
    device, since, wrong = visit.text("device")[:64], visit.text("since", "7d")[:40], ""
    here = datetime.fromtimestamp(visit.now, UTC).astimezone()
    try:
        begin = read_time(since, here)
    except ValueError as error:
        begin, wrong = visit.now - 7 * 86400, str(error)
    wanted = visit.text("format")
    top = _AUDIT_MOST if wanted in {"csv", "json"} else _AUDIT_SHOWN
    asked = Audited(device=device or None, since=begin, top=top)
    if wanted in {"csv", "json"}:
        answer = await desk.asking.ask(AUDIT, asked)
        content = _csv(answer.entries) if wanted == "csv" else _json(answer)
        kind = "text/csv; charset=utf-8" if wanted == "csv" else "application/json"
        return Download(name=f"audit.{wanted}", content_type=kind, content=content)
    rounded = Audited(device=asked.device, since=begin // 10 * 10, top=top)
    found = await desk.asking.latest(AUDIT, rounded)
    view = Audit(
        rows=() if found.value is None else audit_rows(found.value.entries),
        names=await device_names(desk),
        device=device,
        since=since,
        csv=visit.at(format="csv"),
        json=visit.at(format="json"),
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
    )
    return Page(view=view, title="Audit", status=400 if wrong else 200)


def _json(answer: Any) -> bytes:
    return json.dumps(as_json(answer), indent=2).encode() + b"\n"


def _csv(entries: tuple[AuditEntry, ...]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = ("at", "who", "operation", "device", "arguments", "outcome", "sentence")
    writer.writerow(heads)
    for one, row in zip(reversed(entries), audit_rows(entries), strict=True):
        at = datetime.fromtimestamp(one.at, UTC).isoformat()
        cells = (at, row.who, one.operation, row.device, row.arguments, one.outcome, row.sentence)
        writer.writerow(tuple(spreadsheet_cell(cell) for cell in cells))
    return out.getvalue().encode()
