"""
The balance as values: what `tscm.ledger.balance` finds and the ledger's keeper tells.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.base.clock import told_time
from tscm.model import Expired
from tscm.plural import many
from tscm.spool.figures import OrphanFigures
from tscm.spool.state import Gap as LogGap
from tscm.wire.keys import OMIT_NONE, as_key


@frozen(kw_only=True)
class Gap:
    """
    An unclean stop: what came in between *after* (the last note) and *before* (the next start) is
    known as far as it was stored.  *lines* were found on the logs beyond the note; *lost* were
    noted as stored, and a power cut or a deletion took them.

    *clean*: the stop was a clean one, and the logs are not as they were then all the same.
    """

    after: float
    before: float
    lines: int = 0
    lost: int = 0
    clean: bool = False

    def __str__(self) -> str:
        """What happened, for the manager's log."""
        after, before = told_time(self.after), told_time(self.before)
        found = f"{many(self.lines, 'line was', 'lines were')} stored after the last checkpoint"
        gone = f"{many(self.lost, 'line is', 'lines are')} missing from the logs"
        if not self.clean:
            return (
                f"the last stop was not clean: {found}, {gone}; lines that arrived between "
                f"{after} and {before} and were not stored are unknown"
            )
        what = " and ".join(part for part, n in ((gone, self.lost), (found, self.lines)) if n)
        return (
            f"the logs differ from the clean stop at {after}: {what}; log files were "
            "changed while no manager was running (check them with `tsadmin spool verify`)"
        )


@frozen(kw_only=True)
class ListenerBalance:
    """One listener: *difference* = received - stored - dropped, in lines."""

    received: int = 0
    stored: int = 0
    dropped: int = 0
    dropped_by_cause: Mapping[str, int] = field(factory=dict)
    kernel_drops: int | None = None
    difference: int = 0


@frozen(kw_only=True)
class ReaderBalance:
    """
    One reader of a log: *difference* = stored - sent - not selected - expired - waiting, in lines.

    *user* is who uses it, None where it is unused or where that is not known.
    """

    user: str | None = None
    orphan: bool = False
    sent: int = 0
    not_selected: int = 0
    rejected_batches: int = field(default=0, metadata=as_key("set_aside"))
    """Batches that wait for a decision; their lines were passed."""
    unread: int = 0
    """Lines that were passed, are of access-lists, and could not be read."""
    expired: int = 0
    expired_by_cause: Mapping[Expired, int] = field(factory=dict)
    waiting: int = 0
    difference: int = 0


@frozen(kw_only=True)
class DeviceBalance:
    """One log: *difference* is what it grew by more than the listeners stored in it, in lines."""

    stored: int = 0
    refused: int = 0
    last_received_at: float | None = None
    unclean_stops: int = 0
    gaps: tuple[LogGap, ...] = ()
    deleted: Mapping[str, int] = field(factory=dict)
    difference: int = 0
    readers: Mapping[str, ReaderBalance] = field(factory=dict)


@frozen(kw_only=True)
class BookBalance:
    """All starts together; *gaps* are the bounds of what cannot be known."""

    began_at: float = 0.0
    starts: int = 0
    listeners: Mapping[str, ListenerBalance] = field(factory=dict)
    received: int = 0
    stored: int = 0
    dropped: int = 0
    dropped_by_sender: Mapping[str, int] = field(factory=dict)
    dropped_by_device: Mapping[str, int] = field(factory=dict)
    gaps: tuple[Gap, ...] = ()
    gaps_total: int = 0


@frozen(kw_only=True)
class Balance:
    """
    The ledger of a node; of one device alone it has that device and nothing that concerns all.
    """

    devices: Mapping[str, DeviceBalance] = field(factory=dict)
    listeners: Mapping[str, ListenerBalance] | None = field(default=None, metadata=OMIT_NONE)
    """Since this process started; None in the balance of one device."""
    received: int | None = field(default=None, metadata=OMIT_NONE)
    stored_since_start: int | None = field(default=None, metadata=OMIT_NONE)
    dropped: int | None = field(default=None, metadata=OMIT_NONE)
    orphans: tuple[OrphanFigures, ...] | None = field(default=None, metadata=OMIT_NONE)
    book: BookBalance | None = field(default=None, metadata=OMIT_NONE)
    balanced: bool = True


@frozen(kw_only=True)
class KeeperFigures:
    """Why the ledger's book cannot be read or written, and what did not balance at the last check."""

    fault: str = ""
    unbalanced: str = ""
    unbalanced_since: float | None = None
