"""
`tsadmin plan`: an update without the push.
"""

from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import devices_arguments
from tscm.cli.outcomes import failure_told, tell_outcome
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.risks import consent_of, risk_options, risks_in
from tscm.cli.session import Session
from tscm.cli.several import Done, chosen, each, of_device
from tscm.cli.tables import show_pairs
from tscm.operations.arguments import Push
from tscm.operations.table.policies import PLAN
from tscm.printable import visible
from tscm.update.figures import PlanDiff, PlanFigures, UpdateTold

_SAMPLE = 10
CHANGES = 2
"""Exit status of `--detailed_exitcode` where an update would change something."""


@click.command()
@devices_arguments
@click.option("--diff", is_flag=True, help="List every entry that is added or removed.")
@risk_options
@click.option(
    "--force",
    is_flag=True,
    help="Show what `update --force` would ask about and push; change nothing.",
)
@click.option(
    "--detailed_exitcode",
    is_flag=True,
    help="Exit with status 2 if there are changes, otherwise with 0.",
)
@click.option(
    "--json",
    "json_output",
    is_flag=True,
    help="Print the plan as JSON; for several devices, by name.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    everyone: bool,
    diff: bool,
    force: bool,
    detailed_exitcode: bool,
    json_output: bool,
    **accepted: Any,
) -> int:
    """
    Show what an update of a device would change, without changing anything; also of several, or of all.

    The exit status is that of the worst result: an error, then changes (--detailed_exitcode), then no changes.
    """
    consent = consent_of(accepted)
    backend = session.backend()
    wanted = chosen(backend, names, everyone=everyone)
    several = everyone or len(wanted) > 1

    def plan(name: str) -> Done:
        with (
            failure_told(json_output=json_output, quiet=several),
            shown_progress(aside=json_output) as report,
        ):
            asked = Push(name=name, accept=consent.words, force=force)
            told = of_device(name, report) if several else report
            outcome = backend.call(PLAN, asked, told, waits_told(aside=json_output))
        changes = outcome.plan is not None and outcome.plan.steps > 0
        if not json_output:
            _tell(name, outcome, whole=diff, shown=not several, changes=changes)
        return Done(
            answer=outcome,
            sentence=outcome.sentence,
            status=CHANGES if detailed_exitcode and changes else 0,
        )

    if several:
        return each(wanted, plan, json_output=json_output)
    done = plan(wanted[0])
    if json_output:
        say.as_json(done.answer)
    return done.status


def _tell(name: str, outcome: UpdateTold, *, whole: bool, shown: bool, changes: bool) -> None:
    """All of one plan; of several only the entries, where they are asked for."""
    if shown:
        tell_plan(outcome, whole=whole)
    elif whole:
        say.info(f"{name}:")
        tell_diff(outcome.diff, whole=True)
    if shown and changes and outcome.plan_id:
        # With what the plan needs to be accepted: without it the very command would be rejected.
        options = "".join(dict.fromkeys(f" {one.option}" for one in risks_in(outcome)))
        say.info(
            f"`tsadmin update {name} --plan {outcome.plan_id}{options}` pushes exactly this "
            "plan; it expires in one day"
        )


def tell_plan(outcome: UpdateTold, *, whole: bool = False) -> None:
    """All of it: the numbers first, then what comes and goes, then how that came about."""
    tell_figures(outcome.plan)
    tell_diff(outcome.diff, whole=whole)
    tell_outcome(outcome)


def tell_figures(figures: PlanFigures | None) -> None:
    """The plan in numbers."""
    if figures is None:
        return
    bears = f" of {figures.budget:,} that the agent supports" if figures.budget else ""
    show_pairs(
        [
            ("steps", figures.steps),
            ("requests", figures.requests),
            ("entries to add", figures.added),
            ("entries to remove", figures.removed),
            ("groups to create", figures.groups_made),
            ("groups to delete", figures.groups_deleted),
            ("group bytes before", figures.bytes_before),
            ("group bytes after", f"{figures.bytes_after:,}{bears}"),
        ],
        "Plan",
    )


def tell_diff(diff: PlanDiff | None, *, whole: bool) -> None:
    """Entries that come (+) and go (-): all, or a sample of each."""
    if diff is None:
        return
    for kind, edits in (("block", diff.block), ("allow", diff.allow)):
        for sign, entries in (("+", edits.added), ("-", edits.removed)):
            for entry in entries if whole else entries[:_SAMPLE]:
                say.change(sign, f"{sign} {kind} {visible(entry)}")
            if not whole and len(entries) > _SAMPLE:
                say.change(
                    sign, f"{sign} {kind} and {len(entries) - _SAMPLE:,} more; list all with --diff"
                )
