"""
One command over several devices, or over all: one after the other, a fault of one keeps no other from its turn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import click
from attrs import evolve, frozen

from tscm.cli import say
from tscm.cli.outcomes import outcome_of
from tscm.cli.tables import show_table
from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.model import Progress, Report
from tscm.operations.arguments import Nothing
from tscm.operations.table.listing import DEVICES


@frozen(kw_only=True)
class Done:
    """
    What a command came to on one device: its *answer* for JSON, a *sentence* for the table, its exit *status*.
    """

    answer: Any = None
    sentence: str = ""
    status: int = 0


def chosen(backend: Backend, names: Sequence[str], *, everyone: bool) -> list[str]:
    """
    The devices that were named, each once, or all.  Raises `click.UsageError` for none and for both.
    """
    if everyone and names:
        raise click.UsageError("give names or --all, not both")
    if everyone:
        found = [row.name for row in backend.call(DEVICES, Nothing())]
        if not found:
            say.info("No devices yet; add one with `tsadmin add --type asarest`", aside=True)
        return found
    if not names:
        raise click.UsageError("give the NAME of a device, several of them, or --all")
    return list(dict.fromkeys(names))


def each(
    names: Sequence[str],
    work: Callable[[str], Done],
    *,
    json_output: bool,
    table: bool = True,
) -> int:
    """
    Do *work* for every name; then a table of what came of it, or one JSON object by name.

    The exit status is the worst: a fault's own, else the largest that *work* gave.
    """
    answers: dict[str, Any] = {}
    rows: list[tuple[str, str, str]] = []
    faults: list[int] = []
    statuses: list[int] = [0]
    for name in names:
        try:
            done = work(name)
        except TscmError as error:
            faults.append(error.exit_status)
            answers[name] = {"error": str(error), "outcome": outcome_of(error)}
            rows.append((name, "failed", str(error)))
            say.error(f"{name}: {error}")
        else:
            statuses.append(done.status)
            answers[name] = done.answer
            rows.append((name, "done", done.sentence))
    if json_output:
        say.as_json(answers)
    elif table and rows:
        show_table(("device", "", "outcome"), rows)
    return next(iter(faults), max(statuses))


def of_device(name: str, report: Report) -> Report:
    """*report* that says of which device a step is."""

    def told(progress: Progress) -> None:
        report(evolve(progress, text=f"{name}: {progress.text}"))

    return told
