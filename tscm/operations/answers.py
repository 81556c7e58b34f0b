"""
What operations answer, where no room below has the value.
"""

from attrs import field, frozen

from tscm.model import Json
from tscm.policy.by_hand import HandEntry
from tscm.state import DeviceState
from tscm.store.audit_entry import AuditEntry
from tscm.update.known_name import KnownName
from tscm.wire.keys import OMIT_NONE, as_key


@frozen(kw_only=True)
class ModuleVersion:
    """A module, and its version."""

    module: str
    version: str


@frozen(kw_only=True)
class DeviceView:
    """
    The settings of a device with secrets masked, and its state; None without a manager.
    """

    settings: Json
    state: DeviceState | None = None
    unknown_names: tuple[KnownName, ...] | None = field(default=None, metadata=OMIT_NONE)
    """Without a manager: names that the last update could not look up."""
    confirm_changes_percent: int | None = None
    """The node's setting that asks about large changes."""
    version: str = ""
    """Of the settings: another one where any of them is another."""
    portal: str | None = field(default=None, metadata=OMIT_NONE)
    """Where the settings are changed, if the device is paired."""


@frozen(kw_only=True)
class SetupLines:
    """What to enter on a device's firewall, with secrets masked."""

    name: str
    text: str = ""


@frozen(kw_only=True)
class Audit:
    """The latest entries of the audit, the oldest of them first."""

    entries: tuple[AuditEntry, ...]


@frozen(kw_only=True)
class Held:
    """A hold on the scheduled updates of a device; *since* and *until* are POSIX seconds."""

    name: str
    since: float = 0.0
    until: float | None = None
    reason: str = ""
    by: str = ""
    sentence: str = ""


@frozen(kw_only=True)
class ReaderDropped:
    """A reader that is forgotten, and its backlog."""

    name: str = ""
    reader: str = ""
    waiting_lines: int = 0


@frozen(kw_only=True)
class LogDeleted:
    """What was kept of a log that is deleted: lines, bytes of text, and bytes on the disk."""

    name: str = ""
    lines: int = 0
    kept_bytes: int = 0
    disk_bytes: int = 0


@frozen(kw_only=True)
class LinesErased:
    """
    Lines of a log that are erased, and the segments that held them; what could not be looked at, and files beside that were not.
    """

    name: str = ""
    lines: int = 0
    segments: int = 0
    missing: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


@frozen(kw_only=True)
class HandEntryStanding(HandEntry):
    """An entry by hand: whether it is *standing*, and on which devices it is in force, excluded by the guard, or not yet pushed."""

    standing: bool = field(default=True, metadata=as_key("stands"))
    in_force: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


@frozen(kw_only=True)
class HandEntries:
    """Entries by hand at a time."""

    now: float = 0.0
    entries: tuple[HandEntryStanding, ...] = ()


@frozen(kw_only=True)
class EntryDevice:
    """A device that an entry is for; *push*: it may get it now, else the *cause* why not."""

    name: str = ""
    push: bool = True
    cause: str | None = None


@frozen(kw_only=True)
class Entered:
    """An entry by hand as it is stored; *new* is false where one was there that lasts as long."""

    entry: HandEntry
    new: bool = True
    devices: tuple[EntryDevice, ...] = ()
    notes: tuple[str, ...] = ()
    sentence: str = ""


@frozen(kw_only=True)
class EntriesRemoved:
    """Entries by hand that were ended, and the devices that have them."""

    entries: tuple[HandEntry, ...] = ()
    devices: tuple[EntryDevice, ...] = ()
    sentence: str = ""
