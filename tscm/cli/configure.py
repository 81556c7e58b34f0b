"""
`tsadmin configure`: the questions of `add` with the present values as defaults.
"""

from typing import Any

import click

from tscm.cli import say
from tscm.cli.add import tell_check
from tscm.cli.names import device_argument
from tscm.cli.options import given_options, setting_options
from tscm.cli.passwords import take_secrets
from tscm.cli.progress import shown_progress
from tscm.cli.prompts import ask_settings
from tscm.cli.session import Session
from tscm.model import Json


@click.command(params=[*setting_options()])
@device_argument
@click.option("--advanced", is_flag=True, help="Ask the advanced settings too.")
@click.option("--json", "json_output", is_flag=True, help="Give the result as JSON.")
@click.pass_obj
def command(
    session: Session, /, name: str, *, advanced: bool, json_output: bool, **parameters: Any
) -> None:
    """
    Change the settings of a device.

    With options only those are changed and nothing is asked (with --advanced the advanced
    questions still are).  `none` clears a setting that may be empty.
    """
    backend = session.backend()
    present = backend.view(name)["settings"]
    given = take_secrets(given_options(parameters))
    answers = ask_settings(given, present, basic=not given, advanced=advanced)
    with shown_progress(aside=json_output) as report:
        result = backend.change(name, {**given, **answers}, report)
    if json_output:
        say.as_json(result)
    else:
        _tell(result)


def _tell(result: Json) -> None:
    tell_check(result.get("check"))
    changed = result.get("changed", [])
    if changed:
        say.info(f"Device {result['name']}: changed {', '.join(changed)}")
    else:
        say.info(f"Device {result['name']}: nothing has changed")
    for note in result.get("notes", ()):
        say.warn(note)
