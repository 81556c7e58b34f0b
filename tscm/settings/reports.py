"""
Settings of scheduled reports: `[reports]`.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import asdict, frozen

from tscm.settings import values
from tscm.settings.mail_address import mail_address
from tscm.settings.schema import read_table, setting

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CC_MOST = 3
_SCHEDULES_MOST = 64
_LAST_DAY = 28
_ALLOWED = (
    "tables of name, every (daily, weekly, monthly), at (HH:MM), to (name@domain), and where needed zone, weekday, day, "
    "cc (up to three), devices, by, top, action, direction, list, inside"
)
_BY = ("entry", "list", "inside", "outside", "port", "protocol", "direction", "action")


def time_of_day(value: Any) -> str:
    """`HH:MM`, from 00:00 to 23:59."""
    text = value.strip() if isinstance(value, str) else ""
    hour, colon, minute = text.partition(":")
    digits = hour.isascii() and hour.isdecimal() and minute.isascii() and minute.isdecimal()
    fits = digits and len(hour) <= 2 and len(minute) == 2 and int(hour) < 24 and int(minute) < 60
    if not colon or not fits:
        raise values.refused(value, "is not a time of day", "HH:MM, such as 07:00")
    return f"{int(hour):02}:{minute}"


def zone_name(value: Any) -> str:
    """The name of a time zone of the IANA database, such as Europe/Berlin."""
    try:
        if not isinstance(value, str) or not value or value.startswith(("/", ".")):
            raise ValueError
        if value != "UTC":
            ZoneInfo(value)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise values.refused(value, "is not a time zone", "Europe/Berlin, UTC") from None
    return value


def _copies(value: Any) -> tuple[str, ...]:
    found = values.many(mail_address)(value)
    if len(found) > CC_MOST:
        raise values.refused(value, f"has more than {CC_MOST} addresses", "fewer")
    return found


def _recipients(value: Any) -> tuple[str, ...]:
    found = values.many(mail_address)(value)
    if not found:
        raise values.refused(value, "has no address", "name@domain")
    return found


@frozen(kw_only=True)
class Schedule:
    """`[[reports.schedules]]`: one report by mail."""

    name: str = setting(values.nickname, doc="Name of the report")
    every: str = setting(
        values.choice("daily", "weekly", "monthly"), doc="How often it is sent, and what it covers"
    )
    at: str = setting(time_of_day, "07:00", doc="Time of day, HH:MM")
    zone: str = setting(zone_name, "UTC", doc="Time zone of that time and of the days")
    weekday: str = setting(values.choice(*WEEKDAYS), "monday", doc="Day of a weekly report")
    day: int = setting(values.whole(1, _LAST_DAY), 1, doc="Day of a monthly report")
    to: tuple[str, ...] = setting(_recipients, doc="Recipients, name@domain")
    cc: tuple[str, ...] = setting(_copies, (), doc="Up to three copies, name@domain")
    devices: tuple[str, ...] = setting(
        values.many(values.nickname), (), doc="Devices; none means all"
    )
    by: str = setting(values.choice(*_BY), "entry", doc="Grouping of the rows")
    top: int = setting(values.whole(1, 200), 20, doc="Number of rows")
    action: str | None = setting(
        values.optional(values.choice("blocked", "allowed")), None, doc="Only this action"
    )
    direction: str | None = setting(
        values.optional(values.choice("inbound", "outbound")), None, doc="Only this direction"
    )
    list: str | None = setting(values.optional(values.dns_name), None, doc="Only this list")
    inside: str | None = setting(
        values.optional(values.text), None, doc="Only this inside host or network"
    )

    def as_table(self) -> dict[str, Any]:
        """As the settings file holds it."""
        found = asdict(self, filter=lambda _, one: one is not None)
        return {name: [*one] if isinstance(one, tuple) else one for name, one in found.items()}


def schedules(value: Any) -> tuple[Schedule, ...]:
    """`[[reports.schedules]]`: every name once."""
    if not isinstance(value, list | tuple) or len(value) > _SCHEDULES_MOST:
        raise values.refused("what is given", "is not a list of reports", _ALLOWED)
    found: dict[str, Schedule] = {}
    for number, one in enumerate(value, 1):
        if not isinstance(one, Schedule | Mapping):
            raise values.refused(f"report {number}", "is not a table", _ALLOWED)
        schedule, faults = (one, ()) if isinstance(one, Schedule) else read_table(Schedule, one)
        if schedule is None:
            raise values.refused(f"report {number}", f"is faulty: {faults[0]}", _ALLOWED)
        if schedule.name in found:
            raise values.refused(schedule.name, "names two reports", _ALLOWED)
        found[schedule.name] = schedule
    return tuple(found.values())


@frozen(kw_only=True)
class ReportSettings:
    """`[reports]`: reports that are sent by mail."""

    schedules: tuple[Schedule, ...] = setting(
        schedules, (), doc="Reports by mail at fixed times, [[reports.schedules]]."
    )
