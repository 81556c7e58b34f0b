"""
Device entries of the portal: how each stands, and what an admin changes of one.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from tscm.operations.entry_answers import EntryHandedOut, EntryRow

FIELDS: tuple[tuple[str, str], ...] = (
    ("address", "Public address (IP type static)"),
    ("domain", "Domain name (IP type dynamic)"),
    ("policy", "Policy"),
    ("manufacturer", "Manufacturer"),
    ("model", "Model"),
    ("location", "Location"),
    ("note", "Note"),
)
"""What is typed of an entry, by name and label; the integration type is chosen."""
INTEGRATIONS = ("cli", "auto")


@frozen(kw_only=True)
class EntryLine:
    """An entry in the table: *state* is a badge's kind, *word* what it says."""

    row: EntryRow
    state: str
    word: str


@frozen(kw_only=True)
class EntryDraft:
    """What a form of an entry holds: as stored, or as typed."""

    name: str = ""
    fields: Mapping[str, str] = field(factory=dict)
    integration: str = "cli"
    settings: str = ""
    revision: str = ""


@frozen(kw_only=True)
class Entries:
    """All device entries."""

    TEMPLATE: ClassVar[str] = "portal.html"
    FIELDS: ClassVar[tuple[tuple[str, str], ...]] = FIELDS
    INTEGRATIONS: ClassVar[tuple[str, ...]] = INTEGRATIONS

    lines: tuple[EntryLine, ...]
    faults: tuple[str, ...]
    may_edit: bool
    fault: str
    at: float
    wrong: str
    draft: EntryDraft


@frozen(kw_only=True)
class Entry:
    """One device entry; *handed_out* is shown in this answer alone."""

    TEMPLATE: ClassVar[str] = "portal_entry.html"
    FIELDS: ClassVar[tuple[tuple[str, str], ...]] = FIELDS
    INTEGRATIONS: ClassVar[tuple[str, ...]] = INTEGRATIONS

    name: str
    line: EntryLine
    may_edit: bool
    fault: str
    at: float
    wrong: str
    draft: EntryDraft
    handed_out: EntryHandedOut | None = None


def entry_line(row: EntryRow) -> EntryLine:
    """An entry with its state in a word."""
    told = row.standing
    if row.integration != "auto":
        return EntryLine(row=row, state="new", word="set on the manager")
    if row.settings_fault:
        return EntryLine(row=row, state="failed", word="settings incomplete")
    if row.stage != "paired":
        return EntryLine(row=row, state="new", word=row.stage)
    if told is None:
        return EntryLine(row=row, state="new", word="paired, not seen yet")
    if told.fault:
        return EntryLine(row=row, state="failed", word="settings not in force")
    if told.applied != row.version:
        return EntryLine(row=row, state="warning", word="settings on their way")
    return EntryLine(row=row, state="ok", word="paired")


def draft_of(row: EntryRow) -> EntryDraft:
    """The form of an entry as it is stored."""
    return EntryDraft(
        name=row.nickname,
        fields={name: str(getattr(row, name) or "") for name, _ in FIELDS},
        integration=row.integration,
        settings="\n".join(f"{name}={_word(one)}" for name, one in sorted(row.settings.items())),
        revision=row.revision,
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def changed_fields(draft: EntryDraft, before: EntryDraft) -> dict[str, Any]:
    """Fields of *draft* that differ from *before*; an empty one is cleared."""
    found: dict[str, Any] = {
        name: value or (None if name in {"address", "domain", "policy"} else "")
        for name, value in draft.fields.items()
        if value != before.fields.get(name, "")
    }
    if draft.integration != before.integration:
        found["integration"] = draft.integration
    return found


def changed_settings(draft: EntryDraft, before: EntryDraft) -> dict[str, Any]:
    """Settings of *draft* that differ from *before*; one that is left out is taken back.  Raises `ValueError`."""
    now, then = read_settings(draft.settings), read_settings(before.settings)
    changed: dict[str, Any] = {name: one for name, one in now.items() if then.get(name) != one}
    return {**changed, **{name: None for name in then if name not in now}}


def read_settings(text: str) -> dict[str, str]:
    """`NAME=VALUE` a line.  Raises `ValueError` with the line that is not."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ValueError(f"{line[:60]!r} is not NAME=VALUE")
        found[name.strip()] = value.strip()
    return found
