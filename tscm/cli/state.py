"""
A device's state in words: last update, list sizes, what was cut, last line, backlog, last upload.

Pure: what the control interface gave in, pairs of name and text out.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tscm.intake.figures import DeviceIntake, TurnedAway
from tscm.intake.turned_away import remedy, sentence, turned_away
from tscm.model import Json
from tscm.plural import many
from tscm.standing import hold_words, off_words
from tscm.wire.reading import read

Pair = tuple[str, Any]
NEVER = "never"
_NOTES_SHOWN = 5


def when(seconds: float | None) -> str:
    """A moment in the operator's time zone."""
    if not seconds:
        return NEVER
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def state_pairs(settings: Json, state: Json) -> Iterator[Pair]:
    """The state, in the order in which an operator asks."""
    name = str(settings["name"])
    yield from _policy(name, settings, state.get("policy") or {})
    yield from _log(name, state.get("log") or {})
    intake = state.get("intake") or {}
    yield from _without_certificate(intake.get("without_certificate") or {})
    if refused := turned_away(read(DeviceIntake, intake)):
        yield "attention", f"{_refused(refused)}; {remedy(refused)}"
    yield from _reader("syslog forward", name, state, state.get("forward"), "forward", off="off")
    for also in state.get("forward_also") or ():
        yield from _reader(
            f"forward to {also['target']}", name, state, also, also["reader"], off="off"
        )
    wanted = settings.get("send_logs")
    why = "off: no log service is set (url under [upload] in tscm.toml)" if wanted else "off"
    yield from _reader("log upload", name, state, state.get("upload"), "upload", off=why)
    yield from _orphans(name, state)
    unread = ((state.get("events") or {}).get("counted") or {}).get("unread")
    if unread:
        yield (
            "not read",
            f"{many(unread, 'line', 'lines')} of access-lists (106100, 106102, 106103, 106023) without two ends that "
            "can be read: in no report",
        )
    fault = (state.get("events") or {}).get("fault")
    if fault:
        yield "attention", f"events: {fault}"
    for words in state.get("unbalanced") or ():
        yield "attention", f"the ledger does not balance: {words}; see `tsadmin ledger`"


def _policy(name: str, settings: Json, policy: Json) -> Iterator[Pair]:
    last, good = policy.get("last_update"), policy.get("last_good")
    yield "last update", _update(last) if last else NEVER
    if good and last and not last.get("good", True):
        yield "last good update", _update(good)
    shown = good or last or {}
    in_force = policy.get("in_force")
    if in_force is not None and in_force["purged"]:
        yield "attention", off_words(in_force)
    for kind in ("block", "allow"):
        figures = shown.get(kind)
        if figures:
            yield f"{kind} list", _list(figures, in_force and in_force[kind])
    if policy.get("entries_by_hand"):
        yield "entries by hand", f"{policy['entries_by_hand']:,} in force; see `tsadmin entries`"
    for note in (shown.get("notes") or ())[:_NOTES_SHOWN]:
        yield "noted", note
    if not settings.get("policy_updates", True):
        yield "next update", f"policy updates are disabled; `tsadmin update {name}` still makes one"
    elif policy.get("hold"):
        yield (
            "next update",
            f"{hold_words(policy['hold'])}; `tsadmin policy resume {name}` ends that, and "
            f"`tsadmin update {name}` still makes one",
        )
    elif policy.get("next_run_at") and not policy.get("held"):
        yield "next update", when(policy["next_run_at"])
    if policy.get("running_since"):
        yield (
            "update under way",
            f"since {when(policy['running_since'])}"
            + (f": {policy['progress']}" if policy.get("progress") else ""),
        )
    if policy.get("waiting_until"):
        yield "waiting until", when(policy["waiting_until"])
    if policy.get("certificate"):
        yield "certificate (SHA-256)", policy["certificate"]
    if policy.get("fault"):
        yield "attention", f"policies are not updated: {policy['fault']}"
    if policy.get("unused_groups"):
        yield (
            "attention",
            f"{' and '.join(policy['unused_groups'])}, made anew, in use by no access-list at the last "
            f"update: enter the lines of `tsadmin show {name} --lines`",
        )
    if policy.get("upheavals"):
        yield (
            "attention",
            f"the firewall said that {policy['upheavals']}, and no update has been good since: part of "
            f"the groups may be gone; `tsadmin update {name}` checks them",
        )
    for one in policy.get("unknown_names") or ():
        yield "attention", _unknown_name(one)
    for alarm, words in _ALARMS:
        if policy.get(alarm):
            value, said = policy[alarm], words.format(name=name)
            yield "attention", said if isinstance(value, bool) else f"{said}: {value}"


def _unknown_name(one: Json) -> str:
    said = f"{one['name']}, which must not be blocked, cannot be looked up since {when(one['failing_since'])}"
    if one.get("addresses"):
        return f"{said}; the addresses of {when(one.get('resolved_at'))} are protected"
    return f"{said}, and no address of it is known: see [policy] unknown_names"


_ALARMS = (
    (
        "held",
        "updates are held after a rollback or a purge; `tsadmin policy resume {name}` ends that",
    ),
    (
        "locked_out",
        "the password was rejected too often; `tsadmin configure {name} --password -` takes another one, then "
        "`tsadmin policy resume {name}`",
    ),
    (
        "stopped_at_failure",
        "the last update gave up at the fifth failure of the device; scheduled updates try once each until one is good",
    ),
    ("unsaved", "the device's configuration is changed and not saved"),
)


def _update(update: Json) -> str:
    return f"{when(update.get('finished_at') or update.get('started_at'))}: {outcome_words(update)}"


def outcome_words(update: Json) -> str:
    """How an update went, in half a line."""
    cause = f" (the firewall said that {update['cause']})" if update.get("cause") else ""
    if update.get("error"):
        act = f" ({update['act']})" if update.get("act") else ""
        return f"{update.get('result')}{act}{cause}: {update['error']}"
    plan = update.get("plan") or {}
    words = f"{update.get('result') or ''}{cause}"
    if update.get("only_entries"):
        words += " (entries by hand alone)"
    if update.get("act"):
        words += f" ({update['act']})"
    if plan.get("added") or plan.get("removed"):
        words += f", {many(plan.get('added', 0), 'entry', 'entries')} added, {plan.get('removed', 0):,} removed"
    requests = (update.get("traffic") or {}).get("requests")
    if requests:
        words += f", {many(requests, 'request', 'requests')}"
    return words


def _list(figures: Json, in_force: int | None) -> str:
    desired = figures.get("desired", 0)
    parts = [many(desired if in_force is None else in_force, "entry", "entries")]
    if figures.get("serial") is not None:
        parts.append(f"serial {figures['serial']}")
    for name, word in (("cut", "cut"), ("left_out", "left out"), ("warned", "to be looked at")):
        if figures.get(name):
            parts.append(f"{figures[name]:,} {word}")
    return ", ".join(parts)


def _log(name: str, log: Json) -> Iterator[Pair]:
    if not log:
        return
    yield "last line received", when(log.get("last_received_at"))
    yield "lines stored", log.get("stored_lines", 0)
    if log.get("stored_bytes") is not None:
        yield "bytes stored", log["stored_bytes"]
    if log.get("segments") is not None:
        yield "segments on disk", log["segments"]
    if log.get("refused_lines"):
        yield "lines the log could not take", log["refused_lines"]
    if log.get("fault"):
        yield "attention", f"the log {log['fault']}"
    if log.get("gaps_total"):
        yield "unclean stops", log["gaps_total"]
    if log.get("truncations"):
        times = many(log["truncations"], "time", "times")
        yield (
            "attention",
            f"somebody truncated the live log {times}; `tsadmin ledger` tells what is gone, and "
            f"nothing else may rotate or empty these files",
        )
    if log.get("changed_texts"):
        segments = many(log["changed_texts"], "segment", "segments")
        yield (
            "attention",
            f"somebody changed the text of {segments} within the file; `tsadmin ledger` names them, and "
            f"nothing else may write to these files",
        )
    if log.get("damaged_cursors"):
        yield (
            "damaged positions",
            f"{many(log['damaged_cursors'], 'record', 'records')} of where readers stand; a reader "
            f"falls back to the other of its two, and where both were damaged it began with the "
            f"oldest line kept, so that lines may have gone twice",
        )
    if log.get("damaged_segments"):
        segments = many(log["damaged_segments"], "segment", "segments")
        yield "attention", f"{segments} cannot be read; `tsadmin spool verify {name}` names them"


def _without_certificate(refused: Json) -> Iterator[Pair]:
    lines, connections = refused.get("lines", 0), refused.get("connections", 0)
    if lines or connections:
        yield (
            "without its certificate",
            f"{many(connections, 'connection', 'connections')} and {many(lines, 'line', 'lines')} "
            "in its name refused since the start, see --tls_fingerprints",
        )


def _refused(refused: TurnedAway) -> str:
    return f"{sentence(refused)}, the last time {when(refused.last_at)}"


def _orphans(name: str, state: Json) -> Iterator[Pair]:
    users = state.get("users")
    if users is None:
        return
    for reader, counts in ((state.get("log") or {}).get("readers") or {}).items():
        if reader not in users:
            waiting = many(counts.get("waiting_lines", 0), "line", "lines")
            yield (
                "without a user",
                f"reader {reader}, for which {waiting} wait; `tsadmin spool drop {name} "
                f"{reader}` gives them up",
            )


_BOUNDS = {"age": "max_age_days", "size": "max_mb_per_device", "space": "min_free_mb"}


def _expired(cause: str, lines: int) -> str:
    """How many lines retention took, and by which setting."""
    bound = f" by {_BOUNDS[cause]}" if cause in _BOUNDS else ""
    return f"{cause} {lines:,}{bound}"


_ALTERED = (
    ("repeated", "again after a reset"),
    ("dropped", "dropped, too long for the path"),
    ("cut", "cut to a datagram"),
    ("altered", "with a line feed made a blank"),
)


def _reader(
    label: str, name: str, state: Json, figures: Json | None, reader: str, *, off: str
) -> Iterator[Pair]:
    if figures is None:
        yield label, off
        return
    yield label, figures.get("sentence") or figures.get("state") or "on"
    counts = ((state.get("log") or {}).get("readers") or {}).get(reader)
    if counts:
        yield (
            f"{label} backlog",
            f"{many(counts.get('waiting_lines', 0), 'line', 'lines')}, "
            f"{many(counts.get('waiting_bytes', 0), 'byte', 'bytes')}",
        )
        yield f"{label} sent", counts.get("sent", 0)
        if counts.get("expired"):
            causes = counts.get("expired_by_cause") or {}
            words = ", ".join(_expired(cause, lines) for cause, lines in causes.items() if lines)
            yield f"{label} expired", f"{counts['expired']:,}" + (f" ({words})" if words else "")
            if causes.get("lost"):
                yield (
                    "attention",
                    f"{many(causes['lost'], 'line was', 'lines were')} lost to damage of the log before "
                    f"{label} was past; `tsadmin spool verify {name}` names the files",
                )
    if figures.get("lag_seconds"):
        yield f"{label} lag", f"{figures['lag_seconds']:,.1f} s"
    if figures.get("rate"):
        yield f"{label} rate", f"{figures['rate']:,.0f} lines a second"
    for figure, words in _ALTERED:
        if figures.get(figure):
            yield f"{label} {words}", figures[figure]
    if "last_upload_at" in figures:
        last = figures["last_upload_at"]
        before = last is None and figures.get("sent")
        unknown = "before the manager's start or the last change of settings"
        yield "last upload", unknown if before else when(last)
    if figures.get("set_aside"):
        yield (
            "batches set aside",
            f"{figures['set_aside']:,}; `tsadmin logs {name} --rejected` lists them",
        )
    if figures.get("failing_since") and figures.get("failures", 0) > 1:
        yield (
            f"{label} fails since",
            f"{when(figures['failing_since'])}, {figures['failures']:,} times in a row",
        )
    if figures.get("last_error"):
        yield (
            f"{label} last error",
            f"{when(figures.get('last_error_at'))}: {figures['last_error']}",
        )


def _uploads(uploads: Json) -> str:
    """What the embedded log service keeps of all devices, and what it has deleted."""
    devices = uploads["devices"].values()

    def total(key: str) -> int:
        return sum(one[key] for one in devices)

    said = (
        f"{total('batches'):,} of {len(devices):,} devices, {total('lines'):,} lines in "
        f"{total('bytes'):,} bytes"
    )
    if total("deleted_batches"):
        said += f"; deleted: {total('deleted_batches'):,} in {total('deleted_bytes'):,} bytes"
    return said


def status_pairs(status: Json) -> Iterator[Pair]:
    """The manager itself: process, listeners, what is lost before it could be read."""
    yield "version", status.get("version")
    yield "process", str(status.get("pid"))
    yield "running since", when(status.get("started_at"))
    yield "root", status.get("root")
    yield "devices", status.get("devices")
    for kind, addresses in (status.get("listeners") or {}).items():
        yield f"listens for {kind}", addresses
    for name, addresses in (status.get("portal") or {}).items():
        yield name, addresses
    uploads = status.get("uploads")
    if uploads:
        yield "uploads kept", _uploads(uploads)
        for attention in (uploads.get("refusing"), uploads.get("fault")):
            if attention:
                yield (
                    "attention",
                    f"uploads are not taken or deleted as they should be: {attention}",
                )
    intake = status.get("intake") or {}
    if intake.get("udp_path"):
        yield "UDP is read by", intake["udp_path"]
    for name, one in (intake.get("listeners") or {}).items():
        yield name, _listener(one)
    connections = intake.get("connections") or {}
    if connections:
        yield "connections", _connections(connections)
    for name, one in (intake.get("devices") or {}).items():
        if refused := turned_away(read(DeviceIntake, one)):
            yield "attention", f"device {name}: {_refused(refused)}; see `tsadmin show {name}`"
    unknown = intake.get("unknown_senders") or {}
    if unknown.get("senders"):
        yield "unknown senders", f"{unknown['senders']:,}; `tsadmin senders` lists them"
    quarantine = unknown.get("quarantine") or {}
    if quarantine:
        yield (
            "quarantine",
            f"{quarantine['path']}: {quarantine['kept']:,} written, the latest stay within its quota; "
            f"{quarantine['refused']:,} refused",
        )
    if status.get("database"):
        yield "attention", f"policies are not updated: {status['database']}"
    ledger = status.get("ledger") or {}
    if ledger.get("unbalanced"):
        yield (
            "attention",
            f"the ledger does not balance since {when(ledger.get('unbalanced_since'))}: "
            f"{ledger['unbalanced']}; see `tsadmin ledger`",
        )
    if ledger.get("fault"):
        yield "attention", ledger["fault"]
    for name, fault in (status.get("faults") or {}).items():
        one = "; ".join(part.strip().rstrip(";") for part in str(fault).splitlines())
        yield f"fault of {name}" if name else "fault", one


def _connections(figures: Json) -> str:
    open_, highest = figures.get("open", 0), figures.get("highest", 0)
    words = f"{open_:,} open, {highest:,} at the peak since the start"
    refused = [f"{cause} {count:,}" for cause, count in (figures.get("refused") or {}).items()]
    return f"{words}; refused: {', '.join(refused)}" if refused else words


_LISTENER_ODD = (
    ("cut", "cut"),
    ("partial_at_close", "ended inside a line"),
    ("framing_faults", "framing faults"),
    ("tls_on_plain_port", "spoke TLS on a plain port"),
    ("proxy_headers", "PROXY headers"),
)
"""What a listener counts besides, shown where there is any."""


def _listener(one: Json) -> str:
    parts = [f"{one.get('received', 0):,} received"]
    dropped = sum(count or 0 for count in (one.get("dropped") or {}).values())
    parts.append(f"{dropped:,} dropped")
    if one.get("kernel_drops") is not None:
        parts.append(f"{one['kernel_drops']:,} lost in the kernel")
    parts += [f"{one[name]:,} {words}" for name, words in _LISTENER_ODD if one.get(name)]
    tls = one.get("tls") or {}
    if tls.get("handshakes_failed"):
        parts.append(f"{sum(tls['handshakes_failed'].values()):,} hand-shakes failed")
    if tls.get("fault"):
        parts.append(f"certificate not taken up: {tls['fault']}")
    buffer = one.get("receive_buffer") or {}
    if buffer.get("reached"):
        parts.append(
            f"buffer {buffer['reached']:,} of {buffer.get('asked') or 0:,} bytes asked for"
        )
    if buffer.get("hint"):
        parts.append(str(buffer["hint"]))
    return ", ".join(parts)
