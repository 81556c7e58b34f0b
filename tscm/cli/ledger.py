"""
`tsadmin ledger`: does the balance hold?
"""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from tscm.cli import say
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import cell_text, show_table
from tscm.ledger.figures import Balance, BookBalance, DeviceBalance, ListenerBalance
from tscm.model import Expired
from tscm.operations.arguments import Balanced
from tscm.operations.table.manager import LEDGER
from tscm.plural import many
from tscm.spool.state import CHANGED, TRUNCATED

_SENDERS_SHOWN = 10
_GAPS = {TRUNCATED: "truncated by another process", CHANGED: "modified by another process"}
_GAPS_SHOWN = 10


@click.command()
@optional_device_argument
@click.option("--json", "json_output", is_flag=True, help="Print the ledger as JSON.")
@click.pass_obj
def command(session: Session, /, name: str | None, *, json_output: bool) -> int:
    """
    Show the balance: received = stored + dropped; stored = sent + not selected + expired + backlog, per reader.

    Exit status 1 if it does not balance.
    """
    balance = session.backend().call(LEDGER, Balanced(device=name))
    if json_output:
        say.as_json(balance)
    else:
        tell_ledger(balance)
    if balance.balanced:
        return 0
    say.error(
        "the ledger does not balance: this is an internal error or a disk error; check "
        "the logs with `tsadmin doctor`"
    )
    return 1


def tell_ledger(balance: Balance) -> None:
    """The balance as tables; used by the demonstration too."""
    heads = (
        "listener",
        "received",
        "= stored",
        "+ dropped",
        "dropped by cause",
        "kernel drops",
        "difference",
    )
    book = balance.book
    if balance.listeners:
        show_table(heads, _listeners(balance.listeners), "Received since the manager started")
    if book is not None and book.starts > 1:
        starts = many(book.starts, "start", "starts")
        title = f"Received since {when(book.began_at)}, over {starts}"
        show_table(heads, _listeners(book.listeners), title)
    rows = list(_devices(balance.devices))
    if rows:
        show_table(
            (
                "device",
                "stored",
                "reader",
                "used by",
                "= sent",
                "+ not selected",
                "+ backlog",
                "+ expired",
                "expired by cause",
                "difference",
            ),
            rows,
            "Stored since each device's log began",
        )
    _tell_lost(balance.devices)
    _tell_changed(balance.devices)
    _tell_aside(balance.devices)
    _tell_unread(balance.devices)
    _tell_dropped(book or BookBalance())
    _tell_gaps(balance)
    _tell_orphans(balance)
    if balance.balanced:
        say.info("The ledger balances")


def _listeners(listeners: Mapping[str, ListenerBalance]) -> Iterator[tuple[Any, ...]]:
    for name, one in listeners.items():
        causes = one.dropped_by_cause
        yield (
            name,
            one.received,
            one.stored,
            one.dropped,
            cell_text(causes) if causes else "-",
            one.kernel_drops,
            one.difference,
        )


def _devices(devices: Mapping[str, DeviceBalance]) -> Iterator[tuple[Any, ...]]:
    for name, one in devices.items():
        readers = one.readers
        if not readers:
            yield (name, one.stored, "-", *(None,) * 7)
        for reader, figures in readers.items():
            yield (
                name,
                one.stored,
                reader,
                "unused" if figures.orphan else figures.user,
                figures.sent,
                figures.not_selected,
                figures.waiting,
                figures.expired,
                figures.expired_by_cause or None,
                figures.difference,
            )
        if one.difference:
            say.warn(
                f"{name}: the log differs by {one.difference:+,} lines from what the "
                "listeners stored in it"
            )


def _tell_changed(devices: Mapping[str, DeviceBalance]) -> None:
    """Whose text was changed within the file: readers count the lines that stand there now."""
    for name, one in devices.items():
        for gap in one.gaps:
            if gap.cause == CHANGED:
                say.warn(
                    f"{name}: another process modified the file "
                    f"syslog.{gap.offset:020d} (or syslog, if it is still the newest) "
                    "while it was live; its readers count the lines that it contains now, "
                    "and may differ by that"
                )


def _tell_lost(devices: Mapping[str, DeviceBalance]) -> None:
    """Whose files were damaged before a reader was past, and where to look."""
    for name, one in devices.items():
        lost = max(
            (figures.expired_by_cause.get(Expired.LOST, 0) for figures in one.readers.values()),
            default=0,
        )
        if lost:
            say.warn(
                f"{name}: {many(lost, 'line was', 'lines were')} lost to damage before a "
                f"reader had read them; list the files with `tsadmin spool verify {name}`"
            )


def _tell_aside(devices: Mapping[str, DeviceBalance]) -> None:
    """Batches that wait for a decision: their lines stand among those that were not selected."""
    for name, one in devices.items():
        for figures in one.readers.values():
            if figures.rejected_batches:
                batches = many(figures.rejected_batches, "batch", "batches")
                say.warn(
                    f"{name}: the {figures.user or 'log service'} rejected {batches}; the "
                    "lines count as not selected; list the batches with `tsadmin logs "
                    f"{name} --rejected`, then resend or drop them"
                )


def _tell_unread(devices: Mapping[str, DeviceBalance]) -> None:
    """Policy lines that the event reader could not read: they stand among those not selected."""
    for name, one in devices.items():
        for figures in one.readers.values():
            if figures.unread:
                lines = many(figures.unread, "line", "lines")
                say.warn(
                    f"{name}: {lines} among those not selected are of access-lists "
                    f"and could not be read: they are in no report"
                )


def _tell_dropped(book: BookBalance) -> None:
    """Who sent what was dropped, as far as that is known."""
    senders = sorted(book.dropped_by_sender.items(), key=lambda item: -item[1])
    refused = book.dropped_by_device
    rows = [(f"unknown sender {sender}", lines) for sender, lines in senders[:_SENDERS_SHOWN]]
    rows += [(f"device {name} (log unavailable)", n) for name, n in refused.items()]
    if rows:
        show_table(("dropped lines from", "lines"), rows, "Dropped, by sender")
    if len(senders) > _SENDERS_SHOWN:
        say.info(f"{len(senders) - _SENDERS_SHOWN:,} more unknown senders")


def _tell_gaps(balance: Balance) -> None:
    """The bounds within which lines may have come that were not recorded, and what is gone."""
    rows: list[tuple[str, str, float, float, int | None, int | None]] = [
        (
            "manager",
            "logs changed after a clean stop" if gap.clean else "unclean stop",
            gap.after,
            gap.before,
            gap.lines,
            gap.lost,
        )
        for gap in (() if balance.book is None else balance.book.gaps)
    ]
    for name, one in balance.devices.items():
        for hole in one.gaps:
            cause = _GAPS.get(hole.cause, "unclean stop")
            lost = hole.lost if hole.cause == TRUNCATED else None
            rows.append((f"log of {name}", cause, hole.after, hole.before, None, lost))
    if rows:
        shown = sorted(rows, key=lambda row: row[3])[-_GAPS_SHOWN:]
        show_table(
            (
                "of",
                "cause",
                "after",
                "until",
                "lines found in the logs",
                "lines missing from the logs",
            ),
            (
                (of, cause, when(after), when(before), *more)
                for of, cause, after, before, *more in shown
            ),
            f"Unclean stops and other gaps, the latest {len(shown)} of {len(rows)}",
        )


def _tell_orphans(balance: Balance) -> None:
    rows = [
        (one.name, one.stored_lines, one.kept_bytes, one.readers or None)
        for one in balance.orphans or ()
    ]
    if rows:
        show_table(
            ("log", "lines stored", "bytes kept", "backlog (lines)"),
            rows,
            "Logs of removed devices; retention deletes them over time",
        )
