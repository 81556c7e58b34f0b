"""
`tsadmin reports`: reports that are sent by mail at fixed times.
"""

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.faces.backend import Backend
from tscm.operations.arguments import Nothing, ReportNamed
from tscm.operations.table.reports import REPORTS, SEND_REPORT


@click.group(invoke_without_command=True)
@click.option("--json", "json_output", is_flag=True, help="Print the schedules as JSON.")
@click.pass_context
def command(ctx: click.Context, /, *, json_output: bool) -> None:
    """List the scheduled reports: when each is sent next, to which addresses, and what went wrong."""
    if ctx.invoked_subcommand is not None:
        return
    backend: Backend = ctx.obj.backend()
    found = backend.call(REPORTS, Nothing())
    if json_output:
        say.as_json(found)
    elif not found:
        say.info("No scheduled reports; set [[reports.schedules]] in tscm.toml")
    else:
        show_table(
            ("report", "every", "next", "last sent", "to", "fault"),
            (
                (
                    one.name,
                    one.every,
                    when(one.next_at),
                    "-" if one.sent_at is None else when(one.sent_at),
                    ", ".join(one.to),
                    one.error or "",
                )
                for one in found
            ),
        )


@command.command("send")
@click.argument("name")
@click.option("--json", "json_output", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def send(session: Session, /, name: str, *, json_output: bool) -> None:
    """Send a report now, for the time that it covered last; its schedule does not change."""
    sent = session.backend().call(SEND_REPORT, ReportNamed(report=name))
    if json_output:
        say.as_json(sent)
    else:
        say.info(sent.sentence)
