"""
A stamp as it stands in a line's header to a point in time.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

_BSD = re.compile(
    r"(?:[A-Z][a-z]{2},? +)?(?:(?P<early>[0-9]{4}) +)?(?P<month>[A-Z][a-z]{2}) +(?P<day>[0-9]{1,2})"
    r"(?: +(?P<year>[0-9]{4}))? +(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:[.,](?P<part>[0-9]{1,9}))?(?: (?P<late>[0-9]{4}))?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_HOURS = {
    "UTC": 0.0, "GMT": 0.0, "Z": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "EET": 2.0, "EEST": 3.0,
    "MSK": 3.0, "MSD": 4.0, "EST": -5.0, "EDT": -4.0, "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0,
    "CDT": -5.0, "JST": 9.0, "AEST": 10.0, "AEDT": 11.0,
}  # fmt: skip
"""Hours east of Greenwich for the abbreviations that mean one thing; others give no time."""
_OFFSET = re.compile(
    r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>[0-9]{1,2}):?(?P<minutes>[0-9]{2})?", re.ASCII
)
_ISO_PART = re.compile(r"[.,]([0-9]{1,9})")
_HALF_YEAR = timedelta(days=183)


def time_of(stamp: bytes, zone: bytes | None, received_at: float | None = None) -> datetime | None:
    """
    When *stamp* was; None where that cannot be told: a year that is missing, a zone that is unknown.

    *received_at* (POSIX seconds) lends a year to stamps that have none.  Without a zone it is UTC.
    """
    place = _place(zone)
    if place is None:
        return None
    text = stamp.decode("ascii", "replace").lstrip("*.")
    bsd = _BSD.fullmatch(text)
    return _bsd(bsd, place, received_at) if bsd else _iso(text, place)


def _place(zone: bytes | None) -> timezone | None:
    if zone is None:
        return UTC
    word = zone.decode("ascii", "replace")
    if (hours := _HOURS.get(word)) is not None:
        return timezone(timedelta(hours=hours)) if hours else UTC
    told = _OFFSET.fullmatch(word)
    if told is None:
        return None
    minutes = int(told["hours"]) * 60 + int(told["minutes"] or 0)
    if minutes >= 24 * 60:
        return None
    return timezone(timedelta(minutes=-minutes if told["sign"] == "-" else minutes))


def _bsd(match: re.Match[str], place: timezone, received_at: float | None) -> datetime | None:
    month = _MONTHS.get(match["month"])
    told = match["year"] or match["early"] or match["late"]
    if month is None:
        return None
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    part = int((match["part"] or "0")[:6].ljust(6, "0"))

    def of(year: int) -> datetime:
        return datetime(year, month, day, hour, minute, second, part, tzinfo=place)

    try:
        if told is not None:
            return of(int(told))
        if received_at is None:
            return None
        received = datetime.fromtimestamp(received_at, UTC)
        years = (received.year + shift for shift in (-1, 0, 1))
        near = [of(year) for year in years if _exists(year, month, day)]
    except (ValueError, OverflowError, OSError):
        return None
    best = min(near, key=lambda one: abs(one - received), default=None)
    return best if best is not None and abs(best - received) < _HALF_YEAR else None


def _exists(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True


def _iso(text: str, place: timezone) -> datetime | None:
    try:
        stamp = datetime.fromisoformat(_ISO_PART.sub(lambda part: "." + part[1][:6], text))
    except ValueError:
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=place)
