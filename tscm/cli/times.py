"""
Times as an operator types them.
"""

import re
from datetime import datetime, timedelta
from typing import Any

import click

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
        raise ValueError(f"{text!r} is no time; allowed: {ALLOWED}") from None


class Time(click.ParamType[float]):
    """A time as an option."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See `read_time`."""
        if isinstance(value, float):
            return value
        try:
            return read_time(str(value), datetime.now().astimezone())
        except ValueError as error:
            self.fail(str(error), param, ctx)
