"""
What adding, changing, removing and listing devices answers.
"""

from attrs import field, frozen

from tscm.model import Identity, Json
from tscm.wire.keys import OMIT_NONE


@frozen(kw_only=True)
class DeviceRow:
    """
    A device in `tsadmin list`; one that was never in force, for its file is damaged, has name and *fault* alone.
    """

    name: str
    type: str | None = field(default=None, metadata=OMIT_NONE)
    device_id: str | None = field(default=None, metadata=OMIT_NONE)
    device: str | None = field(default=None, metadata=OMIT_NONE)
    send_logs: bool | None = field(default=None, metadata=OMIT_NONE)
    log_rotate_size: int | None = field(default=None, metadata=OMIT_NONE)
    """KB, as in the settings."""
    policy_updates: bool | None = field(default=None, metadata=OMIT_NONE)
    lists: tuple[str, ...] | None = field(default=None, metadata=OMIT_NONE)
    """The block and allow lists that it uses."""
    fault: str | None = field(default=None, metadata=OMIT_NONE)


@frozen(kw_only=True)
class Prospected:
    """What must be known before the questions of `add`: the log service that wants a device key."""

    key_wanted_at: str | None = None


@frozen(kw_only=True)
class CheckReport:
    """
    What the lists and the device answered before anything was stored.

    *proposed_size* is the Max policy size that the device's platform bears, or the
    careful default where the platform cannot be told.
    """

    block_entries: int
    allow_entries: int
    identity: Identity
    proposed_size: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@frozen(kw_only=True)
class Added:
    """What was found and stored, and the *lines* to type on the device."""

    name: str
    check: CheckReport
    settings: Json
    lines: str = ""
    on: str = "firewall"
    """What the lines are entered on, in words."""
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Changed:
    """What was found and stored, the names of the settings that *changed*, and what is to be done now."""

    name: str
    check: CheckReport | None
    settings: Json
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Removed:
    """A device that is forgotten; *lines* are the way back on the firewall."""

    name: str
    lines: str = ""
    on: str = "firewall"
    """What the lines are entered on, in words."""


@frozen(kw_only=True)
class Renamed:
    """A device that has another name now; *notes* say what the operator has to do."""

    name: str
    before: str
    notes: tuple[str, ...] = ()
