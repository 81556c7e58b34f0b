"""
`time-range`: its lines, and what the agent makes of them.
"""

from collections.abc import Sequence
from re import compile as pattern
from typing import Any

from tscm.simulator.digits import whole
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SPANS = ("daily", "weekdays", "weekend")
_CLOCK = pattern(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def check(words: Sequence[str]) -> list[str]:
    """A line below `time-range`, its days and months spelt out; raises `Refused`."""
    if words[0] == "absolute":
        return ["absolute", *_absolute(words[1:])]
    return ["periodic", *_periodic(words[1:])]


def _absolute(words: Sequence[str]) -> list[str]:
    taken: list[str] = []
    rest = list(words)
    for name in ("start", "end"):
        if rest and name.startswith(rest[0]):
            if len(rest) < 5:
                raise Refused(Cause.SYNTAX, INCOMPLETE)
            clock, day, month, year = rest[1:5]
            whole_month = _one_of(month, _MONTHS)
            known = _CLOCK.fullmatch(clock) and whole(day, 31, 1) and whole(year, 2035, 1993)
            if not known or whole_month is None:
                raise Refused(Cause.SYNTAX, INVALID, at=len(taken) + 2)
            taken += [name, clock, day, whole_month, year]
            del rest[:5]
    if rest or not taken:
        raise Refused(Cause.SYNTAX, INVALID if rest else INCOMPLETE, at=len(taken) + 1)
    return taken


def _one_of(word: str, names: Sequence[str]) -> str | None:
    found = [one for one in names if word and one.lower().startswith(word.lower())]
    return found[0] if len(found) == 1 else None


def _periodic(words: Sequence[str]) -> list[str]:
    taken: list[str] = []
    clocks = 0
    for at, word in enumerate(words, 1):
        day = _one_of(word, (*_DAYS, *_SPANS))
        if _CLOCK.fullmatch(word):
            clocks += 1
            taken.append(word)
        elif word == "to" and clocks == 1:
            taken.append(word)
        elif day is not None and clocks < 2:
            taken.append(day)
        else:
            raise Refused(Cause.SYNTAX, INVALID, at=at)
    if clocks != 2 or "to" not in taken or _CLOCK.fullmatch(taken[0]):
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    return taken


def to_json(name: str, below: Sequence[str], link: str) -> dict[str, Any]:
    """One time range as the agent answers it."""
    start, end = "now", "never"
    periodic = []
    for line in below:
        words = line.split()
        if words[0] == "absolute":
            for at in range(1, len(words), 5):
                clock, day, month, year = words[at + 1 : at + 5]
                shown = f"{clock} {month[:3]} {day} {year}"
                start, end = (shown, end) if words[at] == "start" else (start, shown)
        elif words[0] == "periodic":
            periodic.append(_frequency(words[1:]))
    return {
        "kind": "object#TimeRange",
        "selfLink": link,
        "name": name,
        "objectId": name,
        "value": {"start": start, "end": end, "periodic": periodic},
    }


def _frequency(words: Sequence[str]) -> dict[str, Any]:
    """Several days end in a blank, and a span of days says to which (recorded by another client)."""
    first = next(at for at, word in enumerate(words) if _CLOCK.fullmatch(word))
    days, until = list(words[:first]), list(words[first + 2 :])
    frequency = " ".join(days)
    if len(until) > 1:
        frequency += f" to {until[0]}"
    elif len(days) > 1:
        frequency += " "
    begin, finish = words[first].split(":"), until[-1].split(":")
    return {
        "frequency": frequency,
        "startHour": int(begin[0]),
        "startMinute": int(begin[1]),
        "endHour": int(finish[0]),
        "endMinute": int(finish[1]),
    }
