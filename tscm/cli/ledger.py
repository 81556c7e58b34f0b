"""
`tsadmin ledger`: does the balance hold?
"""

from collections.abc import Iterator
from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.tables import cell_text, show_table
from tscm.model import Json


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
    if json_output:
        say.as_json(balance)
    else:
        tell_ledger(balance)
    if balance["balanced"]:
        return 0
    say.error(
        "the ledger does not balance: a difference is a fault of this program or of the disk; "
        "`tsadmin show NAME` tells of faults of a device's log"
    )
    return 1


def tell_ledger(balance: Json) -> None:
    """The balance as tables; used by the demonstration too."""
    if balance.get("listeners"):
        show_table(
            (
                "listener",
                "received",
                "= stored",
                "+ dropped",
                "dropped by cause",
                "lost in the kernel",
                "difference",
            ),
            _listeners(balance["listeners"]),
            "Received, since the manager started",
        )
    rows = list(_devices(balance.get("devices", {})))
    if rows:
        show_table(
            (
                "device",
                "stored",
                "reader",
                "= sent",
                "+ not selected",
                "+ waiting",
                "+ expired",
                "difference",
            ),
            rows,
            "Stored, since each device's log began",
        )
    if balance["balanced"]:
        say.info("The ledger balances")


def _listeners(listeners: Json) -> Iterator[tuple[Any, ...]]:
    for name, one in listeners.items():
        causes = one.get("dropped_by_cause") or {}
        yield (
            name,
            one["received"],
            one["stored"],
            one["dropped"],
            cell_text(causes) if causes else "-",
            one.get("kernel_drops"),
            one["difference"],
        )


def _devices(devices: Json) -> Iterator[tuple[Any, ...]]:
    for name, one in devices.items():
        readers = one.get("readers") or {}
        if not readers:
            yield (name, one["stored"], "-", None, None, None, None, None)
        for reader, figures in readers.items():
            yield (
                name,
                one["stored"],
                reader,
                figures["sent"],
                figures["not_selected"],
                figures["waiting"],
                figures["expired"],
                figures["difference"],
            )
