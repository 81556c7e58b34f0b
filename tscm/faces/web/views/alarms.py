"""
Alarms: what is open, what ended, what is muted, and what was sent.
"""

from typing import ClassVar

from attrs import frozen

from tscm.alarms.alarm import Ended
from tscm.alarms.answers import AlarmsStanding, NamedAlarm
from tscm.alarms.mutes import Mute
from tscm.channels.figures import Delivery
from tscm.faces.web.views.states import Badge, badge
from tscm.reports.answers import ReportStanding
from tscm.standing import Verdict

RECENT = 20


@frozen(kw_only=True)
class AlarmRow:
    """One open alarm."""

    alarm: NamedAlarm
    badge: Badge


@frozen(kw_only=True)
class AlarmsPage:
    """All of it; *waiting* are names of what has not lasted for long enough."""

    TEMPLATE: ClassVar[str] = "alarms.html"

    rows: tuple[AlarmRow, ...] = ()
    waiting: tuple[str, ...] = ()
    ended: tuple[Ended, ...] = ()
    mutes: tuple[Mute, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    reports: tuple[ReportStanding, ...] = ()
    send: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    """Those that a test can be sent on."""
    looked_at: float = 0.0
    trouble: tuple[str, ...] = ()
    may_act: bool = False
    may_test: bool = False
    fault: str = ""
    at: float = 0.0
    wrong: str = ""
    name: str = ""
    until: str = ""
    reason: str = ""


def rows_of(found: AlarmsStanding) -> tuple[AlarmRow, ...]:
    """The open alarms with their badges."""
    return tuple(
        AlarmRow(
            alarm=one,
            badge=badge(Verdict.FAILED if one.severity == "failed" else Verdict.WARNING),
        )
        for one in found.open
    )
