"""
`tsadmin test`: the whole chain of a device proven with an entry that harms no traffic.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.session import Session
from tscm.cli.tables import show_table
from tscm.doctor.proof_links import Proven as ProvenChain
from tscm.operations.arguments import Proven
from tscm.operations.table.proof import TEST
from tscm.printable import visible
from tscm.standing import Verdict


@click.command()
@device_argument
@click.option(
    "--wait",
    "wait",
    metavar="SECONDS",
    type=click.FloatRange(0, 600),
    default=30.0,
    show_default="30",
    help="How long to wait for the firewall's log line.",
)
@click.option(
    "--send",
    is_flag=True,
    help="Also open a connection from this host to the address: for a manager behind the firewall.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, wait: float, send: bool, json_output: bool) -> int:
    """
    Test the chain of a device: from a blocked address to the line that is sent to the SIEM.

    Blocks an address of documentation space (RFC 5737) that is in none of the device's lists, has
    packet-tracer send a packet of it, waits for the log line, for its count and for the
    forwarder, and removes the address again.  Exit status 1 if a check is not proven.
    """
    backend = session.backend()
    with shown_progress(aside=json_output) as report:
        asked = Proven(name=name, wait_seconds=wait, send=send)
        found = backend.call(TEST, asked, report, waits_told(aside=json_output))
    if json_output:
        say.as_json(found)
    else:
        _tell(found)
    return 0 if found.proven else 1


def _tell(found: ProvenChain) -> None:
    """A row for each link, and what to do below."""
    show_table(
        ("link", "verdict", "seconds", "why"),
        ((one.link, one.verdict, one.seconds, one.sentence) for one in found.links),
    )
    for one in found.links:
        if one.remedy and one.verdict is not Verdict.OK:
            say.info(f"{one.link}: {visible(one.remedy)}")
    verdicts = {one.verdict for one in found.links}
    tell = say.info if found.proven else say.error if Verdict.FAILED in verdicts else say.warn
    tell(found.sentence)
