"""
`tsadmin list`: the literal table of the devices.
"""

from collections.abc import Sequence

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.devices.answers import DeviceRow
from tscm.operations.arguments import Nothing
from tscm.operations.table.listing import DEVICES
from tscm.printable import visible

HEADS = ("Device name", "Type", "Device ID", "Management IP", "Log upload ID", "Log", "Log uploads")
KEPT = "the settings file has errors, so the previous settings remain in force: "
"""Before the fault of a file whose device a running manager still serves as it was."""


@click.command()
@click.option("--json", "json_output", is_flag=True, help="Print the rows as JSON.")
@click.pass_obj
def command(session: Session, /, *, json_output: bool) -> int:
    """
    List the devices.
    """
    rows = session.backend().call(DEVICES, Nothing())
    faults = [row for row in rows if row.fault is not None]
    if json_output:
        say.as_json(rows)
    else:
        say.plain(table([row for row in rows if row.type is not None]))
        if not rows:
            say.info("No devices yet; add one with `tsadmin add --type asarest`", aside=True)
    for row in faults:
        say.error(f"{KEPT}{row.fault}" if row.type is not None else str(row.fault))
    return 2 if faults else 0


def table(rows: Sequence[DeviceRow]) -> str:
    """The table as text, the same on a terminal and in a pipe."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def _cells(row: DeviceRow) -> tuple[str, ...]:
    return tuple(
        visible(cell)
        for cell in (
            row.name,
            row.type,
            row.device_id,
            row.device,
            row.device_id,
            f"{row.log_rotate_size}k",
            "enabled" if row.send_logs else "disabled",
        )
    )
