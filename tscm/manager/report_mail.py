"""
Scheduled reports of a manager: what was counted, asked as `tsadmin report` asks it, and sent by mail.
"""

import secrets
from collections.abc import Sequence

from attrs import evolve

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.channels.mail import refuse_unset, send_mail
from tscm.events.answers import EventReport
from tscm.events.report import ask_several, read_question
from tscm.manager.node import Node
from tscm.reports.content import Found, as_mail, options
from tscm.reports.due import Due
from tscm.reports.service import ReportService
from tscm.settings.files import device_names
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.reports import Schedule

_ROWS_MOST = 4000


def report_service(node: Node, notices: Threads, settings: NodeSettings) -> ReportService:
    """The schedules of *settings*; mail is sent in threads of *notices*."""

    async def send(schedule: Schedule, due: Due) -> str:
        mail = settings.mail
        refuse_unset(mail, schedule.to)
        if node.store.fault is not None:
            raise node.store.fault.with_traceback(None)
        found = await node.slow.run(found_for, node.layout, schedule, due)
        made = as_mail(
            schedule,
            due,
            found,
            settings.node_id,
            mail.sender or "",
            number=secrets.token_hex(12),
            at=wall_seconds(node.clock),
        )
        return await notices.run(send_mail, mail, node.layout, made)

    return ReportService(
        node.clock, node.quick, node.layout.reports, settings.reports.schedules, send
    )


def found_for(layout: Layout, schedule: Schedule, due: Due) -> Found:
    """What was counted in that time.  Blocking; raises `TscmError`."""
    stored = device_names(layout)
    names = [one for one in stored if one in schedule.devices] if schedule.devices else stored
    asked = options(schedule, due)
    whole, each = _asked(layout, names, asked)
    hours, _ = _asked(layout, names, {**asked, "by": "hour,action", "top": _ROWS_MOST})
    counts: dict[str, dict[int, int]] = {"blocked": {}, "allowed": {}}
    for row in hours.rows:
        counts[row["action"]][int(row["hour"])] = int(row["hits"])
    return Found(whole=whole, devices=each, blocked=counts["blocked"], allowed=counts["allowed"])


def _asked(
    layout: Layout, names: Sequence[str], asked: dict[str, object]
) -> tuple[EventReport, tuple[EventReport, ...]]:
    first = read_question("", asked, 0.0)
    questions = [evolve(first, device=name) for name in names] or [first]
    whole, each = ask_several(layout.database, questions)
    return whole, tuple(one for one in each if one.device)
