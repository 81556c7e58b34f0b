"""
Times as people type them: the one reader of them.  Pure.
"""

import re
from datetime import datetime, timedelta

_AGO = re.compile(r"([0-9]{1,6}) ?(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
ALLOWED = "2026-11-23, 2026-11-23 17:30, 2026-11-23T17:30:00+01:00, 17:30, 15m, 2h, 3d"


def read_time(text: str, now: datetime) -> float:
    """
    Seconds since the epoch: a date, a date with a time, a time of today, or so long ago.

    Without a zone it is the operator's own, which *now* carries.  Raises `ValueError`.
    """
    word = text.strip()
    ago = _AGO.fullmatch(word)
    try:
        if ago:
            return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
        if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", word):
            word = f"{now.date().isoformat()}T{word:0>5}"
        found = datetime.fromisoformat(word)
        return (found if found.tzinfo else found.replace(tzinfo=now.tzinfo)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time; allowed: {ALLOWED}") from None


def read_end(text: str, now: datetime) -> float:
    """
    The same for a time to come: a length counts from now, a time of day that is over means tomorrow's.
    """
    word = text.strip()
    length = _AGO.fullmatch(word)
    try:
        if length:
            return (now + timedelta(**{_UNITS[length[2]]: int(length[1])})).timestamp()
        found = read_time(word, now)
    except (OverflowError, ValueError):
        raise ValueError(f"{text!r} is not a time; allowed: {ALLOWED}") from None
    if ":" in word and "-" not in word and found <= now.timestamp():
        return read_time(f"{(now.date() + timedelta(days=1)).isoformat()}T{word:0>5}", now)
    return found
