"""
What operations on device entries of the portal, and on pairing, answer.
"""

from attrs import field, frozen

from tscm.devices.answers import Added
from tscm.model import Json
from tscm.pairing.messages import Standing


@frozen(kw_only=True)
class EntryRow:
    """
    A device entry, and how its manager stands.

    *stage* is `not paired`, `waiting`, `paired`, `unpaired`; *version* that of the settings here, *standing.applied*
    that of the settings in force there.
    """

    nickname: str
    device_id: str = ""
    ip_type: str = ""
    address: str | None = None
    domain: str | None = None
    block_list: str = ""
    allow_list: str = ""
    note: str = ""
    notify_port: int | None = None
    manufacturer: str = ""
    model: str = ""
    integration: str = "cli"
    policy: str | None = None
    location: str = ""
    stage: str = ""
    code_until: float | None = None
    manager: str = ""
    """How the paired manager names itself."""
    paired_from: str = ""
    paired_at: float | None = None
    seen_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""
    version: int = 0
    revision: str = ""
    """Of all that operators set: given back with a change, it keeps that from undoing another one."""
    settings: Json = field(factory=dict)
    settings_fault: str = ""
    """Why the settings cannot be followed as they are."""
    standing: Standing | None = None


@frozen(kw_only=True)
class EntryRows:
    """All device entries, and files that cannot be read."""

    entries: tuple[EntryRow, ...] = ()
    faults: tuple[str, ...] = ()


@frozen(kw_only=True)
class EntryHandedOut:
    """An entry, and what is shown of it this once: device key, or auto key with the command that uses it."""

    entry: EntryRow
    device_key: str = ""
    tsig_name: str = ""
    tsig_key: str = ""
    auto_key: str = ""
    good_until: float | None = None
    command: str = ""
    block_file: str = ""
    allow_file: str = ""
    sentence: str = ""


@frozen(kw_only=True)
class EntryDone:
    """What was done with an entry."""

    entry: EntryRow
    sentence: str = ""


@frozen(kw_only=True)
class EntryGone:
    """An entry that was deleted, and what that means."""

    item: str = ""
    sentence: str = ""


@frozen(kw_only=True)
class BondRow:
    """
    A device of this manager whose settings come from a portal, and how that stands.

    *applied* is the version in force, *received* the latest that came; *fault* says why they differ, or why the
    portal cannot be asked.
    """

    name: str
    device_id: str = ""
    portal: str = ""
    fingerprint: str = ""
    paired_at: float = 0.0
    applied: int = 0
    received: int = 0
    heard_at: float | None = None
    fault: str = ""


@frozen(kw_only=True)
class BondRows:
    """All of them."""

    bonds: tuple[BondRow, ...] = ()
    faults: tuple[str, ...] = ()


@frozen(kw_only=True)
class PairedDevice:
    """A device that is paired; *added* where it was not there before."""

    name: str
    added: Added | None = None
    notes: tuple[str, ...] = ()
    sentence: str = ""


@frozen(kw_only=True)
class Unpaired:
    """A device whose settings are the manager's own from now on."""

    name: str
    sentence: str = ""
