"""
`tsadmin events`: the roll-ups themselves.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.operations.arguments import Device
from tscm.operations.table.events import REBUILD_EVENTS
from tscm.plural import many


@click.group()
def command() -> None:
    """
    Manage the event roll-ups that reports are built from.
    """


@command.command("rebuild")
@device_argument
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def rebuild(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Recount the events of a device from its stored log.

    Replaces every hour that segments and generations still cover; other hours are not changed.
    """
    with shown_progress(aside=json_output) as report:
        done = session.backend().call(REBUILD_EVENTS, Device(name=name), report)
    if json_output:
        say.as_json(done)
    else:
        say.info(
            f"{name}: {many(done.lines, 'line', 'lines')} recounted, "
            f"{many(done.hours, 'hour', 'hours')} replaced"
        )
