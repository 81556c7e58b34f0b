"""
`tsadmin network`: the network of the appliance.
"""

import click

from tscm.appliance.machine import Machine
from tscm.appliance.network import Network, static
from tscm.appliance.trial import CONFIRM_SECONDS
from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.tables import show_pairs


@click.group()
@click.pass_obj
def command(session: Session, /) -> None:
    """
    Show or change the network of the appliance.

    A change is tried for 60 seconds beside the addresses from before, so that a session over SSH lives on.
    `tsadmin network confirm` keeps it; without that it is taken back, also after a power cut.
    """
    _ = session.layout  # of this host alone


@command.command()
@click.option("--json", "json_output", is_flag=True, help="Print the network as JSON.")
def show(*, json_output: bool) -> None:
    """Show the network that is set, and whether a change waits for its confirmation."""
    found = Machine().network()
    if json_output:
        say.as_json(found)
        return
    present = found.present
    show_pairs(
        (
            ("DHCP", present.dhcp),
            ("addresses", ", ".join(present.addresses) or None),
            ("gateways", ", ".join(present.gateways) or None),
            ("DNS servers", ", ".join(present.dns) or None),
        ),
        "Network",
    )
    if found.seconds_left is not None:
        say.info(
            f"A change is tried for {found.seconds_left:.0f} s more; keep it with `tsadmin network confirm`"
        )


@command.command()
def dhcp() -> None:
    """Take address, gateway and DNS servers from DHCP."""
    _try(Network())


@command.command("static")
@click.argument("address", metavar="ADDRESS/LENGTH")
@click.argument("gateway")
@click.argument("dns", nargs=-1)
def static_(address: str, gateway: str, dns: tuple[str, ...]) -> None:
    """Use a fixed ADDRESS with the LENGTH of its network, a GATEWAY, and up to four DNS servers."""
    _try(static(address, gateway, dns))


@command.command()
def confirm() -> None:
    """Keep the change that is tried."""
    Machine().confirm_network()
    say.info("The network is kept")


@command.command("take_back")
def take_back() -> None:
    """Take the change that is tried back now."""
    if Machine().take_network_back():
        say.info("The network is as it was before the change")
    else:
        say.info("No change of the network waits for a confirmation")


def _try(wanted: Network) -> None:
    Machine().try_network(wanted)
    say.info(
        f"Tried for {CONFIRM_SECONDS} s beside what was before; keep it with `tsadmin network confirm`"
    )
    say.info(
        "If the address changes, change `address` in tscm.toml, and `logging host` on the firewalls"
    )
