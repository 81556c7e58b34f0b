"""
What the rules look at: the state of a manager at one moment, as far as alarms need it.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.intake.sender_figures import StrangerFigures
from tscm.pairing.figures import FollowedPortal, PairedManager
from tscm.standing import Verdict
from tscm.update.figures import UpdateFigures


@frozen(kw_only=True)
class SeenDevice:
    """One device; times are POSIX seconds."""

    name: str
    verdict: Verdict = Verdict.OK
    causes: tuple[str, ...] = ()
    policy: UpdateFigures = UpdateFigures()
    last_line_at: float | None = None
    rejected_batches: int = 0


@frozen(kw_only=True)
class Disk:
    """A file system by one of our folders on it."""

    folder: str
    free_bytes: int
    total_bytes: int


@frozen(kw_only=True)
class Certificate:
    """When a certificate of the manager expires (POSIX seconds), or why that is not known."""

    name: str
    expires_at: float = 0.0
    fault: str = ""


@frozen(kw_only=True)
class Hits:
    """Hits of a list, or of an inside host, against their bound; *subject* is the list or the host."""

    of_list: bool
    subject: str
    hits: int
    over: int
    hours: int


@frozen(kw_only=True)
class LateTarget:
    """A target of the portal whose feeds have not been fetched for several intervals, in words; *since* when."""

    name: str
    sentence: str
    since: float


@frozen(kw_only=True)
class FailedLogins:
    """Logins to the page that failed since the manager's start, and who tried last, from where."""

    count: int = 0
    user: str = ""
    """Empty for a name that is not a user's: people type passwords there."""
    address: str = ""

    def and_more(self, more: "FailedLogins") -> "FailedLogins":
        """With those that came later."""
        return FailedLogins(count=self.count + more.count, user=more.user, address=more.address)


@frozen(kw_only=True)
class Observed:
    """
    All of it at *now*.  *interval*: seconds between updates of a device.
    """

    now: float
    started_at: float = 0.0
    interval: float = 3600.0
    min_free_bytes: int = 0
    devices: tuple[SeenDevice, ...] = ()
    ledger: str = ""
    ledger_since: float | None = None
    disks: tuple[Disk, ...] = ()
    database: str = ""
    faults: Mapping[str, str] = field(factory=dict)
    """Why a settings file is not in force, by nickname; `""` is the node's own."""
    backup: str = ""
    certificates: tuple[Certificate, ...] = ()
    kernel_drops: Mapping[str, int] = field(factory=dict)
    """What the kernel has dropped so far, by listener."""
    logins: FailedLogins = FailedLogins()
    senders: tuple[StrangerFigures, ...] = ()
    hits: tuple[Hits, ...] = ()
    targets: tuple[LateTarget, ...] = ()
    portals: tuple[FollowedPortal, ...] = ()
    managers: tuple[PairedManager, ...] = ()
