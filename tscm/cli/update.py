"""
`tsadmin update`: fetch and push now, with progress.
"""

from typing import Any

import click

from tscm.cli import say
from tscm.cli.large_change import asks, shown_and_confirmed
from tscm.cli.names import device_argument
from tscm.cli.outcomes import failure_told, tell_outcome
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.risks import agreed, consent_of, risk_options
from tscm.cli.session import Session
from tscm.model import Json
from tscm.operations.arguments import Device, Push
from tscm.operations.table import UPDATE, VIEW
from tscm.standing import hold_words


@click.command()
@device_argument
@risk_options
@click.option(
    "--force", is_flag=True, help="Look for all of these risks, list them, and ask, then push."
)
@click.option(
    "--yes",
    is_flag=True,
    help="Ask nothing: with --force accept what is listed, and push a large change unasked.",
)
@click.option(
    "--plan",
    "plan",
    metavar="ID",
    help="Push exactly the plan that `tsadmin plan` showed with this ID, or nothing.",
)
@click.option("--detach", is_flag=True, help="Do not wait; `tsadmin jobs` shows how it goes.")
@click.option("--json", "json_output", is_flag=True, help="Give the outcome as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    *,
    force: bool,
    yes: bool,
    plan: str | None,
    detach: bool,
    json_output: bool,
    **accepted: Any,
) -> None:
    """
    Fetch the lists of a device and push them now.

    What takes protection away or concerns somebody else is refused, with the option that accepts it.
    """
    consent = consent_of(accepted)
    backend = session.backend()
    view = backend.call(VIEW, Device(name=name))
    _tell_held(view, name, aside=json_output)
    if force:
        consent = agreed(backend, name, consent, yes=yes)
    percent = view.get("confirm_changes_percent")
    if plan is None and percent is not None and asks(yes=yes):
        with failure_told(json_output=json_output):
            plan = shown_and_confirmed(backend, name, consent, percent, aside=json_output)
    if detach:
        job = backend.detach(UPDATE, Push(name=name, accept=consent.words, plan=plan))
        if json_output:
            say.as_json(job)
        else:
            say.info(f"Job {job['id']}: `tsadmin jobs {job['id']} --follow` waits for it")
        return
    with failure_told(json_output=json_output), shown_progress(aside=json_output) as report:
        asked = Push(name=name, accept=consent.words, plan=plan)
        outcome = backend.call(UPDATE, asked, report, waits_told(aside=json_output))
    if json_output:
        say.as_json(outcome)
    else:
        tell_outcome(outcome)


def _tell_held(view: Json, name: str, *, aside: bool) -> None:
    """That the schedule makes no updates: this one is made all the same."""
    hold = (view["state"].get("policy") or {}).get("hold")
    if not view["settings"]["policy_updates"]:
        said = f"Policy updates of {name} are disabled"
    elif hold:
        said = f"Updates of {name} are {hold_words(hold)}"
    else:
        return
    say.info(f"{said}; this one is made all the same", aside=aside)
