"""
What `tsadmin` says: lines with their level, and JSON; text that came from elsewhere is made harmless on its way.
"""

import os
import sys
from typing import Any

from tscm.printable import visible

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m"}


def info(text: str, *, aside: bool = False) -> None:
    """A line for the operator; *aside* of data that a program reads from the output."""
    _line(f"[INFO ] : {visible(text, keep=chr(10))}", aside=aside)


def warn(text: str) -> None:
    """A line about something that works and should not stay so."""
    _line(f"[WARN ] : {visible(text, keep=chr(10))}", aside=True)


def error(text: str) -> None:
    """The line that says why nothing was done."""
    _line(f"[ERROR] : {visible(text, keep=chr(10))}", aside=True)


def plain(text: str) -> None:
    """Text of our own, as it stands."""
    _line(text)


def change(sign: str, text: str) -> None:
    """What comes (+, green) or goes (-, red); without colour where the output is no terminal."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    _line(f"{_COLOURS[sign]}{text}\x1b[0m" if coloured else text)


def as_json(value: Any) -> None:
    """Data for programs: one JSON document; values as the control interface carries them, times also as ISO 8601."""
    import json  # for who wants JSON

    from tscm.cli.iso_times import with_iso

    _line(json.dumps(with_iso(json.loads(json.dumps(value, default=_json_of))), indent=2))


def _json_of(value: Any) -> Any:
    import attrs

    if not attrs.has(type(value)):
        return str(value)
    from tscm.wire.writing import as_json  # cattrs: only for who wants JSON

    return as_json(value)


def json_line(value: Any) -> None:
    """One of many: a JSON object on a line of its own, in ASCII, times also as ISO 8601."""
    import json  # for who wants JSON

    from tscm.cli.iso_times import with_iso

    _line(json.dumps(with_iso(value), default=str))


def _line(text: str, *, aside: bool = False) -> None:
    # the streams as they are now: a live display puts its own in their place
    stream = sys.stderr if aside else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()
