"""
What stands before the tag of an ASA message: PRI, time stamps, device-id, relay headers.

The forms are those of docs/asa.md section 7: none; `logging timestamp` with and without a zone;
`device-id`; RFC 3339 stamps; EMBLEM's extra colon; and one or two headers that relays put in front.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from attrs import frozen

_PRI = re.compile(r"\s*<[0-9]{1,3}>(?:1 )?")
_BSD_STAMP = re.compile(
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}([0-9]{1,2})(?: ([0-9]{4}))?"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?: ([A-Z]{2,5})(?=:| [^ :]+ ?:))?"
)
_ISO_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_ZONES = {
    "UTC": 0.0, "GMT": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "EET": 2.0, "EEST": 3.0, "MSK": 3.0,
    "MSD": 4.0, "EST": -5.0, "EDT": -4.0, "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0, "CDT": -5.0, "JST": 9.0,
    "AEST": 10.0, "AEDT": 11.0,
}  # fmt: skip
"""Hours east of Greenwich for the abbreviations that mean one thing; others give no time."""
_MAX_HEADER = 512
_HALF_YEAR = timedelta(days=183)


@frozen
class Header:
    """The sender's name or address as the line tells it, and the time it was stamped."""

    device: str | None = None
    timestamp: datetime | None = None


def read_header(text: str, received_at: float | None = None) -> Header:
    """
    Read what stands before the tag.  Of several stamps and names the innermost counts: it
    is the device's own, the others were put in front by relays.
    """
    text = text[-_MAX_HEADER:]
    pri = _PRI.match(text)
    rest = text[pri.end() :] if pri else text
    found: datetime | None = None
    names: list[str] = []
    while rest := rest.lstrip(" :\t"):
        bsd = _BSD_STAMP.match(rest)
        iso = None if bsd else _ISO_STAMP.match(rest)
        if bsd:
            found = _bsd(bsd, received_at)
            rest = rest[bsd.end() :]
            inner = True
        elif iso:
            found = _iso(iso[0])
            rest = rest[iso.end() :]
            inner = True
        else:
            word, _, rest = rest.partition(" ")
            inner = False
            names.append(word.rstrip(":"))
        if inner and rest and names and _own_name(rest):
            names.clear()
    return Header(_device(names), found)


def _own_name(rest: str) -> bool:
    """Does a device-id follow the stamp, so that relays' names before it do not count?"""
    return bool(rest.strip(" :\t"))


def _device(names: list[str]) -> str | None:
    for name in names:
        if name and not re.fullmatch(r"\S*\[[0-9]*\]|-", name):
            return name
    return None


def _bsd(match: re.Match[str], received_at: float | None) -> datetime | None:
    month, day, year, hour, minute, second, zone = match.groups()
    hours = 0.0 if zone is None else _ZONES.get(zone)
    if hours is None:
        return None
    place = UTC if not hours else timezone(timedelta(hours=hours))
    try:
        if year is not None:
            return datetime(
                int(year),
                _MONTHS[month],
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=place,
            )
        if received_at is None:
            return None
        received = datetime.fromtimestamp(received_at, UTC)
        near = [
            datetime(
                received.year + shift,
                _MONTHS[month],
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=place,
            )
            for shift in (-1, 0, 1)
            if _exists(received.year + shift, _MONTHS[month], int(day))
        ]
    except (ValueError, OverflowError, OSError):
        return None
    best = min(near, key=lambda stamp: abs(stamp - received), default=None)
    return best if best is not None and abs(best - received) < _HALF_YEAR else None


def _exists(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True


def _iso(text: str) -> datetime | None:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
