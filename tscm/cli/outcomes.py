"""
What an update or a plan came to, as people read it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tscm.cli import say
from tscm.cli.risks import risks_in
from tscm.cli.tables import show_table
from tscm.errors import TscmError
from tscm.faces.backend import ManagerError
from tscm.plural import many
from tscm.update.figures import ListFigures, UpdateRecord, UpdateTold

_MINUTES_SHOWN = 120
_FINDINGS_SHOWN = 10


@contextmanager
def failure_told(
    *, json_output: bool, quiet: bool = False, tell: Callable[[UpdateRecord], None] | None = None
) -> Iterator[None]:
    """
    What was found before an update or a plan failed is shown before its error, by *tell*.

    *quiet*: no JSON of it.
    """
    try:
        yield
    except TscmError as error:
        found = outcome_of(error)
        if found is not None and json_output:
            if quiet:
                raise
            say.as_json(found)
        elif found is not None:
            (tell or tell_found)(found)
        raise


def outcome_of(error: TscmError) -> UpdateRecord | None:
    """How far an update came that ended with *error*."""
    from tscm.update.outcome import UpdateFailed

    if isinstance(error, ManagerError):
        return error.outcome
    return error.outcome.record if isinstance(error, UpdateFailed) else None


def tell_outcome(outcome: UpdateTold) -> None:
    """Lists, findings and the sentence of an update or a plan."""
    lists = _lists(outcome)
    if lists:
        show_table(LIST_HEADS, (row for one in lists for row in list_rows(*one)))
    tell_found(outcome)
    for failure in outcome.failures:
        say.warn(f"recovered from: {failure}")
    say.info(outcome.sentence or "done")


def _lists(outcome: UpdateRecord) -> list[tuple[str, ListFigures]]:
    found = (("block", outcome.block), ("allow", outcome.allow))
    return [(kind, figures) for kind, figures in found if figures is not None]


def tell_found(outcome: UpdateRecord) -> None:
    """The guard's findings, and notes of lists and device."""
    for kind, figures in _lists(outcome):
        for part in figures.lists:
            if (age := _age(outcome, part)) is not None:
                say.info(f"The {kind} list {part.name} is what its publisher served {age}")
        for sentence in left_out(kind, figures):
            say.warn(sentence)
    findings = outcome.findings
    for finding in findings[:_FINDINGS_SHOWN]:
        say.info(f"  {finding}")
    if len(findings) > _FINDINGS_SHOWN:
        say.info(f"  and {len(findings) - _FINDINGS_SHOWN:,} more; show them with --json")
    for note in outcome.notes:
        say.info(note)
    for warning in outcome.warnings:
        say.warn(warning)
    for one in risks_in(outcome):
        if one.risk not in outcome.accepted:
            say.warn(f"not allowed without {one.option}: {one.sentence}")


def _age(outcome: UpdateRecord, figures: ListFigures) -> str | None:
    """When a feed's publisher was asked, in words; None for every other list."""
    if figures.asked_at is None:
        return None
    minutes = int((outcome.started_at - figures.asked_at) // 60)
    if minutes < 1:
        return "just now"
    if minutes < _MINUTES_SHOWN:
        return f"{many(minutes, 'minute', 'minutes')} ago"
    return f"{many(minutes // 60, 'hour', 'hours')} ago"


LIST_HEADS = ("list", "name", "serial", "published", "excluded", "merged", "cut", "on the device")


def list_rows(kind: str, figures: ListFigures) -> Iterator[tuple[Any, ...]]:
    """A list on its way, and each published list that it is made of, where there are several."""
    yield list_row(kind, figures)
    for part in figures.parts:
        *row, _cut, _desired = list_row("", part)
        yield (*row, "-", "-")
    if figures.by_hand:
        yield ("", "by hand", "-", figures.by_hand, "-", "-", "-", "-")


def list_row(kind: str, figures: ListFigures) -> tuple[Any, ...]:
    """One list on its way, for a table."""
    serial = figures.serial
    published: int | str = figures.published
    left: int | str = figures.left_out
    if not published and figures.merged:
        published = left = "-"  # of a generation that was kept: nothing was fetched
    return (
        kind,
        figures.name,
        "-" if serial is None else str(serial),
        published,
        left,
        figures.merged,
        figures.cut,
        figures.desired,
    )


def left_out(kind: str, figures: ListFigures) -> Iterator[str]:
    """What is missing on the device of what was published."""
    if figures.left_out:
        left = many(figures.left_out, "entry", "entries")
        yield f"{left} of the {kind} list excluded: {_counted(figures.causes)}"
    if figures.excepted:
        taken = many(figures.excepted, "exception", "exceptions")
        yield f"{taken} of the {kind} list subtracted from its entries"
    if figures.normalised:
        had = many(figures.normalised, "entry", "entries")
        yield f"{had} of the {kind} list had host bits set; they were cleared"
    if figures.warned:
        seen = many(figures.warned, "entry", "entries")
        yield f"{seen} of the {kind} list kept but flagged: {_counted(figures.warnings)}"
    if figures.waiting:
        wait = many(figures.waiting, "new entry", "new entries")
        yield (
            f"{wait} of the {kind} list not in force: a name that must not be blocked does not "
            "resolve"
        )
    if figures.cut:
        cut = many(figures.cut, "entry", "entries")
        yield (
            f"{cut} of the {kind} list cut to fit Max Policy Size; raise it step by step "
            "if the device can handle it"
        )


def _counted(causes: Mapping[str, int]) -> str:
    """Causes, which are sentences with commas in them, and how often each was found."""
    return "; ".join(f"{cause} ({count:,})" for cause, count in causes.items())
