"""
`tsadmin update`: fetch and push now, with progress.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.model import Json


@click.command()
@device_argument
@click.option(
    "--force",
    is_flag=True,
    help="Push also what the guard refuses as a whole (a list that shrank).",
)
@click.option("--json", "json_output", is_flag=True, help="Give the outcome as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, force: bool, json_output: bool) -> None:
    """
    Fetch the lists of a device and push them now.
    """
    backend = session.backend()
    if not backend.view(name)["settings"]["policy_updates"]:
        say.info(
            f"Policy updates of {name} are disabled; this one is made all the same",
            aside=json_output,
        )
    with shown_progress(aside=json_output) as report:
        outcome = backend.update(name, report, force=force)
    if json_output:
        say.as_json(outcome)
    else:
        tell_outcome(name, outcome)


def tell_outcome(name: str, outcome: Json) -> None:
    """What an update did."""
    for finding in outcome.get("findings", ()):
        say.warn(str(finding))
    summary = outcome.get("summary") or "done"
    say.info(f"Update of {name}: {summary}")
