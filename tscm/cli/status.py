"""
`tsadmin status`: how every device stands, the worst first.
"""

from collections.abc import Sequence

import click

from tscm.cli import say
from tscm.cli.names import DeviceName
from tscm.cli.session import Session
from tscm.cli.tables import show_table
from tscm.errors import NoSuchDevice
from tscm.operations.arguments import Nothing
from tscm.operations.table.fleet import FLEET
from tscm.standing import Row, age_words, exit_status

_HEADS = (
    "device", "status", "good update", "entries", "cut", "last line", "backlog", "SIEM", "upload", "cause",
)  # fmt: skip


@click.command()
@click.argument("names", nargs=-1, type=DeviceName(), metavar="[NAME]...")
@click.option("--json", "json_output", is_flag=True, help="Print the rows as JSON.")
@click.pass_obj
def command(session: Session, /, names: Sequence[str], *, json_output: bool) -> int:
    """
    Show one line per device: verdict and cause, age of the last successful update, entries, last line, backlog.

    Failures come first.  The exit status is that of a monitoring plug-in: 0 ok, 1 warning, 2 failed.
    """
    rows = session.backend().call(FLEET, Nothing())
    known = {row.name for row in rows}
    for name in names:
        if name not in known:
            raise NoSuchDevice(name)
    if names:
        rows = tuple(row for row in rows if row.name in names)
    if json_output:
        say.as_json(rows)
    elif rows:
        show_table(_HEADS, (_cells(row) for row in rows))
    else:
        say.info("No devices yet; add one with `tsadmin add --type asarest`", aside=True)
    return exit_status(rows)


def _cells(row: Row) -> tuple[object, ...]:
    more = f" (and {len(row.causes) - 1} more)" if len(row.causes) > 1 else ""
    return (
        row.name,
        row.verdict,
        age_words(row.good_update_age_seconds),
        "-" if row.entries is None else row.entries,
        row.cut,
        age_words(row.last_line_age_seconds),
        sum(row.backlog_lines.values()),
        row.forward,
        row.upload,
        f"{row.causes[0]}{more}" if row.causes else "",
    )
