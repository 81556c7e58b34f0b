"""
A device's clock, from `18:35:05.899 UTC Mon Nov 30 2026`.  Pure.
"""

import re

from tscm.syslog.stamps import time_of

_CLOCK = re.compile(
    r"^[*.]?(\d{2}:\d{2}:\d{2})(?:\.\d{1,6})? (\S{1,20}) [A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{4})$",
    re.MULTILINE,
)


def clock_in(text: str, now: float) -> float | None:
    """POSIX seconds of what `show clock` printed; None where its zone is not known."""
    found = _CLOCK.search(text.replace("\r", ""))
    if found is None:
        return None
    time, zone, month, day, year = found.groups()
    told = time_of(f"{month} {day:>2} {year} {time}".encode(), zone.encode(), now)
    return None if told is None else told.timestamp()
