"""
How a device stands, in one word with its cause: the row of `tsadmin status`.

Pure: the state of a device, and the time; the same words for every face.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from math import inf

from attrs import field, frozen

from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import DeviceIntake
from tscm.intake.turned_away import RECENT_SECONDS, is_recent, sentence, turned_away
from tscm.plural import many
from tscm.services.pull_trouble import troubles, turns
from tscm.spool.figures import LogFigures
from tscm.state import DeviceState
from tscm.update.figures import InForce, Result, UpdateFigures
from tscm.update.known_name import ALARM_SECONDS
from tscm.upload.figures import UploadFigures

STALE_INTERVALS = 3.0
"""A good update that is older than so many intervals is a warning."""
_HOUR = 3600.0
QUIET_SECONDS = 86400.0
"""A device without a line for so long is a warning."""
STUCK_SECONDS = 900.0
"""A reader that has failed for so long is a failure."""
UPHEAVAL_SECONDS = 900.0
"""
A reload takes minutes; groups that were not checked for so long after one are a failure.
"""


class Verdict(StrEnum):
    """
    The one word for a device, or for a link of its chain: the worst first, the same for every face.
    """

    FAILED = "failed"
    WARNING = "warning"
    """It may work and should be looked at."""
    NOT_CHECKED = "not checked"
    """A check of which nothing is known, because one before it failed; never said of a device."""
    HELD = "held"
    """An operator decided that nothing is pushed."""
    NEW = "new"
    """Nothing is known yet."""
    OK = "ok"


ORDER = tuple(Verdict)
EXIT_STATUS = {
    Verdict.FAILED: 2,
    Verdict.WARNING: 1,
    Verdict.NOT_CHECKED: 1,
    Verdict.HELD: 1,
    Verdict.NEW: 0,
    Verdict.OK: 0,
}
"""As a monitoring plug-in ends: ok, warning, critical."""


@frozen(kw_only=True)
class Cause:
    """
    One thing that is to be known of a device, and how grave it is.
    """

    verdict: Verdict
    sentence: str


class ReaderState(StrEnum):
    """How a reader of the log gets on with its target."""

    OK = "ok"
    NOT_TRIED = "not tried"
    """Nothing was sent since the reader began, so nothing is known of the target."""
    FAILING = "failing"
    OFF = "off"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Row:
    """
    One device: its verdict, why, and the figures that an operator looks at first.

    An age is None where there is nothing to measure from.
    """

    name: str
    verdict: Verdict
    causes: tuple[str, ...] = ()
    good_update_age_seconds: float | None = None
    entries: int | None = None
    cut: int = 0
    last_line_age_seconds: float | None = None
    backlog_lines: Mapping[str, int] = field(factory=dict)
    """Lines that wait, by reader."""
    upload: ReaderState = ReaderState.UNKNOWN
    forward: ReaderState = ReaderState.UNKNOWN
    standing: Verdict = field(init=False)
    """The verdict, under the key of earlier releases."""

    @standing.default
    def _as_before(self) -> Verdict:
        return self.verdict


@frozen(kw_only=True)
class Judged:
    """
    What a row says of a device until something of it changes, or until *holds_until* (POSIX seconds).

    What each line changes, ages and backlogs, is not in it.
    """

    verdict: Verdict
    causes: tuple[str, ...]
    good_at: float | None
    """When the last good update ended."""
    entries: int | None
    cut: int
    upload: ReaderState
    forward: ReaderState
    holds_until: float

    def row(
        self, name: str, last_line_at: float | None, backlog_lines: Mapping[str, int], now: float
    ) -> Row:
        """The row of the device at *now*."""
        return Row(
            name=name,
            verdict=self.verdict,
            causes=self.causes,
            good_update_age_seconds=_age(self.good_at, now),
            entries=self.entries,
            cut=self.cut,
            last_line_age_seconds=_age(last_line_at, now),
            backlog_lines=backlog_lines,
            upload=self.upload,
            forward=self.forward,
        )


@frozen(kw_only=True)
class Stamped:
    """
    What was judged *at* a time, with the *stamp* of the parts that it was judged by.
    """

    stamp: tuple[object, ...]
    at: float
    judged: Judged


def is_quiet(last_line_at: float | None, now: float) -> bool:
    """Has a device sent no line, or none for long?"""
    age = _age(last_line_at, now)
    return age is None or age > QUIET_SECONDS


def judge(state: DeviceState, now: float, interval: float) -> Judged:
    """
    How a device stands whose *state* this is.  *interval*: seconds between updates.
    """
    causes = sorted(_causes(state, now, interval), key=lambda one: ORDER.index(one.verdict))
    in_force, good = state.policy.in_force, state.policy.last_good
    lists = () if good is None else (good.block, good.allow)
    return Judged(
        verdict=causes[0].verdict if causes else Verdict.OK,
        causes=tuple(one.sentence for one in causes),
        good_at=None if good is None else good.finished_at,
        entries=None if in_force is None else in_force.block + in_force.allow,
        cut=sum(one.cut for one in lists if one is not None),
        upload=_reader_state(state.upload),
        forward=_reader_state(state.forward),
        holds_until=min(_turns(state, now, interval), default=inf),
    )


def row_of(name: str, state: DeviceState, now: float, interval: float) -> Row:
    """
    The row of a device whose *state* this is.  *interval*: seconds between updates.
    """
    last_line_at = None if state.log is None else state.log.last_received_at
    backlog = {reader: one.waiting_lines for reader, one in state.readers.items()}
    return judge(state, now, interval).row(name, last_line_at, backlog, now)


def fault_row(name: str, fault: str) -> Row:
    """The row of a device whose settings file is not in force."""
    return Row(
        name=name,
        verdict=Verdict.FAILED,
        causes=(fault,),
    )


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Failures first, then by name."""
    return sorted(rows, key=lambda row: (ORDER.index(row.verdict), row.name))


def exit_status(rows: Sequence[Row]) -> int:
    """0, 1 or 2: the worst of all."""
    return max((EXIT_STATUS[row.verdict] for row in rows), default=0)


def is_unchecked(policy: UpdateFigures, now: float) -> bool:
    """Have the groups not been checked for long after the firewall logged that they may be gone?"""
    since = policy.upheavals_since
    return since is not None and now - since >= UPHEAVAL_SECONDS


def off_words(in_force: InForce) -> str:
    """That a purge took the policy off."""
    at = datetime.fromtimestamp(in_force.since).astimezone().isoformat(" ", "seconds")
    left = in_force.block + in_force.allow
    but = f" except {many(left, 'entry', 'entries')} in use" if left else ""
    return f"the policy is not in force since {at}: the groups were removed{but}"


def age_words(seconds: float | None) -> str:
    """An age as an operator reads it: `never`, `12 s`, `5 min`, `3 h`, `2 d`."""
    if seconds is None:
        return "never"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def _age(at: float | None, now: float) -> float | None:
    return None if not at else max(0.0, now - at)


def _reader_state(figures: ForwardFigures | UploadFigures | None) -> ReaderState:
    if figures is None:
        return ReaderState.OFF
    if figures.failures:
        return ReaderState.FAILING
    if isinstance(figures, ForwardFigures):
        reached = figures.sent > 0 or figures.connected_at is not None
    else:
        reached = figures.last_upload_at is not None
    return ReaderState.OK if reached else ReaderState.NOT_TRIED


def _turns(state: DeviceState, now: float, interval: float) -> Iterator[float]:
    """When the passage of time alone changes what `_causes` says, at the earliest."""
    policy = state.policy
    if policy.last_good is not None and policy.last_good.finished_at:
        yield _next_turn(policy.last_good.finished_at, STALE_INTERVALS * interval, now)
    if policy.hold is not None and policy.hold.until is not None:
        yield policy.hold.until
    for since, grace in (
        (policy.upheavals_since, UPHEAVAL_SECONDS),
        *((one.failing_since, ALARM_SECONDS) for one in policy.unknown_names),
    ):
        if since is not None and now - since < grace:
            yield since + grace
    if state.log is not None and state.log.last_received_at:
        yield _next_turn(state.log.last_received_at, QUIET_SECONDS, now)
    if state.pulls is not None:
        yield from turns(state.pulls, now)
    refused = turned_away(state.intake)
    if refused is not None and is_recent(refused, now):
        yield (refused.last_at or 0.0) + RECENT_SECONDS
    for _, figures in _targets(state):
        if figures.failures and figures.failing_since:
            stuck_at = figures.failing_since + STUCK_SECONDS
            yield stuck_at if now <= stuck_at else inf


def _next_turn(at: float, grace: float, now: float) -> float:
    """When the age of what was *at* passes *grace*, or, after that, its next full hour, before the first its minute."""
    age = now - at
    step = 60.0 if age < _HOUR else _HOUR
    return at + (grace if age <= grace else (age // step + 1) * step)


def _causes(state: DeviceState, now: float, interval: float) -> Iterator[Cause]:
    if state.fault:
        yield Cause(verdict=Verdict.FAILED, sentence=state.fault)
    yield from _policy(state.policy, now, interval)
    if state.log is not None:
        yield from _log(state.log, now)
    yield from _connections(state.intake, now)
    for one in () if state.pulls is None else troubles(state.pulls, now):
        verdict = Verdict.FAILED if one.grave else Verdict.WARNING
        yield Cause(verdict=verdict, sentence=one.sentence)
    for what, figures in _targets(state):
        yield from _reader(what, figures, now)
    if state.upload is not None and state.upload.rejected_batches:
        batches = many(state.upload.rejected_batches, "batch", "batches")
        yield Cause(verdict=Verdict.WARNING, sentence=f"the log service rejected {batches}")
    for words in state.unbalanced:
        yield Cause(verdict=Verdict.FAILED, sentence=f"the ledger does not balance: {words}")


def _policy(policy: UpdateFigures, now: float, interval: float) -> Iterator[Cause]:
    if policy.fault:
        yield Cause(verdict=Verdict.FAILED, sentence=f"no updates: {policy.fault}")
        return
    for alarms, verdict, words in _ALARMS:
        if alarms(policy):
            yield Cause(verdict=verdict, sentence=words)
    if policy.paused:
        yield Cause(verdict=Verdict.HELD, sentence="updates are paused")
    if policy.hold is not None:
        yield Cause(verdict=Verdict.HELD, sentence=f"updates are {policy.hold}")
    if policy.in_force is not None and policy.in_force.purged:
        yield Cause(verdict=Verdict.FAILED, sentence=off_words(policy.in_force))
    if policy.upheavals:
        yield Cause(
            verdict=Verdict.FAILED if is_unchecked(policy, now) else Verdict.WARNING,
            sentence=(
                f"the firewall logged that {policy.upheavals}; its groups have not been "
                "checked since"
            ),
        )
    if policy.test_entry and not policy.running_since:
        yield Cause(
            verdict=Verdict.WARNING,
            sentence=f"{policy.test_entry} of an interrupted test is still blocked",
        )
    if policy.unused_groups:
        groups = " and ".join(policy.unused_groups)
        new = policy.never_used
        yield Cause(
            verdict=Verdict.WARNING if new else Verdict.FAILED,
            sentence=f"no access-list uses {groups}{' yet' if new else ''}",
        )
    for overdue in (True, False):
        names = ", ".join(one.name for one in policy.unknown_names if one.overdue(now) == overdue)
        if names and overdue:
            said = f"protected names have not resolved for a day: {names}"
            yield Cause(verdict=Verdict.FAILED, sentence=said)
        elif names:
            yield Cause(
                verdict=Verdict.WARNING, sentence=f"protected names do not resolve: {names}"
            )
    last, good = policy.last_update, policy.last_good
    if last is None:
        yield Cause(verdict=Verdict.NEW, sentence="never updated")
        return
    if not last.good and last.result != Result.PURGED:
        refused = last.result == Result.REFUSED
        yield Cause(
            verdict=Verdict.FAILED if good is None else Verdict.WARNING,
            sentence=f"the last update was rejected by the guard: {last.error or 'see `tsadmin show`'}"
            if refused
            else f"the last update failed: {last.error or 'failed'}",
        )
    age = _age(None if good is None else good.finished_at, now)
    scheduled = not (policy.paused or policy.held or policy.hold)
    if scheduled and age is not None and age > STALE_INTERVALS * interval:
        ago = many(int(age // 3600), "hour", "hours")
        if age < _HOUR:
            ago = many(int(age // 60), "minute", "minutes")
        yield Cause(verdict=Verdict.WARNING, sentence=f"the last successful update was {ago} ago")


_Alarm = tuple[Callable[[UpdateFigures], bool], Verdict, str]
_ALARMS: tuple[_Alarm, ...] = (
    (
        lambda policy: policy.locked_out,
        Verdict.FAILED,
        "the password was rejected too often; no login is attempted",
    ),
    (
        lambda policy: policy.stopped_at_failure,
        Verdict.FAILED,
        "the last update gave up after the device's fifth failure",
    ),
    (
        lambda policy: policy.held,
        Verdict.HELD,
        "updates are held after a rollback or a purge",
    ),
    (
        lambda policy: policy.unsaved,
        Verdict.WARNING,
        "the configuration has unsaved changes",
    ),
)


def _log(log: LogFigures, now: float) -> Iterator[Cause]:
    if log.fault:
        yield Cause(verdict=Verdict.FAILED, sentence=f"the log {log.fault}")
    age = _age(log.last_received_at, now)
    if age is None:
        yield Cause(verdict=Verdict.NEW, sentence="no line yet")
    elif age > QUIET_SECONDS:
        hours = many(int(age // 3600), "hour", "hours")
        yield Cause(verdict=Verdict.WARNING, sentence=f"no line for {hours}")
    if log.changed_texts:
        segments = many(log.changed_texts, "segment", "segments")
        yield Cause(
            verdict=Verdict.WARNING,
            sentence=f"another process modified the text of {segments} of the log",
        )
    if log.damaged_segments:
        segments = many(log.damaged_segments, "segment", "segments")
        yield Cause(verdict=Verdict.WARNING, sentence=f"{segments} of the log cannot be read")


def _connections(intake: DeviceIntake | None, now: float) -> Iterator[Cause]:
    refused = turned_away(intake)
    if refused is not None and is_recent(refused, now):
        yield Cause(verdict=Verdict.FAILED, sentence=sentence(refused))


def _targets(state: DeviceState) -> Iterator[tuple[str, ForwardFigures | UploadFigures]]:
    if state.forward is not None:
        yield "the SIEM", state.forward
    for also in state.forward_also:
        yield also.target or "an additional target", also
    if state.upload is not None:
        yield "the log service", state.upload


def _reader(what: str, figures: ForwardFigures | UploadFigures, now: float) -> Iterator[Cause]:
    if figures.failures and figures.failing_since:
        stuck = now - figures.failing_since > STUCK_SECONDS
        yield Cause(
            verdict=Verdict.FAILED if stuck else Verdict.WARNING,
            sentence=f"{what}: {figures.last_error or 'failing'}",
        )
