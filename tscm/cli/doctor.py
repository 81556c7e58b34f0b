"""
`tsadmin doctor`: the whole chain, link by link.
"""

from collections.abc import Iterator, Mapping, Sequence

import click
from attrs import frozen

from tscm.cli import say
from tscm.cli.names import devices_arguments
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.cli.several import of_device
from tscm.cli.tables import show_table
from tscm.doctor.finding import RATINGS, Finding, worst
from tscm.errors import NoSuchDevice
from tscm.faces.backend import Backend
from tscm.model import Report
from tscm.operations.arguments import Device, Nothing
from tscm.operations.table.doctor import DOCTOR, DOCTOR_DEVICE
from tscm.operations.table.listing import DEVICES
from tscm.printable import visible
from tscm.standing import Verdict

_SHOWN = (Verdict.NOT_CHECKED, Verdict.FAILED, Verdict.WARNING, Verdict.OK)


@click.command()
@devices_arguments
@click.option("--json", "json_output", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def command(
    session: Session, /, names: tuple[str, ...], *, everyone: bool, json_output: bool
) -> int:
    """
    Check the whole chain of a device, of several, or of all (also without NAME): what is ok, what needs attention, what failed, and what to do.

    Queries lists, firewall, log service and SIEM, and changes nothing.  Exit status 1 if a check failed.
    """
    backend = session.backend()
    if everyone and names:
        raise click.UsageError("give names or --all, not both")
    with shown_progress(aside=True, lasting=False) as report:
        found = examine(backend, names, report)
    if json_output:
        say.as_json(found)
    else:
        tell(found)
    return 1 if found.verdict is Verdict.FAILED else 0


@frozen(kw_only=True)
class Examined:
    """Findings about the host and manager, and by device; *rating* is the verdict by its word of earlier releases."""

    verdict: Verdict
    rating: str
    node: tuple[Finding, ...]
    devices: Mapping[str, tuple[Finding, ...]]

    def __iter__(self) -> Iterator[Finding]:
        yield from self.node
        for findings in self.devices.values():
            yield from findings


def examine(backend: Backend, wanted: Sequence[str], report: Report) -> Examined:
    """
    Findings about the host, and about the *wanted* devices, or each where none is named.
    """
    names = [row.name for row in backend.call(DEVICES, Nothing())]
    for name in wanted:
        if name not in names:  # told before the first question
            raise NoSuchDevice(name)
    if wanted:
        names = list(dict.fromkeys(wanted))
    node = _with_own_clock(backend.call(DOCTOR, Nothing(), report).findings)
    devices = {
        one: backend.call(
            DOCTOR_DEVICE, Device(name=one), of_device(one, report) if len(names) > 1 else report
        ).findings
        for one in names
    }
    verdict = worst([*node, *(one for findings in devices.values() for one in findings)])
    return Examined(verdict=verdict, rating=RATINGS[verdict], node=node, devices=devices)


def _with_own_clock(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The unit keeps the manager from asking the kernel about the clock; this process may ask."""
    from tscm.doctor.judge_node import judge_clock
    from tscm.doctor.probe_host import HOST

    synchronised = HOST.synchronised()
    if synchronised is None:
        return findings
    own = judge_clock(HOST.now(), synchronised)
    return tuple(own if one.link == own.link else one for one in findings)


def tell(found: Examined) -> None:
    """The findings as tables, and what to do below each."""
    _tell_part("Host and manager", found.node)
    for name, findings in found.devices.items():
        _tell_part(f"Device {name}", findings)
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in _SHOWN}
    summary = ", ".join(
        f"{counts[one]} {one}"
        for one in reversed(_SHOWN)
        if counts[one] or one is not Verdict.NOT_CHECKED
    )
    if found.verdict is Verdict.FAILED:
        say.error(f"checks failed: {summary}")
    elif found.verdict is Verdict.WARNING:
        say.warn(f"no check failed, but some need attention: {summary}")
    elif found.verdict is Verdict.NOT_CHECKED:
        say.warn(f"no check failed, but not everything could be checked: {summary}")
    else:
        say.info(f"all checks passed: {summary}")


def _tell_part(title: str, findings: Sequence[Finding]) -> None:
    rows = [(one.link, one.verdict, one.sentence) for one in findings]
    show_table(("link", "verdict", "why"), rows, title)
    for one in findings:
        if one.remedy and one.verdict is not Verdict.OK:
            say.info(f"{one.link}: {visible(one.remedy)}")
    say.plain("")
