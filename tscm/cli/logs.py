"""
`tsadmin logs`: rotate and upload now; batches that the log service refused for good.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.model import Json
from tscm.operations.arguments import Device, Rejected
from tscm.operations.table import DROP, LOGS, REJECTED, RESEND


@click.command()
@device_argument
@click.option("--aside", is_flag=True, help="List the batches that were refused for good.")
@click.option("--send", metavar="KEY|all", help="Send a batch that was set aside again.")
@click.option("--drop", metavar="KEY|all", help="Drop a batch that was set aside, with its lines.")
@click.option("--json", "json_output", is_flag=True, help="Give the outcome as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    *,
    aside: bool,
    send: str | None,
    drop: str | None,
    json_output: bool,
) -> None:
    """
    Rotate the log of a device and upload what waits, now; where nothing is uploaded, rotate alone.

    A batch that the log service refused for good three times is set aside, so that those behind it
    go on: --aside lists them, --send sends one again, --drop gives one up.
    """
    if sum((aside, send is not None, drop is not None)) > 1:
        raise click.UsageError("give one of --aside, --send and --drop")
    backend = session.backend()
    if aside:
        _tell_aside(name, backend.call(REJECTED, Device(name=name)), json_output=json_output)
        return
    with shown_progress(aside=json_output) as report:
        if send is not None:
            outcome = backend.call(RESEND, Rejected(name=name, key=send), report)
        elif drop is not None:
            outcome = backend.call(DROP, Rejected(name=name, key=drop), report)
        else:
            outcome = backend.call(LOGS, Device(name=name), report)
    if json_output:
        say.as_json(outcome)
    else:
        say.info(str(outcome.get("sentence") or "done"))
        if outcome.get("aside"):
            say.warn(f"`tsadmin logs {name} --aside` lists what was refused for good, and why")


def _tell_aside(name: str, found: Json, *, json_output: bool) -> None:
    if json_output:
        say.as_json(found)
        return
    batches = found["batches"]
    if not batches:
        say.info(f"{name}: no batch was set aside")
        return
    show_table(
        ("key", "set aside", "lines", "cause"),
        ((one["key"], when(one["at"]), one["lines"], one["cause"]) for one in batches),
        f"Batches of {name} that were refused for good",
    )
