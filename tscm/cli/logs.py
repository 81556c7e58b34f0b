"""
`tsadmin logs`: rotate and upload now; batches that the log service rejected for good.
"""

import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.operations.arguments import Device, Rejected
from tscm.operations.table.devices import VIEW
from tscm.operations.table.logs import DROP, LOGS, REJECTED, RESEND
from tscm.printable import visible
from tscm.upload.outcome import BatchesHandled, RejectedBatches, Uploaded


@click.command()
@device_argument
@click.option("--rejected", is_flag=True, help="List the batches that the log service rejected.")
@click.option("--aside", "rejected", is_flag=True, hidden=True)  # its name of before
@click.option("--send", metavar="KEY|all", help="Resend a rejected batch.")
@click.option(
    "--drop",
    metavar="KEY|all",
    help="Drop a rejected batch: it is never sent; the log keeps its lines.",
)
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    *,
    rejected: bool,
    send: str | None,
    drop: str | None,
    yes: bool,
    json_output: bool,
) -> int:
    """
    Rotate the log of a device and upload its backlog now; without log upload, only rotate.

    A batch that the log service rejects three times is stored as a rejected batch, and the next one is sent:
    --rejected lists them, --send resends one, --drop discards one.
    """
    if sum((rejected, send is not None, drop is not None)) > 1:
        raise click.UsageError("use only one of --rejected, --send and --drop")
    backend = session.backend()
    if rejected:
        _tell_rejected(name, backend.call(REJECTED, Device(name=name)), json_output=json_output)
        return 0
    if drop is not None:
        backend.call(VIEW, Device(name=name))  # raises what is wrong with the name
        what = "every rejected batch" if drop == "all" else f"rejected batch {visible(drop)}"
        question, kept = f"Drop {what} of {name}?", f"{what} of {name} not dropped"
        if not may_go_on(DROP, question, kept, yes=yes, json_output=json_output):
            return 1
    outcome: BatchesHandled | Uploaded
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
        say.info(str(outcome.sentence or "done"))
        if isinstance(outcome, Uploaded) and outcome.aside:
            say.warn(
                f"list the rejected batches and the causes with `tsadmin logs {name} --rejected`"
            )
    return 0


def _tell_rejected(name: str, found: RejectedBatches, *, json_output: bool) -> None:
    if json_output:
        say.as_json(found)
        return
    if found.off:
        say.info(found.off)
    if not found.batches:
        say.info(f"{name}: no rejected batches")
        return
    show_table(
        ("key", "rejected at", "lines", "cause"),
        ((one.key, when(one.at), one.lines, one.cause) for one in found.batches),
        f"Rejected batches of {name}",
    )
