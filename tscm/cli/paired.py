"""
`tsadmin paired`: devices whose settings come from a portal.
"""

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.operations.arguments import Nothing
from tscm.operations.table.pairing import BONDS
from tscm.printable import visible


@click.command()
@click.option("--json", "json_output", is_flag=True, help="Print the devices as JSON.")
@click.pass_obj
def command(session: Session, /, *, json_output: bool) -> int:
    """
    List the devices whose settings come from a portal.
    """
    found = session.backend().call(BONDS, Nothing())
    if json_output:
        say.as_json(found)
        return 0
    if found.bonds:
        show_table(
            ("device", "portal", "device ID", "received", "in force", "heard"),
            (
                (
                    one.name,
                    one.portal,
                    one.device_id,
                    str(one.received or "-"),
                    str(one.applied or "-"),
                    "-" if one.heard_at is None else when(one.heard_at),
                )
                for one in found.bonds
            ),
        )
    else:
        say.info("No device is paired")
    for one in found.bonds:
        if one.fault:
            say.warn(visible(f"{one.name}: {one.fault}"))
    for fault in found.faults:
        say.error(fault)
    return 0
