"""
A device's state in words: last update, list sizes, what was cut, last line, backlog, last upload.

Pure: what the control interface gave in, pairs of name and text out.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tscm.model import Json

Pair = tuple[str, Any]
NEVER = "never"


def when(seconds: float | None) -> str:
    """A moment in the operator's time zone."""
    if not seconds:
        return NEVER
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def state_pairs(settings: Json, state: Json) -> Iterator[Pair]:
    """The state, in the order in which an operator asks."""
    yield from _policy(settings, state.get("policy") or {})
    yield from _log(state.get("log") or {})
    yield from _reader("syslog forward", state.get("forward"), state, "forward")
    yield from _reader("log upload", state.get("upload"), state, "upload")
    if state.get("udp_path"):
        yield "UDP is read by", state["udp_path"]


def _policy(settings: Json, policy: Json) -> Iterator[Pair]:
    last, good = policy.get("last_update"), policy.get("last_good")
    yield "last update", _update(last) if last else NEVER
    if good and last and not last.get("good", True):
        yield "last good update", _update(good)
    shown = good or last or {}
    for kind in ("block", "allow"):
        figures = shown.get(kind)
        if figures:
            yield f"{kind} list", _list(figures)
    if not settings.get("policy_updates", True):
        yield "next update", "policy updates are disabled; `tsadmin update` still makes one"
    elif policy.get("next_run_at"):
        yield "next update", when(policy["next_run_at"])
    if policy.get("running_since"):
        yield (
            "update under way",
            f"since {when(policy['running_since'])}: {policy.get('progress') or ''}",
        )
    if policy.get("waiting_until"):
        yield "waiting until", when(policy["waiting_until"])
    for name, words in _ALARMS:
        if policy.get(name):
            value = policy[name]
            yield "attention", words if isinstance(value, bool) else f"{words}: {value}"


_ALARMS = (
    ("held", "updates are held after a rollback; `tsadmin resume` ends that"),
    ("locked_out", "the password was refused too often; set it with `tsadmin configure`"),
    ("stopped_at_failure", "updates stopped after repeated failures of the device"),
    ("unsaved", "the device's configuration is changed and not saved"),
)


def _update(update: Json) -> str:
    text = update.get("sentence") or update.get("error") or update.get("result") or ""
    return f"{when(update.get('finished_at') or update.get('started_at'))}: {text}"


def _list(figures: Json) -> str:
    parts = [f"{figures.get('desired', 0):,} entries"]
    if figures.get("serial") is not None:
        parts.append(f"serial {figures['serial']}")
    for name, word in (("cut", "cut"), ("left_out", "left out")):
        if figures.get(name):
            parts.append(f"{figures[name]:,} {word}")
    return ", ".join(parts)


def _log(log: Json) -> Iterator[Pair]:
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
        yield "attention", f"the log cannot be written: {log['fault']}"
    if log.get("gaps_total"):
        yield "unclean stops", log["gaps_total"]


def _reader(label: str, figures: Json | None, state: Json, reader: str) -> Iterator[Pair]:
    if figures is None:
        yield label, "off"
        return
    yield label, figures.get("sentence") or figures.get("state") or "on"
    counts = ((state.get("log") or {}).get("readers") or {}).get(reader)
    if counts:
        yield (
            f"{label} backlog",
            f"{counts.get('waiting_lines', 0):,} lines, {counts.get('waiting_bytes', 0):,} bytes",
        )
        yield f"{label} sent", counts.get("sent", 0)
        if counts.get("expired"):
            yield f"{label} expired", counts["expired"]
    for name, words in (("last_upload_at", "last upload"), ("last_error", f"{label} error")):
        if figures.get(name):
            value = figures[name]
            yield words, when(value) if name.endswith("_at") else value
