"""
`tsadmin ntp`: where the appliance gets the time.
"""

import click

from tscm.appliance.host import time_servers
from tscm.appliance.machine import Machine
from tscm.cli import say
from tscm.cli.session import Session


@click.command()
@click.argument("servers", nargs=-1)
@click.option("--default", "default", is_flag=True, help="Use the time servers of Debian again.")
@click.option("--json", "json_output", is_flag=True, help="Print the time servers as JSON.")
@click.pass_obj
def command(
    session: Session, /, servers: tuple[str, ...], *, default: bool, json_output: bool
) -> None:
    """
    Show or set the time servers of the appliance: names or addresses, at most eight.
    """
    if servers and default:
        raise click.UsageError("give SERVERS or --default, not both")
    _ = session.layout  # of this host alone
    machine = Machine()
    if servers or default:
        machine.set_time_servers(time_servers(servers))
    present = machine.time_servers()
    if json_output:
        say.as_json({"servers": present})
    else:
        say.info(f"Time servers: {', '.join(present) or 'those of Debian'}")
