"""
One device: how it stands, its policy, its log.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from attrs import frozen

from tscm.doctor.finding import Finding
from tscm.faces.web.hits import Hours
from tscm.faces.web.views.states import Badge, badge, truth_badge
from tscm.faces.web.views.words import iso
from tscm.plural import many
from tscm.standing import Verdict, is_quiet, off_words
from tscm.state import DeviceState
from tscm.update.answers import History
from tscm.update.figures import ListFigures, UpdateFigures, UpdateRecord
from tscm.upload.figures import UploadState
from tscm.wire.reading import read


@frozen(kw_only=True)
class Pair:
    """A name and what stands behind it."""

    name: str
    value: str


@frozen(kw_only=True)
class Light:
    """One of the three questions of a device, answered."""

    title: str
    badge: Badge
    sentence: str


@frozen(kw_only=True)
class ListRow:
    """A list on its way: as published, and what became of it."""

    kind: str
    name: str
    serial: str
    published: int
    left_out: int
    merged: int
    cut: int
    by_hand: int
    on_device: int


@frozen(kw_only=True)
class ReaderRow:
    """A reader of the log."""

    name: str
    user: str
    sent: int
    not_selected: int
    waiting: int
    expired: int
    lag: float | None


@frozen(kw_only=True)
class RunRow:
    """An update of the history."""

    at: float
    badge: Badge
    added: int | None
    removed: int | None
    sentence: str


@frozen(kw_only=True)
class GenerationRow:
    """A generation that is kept."""

    number: int
    at: float
    block: int
    allow: int


@frozen(kw_only=True)
class Head:
    """What stands above each tab of a device."""

    name: str
    badge: Badge | None
    causes: tuple[str, ...]
    address: str
    tab: str
    fault: str
    at: float
    held: str
    """That its updates are held, and why; empty where they are not."""
    may_resume: bool
    under_way: str


@frozen(kw_only=True)
class Now:
    """How it stands."""

    TEMPLATE: ClassVar[str] = "device_now.html"

    head: Head
    lights: tuple[Light, ...]
    lists: tuple[ListRow, ...]
    readers: tuple[ReaderRow, ...]
    pairs: tuple[Pair, ...]
    log: tuple[Pair, ...]


@frozen(kw_only=True)
class Policy:
    """What was applied when."""

    TEMPLATE: ClassVar[str] = "device_policy.html"

    head: Head
    lists: tuple[ListRow, ...]
    runs: tuple[RunRow, ...]
    generations: tuple[GenerationRow, ...]
    notes: tuple[str, ...]
    findings: tuple[str, ...]
    fault: str


@frozen(kw_only=True)
class Hits:
    """What its lists did in a day."""

    TEMPLATE: ClassVar[str] = "device_hits.html"

    head: Head
    hours: Hours | None
    report: str


@frozen(kw_only=True)
class Link:
    """One link of the chain, as the doctor found it."""

    name: str
    badge: Badge
    sentence: str
    remedy: str


@frozen(kw_only=True)
class Checks:
    """The chain; None where it was not checked yet."""

    TEMPLATE: ClassVar[str] = "device_checks.html"

    head: Head
    links: tuple[Link, ...] | None
    looked_at: float
    looking: bool
    fault: str


def list_rows(record: UpdateRecord | None) -> tuple[ListRow, ...]:
    """The lists of an update, each with the published ones that it is made of."""
    found = []
    for kind in ("block", "allow"):
        figures: ListFigures | None = None if record is None else getattr(record, kind)
        if figures is not None:
            found.append(_list_row(kind, figures))
            found += [_list_row("", part) for part in figures.parts]
    return tuple(found)


def _list_row(kind: str, figures: ListFigures) -> ListRow:
    return ListRow(
        kind=kind,
        name=figures.name,
        serial="-" if figures.serial is None else str(figures.serial),
        published=figures.published,
        left_out=figures.left_out,
        merged=figures.merged,
        cut=figures.cut,
        by_hand=figures.by_hand,
        on_device=figures.desired,
    )


def lights(state: DeviceState, now: float) -> tuple[Light, ...]:
    """Do lines arrive, is the policy in force, is everything sent on?  None says yes of what is not so, or not set."""
    log, policy = state.log, state.policy
    last = None if log is None else log.last_received_at
    arrives = Light(
        title="Lines arrive",
        badge=badge(Verdict.NEW, "not yet")
        if not last
        else badge(Verdict.WARNING, "not for long")
        if is_quiet(last, now)
        else truth_badge(good=True, word="yes"),
        sentence=f"last line {iso(last)}",
    )
    good = policy.last_good
    held = policy.in_force
    taken_off = held is not None and held.purged
    in_force = Light(
        title="Policy in force",
        badge=truth_badge(
            good is not None
            and not taken_off
            and policy.last_update is not None
            and policy.last_update.good,
            "yes" if good and not taken_off else "no",
        ),
        sentence=off_words(held)
        if held is not None and held.purged
        else f"last good update {iso(None if good is None else good.finished_at)}"
        + ("" if held is None else f"; {held.block:,} block and {held.allow:,} allow entries"),
    )
    failing = [
        one for one in (*state.targets, *((state.upload,) if state.upload else ())) if one.failures
    ]
    waiting = sum(one.waiting_lines for one in state.readers.values())
    uploads = state.upload is not None and state.upload.state is not UploadState.OFF
    if not state.targets and not uploads:
        none = badge(Verdict.NEW, "not set")
        return (
            arrives,
            in_force,
            Light(title="Forwarded and uploaded", badge=none, sentence="no target, no uploads"),
        )
    sent = Light(
        title="Forwarded and uploaded",
        badge=truth_badge(not failing, "yes" if not failing else "failing"),
        sentence=(failing[0].last_error or "failing")
        if failing
        else f"backlog of {many(waiting, 'line', 'lines')}",
    )
    return arrives, in_force, sent


def reader_rows(state: DeviceState) -> tuple[ReaderRow, ...]:
    """The readers of the log, by name."""
    return tuple(
        ReaderRow(
            name=name,
            user=(state.users or {}).get(name, "unused"),
            sent=one.sent,
            not_selected=one.not_selected,
            waiting=one.waiting_lines,
            expired=one.expired,
            lag=state.lag_seconds.get(name),
        )
        for name, one in sorted(state.readers.items())
    )


def policy_pairs(policy: UpdateFigures) -> Iterator[Pair]:
    """What `tsadmin show` says of the schedule."""
    yield Pair(name="next update", value=iso(policy.next_run_at))
    if policy.failed_runs:
        yield Pair(name="failed in a row", value=f"{policy.failed_runs:,}")
    if policy.entries_by_hand:
        yield Pair(name="entries by hand", value=f"{policy.entries_by_hand:,}")
    if policy.certificate:
        yield Pair(name="certificate (SHA-256)", value=policy.certificate)
    last = policy.last_update
    if last is not None:
        yield Pair(name="last update", value=f"{last.result}, {iso(last.finished_at)}")
        if last.version:
            yield Pair(name="version", value=last.version)
    for one in policy.unknown_names:
        yield Pair(name="name without an address", value=one.name)


def log_pairs(state: DeviceState) -> Iterator[Pair]:
    """What is known of the log."""
    log = state.log
    if log is None:
        return
    yield Pair(name="lines stored", value=f"{log.stored_lines:,}")
    yield Pair(name="last line", value=iso(log.last_received_at))
    yield Pair(name="segments on disk", value=f"{log.segments:,}")
    yield Pair(name="unclean stops", value=f"{log.gaps_total:,}")
    if log.fault:
        yield Pair(name="fault", value=log.fault)


def run_rows(history: History) -> tuple[RunRow, ...]:
    """The latest updates, the last of them first."""
    records = [read(UpdateRecord, one) for one in history.updates]
    return tuple(
        RunRow(
            at=one.finished_at or one.started_at,
            badge=truth_badge(one.good, str(one.result)),
            added=None if one.plan is None else one.plan.added,
            removed=None if one.plan is None else one.plan.removed,
            sentence=one.error or one.act or one.cause,
        )
        for one in records
    )


def generation_rows(history: History) -> tuple[GenerationRow, ...]:
    """The generations, the newest first."""
    rows = [
        GenerationRow(
            number=one.number,
            at=one.applied_at,
            block=one.block_entries,
            allow=one.allow_entries,
        )
        for one in history.generations
    ]
    return tuple(sorted(rows, key=lambda one: -one.number))


def links(findings: Sequence[Finding]) -> tuple[Link, ...]:
    """What the doctor found."""
    return tuple(
        Link(name=one.link, badge=badge(one.verdict), sentence=one.sentence, remedy=one.remedy)
        for one in findings
    )
