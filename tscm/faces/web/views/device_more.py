"""
More of one device: two generations beside each other, its settings, and what to enter on its firewall.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from tscm.faces.web.views.device import Head
from tscm.model import Json
from tscm.settings.modules import module
from tscm.settings.shapes import options
from tscm.settings.values import words_of
from tscm.update.answers import Changes, Difference

ENTRIES_SHOWN = 200
OWN = frozenset(
    {
        "name", "type", "entry", "device_id", "device", "fingerprint", "host_key", "prefix",
        "tls_fingerprints", "context", "tsig_name", "username", "rest_url", "allow_self_signed", "block_list", "allow_list", "max_policy_size",
    }
)  # fmt: skip
"""What a change takes more than a plain value for: a check by eye, or a question about what is in force."""


@frozen(kw_only=True)
class EntryChange:
    """Entries that came or went, the first of them, and how many more there are."""

    kind: str
    plus: bool
    entries: tuple[str, ...]
    more: int


@frozen(kw_only=True)
class Diff:
    """From one generation to another, and the way back to the older."""

    TEMPLATE: ClassVar[str] = "device_diff.html"

    head: Head
    older: int
    newer: int
    newest: int
    changes: tuple[EntryChange, ...]
    may_push: bool
    fault: str
    reason: str
    status: str = ""


@frozen(kw_only=True)
class SettingRow:
    """A setting: its value as it would be typed, *typed* what the user has typed, *words* what it may be."""

    name: str
    doc: str
    value: str
    typed: str
    words: tuple[str, ...]
    plain: bool


@frozen(kw_only=True)
class Settings:
    """The settings of a device."""

    TEMPLATE: ClassVar[str] = "device_settings.html"

    head: Head
    rows: tuple[SettingRow, ...]
    version: str
    may_change: bool
    fault: str


@frozen(kw_only=True)
class Setup:
    """What to enter on the firewall."""

    TEMPLATE: ClassVar[str] = "device_setup.html"

    head: Head
    text: str
    fault: str


def entry_changes(found: Difference) -> tuple[EntryChange, ...]:
    """What came and went in both lists, what went first: that is what a way back gives."""
    lists: tuple[tuple[str, Changes], ...] = (("block", found.block), ("allow", found.allow))
    return tuple(
        EntryChange(
            kind=kind,
            plus=plus,
            entries=tuple(listed.entries[:ENTRIES_SHOWN]),
            more=max(0, listed.count - ENTRIES_SHOWN),
        )
        for kind, one in lists
        for plus, listed in ((True, one.added), (False, one.removed))
        if listed.count
    )


def as_typed(value: Any) -> str:
    """A value as a user would type it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def setting_rows(settings: Json, typed: Mapping[str, str]) -> tuple[SettingRow, ...]:
    """All settings, in the order of the questions."""
    if not settings.get("type"):
        return ()
    fields = options(module(str(settings["type"])).settings)
    return tuple(
        SettingRow(
            name=name,
            doc=str(one.metadata.get("doc") or ""),
            value=as_typed(settings.get(name)),
            typed=typed.get(name, as_typed(settings.get(name))),
            words=words_of(one.metadata["read"]) if "read" in one.metadata else (),
            plain=name not in OWN and not one.metadata.get("secret"),
        )
        for name, one in fields.items()
        if name in settings and name != "entry"
    )


def changed_of(rows: tuple[SettingRow, ...]) -> Json:
    """The settings that were typed otherwise than they are."""
    return {one.name: one.typed for one in rows if one.plain and one.typed != one.value}
