"""
`tsadmin logs`: rotate and upload now.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session


@click.command()
@device_argument
@click.option("--json", "json_output", is_flag=True, help="Give the outcome as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Rotate the log of a device and upload what waits, now.
    """
    backend = session.backend()
    with shown_progress(aside=json_output) as report:
        outcome = backend.logs(name, report)
    if json_output:
        say.as_json(outcome)
    else:
        say.info(str(outcome.get("sentence") or "done"))
