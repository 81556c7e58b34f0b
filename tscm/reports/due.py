"""
When a scheduled report is due, and which time it covers.  Pure.

A day begins at midnight of its zone, so that one of 23 or 25 hours is a day.  A time that a change to summer time skips
comes as late as the clock is put forward; of a time that comes twice, the first counts (PEP 495).
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from attrs import frozen

from tscm.settings.reports import WEEKDAYS, Schedule


@frozen(kw_only=True)
class Due:
    """A report that is due *at* a time; it covers *since* up to *until* (POSIX seconds)."""

    at: float
    since: float
    until: float


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC also where the system has no data of time zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def latest_due(schedule: Schedule, now: float) -> Due:
    """The latest time up to *now* at which the report was due."""
    zone = zone_of(schedule.zone)
    day = datetime.fromtimestamp(now, zone).date()
    for back in range(63):  # two months hold each of the days once at least
        one = day - timedelta(days=back)
        if _fits(schedule, one):
            at = _moment(one, time.fromisoformat(schedule.at), zone)
            if at <= now:
                begun = _moment(_first_day(schedule, one), time(), zone)
                return Due(at=at, since=begun, until=_moment(one, time(), zone))
    raise AssertionError(schedule)


def to_send(schedule: Schedule, dealt_with: float, now: float) -> Due | None:
    """
    What is to be sent now: the latest due report, once; those before it are left out.

    *dealt_with* is when the last one that was sent was due, or when the schedule was first seen.
    """
    due = latest_due(schedule, now)
    return None if due.at <= dealt_with else due


def next_due(schedule: Schedule, now: float) -> float:
    """When it is due next, after *now*."""
    zone = zone_of(schedule.zone)
    day = datetime.fromtimestamp(now, zone).date()
    for ahead in range(63):
        one = day + timedelta(days=ahead)
        if _fits(schedule, one):
            at = _moment(one, time.fromisoformat(schedule.at), zone)
            if at > now:
                return at
    raise AssertionError(schedule)


def _fits(schedule: Schedule, day: date) -> bool:
    if schedule.every == "weekly":
        return day.weekday() == WEEKDAYS.index(schedule.weekday)
    return schedule.every == "daily" or day.day == schedule.day


def _first_day(schedule: Schedule, day: date) -> date:
    if schedule.every == "daily":
        return day - timedelta(days=1)
    if schedule.every == "weekly":
        return day - timedelta(days=7)
    last_month = day.replace(day=1) - timedelta(days=1)
    return last_month.replace(day=schedule.day)


def _moment(day: date, at: time, zone: tzinfo) -> float:
    """A local time as POSIX seconds."""
    return datetime.combine(day, at, zone).astimezone(UTC).timestamp()
