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
from tscm.store.audit_entry import AuditEntry, shown_arguments

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
class Health:
    """The chain of all devices."""

    TEMPLATE: ClassVar[str] = "health.html"

    subjects: tuple[Subject, ...]
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
