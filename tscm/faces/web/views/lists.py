"""
User lists, policies and targets: what is blocked and permitted beyond one device, and where it comes from.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from tscm.operations.list_answers import TextRead
from tscm.operations.portal_answers import PolicyRow, TargetRow
from tscm.store.user_list_values import ListVersion, UserEntry, UserList

DIFF_MOST = 10_000
"""Entries of a list whose versions are compared on a page."""
DIFF_SHOWN = 500


@frozen(kw_only=True)
class Lists:
    """All user lists, and which of them hold an address that was searched for."""

    TEMPLATE: ClassVar[str] = "lists.html"

    lists: tuple[UserList, ...]
    search: str
    holding: tuple[UserEntry, ...] | None
    may_edit: bool
    fault: str
    at: float
    wrong: str
    name: str
    side: str
    note: str


@frozen(kw_only=True)
class Draft:
    """What stands in the form for entries, as it was typed."""

    text: str = ""
    mode: str = "add"
    term: str = ""
    comment: str = ""
    reason: str = ""
    skip: bool = False
    wide: bool = False
    shrink: bool = False


@frozen(kw_only=True)
class ListView:
    """One user list: entries, the form that edits it, and its versions."""

    TEMPLATE: ClassVar[str] = "list.html"

    name: str
    about: UserList | None
    entries: tuple[UserEntry, ...]
    found: int
    version: int
    search: str
    page: int
    before: str
    after: str
    """The addresses of the pages before and after; empty for none."""
    versions: tuple[ListVersion, ...]
    draft: Draft
    read: TextRead | None
    """What the text would do, after a check."""
    may_edit: bool
    may_delete: bool
    fault: str
    at: float
    wrong: str


@frozen(kw_only=True)
class ListDiff:
    """What came and went between two versions of a list."""

    TEMPLATE: ClassVar[str] = "list_diff.html"

    name: str
    older: int
    newer: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    added_count: int
    removed_count: int
    may_edit: bool
    present: int
    """The newest version, to which an undo is bound."""


@frozen(kw_only=True)
class PolicyCard:
    """A policy: what it is made of, how it stands, and which devices use its lists."""

    row: PolicyRow
    title: str
    fits: str
    block: tuple[str, ...]
    allow: tuple[str, ...]
    block_name: str
    allow_name: str
    on: bool
    devices: tuple[str, ...]


@frozen(kw_only=True)
class Policies:
    """The policies of the embedded policy service."""

    TEMPLATE: ClassVar[str] = "policies.html"

    cards: tuple[PolicyCard, ...]
    shipped: tuple[PolicyCard, ...]
    faults: tuple[str, ...]
    may_edit: bool
    may_confirm: bool
    fault: str
    at: float
    wrong: str
    name: str
    block: str
    allow: str


@frozen(kw_only=True)
class TargetLine:
    """A target with what is known of it."""

    row: TargetRow
    title: str
    threat: str
    severity: int
    confidence: int
    publisher: str
    terms: str
    false_positives: str


@frozen(kw_only=True)
class Targets:
    """The targets: shipped and own, on and off."""

    TEMPLATE: ClassVar[str] = "targets.html"

    lines: tuple[TargetLine, ...]
    on: int
    may_switch: bool
    fault: str
    at: float
    wrong: str


def policy_card(row: PolicyRow, used: Mapping[str, Sequence[str]]) -> PolicyCard:
    """A policy as it is shown; *used* are devices by the name of a list."""
    content: Mapping[str, Any] = row.content
    names = str(content.get("block_name", "")), str(content.get("allow_name", ""))
    return PolicyCard(
        row=row,
        title=str(content.get("title", "")),
        fits=str(content.get("fits", "")),
        block=tuple(map(str, content.get("block", ()))),
        allow=tuple(map(str, content.get("allow", ()))),
        block_name=names[0],
        allow_name=names[1],
        on=bool(content.get("on", True)),
        devices=tuple(sorted({one for name in names if name for one in used.get(name, ())})),
    )


def target_lines(rows: Iterable[TargetRow]) -> tuple[TargetLine, ...]:
    """Those that are on first, then by name."""
    found = [
        TargetLine(
            row=row,
            title=str(row.content.get("title", "")),
            threat=str(row.content.get("threat", "other")),
            severity=int(row.content.get("severity", 3)),
            confidence=int(row.content.get("confidence", 50)),
            publisher=str(row.content.get("publisher", "")),
            terms=str(row.content.get("terms", "")),
            false_positives=str(row.content.get("false_positives", "")),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda one: (not one.row.on, one.row.name)))
