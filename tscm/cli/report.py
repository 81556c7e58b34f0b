"""
`tsadmin report`: what the lists did, as a table, as JSON or as CSV.
"""

import csv
import sys
from datetime import UTC, datetime
from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import devices_arguments
from tscm.cli.session import Session
from tscm.cli.several import Done, chosen, each
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.times import Time
from tscm.cli.words import Words
from tscm.events.answers import SeveralReport, Sums
from tscm.operations.arguments import Asked, AskedOfSeveral
from tscm.operations.table.events import REPORT, REPORT_SEVERAL
from tscm.plural import many
from tscm.printable import spreadsheet_cell

_BY = Words(
    "entry",
    "list",
    "inside",
    "outside",
    "port",
    "protocol",
    "hour",
    "direction",
    "action",
)


@click.command()
@devices_arguments
@click.option(
    "--since", type=Time(), help="Start: 30m, 24h or 7d ago, or a date and time.  [default: 24h]"
)
@click.option("--until", type=Time(), help="End, in the same formats.  [default: now]")
@click.option(
    "--by",
    type=_BY,
    metavar="WHAT",
    help=f"Group by one of {', '.join(_BY.words)}, or by two, such as hour,action.  [default: entry]",
)
@click.option("--together", is_flag=True, help="Sum the devices up to one report.")
@click.option("--top", metavar="NUMBER", help="Number of rows.  [default: 20]")
@click.option("--action", type=Words("blocked", "allowed"), help="Only this.")
@click.option("--direction", type=Words("inbound", "outbound"), help="Only this.")
@click.option("--list", "list_name", help="Only hits on this list.")
@click.option("--entry", help="Only hits on this entry.")
@click.option("--target", help="Only addresses of these targets, separated by commas.")
@click.option("--severity", help="Only addresses of targets of this severity, such as 4 or 3-5.")
@click.option("--threat_type", help="Only addresses of targets of these types of threat.")
@click.option("--inside", help="Only this inside host or network.")
@click.option("--outside", help="Only this listed address or network.")
@click.option("--port", help="Only these ports, separated by commas.")
@click.option("--not_port", help="Exclude these ports, separated by commas.")
@click.option("--json", "json_output", is_flag=True, help="Print the rows as JSON.")
@click.option("--csv", "csv_output", is_flag=True, help="Print the rows as CSV.")
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    everyone: bool,
    together: bool,
    json_output: bool,
    csv_output: bool,
    **options: Any,
) -> int:
    """
    Show the hits on the lists of a device; also of several, or of all, one after the other or together.

    Hits are what the firewall counted, lines what it logged: one line can report many hits.
    """
    if json_output and csv_output:
        raise click.UsageError("use only one of --json and --csv")
    options["list"] = options.pop("list_name")
    asked = {key: value for key, value in options.items() if value is not None}
    backend = session.backend()
    wanted = chosen(backend, names, everyone=everyone)
    if together:
        _show_together(
            backend.call(REPORT_SEVERAL, AskedOfSeveral(devices=tuple(wanted), options=asked)),
            json_output=json_output,
            csv_output=csv_output,
        )
        return 0
    several = everyone or len(wanted) > 1
    headed: list[str] = []

    def report(name: str) -> Done:
        found = backend.call(REPORT, Asked(name=name, options=asked))
        if csv_output:
            _as_csv(found, found.device if several else None, head=not headed)
            headed.append(name)
        elif not json_output:
            _as_table(found, found.device)
        if not json_output:
            _tell_doubts(found, f"{name}: " if several else "")
        return Done(answer=found)

    if several:
        return each(wanted, report, json_output=json_output, table=False)
    done = report(wanted[0])
    if json_output:
        say.as_json(done.answer)
    return 0


def _show_together(found: SeveralReport, *, json_output: bool, csv_output: bool) -> None:
    if json_output:
        say.as_json(found)
        return
    if csv_output:
        _as_csv(found, None, head=True)
    else:
        _as_table(found, many(len(found.devices), "device", "devices"))
    _tell_doubts(found, "")


def _tell_doubts(found: Sums, whose: str) -> None:
    """What is not in the counts."""
    if found.counts_are_low:
        say.warn(
            f"{whose}the firewall logged "
            f"{many(found.counts_are_low, 'time', 'times')} that it had stopped "
            "counting denied flows (106101): all counts are too low; raise `access-list "
            "deny-flow-max`"
        )
    if found.unread_lines:
        say.warn(
            f"{whose}{many(found.unread_lines, 'line', 'lines')} of the firewall's access-lists could not be read "
            f"(no source and destination), over all times, and are in no report"
        )


def _as_table(found: Sums, whose: str) -> None:
    columns = found.by.split(",")
    rows = [
        (*(_cell(by, row[by]) for by in columns), row["hits"], row["lines"]) for row in found.rows
    ]
    show_table(
        (*columns, "hits", "lines"),
        rows,
        f"{whose}, from {when(found.since)} to {when(found.until)}, in whole hours",
    )
    say.info(
        f"{many(found.hits, 'hit', 'hits')} in {many(found.lines, 'line', 'lines')}; {len(rows)} of {found.groups:,} shown"
    )


def _as_csv(found: Sums, device: str | None, *, head: bool) -> None:
    """Rows; of several devices each with its name in front."""
    columns = found.by.split(",")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    name = () if device is None else (spreadsheet_cell(device),)
    if head:
        writer.writerow((*("device",) * len(name), *columns, "hits", "lines"))
    for row in found.rows:
        cells = (spreadsheet_cell(_cell(by, row[by])) for by in columns)
        writer.writerow((*name, *cells, row["hits"], row["lines"]))


def _cell(by: str, value: Any) -> Any:
    if by == "hour":
        return datetime.fromtimestamp(value, UTC).astimezone().isoformat(" ", "minutes")
    if by == "port":
        return "none" if value < 0 else str(value)
    return value
