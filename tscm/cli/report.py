"""
`tsadmin report`: what the lists did, as a table, as JSON or as CSV.
"""

import csv
import sys
from datetime import UTC, datetime
from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.times import Time
from tscm.cli.words import Words
from tscm.model import Json
from tscm.operations.arguments import Asked
from tscm.operations.table import REPORT
from tscm.plural import many
from tscm.printable import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula."""
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
@device_argument
@click.option(
    "--since", type=Time(), help="Begin: 30m, 24h, 7d ago, or a date and time.  [default: 24h]"
)
@click.option("--until", type=Time(), help="End, in the same forms.  [default: now]")
@click.option(
    "--by", type=_BY, metavar="WHAT", help=f"The rows: {', '.join(_BY.words)}.  [default: entry]"
)
@click.option("--top", metavar="NUMBER", help="How many rows.  [default: 20]")
@click.option("--action", type=Words("blocked", "allowed"), help="Only this.")
@click.option("--direction", type=Words("inbound", "outbound"), help="Only this.")
@click.option("--list", "list_name", help="Name of a list.")
@click.option("--entry", help="One entry of a list.")
@click.option("--inside", help="Inside host or network.")
@click.option("--outside", help="Listed address or network.")
@click.option("--port", help="Ports, with commas between.")
@click.option("--not_port", help="Ports to leave out, with commas between.")
@click.option("--json", "json_output", is_flag=True, help="Give the rows as JSON.")
@click.option("--csv", "csv_output", is_flag=True, help="Give the rows as CSV.")
@click.pass_obj
def command(
    session: Session, /, name: str, *, json_output: bool, csv_output: bool, **options: Any
) -> None:
    """
    Show what the lists of a device did.

    Hits are what the firewall counted, lines what it wrote: one line can stand for many hits.
    """
    if json_output and csv_output:
        raise click.UsageError("give one of --json and --csv")
    options["list"] = options.pop("list_name")
    asked = {key: value for key, value in options.items() if value is not None}
    found = session.backend().call(REPORT, Asked(name=name, options=asked))
    if json_output:
        say.as_json(found)
    elif csv_output:
        _as_csv(found)
    else:
        _as_table(found)
    if found["counts_are_low"] and not json_output:
        say.warn(
            f"the firewall said {many(found['counts_are_low'], 'time', 'times')} that it had stopped "
            f"counting denied flows (106101): all counts are low; raise `access-list deny-flow-max`"
        )
    if found.get("unread_lines") and not json_output:
        say.warn(
            f"{many(found['unread_lines'], 'line', 'lines')} of the firewall's access-lists could not be read "
            f"(106100, 106102, 106103 or 106023 without two ends), over all times, and are in no report"
        )


def _as_table(found: Json) -> None:
    by = found["by"]
    rows = [(_cell(by, row[by]), row["hits"], row["lines"]) for row in found["rows"]]
    show_table(
        (by, "hits", "lines"),
        rows,
        f"{found['device']}, from {when(found['since'])} to {when(found['until'])}, in whole hours",
    )
    say.info(
        f"{many(found['hits'], 'hit', 'hits')} in {many(found['lines'], 'line', 'lines')}; {len(rows)} of {found['groups']:,} shown"
    )


def _as_csv(found: Json) -> None:
    by = found["by"]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((by, "hits", "lines"))
    for row in found["rows"]:
        writer.writerow((harmless(_cell(by, row[by])), row["hits"], row["lines"]))


def harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, and no terminal for a command."""
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(by: str, value: Any) -> Any:
    if by == "hour":
        return datetime.fromtimestamp(value, UTC).astimezone().isoformat(" ", "minutes")
    if by == "port":
        return "none" if value < 0 else str(value)
    return value
