"""
`tsadmin plan`: an update without the push.
"""

from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.outcomes import failure_told, tell_outcome
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.risks import consent_of, risk_options
from tscm.cli.session import Session
from tscm.cli.tables import show_pairs
from tscm.model import Json
from tscm.operations.arguments import Push
from tscm.operations.table import PLAN
from tscm.printable import visible

_SAMPLE = 10
CHANGES = 2
"""Exit status of `--detailed_exitcode` where an update would change something."""


@click.command()
@device_argument
@click.option("--diff", is_flag=True, help="List every entry that comes or goes.")
@risk_options
@click.option(
    "--force",
    is_flag=True,
    help="Show what `update --force` would ask about and push; still nothing is changed.",
)
@click.option(
    "--detailed_exitcode", is_flag=True, help="Exit with 2 where there are changes, else with 0."
)
@click.option("--json", "json_output", is_flag=True, help="Give the plan as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    *,
    diff: bool,
    force: bool,
    detailed_exitcode: bool,
    json_output: bool,
    **accepted: Any,
) -> int:
    """
    Show what an update of a device would change, without changing anything.
    """
    consent = consent_of(accepted)
    backend = session.backend()
    with failure_told(json_output=json_output), shown_progress(aside=json_output) as report:
        asked = Push(name=name, accept=consent.words, force=force)
        outcome = backend.call(PLAN, asked, report, waits_told(aside=json_output))
    changes = bool((outcome.get("plan") or {}).get("steps"))
    status = CHANGES if detailed_exitcode and changes else 0
    if json_output:
        say.as_json(outcome)
        return status
    tell_plan(outcome, whole=diff)
    if changes and outcome.get("plan_id"):
        say.info(
            f"`tsadmin update {name} --plan {outcome['plan_id']}` pushes exactly this, within a day"
        )
    return status


def tell_plan(outcome: Json, *, whole: bool = False) -> None:
    """All of it: the numbers first, then what comes and goes, then how that came about."""
    tell_figures(outcome.get("plan") or {})
    tell_diff(outcome.get("diff") or {}, whole=whole)
    tell_outcome(outcome)


def tell_figures(figures: Json) -> None:
    """The plan in numbers."""
    if not figures:
        return
    budget = figures.get("budget")
    bears = f" of {budget:,} that the agent bears" if budget else ""
    show_pairs(
        [
            ("steps", figures["steps"]),
            ("requests", figures["requests"]),
            ("entries to add", figures["added"]),
            ("entries to remove", figures["removed"]),
            ("groups to make", figures["groups_made"]),
            ("groups to delete", figures["groups_deleted"]),
            ("bytes of the groups before", figures["bytes_before"]),
            ("bytes of the groups after", f"{figures['bytes_after']:,}{bears}"),
        ],
        "Plan",
    )


def tell_diff(diff: Json, *, whole: bool) -> None:
    """Entries that come (+) and go (-): all, or a sample of each."""
    for kind in ("block", "allow"):
        for sign, change in (("+", "added"), ("-", "removed")):
            entries = diff.get(kind, {}).get(change, ())
            for entry in entries if whole else entries[:_SAMPLE]:
                say.change(sign, f"{sign} {kind} {visible(entry)}")
            if not whole and len(entries) > _SAMPLE:
                say.change(
                    sign, f"{sign} {kind} and {len(entries) - _SAMPLE:,} more: --diff lists all"
                )
