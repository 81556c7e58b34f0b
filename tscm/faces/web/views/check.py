"""
An address, as all devices see it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from tscm.faces.web.views.words import iso
from tscm.model import Json
from tscm.plural import many

TERMS = ((1, "1 h"), (4, "4 h"), (24, "24 h"), (72, "3 days"), (168, "7 days"), (720, "30 days"))


@frozen(kw_only=True)
class Verdicts:
    """What one device does with it."""

    device: str
    kind: str
    """Colour: `failed` for blocked, `ok` for permitted, `new` for neither, `warning` where it is not known."""
    word: str
    sentences: tuple[str, ...]
    seen: tuple[str, ...]


@frozen(kw_only=True)
class Term:
    """A length that an entry may have."""

    hours: int
    word: str
    chosen: bool


@frozen(kw_only=True)
class Check:
    """The page about an address."""

    TEMPLATE: ClassVar[str] = "check.html"

    asked: str
    fault: str
    summary: str
    devices: tuple[Verdicts, ...]
    may_enter: bool
    must_end: bool
    terms: tuple[Term, ...]
    action: str
    where: str
    reason: str
    reports: str


@frozen(kw_only=True)
class EntryRow:
    """An entry by hand."""

    number: int
    action: str
    cidr: str
    where: str
    until: float | None
    by: str
    reason: str
    in_force: tuple[str, ...]
    waiting: tuple[str, ...]
    made_at: float
    stands: bool


@frozen(kw_only=True)
class Entries:
    """All entries by hand."""

    TEMPLATE: ClassVar[str] = "entries.html"

    rows: tuple[EntryRow, ...]
    fault: str
    at: float
    may_remove: bool


def terms(most_hours: int | None, chosen: int) -> tuple[Term, ...]:
    """The lengths to choose from; *most_hours* None: all."""
    return tuple(
        Term(hours=hours, word=word, chosen=hours == chosen)
        for hours, word in TERMS
        if most_hours is None or hours <= most_hours
    )


def verdicts(answers: Mapping[str, Json]) -> tuple[Verdicts, ...]:
    """What each device does, those that block it first."""
    order = {"failed": 0, "warning": 1, "ok": 2, "new": 3}
    found = [_of_device(name, answer) for name, answer in answers.items()]
    return tuple(sorted(found, key=lambda one: (order[one.kind], one.device)))


def _of_device(name: str, answer: Json) -> Verdicts:
    if "error" in answer:
        return Verdicts(
            device=name, kind="warning", word="not known", sentences=(answer["error"],), seen=()
        )
    said = str(answer["verdict"])
    sentences = list(map(str, answer["sentences"]))
    sentences += [str(answer[key]) for key in ("held", "unchecked") if answer.get(key)]
    for entry in answer.get("by_hand") or ():
        until = "" if entry["until"] is None else f", until {iso(entry['until'])}"
        reason = f": {entry['reason']}" if entry["reason"] else ""
        sentences.append(
            f"entry {entry['id']}, {entry['action']} {entry['cidr']} by {entry['by']}{until}{reason}"
        )
    return Verdicts(
        device=name,
        kind=_kind(said),
        word=said,
        sentences=tuple(sentences),
        seen=tuple(_seen(answer["seen"])),
    )


def _kind(said: str) -> str:
    bare = said.removeprefix("perhaps ")
    if bare.startswith(("blocked", "partly blocked")):
        return "failed"
    return "ok" if bare.startswith(("permitted", "partly permitted")) else "new"


def _seen(seen: Json) -> list[str]:
    found = [f"entry {one['entry']}: {_hits(one)}" for one in seen["entries"]]
    found += [f"{one['outside']} itself: {_hits(one)}" for one in seen["address"]]
    more = seen["count"] - len(seen["entries"])
    if more > 0:
        found.append(f"and {many(more, 'entry', 'entries')} more with hits")
    return found or ["no hits counted"]


def _hits(one: Mapping[str, Any]) -> str:
    return (
        f"{one['action']} {many(one['hits'], 'time', 'times')} by {one['list']}, first in the hour of "
        f"{iso(one['first_hour'])}, last of {iso(one['last_hour'])}"
    )


def summary(found: tuple[Verdicts, ...]) -> str:
    """How many devices block it, in a sentence."""
    blocked = sum(one.kind == "failed" for one in found)
    permitted = sum(one.kind == "ok" for one in found)
    total = many(len(found), "device", "devices")
    if blocked:
        return f"blocked on {blocked:,} of {total}"
    return (
        f"permitted on {permitted:,} of {total}" if permitted else f"not blocked on any of {total}"
    )


def entry_rows(answer: Json) -> tuple[EntryRow, ...]:
    """The entries, the latest first."""
    rows = [
        EntryRow(
            number=int(one["id"]),
            action=str(one["action"]),
            cidr=str(one["cidr"]),
            where=one["device"] or "all devices",
            until=one["until"],
            by=str(one["by"]),
            reason=str(one["reason"]),
            in_force=tuple(one["in_force"]),
            waiting=tuple(one["waiting"]),
            made_at=float(one.get("made_at") or one.get("since") or 0.0),
            stands=bool(one["stands"]),
        )
        for one in answer["entries"]
    ]
    return tuple(sorted(rows, key=lambda one: -one.number))
