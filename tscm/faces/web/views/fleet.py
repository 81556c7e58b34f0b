"""
Devices as rows of a table, made from the rows of `tsadmin status`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import frozen

from tscm.faces.web.asking import Latest
from tscm.faces.web.views.states import Badge, badge
from tscm.plural import many
from tscm.standing import ORDER, Row, Verdict

PAGE_ROWS = 100


@frozen(kw_only=True)
class DeviceLine:
    """One device."""

    name: str
    badge: Badge
    cause: str
    more: str
    """How many causes there are besides."""
    entries: int | None
    cut: int
    good_update_age: float | None
    last_line_age: float | None
    waiting: int
    forward: str
    upload: str
    blocked: int | None
    """Hits in 24 hours; None where they are not known."""


@frozen(kw_only=True)
class StateCount:
    """How many devices stand so."""

    badge: Badge
    count: int
    href: str


@frozen(kw_only=True)
class Devices:
    """A page of the devices."""

    TEMPLATE: ClassVar[str] = "devices.html"

    rows: tuple[DeviceLine, ...]
    counts: tuple[StateCount, ...]
    total: int
    shown: str
    name: str
    state: str
    states: tuple[str, ...]
    fault: str
    at: float
    before: str
    after: str
    """Addresses of the pages beside this one; empty where there is none."""


def device_line(row: Row, blocked: Mapping[str, int] | None) -> DeviceLine:
    """A row of the fleet as it is shown."""
    others = len(row.causes) - 1
    return DeviceLine(
        name=row.name,
        badge=badge(row.verdict),
        cause=row.causes[0] if row.causes else "",
        more=f"and {others} more" if others > 0 else "",
        entries=row.entries,
        cut=row.cut,
        good_update_age=row.good_update_age_seconds,
        last_line_age=row.last_line_age_seconds,
        waiting=sum(row.backlog_lines.values()),
        forward=str(row.forward),
        upload=str(row.upload),
        blocked=None if blocked is None else blocked.get(row.name, 0),
    )


def state_counts(rows: Sequence[Row]) -> tuple[StateCount, ...]:
    """How many devices stand how; states that no device has are left out, ok is not."""
    found = []
    for verdict in reversed(ORDER):
        count = sum(row.verdict is verdict for row in rows)
        if count or verdict is Verdict.OK:
            found.append(
                StateCount(badge=badge(verdict), count=count, href=f"/devices?state={verdict}")
            )
    return tuple(found)


def chosen(rows: Sequence[Row], name: str, state: str) -> list[Row]:
    """Rows whose name has *name* in it and that stand as *state* says; empty means any."""
    return [
        row
        for row in rows
        if name.lower() in row.name.lower() and (not state or row.verdict == state)
    ]


def shown_words(first: int, count: int, total: int, all_rows: int) -> str:
    """Which rows of how many are on the page."""
    if not total:
        return f"none of {many(all_rows, 'device', 'devices')}"
    of = many(total, "device", "devices") + ("" if total == all_rows else f" of {all_rows:,}")
    if count == total:
        return of
    return f"{first + 1:,} to {first + count:,} of {of}"


def fault_of(latest: Latest[object]) -> str:
    """Why there is nothing newer; empty where there is."""
    return latest.fault or ""
