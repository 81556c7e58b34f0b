"""
The chain, senders, the ledger, the audit.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from attrs import frozen

from tscm.doctor.finding import worst
from tscm.faces.web.chain import Looked
from tscm.faces.web.views.device import Link
from tscm.faces.web.views.states import Badge, badge, truth_badge
from tscm.intake.sender_figures import StrangerFigures
from tscm.ledger.figures import Balance, DeviceBalance, ListenerBalance
from tscm.standing import Verdict
from tscm.store.audit_entry import AuditEntry, shown_arguments

MATRIX_MOST = 20
"""Devices beside each other in the matrix."""
HEALTH_TABS = (("", "Chain"), ("senders", "Senders"), ("ledger", "Ledger"), ("audit", "Audit"))


@frozen(kw_only=True)
class Subject:
    """The host, or a device: its verdict, and what is not ok."""

    name: str
    href: str
    badge: Badge | None
    at: float
    looking: bool
    links: tuple[Link, ...]
    """Those that are not ok."""
    good: int
    fault: str


@frozen(kw_only=True)
class Column:
    """A device of the matrix: what was found, and when."""

    name: str
    at: float


@frozen(kw_only=True)
class MatrixRow:
    """A check, and what it said of each device; None where the device has no result of it."""

    name: str
    cells: tuple[Badge | None, ...]


@frozen(kw_only=True)
class Matrix:
    """Checks by devices: the worst devices that were checked; *more* were checked and have no column."""

    columns: tuple[Column, ...] = ()
    rows: tuple[MatrixRow, ...] = ()
    more: int = 0


@frozen(kw_only=True)
class Health:
    """The chain of all devices."""

    TEMPLATE: ClassVar[str] = "health.html"

    subjects: tuple[Subject, ...]
    matrix: Matrix
    looking: bool
    may_look: bool
    fault: str
    at: float
    certificate_fault: str = ""
    """Why the page goes on with a certificate that its files no longer hold."""


@frozen(kw_only=True)
class Senders:
    """Who sends lines and is unknown."""

    TEMPLATE: ClassVar[str] = "senders.html"

    senders: tuple[StrangerFigures, ...]
    names: tuple[str, ...]
    may_adopt: bool
    fault: str
    at: float
    wrong: str


@frozen(kw_only=True)
class ListenerRow:
    """received = stored + dropped."""

    name: str
    figures: ListenerBalance
    good: bool
    causes: str


@frozen(kw_only=True)
class ReaderLine:
    """stored = sent + not selected + expired + backlog, with the shares of a bar."""

    device: str
    stored: int
    reader: str
    user: str
    sent: int
    not_selected: int
    expired: int
    waiting: int
    difference: int


@frozen(kw_only=True)
class Ledger:
    """Is every line accounted for?"""

    TEMPLATE: ClassVar[str] = "ledger.html"

    badge: Badge | None
    received: int | None
    stored: int | None
    dropped: int | None
    listeners: tuple[ListenerRow, ...]
    readers: tuple[ReaderLine, ...]
    starts: int
    gaps: tuple[str, ...]
    fault: str
    at: float


@frozen(kw_only=True)
class AuditRow:
    """One thing that was done."""

    at: float
    who: str
    what: str
    device: str
    arguments: str
    badge: Badge
    sentence: str


@frozen(kw_only=True)
class Audit:
    """Who did what."""

    TEMPLATE: ClassVar[str] = "audit.html"

    rows: tuple[AuditRow, ...]
    names: tuple[str, ...]
    device: str
    since: str
    csv: str
    json: str
    fault: str
    at: float
    wrong: str


def subject(name: str, href: str, looked: Looked) -> Subject:
    """What was found of the host or a device."""
    findings = looked.findings or ()
    bad = [one for one in findings if one.verdict != "ok"]
    return Subject(
        name=name,
        href=href,
        badge=None if looked.findings is None else badge(worst(findings)),
        at=looked.at,
        looking=looked.looking,
        links=tuple(
            Link(name=one.link, badge=badge(one.verdict), sentence=one.sentence, remedy=one.remedy)
            for one in bad
        ),
        good=len(findings) - len(bad),
        fault=looked.fault,
    )


def matrix(looked: Mapping[str, Looked]) -> Matrix:
    """The checks of devices beside each other.  What was not checked has no column, and no verdict."""
    known = {name: one for name, one in looked.items() if one.findings is not None}
    rank = {Verdict.FAILED: 0, Verdict.WARNING: 1, Verdict.NOT_CHECKED: 2}
    names = sorted(known, key=lambda name: (rank.get(worst(known[name].findings or ()), 3), name))
    shown = names[:MATRIX_MOST]
    found = {name: {one.link: one for one in known[name].findings or ()} for name in shown}
    links = dict.fromkeys(link for name in shown for link in found[name])
    return Matrix(
        columns=tuple(Column(name=name, at=known[name].at) for name in shown),
        rows=tuple(
            MatrixRow(
                name=link,
                cells=tuple(
                    badge(found[name][link].verdict) if link in found[name] else None
                    for name in shown
                ),
            )
            for link in links
        ),
        more=len(names) - len(shown),
    )


def listener_rows(listeners: Mapping[str, ListenerBalance]) -> tuple[ListenerRow, ...]:
    """The listeners, by name."""
    return tuple(
        ListenerRow(
            name=name,
            figures=one,
            good=not one.difference,
            causes=", ".join(f"{cause} {count:,}" for cause, count in one.dropped_by_cause.items()),
        )
        for name, one in sorted(listeners.items())
    )


def reader_lines(devices: Mapping[str, DeviceBalance]) -> tuple[ReaderLine, ...]:
    """Each reader of each device."""
    return tuple(
        ReaderLine(
            device=name,
            stored=one.stored,
            reader=reader,
            user="unused" if figures.orphan else figures.user or "",
            sent=figures.sent,
            not_selected=figures.not_selected,
            expired=figures.expired,
            waiting=figures.waiting,
            difference=figures.difference,
        )
        for name, one in sorted(devices.items())
        for reader, figures in sorted(one.readers.items())
    )


def ledger_view(balance: Balance | None, fault: str, at: float) -> Ledger:
    """The balance of all."""
    balance_ = balance or Balance()
    good = balance_.balanced
    book = balance_.book
    return Ledger(
        badge=None
        if balance is None
        else truth_badge(good, "balances" if good else "out of balance"),
        received=balance_.received,
        stored=balance_.stored_since_start,
        dropped=balance_.dropped,
        listeners=listener_rows(balance_.listeners or {}),
        readers=reader_lines(balance_.devices),
        starts=0 if book is None else book.starts,
        gaps=tuple(str(gap) for gap in (() if book is None else book.gaps)[-20:]),
        fault=fault,
        at=at,
    )


def audit_rows(entries: Iterable[AuditEntry]) -> tuple[AuditRow, ...]:
    """The entries, the latest first."""
    return tuple(
        AuditRow(
            at=one.at,
            who=one.who,
            what=one.operation.replace("_", " "),
            device=one.device or "",
            arguments=shown_arguments(one.arguments),
            badge=truth_badge(one.outcome == "done", one.outcome),
            sentence=one.sentence or "",
        )
        for one in reversed(tuple(entries))
    )
