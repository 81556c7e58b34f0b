"""
`tsadmin policy`: questions about a device's policy, going back, pausing.
"""

from collections.abc import Sequence
from typing import Any

import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.names import device_argument
from tscm.cli.outcomes import failure_told, tell_outcome
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.session import Session
from tscm.cli.state import outcome_words, when
from tscm.cli.tables import latest, show_table
from tscm.cli.times import End
from tscm.cli.why import command as why
from tscm.model import Json
from tscm.operations.arguments import Device, DroppedOf, Generations, Holding, Rollback
from tscm.operations.table.policies import DIFF, DROPPED, HISTORY, HOLD, RESUME, ROLLBACK
from tscm.plural import many
from tscm.printable import visible
from tscm.store.generations import GenerationRow
from tscm.update.answers import LeftOut, Listed
from tscm.update.figures import UpdateRecord
from tscm.update.generation_unknown import GenerationUnknown
from tscm.wire.reading import read

_UPDATES_SHOWN = 20


@click.group()
def command() -> None:
    """
    Inspect a device's policy, roll back to an earlier one, pause and resume updates.
    """


command.add_command(why)


@command.command("dropped")
@device_argument
@click.option(
    "--search", metavar="ADDRESS", help="Only entries that overlap this address or network."
)
@click.option("--json", "json_output", is_flag=True, help="Print the entries as JSON.")
@click.pass_obj
def dropped(session: Session, /, name: str, *, search: str | None, json_output: bool) -> None:
    """
    List entries that are in the lists but not on the device: cut, not yet applied, or excluded
    by the guard.
    """
    answer = session.backend().call(DROPPED, DroppedOf(name=name, search=search))
    if json_output:
        say.as_json(answer)
        return
    for kind, found in (("block", answer.block), ("allow", answer.allow)):
        _entries(kind, found)
        _left_out(kind, found.left_out)
        missing = many(
            found.count, f"entry of the {kind} list is", f"entries of the {kind} list are"
        )
        say.info(f"{missing} not on the device: cut, or not yet applied")
        left = found.left_out.count
        if left:
            say.info(f"{many(left, 'entry', 'entries')} of the {kind} list excluded by the guard")


def _entries(label: str, found: Listed) -> None:
    for entry in found.entries:
        say.plain(f"{label} {visible(entry)}")
    more = found.count - len(found.entries)
    if more:
        say.plain(f"{label} and {more:,} more")


def _left_out(label: str, found: LeftOut) -> None:
    for one in found.entries:
        say.plain(f"{label} {visible(one.entry)} excluded: {visible(one.cause)}")
    more = found.count - len(found.entries)
    if more:
        say.plain(f"{label} and {more:,} more excluded")


@command.command("history")
@device_argument
@click.option("--json", "json_output", is_flag=True, help="Print the history as JSON.")
@click.pass_obj
def history(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    List the applied policies and the results of recent updates.
    """
    found = session.backend().call(HISTORY, Device(name=name))
    if json_output:
        say.as_json(found)
        return
    show_table(
        ("generation", "applied", "block", "serial", "allow", "serial", "note"),
        (_generation(one) for one in found.generations),
        f"Generations of {name}",
    )
    updates = found.updates
    show_table(
        ("ended", "took", "outcome"),
        (_update(one) for one in updates[:_UPDATES_SHOWN]),
        latest("Updates kept", len(updates), _UPDATES_SHOWN),
    )


def _generation(one: GenerationRow) -> Sequence[Any]:
    return (
        str(one.number),
        when(one.applied_at),
        one.block_entries,
        _serial(one.block_serial),
        one.allow_entries,
        _serial(one.allow_serial),
        one.note,
    )


def _serial(serial: int | None) -> str:
    return "-" if serial is None else str(serial)


def _update(one: Json) -> Sequence[Any]:
    update = read(UpdateRecord, one)
    took = update.finished_at - update.started_at
    return when(update.finished_at), f"{took:,.1f} s", outcome_words(update)


@command.command("diff")
@device_argument
@click.argument("older", type=click.IntRange(min=1))
@click.argument("newer", type=click.IntRange(min=1), required=False)
@click.option("--json", "json_output", is_flag=True, help="Print the difference as JSON.")
@click.pass_obj
def diff(
    session: Session, /, name: str, older: int, newer: int | None, *, json_output: bool
) -> None:
    """
    Show entries added and removed between two generations; NEWER defaults to the newest.
    """
    asked = Generations(name=name, older=older, newer=newer)
    answer = session.backend().call(DIFF, asked)
    if json_output:
        say.as_json(answer)
        return
    lists = (("block", answer.block), ("allow", answer.allow))
    for kind, changes in lists:
        _entries(f"+ {kind}", changes.added)
        _entries(f"- {kind}", changes.removed)
    counts = ", ".join(
        f"{kind} +{changes.added.count:,} -{changes.removed.count:,}" for kind, changes in lists
    )
    say.info(f"From generation {answer.older.number} to {answer.newer.number}: {counts}")


@command.command("rollback")
@device_argument
@click.argument("generation", type=click.IntRange(min=1))
@click.option("--reason", default="", metavar="TEXT", help="Reason, for the audit.")
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def rollback(
    session: Session, /, name: str, generation: int, *, reason: str, yes: bool, json_output: bool
) -> int:
    """
    Push an earlier policy again and pause scheduled updates until `policy resume`.
    """
    backend = session.backend()
    kept_ones = backend.call(HISTORY, Device(name=name)).generations
    if generation not in {one.number for one in kept_ones}:
        raise GenerationUnknown(name, generation)
    question = f"Push generation {generation} to {name} and hold its updates?"
    kept = f"the policy of {name} is unchanged"
    if not may_go_on(ROLLBACK, question, kept, yes=yes, json_output=json_output):
        return 1
    with failure_told(json_output=json_output), shown_progress(aside=json_output) as report:
        asked = Rollback(name=name, generation=generation, reason=reason)
        outcome = backend.call(ROLLBACK, asked, report, waits_told(aside=json_output))
    if json_output:
        say.as_json(outcome)
        return 0
    tell_outcome(outcome)
    say.info(
        f"Updates of {name} are now held; resume them with `tsadmin policy resume {name}`, "
        f"or run one at once with `tsadmin update {name}`"
    )
    return 0


@command.command("hold")
@device_argument
@click.option(
    "--until",
    type=End(),
    metavar="TIME",
    help="When the hold ends: 4h, 2d, 17:30, 2026-12-01, 2026-12-01 17:30.",
)
@click.option("--reason", default="", metavar="TEXT", help="Reason, shown wherever the hold is.")
@click.pass_obj
def hold(session: Session, /, name: str, *, until: float | None, reason: str) -> None:
    """
    Hold scheduled updates until TIME, or until `policy resume`.

    `tsadmin update` still runs one.  `status`, `show`, `why` and `audit` show who holds updates, until when and why.
    """
    done = session.backend().call(HOLD, Holding(name=name, until=until, reason=reason))
    say.info(f"{done.sentence}; resume them with `tsadmin policy resume {name}`")


command.add_command(hold, "pause")


@command.command("resume")
@device_argument
@click.pass_obj
def resume(session: Session, /, name: str) -> None:
    """
    Resume scheduled updates: end a hold, also after a rollback, repeated failures or rejected passwords.
    """
    session.backend().call(RESUME, Device(name=name))
    say.info(f"Policy updates of {name} are enabled")
