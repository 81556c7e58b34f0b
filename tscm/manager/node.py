"""
The node that operations act on: the parts of a running manager, or files and database alone.

Values without behaviour.  `tscm.manager.service` makes the manager's, `tscm.cli.standalone_node` the other.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen

from tscm.devices.reach import NETWORK, Reach
from tscm.errors import TscmError
from tscm.events.shared_table import SharedTable
from tscm.model import Identity
from tscm.operations.jobs import Jobs
from tscm.settings.layout import Layout

if TYPE_CHECKING:
    from tscm.alarms.service import AlarmService
    from tscm.backup.scheduled import BackupFigures
    from tscm.events.service import EventService
    from tscm.forward.figures import ForwardFigures
    from tscm.intake.senders import SenderTable
    from tscm.intake.service import IntakeService
    from tscm.ledger.keeper import LedgerKeeper
    from tscm.manager.consumers import DeviceConsumers
    from tscm.manager.lag import ReaderLags
    from tscm.pairing.follower import Follower
    from tscm.pairing.service import PairingService
    from tscm.portal.service import PolicyPublisher
    from tscm.reports.service import ReportService
    from tscm.services.figures import LogServiceFigures
    from tscm.services.list_service import ListService
    from tscm.settings.device import DeviceSettings
    from tscm.settings.node import NodeSettings
    from tscm.spool.service import SpoolService
    from tscm.standing import Stamped
    from tscm.store.database import Store
    from tscm.update.service import UpdateService


@define(eq=False)
class ManagerDown(TscmError):
    """
    Only a running manager can do what was asked for, and none runs on this root.
    """

    exit_status = 6

    noun: str

    def __str__(self) -> str:
        return (
            f"{self.noun} requires the manager, which is not running on this root; start "
            "it with `systemctl start tscm` or `twistd -n tscm`"
        )


class Blocking(Protocol):
    """
    Where blocking calls are made: a pool of threads, or this very thread.
    """

    def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Make the call; the answer is awaited."""


@frozen(kw_only=True)
class Manager:
    """
    What only a running manager has.
    """

    started_at: Callable[[], float]
    devices: "Mapping[str, DeviceConsumers]"
    """Devices in force, by nickname."""
    faults: Mapping[str, str]
    """Why a settings file is not in force, by nickname; `""` is the node's own."""
    intake: "IntakeService"
    spool: "SpoolService"
    senders: "SenderTable"
    events: "EventService"
    bookkeeper: "LedgerKeeper"
    lags: "ReaderLags"
    lists: "ListService"
    metrics_addresses: Callable[[], Sequence[str]]
    services_addresses: Callable[[], Mapping[str, Sequence[str]]]
    audit_targets: "Callable[[], Sequence[ForwardFigures]]"
    """How each target stands that is sent the audit."""
    kept_uploads: "Callable[[], LogServiceFigures | None]"
    """What the embedded log service keeps; None where there is none."""
    backups: "BackupFigures"
    """How the scheduled backups stand; changes while the manager runs."""
    alarms: "Callable[[], AlarmService]"
    reports: "Callable[[], ReportService]"
    leave: Callable[[str], Awaitable[None]]
    """End with what reads the log of a device; its lines are stored further."""
    release: Callable[[str], None]
    """Take a device that was left out of force, so that nothing has its files open, and forget nothing of it."""
    take: Callable[[str, str], None]
    """Put a device's file in force, the one or the other name's, after `leave` of the first."""
    publisher: "PolicyPublisher | None" = None
    """Publishes the policies of the portal."""
    pairing: "Callable[[], PairingService | None]" = lambda: None
    """The listener for managers that follow this portal; None where there is none."""
    follower: "Callable[[], Follower | None]" = lambda: None
    """Follows the portals of devices that are paired."""
    judged: "dict[str, Stamped]" = field(factory=dict)
    """How each device stood when a row of it was last judged."""
    judging: SharedTable = field(factory=SharedTable)
    """The lists by which followed lines are judged."""


@frozen(kw_only=True)
class Node:
    """
    One root.  *manager* and *updates* are None where an operation runs without them.
    """

    layout: Layout
    settings: "Callable[[], NodeSettings]"
    """The node's settings in force."""
    clock: Any
    quick: Blocking
    """For calls that end soon by themselves."""
    slow: Blocking
    """For lists, firewalls and uploads."""
    write: Callable[..., Awaitable[Any]]
    """Call what changes settings files: one at a time, so that what was checked still holds."""
    apply: "Callable[[DeviceSettings | None, DeviceSettings], None]"
    """Put stored settings in force: those before (None for a new device), and those now."""
    note_serial: Callable[[str, Identity], None]
    """Keep the serial number that a device told in a check."""
    retire: "Callable[[str, DeviceSettings | None], Awaitable[None]]"
    """End with a device, stored with these settings (None: unreadable), and forget all that is kept of it but its log."""
    hold: Callable[[], None]
    """Raise where another process holds settings and database."""
    jobs: Jobs
    store: "Store"
    updates: "UpdateService | None" = None
    manager: Manager | None = None
    reach: Reach = NETWORK


def parts(node: Node) -> Manager:
    """The running manager's parts, for operations whose row says that they need it."""
    if node.manager is None:
        raise ManagerDown("this call")
    return node.manager


def updates(node: Node) -> "UpdateService":
    """The update service, for operations whose row says that they need the database."""
    if node.updates is None:
        raise ManagerDown("this call")
    return node.updates
