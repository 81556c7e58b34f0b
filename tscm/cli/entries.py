"""
`tsadmin entries`: what operators entered by hand, where it is in force, and removing it.
"""

from collections.abc import Iterator, Sequence

import click

from tscm.cli import say
from tscm.cli.by_hand import entry_words, push_all, tell_failures, with_pushes, worst
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.faces.backend import Backend
from tscm.operations.answers import HandEntryStanding
from tscm.operations.arguments import EntryNamed, Nothing
from tscm.operations.table.entries import ENTRIES, REMOVE_ENTRY

_NAMES_SHOWN = 8


@click.group(invoke_without_command=True)
@click.option("--json", "json_output", is_flag=True, help="Print the entries as JSON.")
@click.pass_context
def command(ctx: click.Context, /, *, json_output: bool) -> None:
    """
    List the entries by hand: what `block` and `allow` entered, until when, and where it is in force.

    Where an entry is in force is known from the last successful update of each device.
    """
    if ctx.invoked_subcommand is not None:
        return
    backend: Backend = ctx.obj.backend()
    found = backend.call(ENTRIES, Nothing())
    if json_output:
        say.as_json(found)
    elif not found.entries:
        say.info("No entries by hand; add one with `tsadmin block` or `tsadmin allow`")
    else:
        show_table(
            (
                "id",
                "action",
                "network",
                "devices",
                "until",
                "by",
                "reason",
                "in force on",
                "not yet on",
            ),
            (_row(one, found.now) for one in found.entries),
        )
        for sentence in _remarks(found.entries):
            say.warn(sentence)


def _row(one: HandEntryStanding, now: float) -> tuple[object, ...]:
    return (
        str(one.id),
        one.action,
        one.cidr,
        "all" if one.device is None else one.device,
        _until(one, now),
        one.who,
        one.reason,
        _names(one.in_force),
        _names(one.waiting),
    )


def _until(one: HandEntryStanding, now: float) -> str:
    if not one.standing:
        return str(one.ended or "expired")
    if one.until is None:
        return "-"
    return f"{when(one.until)} ({_left(one.until - now)} left)"


def _left(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(names[:_NAMES_SHOWN]) or "-"
    return f"{shown} and {more:,} more" if more > 0 else shown


def _remarks(entries: Sequence[HandEntryStanding]) -> Iterator[str]:
    for one in entries:
        if one.left_out:
            yield (
                f"the guard excludes entry {one.id} on {_names(one.left_out)}; "
                "`tsadmin plan` shows the cause"
            )
        if not one.standing:
            yield f"entry {one.id} has expired but is still in force on {_names(one.in_force)}"


@command.command("remove")
@click.argument("entry", metavar="ID|ADDRESS")
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def remove(session: Session, /, entry: str, *, json_output: bool) -> int:
    """
    Remove an entry by its ID, or all entries with exactly this address or network, also from the devices.

    This also works if updates are held: the lists are not changed.
    """
    backend = session.backend()
    answer = backend.call(REMOVE_ENTRY, EntryNamed(entry=entry))
    if not json_output:
        for one in answer.entries:
            say.info(f"Removed entry {one.id}: {entry_words(one)}")
    done = push_all(backend, answer.devices)
    if json_output:
        say.as_json(with_pushes(answer, done))
    else:
        if done:
            show_table(
                ("device", "removed", ""),
                ((one.name, one.good or "unknown", one.sentence) for one in done),
            )
        tell_failures(done)
    return worst(done)
