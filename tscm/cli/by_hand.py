"""
`tsadmin block` and `tsadmin allow`, and what they share with `tsadmin entries`: the push to each device.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
from attrs import frozen

from tscm.cli import say
from tscm.cli.names import DeviceName
from tscm.cli.outcomes import outcome_of
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.model import Json
from tscm.operations.answers import Entered, EntriesRemoved, EntryDevice
from tscm.operations.arguments import NewEntry, Nothing, PushedEntries
from tscm.operations.table.entries import ENTER, PUSH_ENTRIES
from tscm.operations.table.listing import DEVICES
from tscm.policy.by_hand import BLOCK, REASON_MOST, EntryFaulty, HandEntry, read_network, read_span
from tscm.printable import visible

_AT_ONCE = 16
"""Devices asked at the same time; how many get on at once is the manager's setting."""


@frozen(kw_only=True)
class Pushed:
    """
    What became of the push to one device.
    """

    name: str
    good: bool
    sentence: str
    status: int = 0
    by_hand: tuple[int, ...] = ()
    """Numbers of the entries by hand that the device holds now."""
    warnings: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """For `--json`."""
        return {
            "name": self.name,
            "good": self.good,
            "sentence": self.sentence,
            "exit_status": self.status,
            "warnings": list(self.warnings),
        }


def entering(action: str) -> click.Command:
    """The command that enters a *action* (`block` or `allow`) by hand."""
    does = "Block" if action == BLOCK else "Permit"

    @click.command(
        action,
        help=f"""
        {does} ADDRESS, an address or a network, by hand.

        The guard checks it like an entry of a list.  It is added to the entries of the lists: Max Policy
        Size does not cut it, and no list is fetched for it.  An allow entry comes before every block entry.
        """,
    )
    @click.argument("address")
    @click.option(
        "--for",
        "span",
        metavar="TIME",
        help=(
            "How long the entry stays in force: 30m, 4h, 2d. [default: [policy] entry_hours, "
            "otherwise until it is removed]"
        ),
    )
    @click.option("--reason", default="", metavar="TEXT", help="Reason, shown with the entry.")
    @click.option(
        "--device",
        type=DeviceName(),
        help="Only this device.  [default: the device, if there is only one]",
    )
    @click.option(
        "--all", "everywhere", is_flag=True, help="All devices, including those added later."
    )
    @click.option(
        "--held",
        is_flag=True,
        help="Push even to devices whose updates are held or disabled; they stay so.",
    )
    @click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
    @click.pass_obj
    def command(
        session: Session,
        /,
        address: str,
        *,
        span: str | None,
        reason: str,
        device: str | None,
        everywhere: bool,
        held: bool,
        json_output: bool,
    ) -> int:
        if device is not None and everywhere:
            raise click.UsageError("use only one of --device and --all")
        read_network(address)  # both are rejected before the first question
        seconds = None if span is None else read_span(span)
        if len(reason) > REASON_MOST:
            raise EntryFaulty(f"the reason is longer than {REASON_MOST} characters")
        backend = session.backend()
        if device is None and not everywhere:
            device = _only_device(backend)
        answer = backend.call(
            ENTER,
            NewEntry(
                action=action,
                cidr=address,
                device=device,
                seconds=seconds,
                reason=reason,
                held=held,
            ),
        )
        entry = answer.entry
        if not json_output:
            say.info(f"Entry {entry.id}: {entry_words(entry)}")
        for note in answer.notes:
            say.warn(note)
        done = push_all(backend, answer.devices, held=held)
        if json_output:
            say.as_json(with_pushes(answer, done))
        else:
            _tell(done, entry.id)
            if entry.until is not None and not backend.running:
                say.warn(
                    "no manager is running on this host: the entry expires on time only "
                    "if a manager is running then, otherwise with the next update of the "
                    "device"
                )
        return worst(done)

    return command


def _only_device(backend: Backend) -> str:
    names = [row.name for row in backend.call(DEVICES, Nothing())]
    if len(names) == 1:
        return names[0]
    if not names:
        raise click.UsageError("no devices yet; add one with `tsadmin add --type asarest`")
    raise click.UsageError(f"there are {len(names):,} devices; give --device NAME, or --all")


def entry_words(entry: HandEntry) -> str:
    """An entry in one line."""
    where = "all devices" if entry.device is None else entry.device
    until = "until it is removed" if entry.until is None else f"until {when(entry.until)}"
    reason = f": {visible(entry.reason)}" if entry.reason else ""
    return f"{entry.action} {entry.cidr} on {where}, {until}{reason}"


def hand_words(entry: HandEntry) -> str:
    """An entry with its number and who made it, in one line."""
    until = "" if entry.until is None else f", until {when(entry.until)}"
    reason = f": {entry.reason}" if entry.reason else ""
    return f"entry {entry.id}, {entry.action} {entry.cidr} by {entry.who}{until}{reason}"


def push_all(
    backend: Backend, devices: Sequence[EntryDevice], *, held: bool = False
) -> list[Pushed]:
    """
    Push to each device that may get it, many at a time where a manager does it; never raises `TscmError`.
    """
    done = {
        one.name: Pushed(name=one.name, good=False, status=1, sentence=f"not pushed: {one.cause}")
        for one in devices
        if not one.push
    }
    names = [one.name for one in devices if one.push]

    def push(name: str, report: Any = lambda _: None) -> Pushed:
        try:
            outcome = backend.call(PUSH_ENTRIES, PushedEntries(name=name, held=held), report)
        except TscmError as error:
            outcome_then = outcome_of(error)
            return Pushed(
                name=name,
                good=False,
                sentence=str(error),
                status=error.exit_status,
                warnings=() if outcome_then is None else outcome_then.warnings,
            )
        return Pushed(
            name=name,
            good=True,
            sentence=outcome.sentence,
            by_hand=outcome.by_hand,
            warnings=outcome.warnings,
        )

    if len(names) > 1 and backend.running:
        with ThreadPoolExecutor(min(_AT_ONCE, len(names))) as pool:
            found = list(pool.map(push, names))
    else:
        with shown_progress(aside=True, lasting=False) as report:
            found = [push(name, report) for name in names]
    done |= {one.name: one for one in found}
    return [done[one.name] for one in devices]


def with_pushes(answer: Entered | EntriesRemoved, done: Sequence[Pushed]) -> Json:
    """*answer* for `--json`, with what became of the push to each device."""
    from tscm.wire.writing import as_json

    return {**as_json(answer), "devices": [one.as_json() for one in done]}


def worst(done: Sequence[Pushed]) -> int:
    """The exit status of all pushes."""
    return max((one.status for one in done), default=0)


def _tell(done: Sequence[Pushed], number: int) -> None:
    if not done:
        say.info("No device uses this entry yet")
        return
    show_table(
        ("device", "in force", ""),
        (
            (one.name, number in one.by_hand if one.good else "unknown", one.sentence)
            for one in done
        ),
    )
    tell_failures(done)


def tell_failures(done: Sequence[Pushed]) -> None:
    """Warnings of the pushes, and what becomes of those that failed."""
    for warning in dict.fromkeys(warning for one in done for warning in one.warnings):
        say.warn(warning)
    failed = [one.name for one in done if not one.good]
    if failed:
        say.warn(
            f"Not pushed to {', '.join(failed)}: the entry is stored, and the manager "
            "pushes it with its next retry or the next update"
        )
