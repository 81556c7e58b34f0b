"""
What operations on device entries of the portal, and on pairing, are given.
"""

from attrs import field, frozen

from tscm.model import Json

SECRET = {"secret": True}
"""Metadata of an argument that no audit shows."""


@frozen(kw_only=True)
class EntryNamed:
    """One device entry of the portal, by its nickname."""

    item: str


@frozen(kw_only=True)
class EntryAdded:
    """
    A device entry that is to be made, with its fields.

    *fields*: address or domain, block_list, allow_list, policy, note, manufacturer, model, integration (`cli` or
    `auto`), location.  *settings*: with integration `auto`, what its manager follows, by option.
    """

    item: str
    fields: Json = field(factory=dict)
    settings: Json = field(factory=dict)


@frozen(kw_only=True)
class EntryChanged:
    """
    Fields and settings of an entry that are to be changed; the others stay.  None clears one.

    With *revision*, as a look at the entry told it, only while no other user has changed the entry.
    """

    item: str
    fields: Json = field(factory=dict)
    settings: Json = field(factory=dict)
    revision: str | None = None
    again: bool = False
    """Give the settings a newer version though nothing changes: for managers that have one which a restore forgot."""


@frozen(kw_only=True)
class CodeWanted:
    """An entry that a manager is to be paired with, and for how many seconds its auto key is good."""

    item: str
    seconds: float | None = None


@frozen(kw_only=True)
class Paired:
    """
    A device whose settings are to come from a portal: *local* are those that stay with the manager, such as passwords.

    Without a name the entry's nickname is the name.
    """

    portal: str
    device_id: str
    auto_key: str = field(repr=False, metadata=SECRET)
    device: str | None = None
    """The device's name here."""
    local: Json = field(factory=dict)
