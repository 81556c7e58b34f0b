"""
`tsadmin remove`: forget a device, and print the way back.
"""

import sys

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.prompts import InputEnded
from tscm.cli.session import Session


@click.command()
@device_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "json_output", is_flag=True, help="Give the result as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Forget a device.

    Its updates and uploads stop; its logs stay on disk.  What stands on the firewall stays
    there: the lines that take it away are printed in the order in which they work.
    """
    backend = session.backend()
    names = {str(row["name"]) for row in backend.rows()}
    if name not in names:
        backend.view(name)  # raises what is wrong with the name
    if not yes and not _confirmed(name):
        say.info(f"Device {name} is kept", aside=json_output)
        return 1
    with shown_progress(aside=json_output) as report:
        result = backend.remove(name, report)
    if json_output:
        say.as_json(result)
        return 0
    say.info(f"Device {name} is removed; its logs stay in {session.layout.device_log(name)}")
    if result.get("lines"):
        say.info("The way back on the ASA, in this order:")
        say.plain("")
        say.plain(say.visible(result["lines"].rstrip("\n"), keep="\n"))
    return 0


def _confirmed(name: str) -> bool:
    question = f"Remove device {name}? (y or n) [default n] "
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise InputEnded(question.strip())
    return answer.strip().lower() in {"y", "yes"}
