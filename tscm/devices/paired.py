"""
Devices whose settings come from a portal: what the manager takes from it, and what it refuses to change itself.  Blocking.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define

from tscm.devices import stored
from tscm.errors import TscmError
from tscm.pairing.bonds import Bond, read_bond
from tscm.pairing.documents import PROPOSED, differences, elsewhere, stays, wanted
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.shapes import as_options


@define(eq=False)
class ManagedAtPortal(TscmError):
    """
    The settings of a paired device are changed at its portal.
    """

    exit_status = 2

    name: str
    portal: str
    nickname: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        options = ", ".join(f"--{one}" for one in self.settings)
        first, value = next(iter(self.settings.items()))
        told = " ".join(map(str, value)) if isinstance(value, tuple) else value
        return (
            f"device {self.name!r} is paired: {options} can be changed at the portal {self.portal} only, with "
            f"`tsadmin portal change {self.nickname} --set {first}={told}` there; `tsadmin unpair {self.name}` makes the "
            "settings this manager's own"
        )


@define(eq=False)
class SentElsewhere(TscmError):
    """
    A portal's settings would send the device's password to another place; the manager's operator decides that.
    """

    name: str
    changes: Mapping[str, Any]

    def __str__(self) -> str:
        told = ", ".join(f"--{one}={value}" for one, value in self.changes.items())
        return (
            f"they would send the password of {self.name!r} to another place; if that is right, run "
            f"`tsadmin configure {self.name} {told}` at this manager"
        )


def to_apply(layout: Layout, bond: Bond) -> dict[str, Any] | None:
    """
    What `configure` is given to put a bond's document in force; None where nothing of it differs.

    Raises `SentElsewhere`, `SettingsFaulty`, `NoSuchDevice`.
    """
    present = stored.stored_device(layout, bond.name)
    table = wanted(bond.document, present)
    proposed = stored.propose(table, present)
    moved = elsewhere(present, proposed)
    if moved:
        told = as_options(proposed)
        raise SentElsewhere(bond.name, {one: told[one] for one in moved})
    return table if stored.changed_settings(present, proposed) else None


def refuse_managed(layout: Layout, present: DeviceSettings, settings: DeviceSettings) -> None:
    """
    Raise `ManagedAtPortal` where *settings* change what the portal of the device decides.

    What becomes as the portal says is permitted: so an operator confirms what the manager does not do by itself.
    """
    bond = read_bond(layout, present.entry, sealed=True)
    if bond is None:
        return
    own = stays(type(settings)) | ({PROPOSED} - set(bond.document))
    against = set(differences(bond.document, settings))
    refused = [
        one
        for one in stored.changed_settings(present, settings)
        if one not in own and (one in against or one not in bond.document)
    ]
    if refused:
        proposed = as_options(settings)
        raise ManagedAtPortal(
            present.name, bond.portal, bond.nickname, {one: proposed[one] for one in refused}
        )
