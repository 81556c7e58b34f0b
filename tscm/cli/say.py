"""
What `tsadmin` says: lines with their level, JSON, and text that came from elsewhere made harmless.
"""

import json
import sys
from typing import Any


def visible(value: object, *, keep: str = "") -> str:
    r"""
    *value* as text in which no character can act on a terminal.

    Names and messages that a sender chose pass through here: escape sequences, line ends
    and bidirectional marks come out as `\x1b` and the like.  Characters of *keep* stay.
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one in keep or one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


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


def as_json(value: Any) -> None:
    """Data for programs: one JSON document."""
    _line(json.dumps(value, indent=2, default=str))


def json_line(value: Any) -> None:
    """One of many: a JSON object on a line of its own, in ASCII."""
    _line(json.dumps(value, default=str))


def _line(text: str, *, aside: bool = False) -> None:
    # the streams as they are now: a live display puts its own in their place
    stream = sys.stderr if aside else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()
