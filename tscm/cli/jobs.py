"""
`tsadmin jobs`: long calls that wait or run in the manager, and the last that ended.
"""

import time

import click

from tscm.cli import say
from tscm.cli.progress_text import told
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_pairs, show_table
from tscm.operations.arguments import JobNumber, Nothing
from tscm.operations.job_figures import UNDER_WAY, JobFigures, JobState
from tscm.operations.table.jobs import JOB, JOBS, STOP_JOB, WITHDRAW

_POLL_SECONDS = 0.5
_FAILED = frozenset({JobState.FAILED, JobState.WITHDRAWN})


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--follow", is_flag=True, help="Wait until job NUMBER has finished.")
@click.option("--withdraw", is_flag=True, help="Withdraw job NUMBER if it has not started.")
@click.option("--stop", is_flag=True, help="End job NUMBER after the request in progress.")
@click.option("--json", "json_output", is_flag=True, help="Print the jobs as JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    number: int | None,
    *,
    follow: bool,
    withdraw: bool,
    stop: bool,
    json_output: bool,
) -> int:
    """
    List the manager's jobs, or show job NUMBER: who requested it, what it is waiting for, and its outcome.
    """
    if number is None:
        if follow or withdraw or stop:
            raise click.UsageError("--follow, --withdraw and --stop require the NUMBER of a job")
        _list(session, json_output=json_output)
        return 0
    if withdraw and stop:
        raise click.UsageError("--withdraw is for a job that waits, --stop for one in progress")
    backend, asked = session.backend(), JobNumber(id=number)
    job = backend.call(WITHDRAW if withdraw else STOP_JOB if stop else JOB, asked)
    shown = ""
    while follow and job.state in UNDER_WAY:
        step = _doing(job)
        if step != shown and not json_output:
            say.info(step)
        shown = step
        time.sleep(_POLL_SECONDS)
        job = backend.call(JOB, asked)
    if json_output:
        say.as_json(job)
    else:
        show_pairs(_pairs(job))
    return 1 if follow and job.state in _FAILED else 0


def _list(session: Session, *, json_output: bool) -> None:
    jobs = session.backend().call(JOBS, Nothing())
    if json_output:
        say.as_json(jobs)
    elif not jobs:
        say.info("No jobs since the manager started")
    else:
        show_table(
            ("job", "call", "device", "requested by", "requested at", "state", ""),
            (
                (
                    job.number,
                    job.operation,
                    job.device or "-",
                    job.actor,
                    when(job.asked_at),
                    job.state,
                    _doing(job),
                )
                for job in jobs
            ),
        )


def _doing(job: JobFigures) -> str:
    """What it waits for, how far it is, or how it ended."""
    if job.waits_for:
        return f"waiting: {job.waits_for}"
    if job.state is JobState.RUNNING and job.stopped_by:
        return f"stops after the request in progress, requested by {job.stopped_by}"
    if job.state is JobState.RUNNING and job.progress:
        return told(job.progress)
    return str(job.sentence or "")


def _pairs(job: JobFigures) -> list[tuple[str, object]]:
    return [
        ("job", job.number),
        ("call", job.operation),
        ("device", job.device or "-"),
        ("requested by", job.actor),
        ("requested at", when(job.asked_at)),
        ("started at", when(job.begun_at)),
        ("finished at", when(job.ended_at)),
        ("state", job.state),
        ("", _doing(job)),
    ]
