"""
`tsadmin audit`: who changed what, when, and with what outcome.
"""

import click

from tscm.cli import say
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.cli.times import Time
from tscm.operations.arguments import Audited
from tscm.operations.table.jobs import AUDIT
from tscm.store.audit_entry import AuditEntry, shown_arguments


@click.command()
@optional_device_argument
@click.option("--since", type=Time(), help="Only entries since this time: 2d, 17:30, or a date.")
@click.option(
    "--top",
    type=click.IntRange(1, 100_000),
    default=100,
    help="Maximum number of entries, the latest ones.  [100]",
)
@click.option("--json", "json_output", is_flag=True, help="Print the entries as JSON.")
@click.pass_obj
def command(
    session: Session, /, name: str | None, *, since: float | None, top: int, json_output: bool
) -> None:
    """
    Show the audit: every call that changed something, and every scheduled update that did.
    """
    asked = Audited(device=name, since=since or 0.0, top=top)
    entries = session.backend().call(AUDIT, asked).entries
    if json_output:
        say.as_json(entries)
    elif not entries:
        say.info("No matching audit entries")
    else:
        show_table(
            ("when", "who", "what", "device", "with", "outcome", "took", ""),
            (_cells(entry) for entry in entries),
        )


def _cells(entry: AuditEntry) -> tuple[object, ...]:
    return (
        when(entry.at),
        entry.who,
        entry.operation,
        entry.device or "-",
        shown_arguments(entry.arguments),
        entry.outcome,
        f"{entry.seconds:.1f} s",
        entry.sentence or "",
    )
