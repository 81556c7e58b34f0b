"""
What stands before the tag of an ASA message: PRI, time stamps, device-id, relay headers.

The forms are those of docs/asa.md section 7: none; `logging timestamp` with and without a zone;
`device-id`; RFC 3339 stamps; EMBLEM's extra colon; and one or two headers that relays put in front.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from attrs import frozen

_PRI = re.compile(r"\s*<[0-9]{1,3}>(?:1 )?")
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?"
_BSD_STAMP = re.compile(
    rf"[*.]?(?:(?P<early>[0-9]{{4}}) {{1,3}})?{_MONTH} {{1,3}}(?P<day>[0-9]{{1,2}})"
    rf"(?: {{1,3}}(?P<year>[0-9]{{4}}))? {{1,3}}{_TIME}"
    r"(?: (?P<zone>[A-Z]{2,5})(?=:| [^ :]+ ?:| [^ :]+ ?$))?"
)
_ISO_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])"
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
_MANY_PLACES = frozenset(
    {"IST", "CST", "BST", "AST", "SST", "GST", "ADT", "ART", "BRT", "CLT", "MEZ", "MESZ"}
)
_WITH_PORT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3}):[0-9]{1,5}", re.ASCII)
_NO_NAME = re.compile(
    r"-|[0-9]*|\S*\[[0-9]*\]|(?:local[0-7]|kern|user|daemon|auth|syslog)\.[a-z]{3,9}|Original",
    re.IGNORECASE | re.ASCII,
)
"""Words before the tag that name no device: programs, sequence numbers, facility and severity."""
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
    own_format = rest.startswith(":")
    found: datetime | None = None
    names: list[str] = []
    while rest := rest.lstrip(" :\t"):
        if kept := _PRI.match(rest):  # a relay put its header before the whole line
            rest = rest[kept.end() :]
            continue
        bsd = _BSD_STAMP.match(rest)
        stamp = bsd or _ISO_STAMP.match(rest)
        if stamp is None:
            word, _, rest = rest.replace("\t", " ").partition(" ")
            names.append(word.rstrip(":").removeprefix("Address="))
            continue
        end, zone = stamp.end(), bsd["zone"] if bsd else None
        if bsd and zone and not _is_zone(bsd, rest, own_format=own_format):
            end, zone = bsd.start("zone"), None
        found = _bsd(bsd, zone, received_at) if bsd else _iso(stamp[0])
        rest = rest[end:]
        if names and _own_name(rest):
            names.clear()
    return Header(_device(names), found)


def _is_zone(stamp: re.Match[str], text: str, *, own_format: bool) -> bool:
    """
    Is the capital word behind a stamp its zone, and not a device of that name?

    An unknown abbreviation is taken for one where the ASA itself wrote the stamp (it has a
    year, or EMBLEM's colon before it) and where the word is followed as a zone is.
    """
    zone = stamp["zone"]
    if zone in _ZONES or zone in _MANY_PLACES:
        return True
    has_year = stamp["year"] is not None or stamp["early"] is not None
    return (has_year or own_format) and ":" in text[stamp.end() :]


def _own_name(rest: str) -> bool:
    """Does a device-id follow the stamp, so that relays' names before it do not count?"""
    return _device(rest.replace(":", " ").split()) is not None


def _device(names: list[str]) -> str | None:
    for name in names:
        if not _NO_NAME.fullmatch(name):
            with_port = _WITH_PORT.fullmatch(name)
            return with_port[1] if with_port else name
    return None


def _bsd(match: re.Match[str], zone: str | None, received_at: float | None) -> datetime | None:
    month = match["month"]
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    told = match["year"] or match["early"]
    hours = 0.0 if zone is None else _ZONES.get(zone)
    if hours is None:
        return None
    place = UTC if not hours else timezone(timedelta(hours=hours))

    def of(year: int) -> datetime:
        return datetime(year, _MONTHS[month], day, hour, minute, second, tzinfo=place)

    try:
        if told is not None:
            return of(int(told))
        if received_at is None:
            return None
        received = datetime.fromtimestamp(received_at, UTC)
        years = (received.year + shift for shift in (-1, 0, 1))
        near = [of(year) for year in years if _exists(year, _MONTHS[month], day)]
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
