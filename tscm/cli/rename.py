"""
`tsadmin rename`: give a device another name.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.session import Session
from tscm.operations.arguments import RenamedDevice
from tscm.operations.table.devices import RENAME


@click.command()
@device_argument
@click.argument("to")
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, to: str, *, json_output: bool) -> None:
    """
    Rename the device NAME to TO.

    Its log, events, policy history, entries by hand, alarms and mutes follow, and no line is lost.  The
    configuration on the firewall stays as it is, but for firewalls that fetch their lists: the URLs change.
    """
    asked = RenamedDevice(name=name, to=to)
    with shown_progress(aside=json_output) as report:
        renamed = session.backend().call(RENAME, asked, report, waits_told(aside=json_output))
    if json_output:
        say.as_json(renamed)
        return
    say.info(f"Device {renamed.before} is now {renamed.name}")
    for note in renamed.notes:
        say.info(note)
