"""
`tsadmin ledger`: does the balance hold?
"""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.tables import show_pairs


@click.command()
@optional_device_argument
@click.option("--json", "json_output", is_flag=True, help="Give the balance as JSON.")
@click.pass_obj
def command(session: Session, /, name: str | None, *, json_output: bool) -> int:
    """
    Show the balance: received = stored + dropped; stored = past each reader + waiting + expired.

    Exit status 1 where it does not hold.
    """
    balance = session.backend().ledger(name)
    holds = bool(balance.get("balanced", True))
    if json_output:
        say.as_json(balance)
        return 0 if holds else 1
    show_pairs(_flat(balance), "Ledger")
    if holds:
        say.info("The ledger balances")
        return 0
    say.error("the ledger does not balance; see the differences above")
    return 1


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        label = f"{before}{str(name).replace('_', ' ')}"
        if isinstance(one, Mapping):
            yield from _flat(one, f"{label}: ")
        else:
            yield label, one
