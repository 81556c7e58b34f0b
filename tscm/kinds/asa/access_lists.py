"""
Entries of an extended access-list, read from a running configuration.  Pure.
"""

import re
from collections.abc import Sequence

from attrs import frozen

LEVELS = (
    "emergencies",
    "alerts",
    "critical",
    "errors",
    "warnings",
    "notifications",
    "informational",
    "debugging",
)
INFORMATIONAL = 6
"""Level of 106100 unless the entry or `logging message` says another."""
_LINE = 2000
"""A command line of an ASA takes 512 characters; a longer line is none, and would cost as its words squared."""
_PORT_WORDS = {"eq": 1, "neq": 1, "lt": 1, "gt": 1, "range": 2}


@frozen(kw_only=True)
class Entry:
    """
    One line of an access-list.

    *source* and *destination* are `any`, `object-group NAME` or the words as they stand.  *narrowed* says
    that ports, users or a protocol leave some of the traffic out.  *level* is that of its 106100: None
    where the entry has no `log`, or has it disabled (*muted*).
    """

    line: str
    access_list: str
    action: str
    source: str
    destination: str
    narrowed: bool = False
    level: int | None = None
    muted: bool = False
    inactive: bool = False
    timed: bool = False

    @property
    def takes_everything(self) -> bool:
        """Does no packet get past it?"""
        sides = (self.source, self.destination)
        return sides == ("any", "any") and not (self.narrowed or self.inactive or self.timed)

    def names(self, group: str) -> bool:
        """Is *group* one of its two sides?"""
        return f"object-group {group}" in (self.source, self.destination)


def level_of(word: str) -> int | None:
    """0 to 7 for a level's name or number."""
    if word in LEVELS:
        return LEVELS.index(word)
    return int(word) if re.fullmatch("[0-7]", word) else None


def read_entry(line: str, services: frozenset[str] = frozenset()) -> Entry | None:
    """
    An entry of an extended access-list; None for remarks and other kinds.

    *services* are the object-groups that hold ports and protocols: in the place of an address such a
    name narrows the entry (ASA command reference, `access-list extended`).
    """
    words = line.split() if len(line) <= _LINE else []
    if len(words) > 3 and words[2] == "line":
        del words[2:4]
    if words[2:3] != ["extended"] or words[3:4] not in (["permit"], ["deny"]):
        return None
    rest = words[4:]
    narrowed = _skip_protocol(rest)
    narrowed |= _skip_user(rest)
    source = _address(rest)
    narrowed |= _skip_ports(rest, services)
    narrowed |= _skip_user(rest)
    destination = _address(rest)
    narrowed |= _skip_ports(rest, services)
    if source is None or destination is None:
        return None
    level, muted = _log_of(rest)
    return Entry(
        line=line.strip(),
        access_list=words[1],
        action=words[3],
        source=source,
        destination=destination,
        narrowed=narrowed,
        level=level,
        muted=muted,
        inactive="inactive" in rest,
        timed="time-range" in rest,
    )


def _skip_protocol(rest: list[str]) -> bool:
    if rest[:1] and rest[0] in {"object", "object-group"}:
        del rest[:2]
        return True
    return rest.pop(0) != "ip" if rest else True


def _skip_user(rest: list[str]) -> bool:
    narrowed = False
    while rest and rest[0] in {"user", "user-group", "object-group-user"}:
        del rest[:2]
        narrowed = True
    while rest and rest[0] in {"security-group", "object-group-security"}:
        del rest[: 3 if rest[0] == "security-group" else 2]
        narrowed = True
    return narrowed


def _address(rest: list[str]) -> str | None:
    if not rest:
        return None
    first = rest.pop(0)
    if first in {"any", "any4", "any6"}:
        return "any6" if first == "any6" else "any"  # most of what is listed is IPv4
    if not rest and "/" not in first:
        return None
    if first in {"host", "object", "object-group", "interface"}:
        return f"{first} {rest.pop(0)}"
    return first if "/" in first else f"{first} {rest.pop(0)}"


def _skip_ports(rest: list[str], services: frozenset[str]) -> bool:
    if not rest:
        return False
    if rest[0] in _PORT_WORDS:
        del rest[: 1 + _PORT_WORDS[rest[0]]]
        return True
    if rest[0] == "object-group" and rest[1:2] and rest[1] in services:
        del rest[:2]
        return True
    return False


def _log_of(rest: Sequence[str]) -> tuple[int | None, bool]:
    """Level of 106100, and whether nothing at all is said: `log disable`."""
    if "log" not in rest:
        return None, False
    word = next(iter(rest[rest.index("log") + 1 :]), "")
    if word == "disable":
        return None, True
    if word == "default":  # 106023 for what is denied, as without the word
        return None, False
    level = level_of(word)
    return INFORMATIONAL if level is None else level, False
