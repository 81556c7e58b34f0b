"""
Alarms: look at them, mute them with a reason, and test the channels.
"""

from datetime import UTC, datetime

from tscm.alarms.answers import AlarmsStanding
from tscm.base.time_words import read_end
from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.alarms import RECENT, AlarmsPage, rows_of
from tscm.faces.web.visit import Answer, Faulty, Page, Redirect, Visit
from tscm.operations.arguments import AlarmNamed, Channel, Muting, Nothing
from tscm.operations.table.alarms import ALARMS, MUTE_ALARM, TEST_ALARM, UNMUTE_ALARM
from tscm.operations.table.reports import REPORTS
from tscm.settings.alarm_rules import CHANNELS


@page(path="/health/alarms", role=Role.VIEWER)
async def alarms(desk: Desk, visit: Visit) -> Answer:
    """Open and ended alarms, mutes, and messages."""
    return await _page(desk, visit)


async def _page(desk: Desk, visit: Visit, wrong: str = "", status: int = 200) -> Page:
    found = await desk.asking.latest(ALARMS, Nothing())
    reports = await desk.asking.latest(REPORTS, Nothing())
    value = found.value or AlarmsStanding()
    failing = (
        f"{name}: {one.last_error or 'failing'}"
        for name, one in value.channels.items()
        if one.failures
    )
    view = AlarmsPage(
        rows=rows_of(value),
        waiting=tuple(one.named for one in value.waiting),
        ended=value.ended[:RECENT],
        mutes=value.mutes,
        deliveries=value.deliveries[:RECENT],
        reports=reports.value or (),
        send=value.send,
        channels=CHANNELS,
        looked_at=value.looked_at,
        trouble=(*failing, *((value.fault,) if value.fault else ())),
        may_act=visit.role >= Role.OPERATOR,
        may_test=visit.role >= Role.ADMIN,
        fault=found.fault or "",
        at=found.at,
        wrong=wrong,
        name=visit.text("name")[:200],
        until=visit.text("until")[:40],
        reason=visit.text("reason")[:300],
    )
    return Page(view=view, title="Alarms", status=status)


@page(path="/health/alarms/mute", role=Role.OPERATOR, method="POST")
async def mute(desk: Desk, visit: Visit) -> Answer:
    """Send nothing about some alarms until a time."""
    until = visit.text("until")
    here = datetime.fromtimestamp(visit.now, UTC).astimezone()
    try:
        if not visit.text("reason"):
            raise Faulty("a reason is needed: it is shown wherever the mute is")
        end = read_end(until, here) if until else None
        asked = Muting(alarm=visit.text("name"), until=end, reason=visit.text("reason"))
        told = await desk.asking.ask(MUTE_ALARM, asked, visit.user)
    except (ValueError, TscmError) as error:
        return await _page(desk, visit, str(error), 400)
    return Redirect(to="/health/alarms", notice=f"{told.sentence}.")


@page(path="/health/alarms/unmute", role=Role.OPERATOR, method="POST")
async def unmute(desk: Desk, visit: Visit) -> Answer:
    """Send again what is muted."""
    try:
        told = await desk.asking.ask(UNMUTE_ALARM, AlarmNamed(alarm=visit.text("name")), visit.user)
    except TscmError as error:
        return await _page(desk, visit, str(error), 400)
    return Redirect(to="/health/alarms", notice=f"{told.sentence}.")


@page(path="/health/alarms/test", role=Role.ADMIN, method="POST")
async def test(desk: Desk, visit: Visit) -> Answer:
    """Send a test message, and show the answer of the other side."""
    try:
        asked = Channel(channel=visit.text("channel"))
        told = await desk.asking.ask(TEST_ALARM, asked, visit.user)
    except TscmError as error:
        return await _page(desk, visit, str(error), 400)
    return Redirect(to="/health/alarms", notice=f"The test message was {told.sentence}.")
