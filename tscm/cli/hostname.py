"""
`tsadmin hostname`: the name of the appliance.
"""

import click

from tscm.appliance.host import host_name
from tscm.appliance.machine import Machine
from tscm.cli import say
from tscm.cli.session import Session


@click.command()
@click.argument("name", required=False)
@click.option("--json", "json_output", is_flag=True, help="Print the name as JSON.")
@click.pass_obj
def command(session: Session, /, name: str | None, *, json_output: bool) -> None:
    """
    Show or set the name of the appliance.
    """
    _ = session.layout  # of this host alone
    machine = Machine()
    if name is not None:
        machine.set_host_name(host_name(name))
    present = machine.host_name()
    if json_output:
        say.as_json({"name": present})
    else:
        say.info(f"Host name: {present}")
