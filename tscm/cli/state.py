"""
A device's state in words: last update, list sizes, what was cut, last line, backlog, last upload.

Pure: the state in, pairs of name and text out.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import time
from typing import Any

from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import TurnedAway, WithoutCertificate
from tscm.intake.turned_away import remedy, sentence, turned_away
from tscm.model import Expired, Json, OwnReader
from tscm.plural import many
from tscm.services.figures import PullFigures
from tscm.services.pull_trouble import troubles
from tscm.spool.figures import LogFigures, ReaderFigures
from tscm.standing import off_words
from tscm.state import DeviceState
from tscm.update.figures import ListFigures, UpdateFigures, UpdateRecord
from tscm.update.known_name import KnownName
from tscm.upload.figures import UploadFigures

Pair = tuple[str, Any]
NEVER = "never"
UPLOAD = OwnReader.UPLOAD
"""The uploader's reader of the log."""
_NOTES_SHOWN = 5


def when(seconds: float | None) -> str:
    """A moment in the operator's time zone."""
    if not seconds:
        return NEVER
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def state_pairs(settings: Json, state: DeviceState) -> Iterator[Pair]:
    """The state, in the order in which an operator asks."""
    name = str(settings["name"])
    yield from _policy(name, settings, state.policy)
    if state.pulls is not None:
        yield from pull_pairs(state.pulls, time())
    if state.log is not None:
        yield from _log(name, state.log)
    if state.intake is not None:
        yield from _without_certificate(state.intake.without_certificate)
    refused = turned_away(state.intake)
    if refused is not None:
        yield "attention", f"{refused_words(refused)}; {remedy(refused)}"
    if state.forward is None:
        yield "syslog forward", "off"
    else:
        yield from _forward("syslog forward", name, state, state.forward)
    for also in state.forward_also:
        yield from _forward(f"forward to {also.target}", name, state, also)
    if state.upload is not None:
        yield from _upload("log upload", name, state, state.upload)
    elif settings.get("send_logs"):
        yield "log upload", "off: no log service is configured (url under [upload] in tscm.toml)"
    else:
        yield "log upload", "off"
    yield from _orphans(name, state)
    if state.events.unread:
        yield (
            "not parsed",
            f"{many(state.events.unread, 'line', 'lines')} of access-lists whose source and destination "
            "cannot be read: in no report",
        )
    if state.events.fault:
        yield "attention", f"events: {state.events.fault}"
    for words in state.unbalanced:
        yield "attention", f"the ledger does not balance: {words}; see `tsadmin ledger`"


def _policy(name: str, settings: Json, policy: UpdateFigures) -> Iterator[Pair]:
    last, good = policy.last_update, policy.last_good
    yield "last update", _update(last) if last is not None else NEVER
    if good is not None and last is not None and not last.good:
        yield "last good update", _update(good)
    shown, in_force = good or last or UpdateRecord(), policy.in_force
    if in_force is not None and in_force.purged:
        yield "attention", off_words(in_force)
    if shown.block is not None:
        yield "block list", _list(shown.block, None if in_force is None else in_force.block)
    if shown.allow is not None:
        yield "allow list", _list(shown.allow, None if in_force is None else in_force.allow)
    if policy.entries_by_hand:
        yield "entries by hand", f"{policy.entries_by_hand:,} in force; see `tsadmin entries`"
    for note in shown.notes[:_NOTES_SHOWN]:
        yield "noted", note
    if not settings.get("policy_updates", True):
        yield "next update", f"policy updates are disabled; `tsadmin update {name}` still runs one"
    elif policy.hold is not None:
        yield (
            "next update",
            f"{policy.hold}; `tsadmin policy resume {name}` ends that, and `tsadmin update "
            f"{name}` still runs one",
        )
    elif policy.next_run_at and not policy.held:
        yield "next update", when(policy.next_run_at)
    if policy.running_since:
        yield (
            "update in progress",
            f"since {when(policy.running_since)}"
            + (f": {policy.progress}" if policy.progress else ""),
        )
    if policy.waiting_until:
        yield "waiting until", when(policy.waiting_until)
    if policy.certificate:
        yield "certificate (SHA-256)", policy.certificate
    if policy.fault:
        yield "attention", f"policies are not updated: {policy.fault}"
    if policy.unused_groups:
        yield (
            "attention",
            f"{' and '.join(policy.unused_groups)}: created again, and not used by an "
            "access-list at the last update; enter the lines of `tsadmin show "
            f"{name} --lines`",
        )
    if policy.upheavals:
        yield (
            "attention",
            f"the firewall logged that {policy.upheavals}, and no update has succeeded "
            f"since: groups may be missing; check them with `tsadmin update {name}`",
        )
    for one in policy.unknown_names:
        yield "attention", unknown_name(one)
    for alarms, words in _ALARMS:
        if alarms(policy):
            yield "attention", words.format(name=name)


def pull_pairs(pulls: PullFigures, now: float) -> Iterator[Pair]:
    """What is published, who has which generation of it, and what is wrong with that."""
    places = ", ".join(pulls.served_at) or "nowhere"
    if pulls.generation is None:
        yield "published", f"nothing yet; served at {places}"
    else:
        what = "the placeholder" if pulls.purged else many(pulls.entries, "entry", "entries")
        yield (
            "published",
            f"generation {pulls.generation} since {when(pulls.generation_at)}, {what} in the block list; served at "
            f"{places}",
        )
    for one in pulls.pulled[:_NOTES_SHOWN]:
        yield (
            "pulled",
            f"generation {one.generation} by {one.peer}, {one.file}, last at {when(one.last_at)} "
            f"({many(one.count, 'time', 'times')})",
        )
    if not pulls.pulled:
        yield "pulled", NEVER
    if pulls.refused:
        counts = ", ".join(f"{count:,} with {status}" for status, count in pulls.refused.items())
        yield "pulls refused", counts
    for trouble in troubles(pulls, now):
        yield "attention", f"{trouble.sentence}; {trouble.remedy}"


def unknown_name(one: KnownName) -> str:
    """A protected name that cannot be looked up, and what is protected all the same."""
    said = (
        f"{one.name}, which must not be blocked, has not resolved since {when(one.failing_since)}"
    )
    if one.addresses:
        return f"{said}; its addresses of {when(one.resolved_at)} remain protected"
    return f"{said}, and none of its addresses is known; see [policy] unknown_names"


_ALARMS: tuple[tuple[Callable[[UpdateFigures], bool], str], ...] = (
    (
        lambda policy: policy.held,
        (
            "updates are held after a rollback or a purge; resume them with `tsadmin policy "
            "resume {name}`"
        ),
    ),
    (
        lambda policy: policy.locked_out,
        "the password was rejected too often; set a new one with `tsadmin configure "
        "{name} --password -`, then run `tsadmin policy resume {name}`",
    ),
    (
        lambda policy: policy.stopped_at_failure,
        (
            "the last update gave up after the device's fifth failure; scheduled updates make "
            "one attempt each until one succeeds"
        ),
    ),
    (lambda policy: policy.unsaved, "the device's configuration has unsaved changes"),
)


def _update(update: UpdateRecord) -> str:
    return f"{when(update.finished_at or update.started_at)}: {outcome_words(update)}"


def outcome_words(update: UpdateRecord) -> str:
    """How an update went, in half a line, with what was accepted for it."""
    told = _outcome(update)
    given = [one.option for one in update.risks if one.risk in update.accepted]
    named = {one.risk for one in update.risks}
    given += [f"--{word}" for word in update.accepted if word not in named]
    return f"{told}; accepted by {' '.join(dict.fromkeys(given))}" if given else told


def _outcome(update: UpdateRecord) -> str:
    cause = f" (the firewall logged that {update.cause})" if update.cause else ""
    act = f" ({update.act})" if update.act else ""
    if update.error:
        return f"{update.result}{act}{cause}: {update.error}"
    alone = " (entries by hand only)" if update.only_entries else ""
    alone += " (its lists could not be used)" if update.kept else ""
    words, plan = f"{update.result}{cause}{alone}{act}", update.plan
    if plan is not None and (plan.added or plan.removed):
        words += f", {many(plan.added, 'entry', 'entries')} added, {plan.removed:,} removed"
    if update.traffic.requests:
        words += f", {many(update.traffic.requests, 'request', 'requests')}"
    return words


def _list(figures: ListFigures, in_force: int | None) -> str:
    parts = [many(figures.desired if in_force is None else in_force, "entry", "entries")]
    if figures.serial is not None:
        parts.append(f"serial {figures.serial}")
    for count, word in (
        (figures.cut, "cut"),
        (figures.left_out, "excluded"),
        (figures.warned, "flagged"),
    ):
        if count:
            parts.append(f"{count:,} {word}")
    return ", ".join(parts)


def _log(name: str, log: LogFigures) -> Iterator[Pair]:
    yield "last line received", when(log.last_received_at)
    yield "lines stored", log.stored_lines
    yield "bytes stored", log.stored_bytes
    yield "segments on disk", log.segments
    if log.refused_lines:
        yield "lines the log could not store", log.refused_lines
    if log.fault:
        yield "attention", f"the log {log.fault}"
    if log.gaps_total:
        yield "unclean stops", log.gaps_total
    if log.truncations:
        times = many(log.truncations, "time", "times")
        yield (
            "attention",
            f"another process truncated the live log {times}; `tsadmin ledger` shows what "
            "is missing; no other program may rotate or empty these files",
        )
    if log.changed_texts:
        segments = many(log.changed_texts, "segment", "segments")
        yield (
            "attention",
            f"another process modified the text of {segments}; `tsadmin ledger` lists "
            "them; no other program may write to these files",
        )
    if log.damaged_cursors:
        yield (
            "damaged positions",
            f"{many(log.damaged_cursors, 'record', 'records')} of reader positions; a "
            "reader falls back to its other record; if both were damaged, it restarted at "
            "the oldest stored line, so lines may have been sent twice",
        )
    if log.damaged_segments:
        segments = many(log.damaged_segments, "segment", "segments")
        yield (
            "attention",
            f"{segments} cannot be read; list them with `tsadmin spool verify {name}`",
        )


def _without_certificate(refused: WithoutCertificate) -> Iterator[Pair]:
    lines, connections = refused.lines, refused.connections
    if lines or connections:
        yield (
            "without its pinned certificate",
            f"{many(connections, 'connection', 'connections')} and "
            f"{many(lines, 'line', 'lines')} in its name refused since the start; see "
            "--tls_fingerprints",
        )


def refused_words(refused: TurnedAway) -> str:
    """Connections for which a bound left no room, and when the last of them came."""
    return f"{sentence(refused)}, the last time {when(refused.last_at)}"


def _orphans(name: str, state: DeviceState) -> Iterator[Pair]:
    if state.users is None:
        return
    for reader, counts in state.readers.items():
        if reader not in state.users:
            waiting = many(counts.waiting_lines, "line", "lines")
            yield (
                "unused readers",
                f"reader {reader} has a backlog of {waiting}; discard it with `tsadmin "
                f"spool drop {name} {reader}`",
            )


_BOUNDS = {"age": "max_age_days", "size": "max_mb_per_device", "space": "min_free_mb"}


def _expired(cause: str, lines: int) -> str:
    """How many lines retention took, and by which setting."""
    bound = f" by {_BOUNDS[cause]}" if cause in _BOUNDS else ""
    return f"{cause} {lines:,}{bound}"


def _counts(label: str, name: str, counts: ReaderFigures | None) -> Iterator[Pair]:
    """What became of the lines of one reader."""
    if counts is None:
        return
    yield (
        f"{label} backlog",
        f"{many(counts.waiting_lines, 'line', 'lines')}, "
        f"{many(counts.waiting_bytes, 'byte', 'bytes')}",
    )
    yield f"{label} sent", counts.sent
    if not counts.expired:
        return
    causes = counts.expired_by_cause
    words = ", ".join(_expired(cause, lines) for cause, lines in causes.items() if lines)
    yield f"{label} expired", f"{counts.expired:,}" + (f" ({words})" if words else "")
    if causes.get(Expired.LOST):
        yield (
            "attention",
            f"{many(causes[Expired.LOST], 'line was', 'lines were')} lost to log damage before "
            f"{label} had read them; list the files with `tsadmin spool verify {name}`",
        )


def _trouble(label: str, figures: ForwardFigures | UploadFigures) -> Iterator[Pair]:
    if figures.failing_since and figures.failures > 1:
        yield (
            f"{label} failing since",
            f"{when(figures.failing_since)}, {figures.failures:,} times in a row",
        )
    if figures.last_error:
        yield f"{label} last error", f"{when(figures.last_error_at)}: {figures.last_error}"


def _forward(label: str, name: str, state: DeviceState, figures: ForwardFigures) -> Iterator[Pair]:
    yield label, figures.sentence or figures.state
    yield from _counts(label, name, state.readers.get(figures.reader))
    if figures.lag_seconds:
        yield f"{label} lag", f"{figures.lag_seconds:,.1f} s"
    if figures.lines_per_second:
        yield f"{label} rate", f"{figures.lines_per_second:,.0f} lines/s"
    for count, words in (
        (figures.repeated, "resent after a reset"),
        (figures.dropped, "dropped (too long for the path)"),
        (figures.cut, "truncated to a datagram"),
        (figures.altered, f"with {_altered(figures)}"),
        (figures.rejected, "rejected by it"),
    ):
        if count:
            yield f"{label} {words}", count
    yield from _trouble(label, figures)


def _altered(figures: ForwardFigures) -> str:
    """What is written otherwise in a line that is sent: sinks take text, and streams no line feed."""
    if figures.reader.startswith("sink-"):
        return "bytes written as \\xNN"
    return "line feeds replaced by blanks"


def _upload(label: str, name: str, state: DeviceState, figures: UploadFigures) -> Iterator[Pair]:
    yield label, figures.sentence or figures.state
    yield from _counts(label, name, state.readers.get(UPLOAD))
    last = figures.last_upload_at
    before = last is None and figures.sent
    unknown = "before the manager started or its settings last changed"
    yield "last upload", unknown if before else when(last)
    if figures.rejected_batches:
        yield (
            "rejected batches",
            f"{figures.rejected_batches:,}; list them with `tsadmin logs {name} --rejected`",
        )
    yield from _trouble(label, figures)
