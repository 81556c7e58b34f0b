"""
`tsadmin senders`: who sends and is not known, and taking one in.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.errors import Fault, SettingsFaulty
from tscm.operations.arguments import Adoption, Nothing
from tscm.operations.table.senders import ADOPT, SENDERS
from tscm.settings import values


@click.group(invoke_without_command=True)
@click.option("--json", "json_output", is_flag=True, help="Print the senders as JSON.")
@click.pass_context
def command(ctx: click.Context, *, json_output: bool) -> None:
    """
    List unknown senders (the default), or add one to a device.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_senders, json_output=json_output)


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print the senders as JSON.")
@click.pass_obj
def list_senders(session: Session, /, *, json_output: bool) -> None:
    """
    List senders whose lines match no device.
    """
    found = session.backend().call(SENDERS, Nothing())
    if json_output:
        say.as_json(found)
        return
    if not found:
        say.info("No unknown senders seen")
        return
    show_table(
        ("address", "lines", "first seen", "last seen", "sample"),
        (
            (one.address, one.lines, when(one.first_seen_at), when(one.last_seen_at), one.sample)
            for one in found
        ),
    )


@command.command("adopt")
@click.argument("address")
@device_argument
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def adopt(session: Session, /, address: str, name: str, *, json_output: bool) -> None:
    """
    Add an unknown sender to a device as an additional syslog source.
    """
    try:
        sender = values.ip_address(address)
    except ValueError as error:
        wrong, _, allowed = str(error).partition("; allowed: ")
        raise SettingsFaulty(
            "options", [Fault(where="ADDRESS", wrong=wrong, allowed=allowed)]
        ) from None
    with shown_progress(aside=json_output) as report:
        result = session.backend().call(ADOPT, Adoption(address=sender, name=name), report)
    if json_output:
        say.as_json(result)
    else:
        say.info(f"{sender} is now a source of {name}")
        for note in result.notes:
            say.warn(note)
