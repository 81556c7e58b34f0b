"""
`tsadmin demo`: the embedded demonstration, which lives in `tscm.demo`.
"""

from functools import partial

import click

from tscm.cli import say
from tscm.cli.opening import open_backend
from tscm.cli.progress import shown_progress


@click.command(add_help_option=True)
@click.option(
    "--keep", is_flag=True, help="Keep the demo running and print commands to explore it."
)
@click.option("--json", "json_output", is_flag=True, help="Print the final figures as JSON.")
def command(*, keep: bool, json_output: bool) -> int:
    """
    Run the whole product on this machine: embedded services, simulated firewalls, a SIEM.

    Exit status 0 only if every figure balances.
    """
    from tscm.demo import run_demo

    return run_demo(
        keep=keep,
        json_output=json_output,
        say=say.plain,
        open_backend=open_backend,
        shown_progress=partial(shown_progress, lasting=False),
    )
