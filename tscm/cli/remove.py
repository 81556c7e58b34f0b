"""
`tsadmin remove`: forget a device, and print the way back.
"""

import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.names import device_argument
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.session import Session
from tscm.devices.answers import Removed
from tscm.operations.arguments import Device, Nothing, Push
from tscm.operations.table.devices import REMOVE, VIEW
from tscm.operations.table.listing import DEVICES
from tscm.operations.table.policies import PURGE
from tscm.printable import visible
from tscm.update.answers import Purged


@click.command()
@device_argument
@yes_option
@click.option(
    "--purge",
    is_flag=True,
    help="First delete the object-groups of tscm from the firewall that no access-list uses.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, yes: bool, purge: bool, json_output: bool) -> int:
    """
    Remove a device.

    Its updates and uploads stop; its logs stay on disk.  The configuration on the firewall is not
    changed: the commands that clean it up are printed in the order in which to enter them.
    """
    backend = session.backend()
    names = {row.name for row in backend.call(DEVICES, Nothing())}
    if name not in names:
        backend.call(VIEW, Device(name=name))  # raises what is wrong with the name
    question, kept = f"Remove device {name}?", f"device {name} not removed"
    if not may_go_on(REMOVE, question, kept, yes=yes, json_output=json_output):
        return 1
    purged: Purged | None = None
    result: Removed | None = None
    with shown_progress(aside=json_output) as report:
        if purge:
            purged = backend.call(PURGE, Push(name=name), report, waits_told(aside=json_output))
        if purged is None or purged.complete:
            result = backend.call(REMOVE, Device(name=name), report)
    if purged is not None and result is None:
        return _not_purged(name, purged, json_output=json_output)
    assert result is not None
    lines = without_groups(result.lines) if purge else result.lines
    if json_output:
        deleted = {"deleted": purged.deleted} if purged is not None else {}
        say.as_json({"name": result.name, "lines": lines, **deleted})
        return 0
    if purged is not None:
        say.info(purged.sentence)
    say.info(f"Device {name} removed; its logs remain in {session.layout.device_log(name)}")
    if lines:
        say.info(f"To clean up the {result.on}, enter in this order:")
        say.plain("")
        say.plain(visible(lines.rstrip("\n"), keep="\n"))
    return 0


def _not_purged(name: str, purged: Purged, *, json_output: bool) -> int:
    if json_output:
        say.as_json(purged)
    for one in purged.obstacles:
        say.warn(f"{one.group} not deleted: {one.cause}")
        for line in one.lines:
            say.warn(f"  {taken_off(line)}")
    say.error(
        f"{purged.sentence}; device {name} is not removed and its updates are held: "
        "remove the references listed above and run the command again, or omit --purge"
    )
    return 1


def taken_off(line: str) -> str:
    """What takes a line of the configuration off, where it is an access-list's; else the line."""
    return f"no {line}" if line.startswith("access-list ") else f"used in: {line}"


def without_groups(lines: str) -> str:
    """The way back where access-lists and groups are gone already: from the logging on."""
    head, mark, rest = lines.partition("! 3. ")
    return f"configure terminal\n{mark}{rest}" if mark else head
