"""
The balance: what must hold between what came in, what is stored, and what went on.

For each listener received = stored + dropped; for each device what its log grew by = what the
listeners say they stored in it; for each device and reader stored = sent + not selected + expired +
waiting.  A difference that is not zero is a fault of this program or of the disk under it, and never
of a sender.  Pure: figures in, balance out.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from tscm.intake.figures import DeviceIntake, IntakeCounts, kernel_drops
from tscm.ledger.book import Book
from tscm.ledger.figures import Balance, BookBalance, DeviceBalance, ListenerBalance, ReaderBalance
from tscm.spool.figures import LogFigures, OrphanFigures
from tscm.spool.state import CHANGED


def balance(
    intake: IntakeCounts,
    devices: Mapping[str, LogFigures],
    only: str | None = None,
    *,
    users: Mapping[str, Mapping[str, str]] | None = None,
    rejected_batches: Mapping[str, Mapping[str, int]] | None = None,
    book: Book | None = None,
    orphans: Sequence[OrphanFigures] = (),
    unread: Mapping[str, Mapping[str, int]] | None = None,
) -> Balance:
    """
    The ledger of a node, or of the device *only*.

    *intake* are `IntakeService.counts()`, *devices* `SpoolService.figures()` by name.
    Counts of listeners begin with the manager's start; those of the *book* go on over starts;
    counts of a device begin with its log.  *users* says who uses each reader of a device; a reader
    without a user is an orphan.  *rejected_batches* says how many batches of each wait for a decision: their
    lines were passed.  *unread* says how many of the lines that a reader passed are of access-lists, and
    could not be read.  *orphans* are logs whose device is gone.
    """
    found = Balance(
        devices={
            name: _device(
                figures,
                intake.devices.get(name),
                None if users is None else users.get(name, {}),
                (rejected_batches or {}).get(name, {}),
                (unread or {}).get(name, {}),
            )
            for name, figures in devices.items()
            if only is None or name == only
        }
    )
    if only is None:
        listeners = {
            name: _listener(one.received, one.stored, one.dropped, drops=kernel_drops(one))
            for name, one in intake.listeners.items()
        }
        found = evolve(
            found,
            listeners=listeners,
            received=sum(one.received for one in listeners.values()),
            stored_since_start=sum(one.stored for one in listeners.values()),
            dropped=sum(one.dropped for one in listeners.values()),
            orphans=tuple(orphans),
            book=None if book is None else _book(book),
        )
    return evolve(found, balanced=not any(_differences(found)))


def _differences(found: Balance) -> Iterator[int]:
    for device in found.devices.values():
        yield device.difference
        yield from (row.difference for row in device.readers.values())
    yield from (one.difference for one in (found.listeners or {}).values())
    if found.book is not None:
        yield from (one.difference for one in found.book.listeners.values())


def balance_of(name: str, log: LogFigures, intake: DeviceIntake | None) -> Balance:
    """The balance of one device alone: its log, and what the listeners stored in that."""
    return balance(
        IntakeCounts(devices={} if intake is None else {name: intake}), {name: log}, name
    )


def is_balanced(log: LogFigures, intake: DeviceIntake | None) -> bool:
    """Whether that balance holds: for a page about thousands of devices."""
    told = 0 if intake is None else intake.stored
    return log.appended_lines == told and not any(one.difference for one in log.readers.values())


def together(whole: Balance, devices: Mapping[str, DeviceBalance]) -> Balance:
    """The balance of the node with those of *devices*."""
    found = evolve(whole, devices={**whole.devices, **devices})
    return evolve(found, balanced=not any(_differences(found)))


def differences_of(balance: Balance) -> list[str]:
    """What does not balance, in words; names of listeners, devices and readers only."""
    found: list[str] = []
    listeners = {
        **({} if balance.book is None else balance.book.listeners),
        **(balance.listeners or {}),
    }
    for name, one in listeners.items():
        if one.difference:
            found.append(f"listener {name} by {one.difference:+,} lines")
    for name, device in balance.devices.items():
        if device.difference:
            found.append(f"log of {name} by {device.difference:+,} lines against the listeners")
        changed = any(gap.cause == CHANGED for gap in device.gaps)
        why = "; another process modified the text of its log" if changed else ""
        for reader, row in device.readers.items():
            if row.difference:
                found.append(f"reader {reader} of {name} by {row.difference:+,} lines{why}")
    return found


def _listener(
    received: int, stored: int, dropped: Mapping[str, int], *, drops: int | None
) -> ListenerBalance:
    causes = {cause: count for cause, count in dropped.items() if count}
    lost = sum(causes.values())
    return ListenerBalance(
        received=received,
        stored=stored,
        dropped=lost,
        dropped_by_cause=causes,
        kernel_drops=drops,
        difference=received - stored - lost,
    )


def _book(book: Book) -> BookBalance:
    listeners = {
        name: _listener(one.received, one.stored, one.dropped, drops=one.kernel_drops)
        for name, one in book.listeners.items()
    }
    return BookBalance(
        began_at=book.began_at,
        starts=book.starts,
        listeners=listeners,
        received=sum(one.received for one in listeners.values()),
        stored=sum(one.stored for one in listeners.values()),
        dropped=sum(one.dropped for one in listeners.values()),
        dropped_by_sender=dict(book.senders),
        dropped_by_device=dict(book.refused),
        gaps=book.gaps,
        gaps_total=book.gaps_total,
    )


def _device(
    figures: LogFigures,
    appended: DeviceIntake | None,
    users: Mapping[str, str] | None,
    rejected_batches: Mapping[str, int],
    unread: Mapping[str, int],
) -> DeviceBalance:
    stored = figures.stored_lines
    told = 0 if appended is None else appended.stored
    return DeviceBalance(
        stored=stored,
        refused=figures.refused_lines,
        last_received_at=figures.last_received_at,
        unclean_stops=figures.gaps_total,
        gaps=figures.gaps,
        deleted=figures.deleted_lines,
        difference=figures.appended_lines - told,
        readers={
            name: ReaderBalance(
                user=None if users is None else users.get(name),
                orphan=users is not None and name not in users,
                sent=one.sent,
                not_selected=one.not_selected,
                rejected_batches=rejected_batches.get(name, 0),
                unread=unread.get(name, 0),
                expired=one.expired,
                expired_by_cause={
                    cause: lines for cause, lines in one.expired_by_cause.items() if lines
                },
                waiting=one.waiting_lines,
                difference=stored - one.sent - one.not_selected - one.expired - one.waiting_lines,
            )
            for name, one in figures.readers.items()
        },
    )
