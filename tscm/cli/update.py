"""
`tsadmin update`: fetch and push now, with progress.
"""

from typing import Any

import click

from tscm.cli import say
from tscm.cli.large_change import asks, shown_and_confirmed
from tscm.cli.names import devices_arguments
from tscm.cli.outcomes import failure_told, tell_found, tell_outcome
from tscm.cli.plan import tell_diff, tell_figures
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.risks import agreed, consent_of, risk_options
from tscm.cli.session import Session
from tscm.cli.several import Done, chosen, each, of_device
from tscm.faces.backend import Backend
from tscm.operations.answers import DeviceView
from tscm.operations.arguments import Device, Push
from tscm.operations.table.devices import VIEW
from tscm.operations.table.policies import UPDATE
from tscm.update.figures import UpdateRecord


@click.command()
@devices_arguments
@risk_options
@click.option(
    "--force",
    is_flag=True,
    help="Check for all of these risks, list them, ask for confirmation, and push.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Do not ask for confirmation: accept what --force lists, and push a large change.",
)
@click.option(
    "--plan",
    "plan",
    metavar="ID",
    help="Push exactly the plan that `tsadmin plan` showed with this ID, or nothing.",
)
@click.option("--detach", is_flag=True, help="Do not wait; `tsadmin jobs` shows the progress.")
@click.option(
    "--json",
    "json_output",
    is_flag=True,
    help="Print the outcome as JSON; for several devices, by name.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    everyone: bool,
    plan: str | None,
    json_output: bool,
    **options: Any,
) -> int:
    """
    Fetch the lists of a device and push them now; also of several, one after the other, or of all.

    A change that reduces protection or affects groups of another manager is rejected; the error names the option that accepts it.
    """
    if plan is not None and not everyone and len(set(names)) <= 1:
        from tscm.update.plan_id import refuse_malformed

        refuse_malformed(plan)
    backend = session.backend()
    wanted = chosen(backend, names, everyone=everyone)
    several = everyone or len(wanted) > 1
    if several and plan is not None:
        raise click.UsageError("--plan applies to one device only")

    def update(name: str) -> Done:
        return _update(backend, name, plan=plan, aside=json_output, several=several, **options)

    if several:
        return each(wanted, update, json_output=json_output)
    done = update(wanted[0])
    if json_output:
        say.as_json(done.answer)
    elif not options["detach"]:
        tell_outcome(done.answer)
    return 0


def _update(
    backend: Backend,
    name: str,
    *,
    force: bool,
    yes: bool,
    plan: str | None,
    detach: bool,
    aside: bool,
    several: bool,
    **accepted: Any,
) -> Done:
    """One device: what is risky or large is asked about first."""
    consent = consent_of(accepted)
    view = backend.call(VIEW, Device(name=name))
    _tell_held(view, name, aside=aside)
    if force:
        consent = agreed(backend, name, consent, yes=yes)
    percent = view.confirm_changes_percent
    if plan is None and percent is not None and asks(yes=yes):
        with failure_told(json_output=aside, quiet=several):
            plan = shown_and_confirmed(backend, name, consent, percent, aside=aside)
    asked = Push(name=name, accept=consent.words, plan=plan)
    if detach:
        job = backend.detach(UPDATE, asked)
        said = f"Job {job.number}: wait for it with `tsadmin jobs {job.number} --follow`"
        if not aside and not several:
            say.info(said)
        return Done(answer=job, sentence=said)
    with (
        failure_told(json_output=aside, quiet=several, tell=_tell_refused),
        shown_progress(aside=aside) as report,
    ):
        told = of_device(name, report) if several else report
        outcome = backend.call(UPDATE, asked, told, waits_told(aside=aside))
    return Done(answer=outcome, sentence=outcome.sentence)


def _tell_refused(found: UpdateRecord) -> None:
    """Of an update that is bound to another plan: the plan as it is now."""
    if found.plan_id:
        tell_figures(found.plan)
        tell_diff(found.diff, whole=False)
    tell_found(found)


def _tell_held(view: DeviceView, name: str, *, aside: bool) -> None:
    """That the schedule makes no updates: this one is made all the same."""
    hold = None if view.state is None else view.state.policy.hold
    if not view.settings["policy_updates"]:
        said = f"Policy updates of {name} are disabled"
    elif hold is not None:
        said = f"Updates of {name} are {hold}"
    else:
        return
    say.info(f"{said}; running this one anyway", aside=aside)
