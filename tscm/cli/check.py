"""
`tsadmin check`: are the settings files free of errors?
"""

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.plural import many


@click.command()
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(session: Session, /, *, json_output: bool) -> int:
    """
    Check all settings files, and change nothing.

    Reads tscm.toml, the files of all devices, their sealed secrets, and the files that settings
    name.  Exit status 2 if the manager would not apply one of them.  To check what is on the
    network too, run `tsadmin doctor`.
    """
    from tscm.devices.settings_check import check_settings

    found = check_settings(session.layout)
    if json_output:
        say.as_json(found)
    else:
        for fault in found.faults:
            named = fault.file in fault.sentence
            say.error(fault.sentence if named else f"{fault.file}: {fault.sentence}")
        if not found.faults:
            say.info(
                f"The settings of the node and of {many(found.devices, 'device', 'devices')} are ok"
            )
    return 2 if found.faults else 0
