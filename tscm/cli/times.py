"""
Times as options of `tsadmin`.
"""

from datetime import datetime
from typing import Any

import click

from tscm.base.time_words import read_end, read_time


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


class End(Time):
    """A time to come as an option."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See `read_end`."""
        if isinstance(value, float):
            return value
        now = datetime.now().astimezone()
        try:
            found = read_end(str(value), now)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found <= now.timestamp():
            self.fail(f"{value!r} is in the past", param, ctx)
        return found
