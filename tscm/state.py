"""
What is known of a device and of the manager, composed of what their parts tell of themselves.

`tsadmin` reads these too, so nothing heavy may be imported here.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.channels.figures import AlarmFigures
from tscm.events.figures import EventFigures
from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import DeviceIntake, IntakeFigures
from tscm.ledger.figures import KeeperFigures
from tscm.pairing.figures import FollowedPortal, PairedManager
from tscm.services.figures import LogServiceFigures, PullFigures
from tscm.spool.figures import LogFigures, ReaderFigures
from tscm.update.figures import UpdateFigures
from tscm.upload.figures import UploadFigures
from tscm.wire.keys import OMIT_NONE


@frozen(kw_only=True)
class DeviceState:
    """
    One device: its policy, its log and the readers of that, and what came in for it.

    A part is None where there is no such part, or where no manager runs that could tell.
    """

    fault: str | None = field(default=None, metadata=OMIT_NONE)
    """Why the settings on disk are not in force."""
    policy: UpdateFigures = UpdateFigures()
    log: LogFigures | None = None
    lag_seconds: Mapping[str, float] = field(factory=dict)
    """How long the oldest line has waited for each reader."""
    forward: ForwardFigures | None = None
    forward_also: tuple[ForwardFigures, ...] = ()
    upload: UploadFigures | None = None
    events: EventFigures = EventFigures()
    intake: DeviceIntake | None = None
    """None for a device that has sent nothing since the start."""
    udp_path: str | None = None
    users: Mapping[str, str] | None = None
    """Who uses each reader of the log; a reader that is not there is an orphan."""
    unbalanced: tuple[str, ...] = ()
    pulls: PullFigures | None = None
    """None for a device that pulls no list."""

    @property
    def targets(self) -> tuple[ForwardFigures, ...]:
        """All targets of the forwarding, the first one first."""
        return self.forward_also if self.forward is None else (self.forward, *self.forward_also)

    @property
    def readers(self) -> Mapping[str, ReaderFigures]:
        """The readers of the log, by name."""
        return {} if self.log is None else self.log.readers


@frozen(kw_only=True)
class ManagerState:
    """
    The manager itself: process, listeners, what is wrong with its settings and its database.
    """

    version: str = ""
    pid: int = 0
    started_at: float = 0.0
    root: str = ""
    devices: int = 0
    faults: Mapping[str, str] = field(factory=dict)
    """Why a settings file is not in force, by nickname; `""` is the node's own."""
    database: str | None = None
    """Why the database cannot be used."""
    listeners: Mapping[str, tuple[str, ...]] = field(factory=dict)
    metrics: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    """Where firewalls pull their lists."""
    portal: Mapping[str, tuple[str, ...]] = field(factory=dict)
    uploads: LogServiceFigures | None = None
    """What the embedded log service keeps; None where there is none."""
    audit_targets: tuple[ForwardFigures, ...] = ()
    """How each target stands that is sent the audit."""
    intake: IntakeFigures = IntakeFigures()
    ledger: KeeperFigures = KeeperFigures()
    alarms: AlarmFigures = AlarmFigures()


@frozen(kw_only=True)
class NodeFigures:
    """Of the manager as a whole, for the metrics."""

    started_at: float = 0.0
    devices: int = 0
    settings_faults: int = 0
    database_bytes: int | None = None
    backup_at: float | None = None
    """When the latest scheduled backup was made."""
    alarms: AlarmFigures = AlarmFigures()
    portals: tuple[FollowedPortal, ...] = ()
    managers: tuple[PairedManager, ...] = ()


@frozen(kw_only=True)
class WatchedDevice:
    """What the metrics tell of one device."""

    policy: UpdateFigures
    log: LogFigures
    lag_seconds: Mapping[str, float]
    targets: tuple[ForwardFigures, ...] = ()
    upload: UploadFigures | None = None
    events: EventFigures = EventFigures()
    pulls: PullFigures | None = None
    verdict: str = ""
    """How the device stands."""


@frozen(kw_only=True)
class Watched:
    """
    Everything that the metrics tell; *now* is when the last of it was asked for.
    """

    now: float
    node: NodeFigures
    intake: IntakeFigures
    uploads: LogServiceFigures | None
    balanced: bool
    devices: Mapping[str, WatchedDevice]
    loop_lag_seconds: float = 0.0
