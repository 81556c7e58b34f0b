"""
What operations answer, where no room below has the value.
"""

from attrs import field, frozen

from tscm.model import Json
from tscm.state import DeviceState
from tscm.store.audit_entry import AuditEntry
from tscm.update.known_name import KnownName
from tscm.wire.keys import OMIT_NONE


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
