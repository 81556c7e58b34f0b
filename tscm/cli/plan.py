"""
`tsadmin plan`: an update without the push.
"""

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session


@click.command()
@device_argument
@click.option("--diff", is_flag=True, help="List every entry that comes or goes.")
@click.option("--json", "json_output", is_flag=True, help="Give the plan as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, diff: bool, json_output: bool) -> None:
    """
    Show what an update of a device would change, without changing anything.
    """
    backend = session.backend()
    with shown_progress(aside=json_output) as report:
        plan = backend.plan(name, report)
    if json_output:
        say.as_json(plan)
        return
    for finding in plan.get("findings", ()):
        say.warn(str(finding))
    if plan.get("text"):
        say.plain(say.visible(plan["text"], keep="\n"))
    if diff:
        for line in plan.get("diff", ()):
            say.plain(say.visible(line))
    say.info(str(plan.get("summary") or "nothing to do"))
