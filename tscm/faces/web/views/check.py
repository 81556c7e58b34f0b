"""
An address, as all devices see it.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from tscm.faces.web.views.words import iso
from tscm.operations.answers import HandEntryStanding
from tscm.plural import many
from tscm.policy.standing import Met, Seen
from tscm.update.answers import Explanation, Unanswered

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


def verdicts(answers: Mapping[str, Explanation | Unanswered]) -> tuple[Verdicts, ...]:
    """What each device does, those that block it first."""
    order = {"failed": 0, "warning": 1, "ok": 2, "new": 3}
    found = [_of_device(name, answer) for name, answer in answers.items()]
    return tuple(sorted(found, key=lambda one: (order[one.kind], one.device)))


def _of_device(name: str, answer: Explanation | Unanswered) -> Verdicts:
    if isinstance(answer, Unanswered):
        return Verdicts(
            device=name, kind="warning", word="not known", sentences=(answer.error,), seen=()
        )
    sentences = list(answer.sentences)
    sentences += [one for one in (answer.held, answer.unchecked) if one]
    for entry in answer.by_hand:
        until = "" if entry.until is None else f", until {iso(entry.until)}"
        reason = f": {entry.reason}" if entry.reason else ""
        sentences.append(
            f"entry {entry.id}, {entry.action} {entry.cidr} by {entry.who}{until}{reason}"
        )
    return Verdicts(
        device=name,
        kind=_kind(answer.verdict),
        word=answer.verdict,
        sentences=tuple(sentences),
        seen=tuple(_seen(answer.seen)),
    )


def _kind(said: str) -> str:
    bare = said.removeprefix("perhaps ")
    if bare.startswith(("blocked", "partly blocked")):
        return "failed"
    return "ok" if bare.startswith(("permitted", "partly permitted")) else "new"


def _seen(seen: Seen) -> list[str]:
    found = [f"entry {one.entry}: {_hits(one)}" for one in seen.entries]
    found += [f"{one.outside} itself: {_hits(one)}" for one in seen.address]
    more = seen.count - len(seen.entries)
    if more > 0:
        found.append(f"and {many(more, 'entry', 'entries')} more with hits")
    return found or ["no hits counted"]


def _hits(one: Met) -> str:
    return (
        f"{one.action} {many(one.hits, 'time', 'times')} by {one.list}, first in the hour of "
        f"{iso(one.first_hour)}, last of {iso(one.last_hour)}"
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


def entry_rows(entries: Sequence[HandEntryStanding]) -> tuple[EntryRow, ...]:
    """The entries, the latest first."""
    rows = [
        EntryRow(
            number=one.id,
            action=one.action,
            cidr=one.cidr,
            where=one.device or "all devices",
            until=one.until,
            by=one.who,
            reason=one.reason,
            in_force=one.in_force,
            waiting=one.waiting,
            made_at=one.made_at,
            stands=one.standing,
        )
        for one in entries
    ]
    return tuple(sorted(rows, key=lambda one: -one.number))
