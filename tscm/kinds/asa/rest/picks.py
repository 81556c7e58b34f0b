"""
What is wanted of an answer: the little that the driver asks for, out of whatever the device sent.

Pure.  A pick is made where the answer is parsed, in a child process where it is large (`tscm.kinds.asa.rest.reader`), and
so consists of what JSON carries.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from attrs import frozen

from tscm.kinds.asa.condense import condense
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.rest.members import group_of
from tscm.model import Cidr, Json

MOST_MEMBERS = 500_000
"""Of groups of ours, on one device; more than any is known to bear."""
MOST_GROUPS = 100_000
"""Of any owner, on one device."""
CONFIG_BYTES = 2 << 20
"""What may be left of a configuration: no agent bears one that is larger as a whole (docs/develop/asa.md, section 4)."""
MOST_ENTRIES = 2000
"""Of access-lists that name our groups: four for each interface are usual."""
_LAST_SECOND = 1 << 33
_WORD = 200
_COMMANDS = 100
_LINE = 1000
_SAID = 256 << 10
"""Of what a command prints that is read for single words; each takes a few KB."""
_NAME = 64
_DESCRIPTION = 1000
"""More than the 200 characters that an ASA takes."""


class TooMuch(Exception):
    """
    What would have to be kept is more than its bound; the text says of what.
    """


@frozen
class Want:
    """
    What to pick: `nothing`, `version`, `groups`, `texts`, `said` or `configuration`.

    *prefix* is that of our groups.
    """

    kind: str = "nothing"
    prefix: str = ""


NOTHING = Want()


def pick(want: Want, answer: Any) -> Any:
    """What *want* names out of a parsed answer; None where it is not there.  Raises `TooMuch`."""
    match want.kind:
        case "nothing":
            return None
        case "version":
            return _version(answer)
        case "groups":
            return _groups(answer, want.prefix)
        case "texts":
            return _texts(answer)
        case "said":
            return _said(answer)
        case "configuration":
            return _configuration(answer, want.prefix)
    raise ValueError(f"unknown want {want.kind!r}")


def page_groups(page: Json) -> Iterator[Group]:
    """The groups of a picked page."""
    for name, members, children, description, foreign in page["groups"]:
        yield Group(
            name=name,
            members=tuple(map(Cidr, members)),
            children=tuple(children),
            description=description,
            foreign=foreign,
        )


def _version(answer: Any) -> Json | None:
    if not isinstance(answer, Mapping):
        return None
    return {
        "version": _word(answer.get("asaVersion")),
        "model": _word(answer.get("deviceType")),
        "up": _seconds(answer.get("upTimeinSeconds")),
        "now": _seconds(answer.get("currentTimeinSeconds")),
    }


def _word(value: Any) -> str | None:
    return value[:_WORD] if isinstance(value, str) and value else None


def _seconds(value: Any) -> float | None:
    """A time or a length of time; None for what is none, NaN and thousands of years included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LAST_SECOND else None


def _groups(answer: Any, prefix: str) -> Json | None:
    """
    `count` is of all items, `names` of all groups, `groups` are ours, each as name, members, children, description
    and the number of foreign members.

    A name that is too long for an ASA stands in `names` by its digest: it is only asked whether two are the same.
    """
    items = answer.get("items", []) if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        return None
    names: list[str] = []
    ours: list[list[Any]] = []
    members = 0
    for item in items:
        group = group_of(item) if isinstance(item, Mapping) else None
        if group is None:
            continue
        names.append(group.name if len(group.name) <= _NAME else _digest(group.name))
        if group.name.startswith(prefix + "-"):
            ours.append(
                [
                    group.name,
                    list(group.members),
                    list(group.children),
                    group.description[:_DESCRIPTION],
                    group.foreign,
                ]
            )
            members += len(group.members) + len(group.children)
    bounded_groups(len(items), members)
    return {"count": len(items), "total": _total(answer), "names": names, "groups": ours}


def bounded_groups(groups: int, members: int, most_members: int = MOST_MEMBERS) -> None:
    """Raises `TooMuch` where there are more than any device has."""
    if groups > MOST_GROUPS:
        raise TooMuch(f"it has more than {MOST_GROUPS:,} object-groups")
    if members > most_members:
        raise TooMuch(f"the groups of tscm have more than {most_members:,} members")


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _total(page: Mapping[str, Any]) -> int | None:
    """
    How many items there are.  `rangeInfo.limit` is only what came back; without a total, ask on.
    """
    span = page.get("rangeInfo")
    total = span.get("total") if isinstance(span, Mapping) else None
    return total if isinstance(total, int) else None


def _response(answer: Any) -> list[Any] | None:
    said = answer.get("response") if isinstance(answer, Mapping) else None
    return said if isinstance(said, list) else None


def _texts(answer: Any) -> list[str] | None:
    """What each command printed; the last ones may be missing."""
    said = _response(answer)
    return None if said is None else [_text(str(one)) for one in said[:_COMMANDS]]


def _text(said: str) -> str:
    """What a command printed, its lines and all of it within what a screen could show."""
    lines = (line[:_LINE] for line in said[:_SAID].splitlines())
    return "\n".join(lines)


def _said(answer: Any) -> str:
    """What a command of its own resource printed, such as `writemem`."""
    lines = _response(answer)
    if lines is None:
        lines = [answer.get("response") or ""] if isinstance(answer, Mapping) else []
    return "\n".join(str(one) for one in lines)


def _configuration(answer: Any, prefix: str) -> Json | None:
    """`size` in bytes, and the `text` that is left of it."""
    said = _response(answer)
    if said is None:
        return None
    whole = str(said[0]) if said else ""
    text = condense(whole, prefix)
    if len(text) > CONFIG_BYTES:
        raise TooMuch(
            "the part of its configuration about groups of tscm, interfaces and logging "
            f"exceeds {CONFIG_BYTES:,} bytes"
        )
    if text.count("\naccess-list ") > MOST_ENTRIES:
        raise TooMuch(
            f"more than {MOST_ENTRIES:,} entries of its access-lists name the groups of tscm"
        )
    return {"size": len(whole.encode("utf-8", "replace")), "text": text}
