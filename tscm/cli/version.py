"""
`tsadmin version`: the version, and with `--all` the literal table of modules.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tscm import __version__
from tscm.cli import say
from tscm.printable import visible

if TYPE_CHECKING:
    from tscm.cli.session import Session
    from tscm.operations.answers import ModuleVersion


@click.command()
@click.option("--all", "all_modules", is_flag=True, help="Show every module.")
@click.option("--json", "json_output", is_flag=True, help="Print the versions as JSON.")
@click.pass_obj
def command(session: "Session", /, *, all_modules: bool, json_output: bool) -> None:
    """
    Show the version.
    """
    if not all_modules:
        if json_output:
            say.as_json({"module": "TSCM-Core", "version": __version__})
        else:
            say.plain(__version__)
        return

    from tscm.operations.arguments import Nothing  # for the version alone they are too much
    from tscm.operations.table.manager import VERSIONS

    modules = session.backend().call(VERSIONS, Nothing())
    if json_output:
        say.as_json(modules)
    else:
        say.info("ThreatSTOP Versions:")
        say.plain(table(modules))


def table(modules: "Sequence[ModuleVersion]") -> str:
    """The table as text, the same on a terminal and in a pipe."""
    lines = [f"{'Module':<20} Version", f"{'-' * 20} {'-' * 10}"]
    lines += [f"  {visible(one.module):<18} {visible(one.version)}" for one in modules]
    return "\n".join(lines)
