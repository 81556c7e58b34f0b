"""
`tsadmin unpair`: the settings of a device are this manager's own again.
"""

import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.names import device_argument
from tscm.cli.session import Session
from tscm.operations.arguments import Device
from tscm.operations.table.pairing import UNPAIR
from tscm.printable import visible


@click.command()
@device_argument
@yes_option
@click.pass_obj
def command(session: Session, /, name: str, *, yes: bool) -> int:
    """
    Stop following the portal for a device: it keeps its settings, and they are changed here.
    """
    shown = visible(name)
    if not may_go_on(None, f"Unpair {shown}?", f"{shown} not unpaired", yes=yes):
        return 1
    done = session.backend().call(UNPAIR, Device(name=name))
    sentence = visible(done.sentence)
    say.info(f"{sentence[:1].upper()}{sentence[1:]}")
    return 0
