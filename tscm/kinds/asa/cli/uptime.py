"""
When a device started, from `fw1 up 173 days 16 hours`.  Pure.

That is rounded down, to the minute on the first day and to the hour later: so the same start looks different each time.
A start that was made out before stands as long as it fits.
"""

import re

_UP = re.compile(
    r"^\S{1,128} up ((?:[0-9]{1,6} (?:year|day|hour|min|sec)s?[ ,]{0,2}){1,5})", re.MULTILINE
)
_PART = re.compile(r"([0-9]{1,6}) (year|day|hour|min|sec)")
_SECONDS = {"year": 365 * 86_400, "day": 86_400, "hour": 3600, "min": 60, "sec": 1}
_DRIFT = 60.0
"""Between our clock and the device's own, and for the way of the answer."""


def started_within(text: str, now: float, before: float | None) -> float | None:
    """The start that *text* of `show version` tells at *now*: *before*, if it can be that still; None if it tells none."""
    found = _UP.search(text)
    if found is None:
        return None
    parts = _PART.findall(found[1])
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    grain = _SECONDS[parts[-1][1]]
    latest = now - seconds
    if before is not None and latest - grain - _DRIFT <= before <= latest + _DRIFT:
        return before
    return latest
