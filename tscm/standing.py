"""
How a device stands, in one word with its cause: the row of `tsadmin status`.

Pure: settings and state as the control interface carries them, and the time; the same words for
every face.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from tscm.model import Json
from tscm.plural import many

STALE_INTERVALS = 3.0
"""A good update that is older than so many intervals is a warning."""
QUIET_SECONDS = 86400.0
"""A device without a line for so long is a warning."""
STUCK_SECONDS = 900.0
"""A reader that has failed for so long is a failure."""


class Verdict(StrEnum):
    """
    The one word for a device, or for a link of its chain: the worst first, the same for every face.
    """

    FAILED = "failed"
    WARNING = "warning"
    """It may work and should be looked at, or could not be looked at."""
    HELD = "held"
    """An operator decided that nothing is pushed."""
    NEW = "new"
    """Nothing is known yet."""
    OK = "ok"


ORDER = tuple(Verdict)
EXIT_STATUS = {
    Verdict.FAILED: 2,
    Verdict.WARNING: 1,
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


@frozen(kw_only=True)
class Row:
    """
    One device: its verdict, why, and the figures that an operator looks at first.

    Ages are in seconds; None where there is nothing to measure from.
    """

    name: str
    verdict: Verdict
    causes: tuple[str, ...]
    good_age: float | None = None
    entries: int | None = None
    cut: int = 0
    line_age: float | None = None
    backlog: dict[str, int]
    """Lines that wait, by reader."""
    upload: str
    forward: str

    def as_json(self) -> Json:
        """As the control interface carries it."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "standing": str(self.verdict),  # the key of earlier releases
            "causes": list(self.causes),
            "good_update_age_seconds": self.good_age,
            "entries": self.entries,
            "cut": self.cut,
            "last_line_age_seconds": self.line_age,
            "backlog_lines": self.backlog,
            "upload": self.upload,
            "forward": self.forward,
        }


def row_of(name: str, settings: Json, state: Json, now: float, interval: float) -> Row:
    """
    The row of a device whose *settings* and *state* these are.  *interval*: seconds between updates.
    """
    causes = list(_causes(settings, state, now, interval))
    worst = min((ORDER.index(one.verdict) for one in causes), default=ORDER.index(Verdict.OK))
    policy, log = state.get("policy") or {}, state.get("log") or {}
    good = policy.get("last_good") or {}
    lists = [good[kind] for kind in ("block", "allow") if isinstance(good.get(kind), dict)]
    in_force = policy.get("in_force")
    readers = log.get("readers") or {}
    return Row(
        name=name,
        verdict=ORDER[worst],
        causes=tuple(
            one.sentence for one in sorted(causes, key=lambda one: ORDER.index(one.verdict))
        ),
        good_age=_age(good.get("finished_at"), now),
        entries=None if in_force is None else int(in_force["block"]) + int(in_force["allow"]),
        cut=sum(int(one.get("cut", 0)) for one in lists),
        line_age=_age(log.get("last_received_at"), now),
        backlog={reader: int(one.get("waiting_lines", 0)) for reader, one in readers.items()},
        upload=_reader_state(state.get("upload")),
        forward=_reader_state(state.get("forward")),
    )


def fault_row(name: str, fault: str) -> Row:
    """The row of a device whose settings file is not in force."""
    return Row(
        name=name,
        verdict=Verdict.FAILED,
        causes=(fault,),
        backlog={},
        upload="unknown",
        forward="unknown",
    )


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Failures first, then by name."""
    return sorted(rows, key=lambda row: (ORDER.index(row.verdict), row.name))


def exit_status(rows: Sequence[Row]) -> int:
    """0, 1 or 2: the worst of all."""
    return max((EXIT_STATUS[row.verdict] for row in rows), default=0)


def off_words(in_force: Json) -> str:
    """That a purge took the policy off, from `in_force` of its figures."""
    at = datetime.fromtimestamp(in_force["since"]).astimezone().isoformat(" ", "seconds")
    left = in_force["block"] + in_force["allow"]
    but = f" but for {many(left, 'entry', 'entries')} in use" if left else ""
    return f"the policy is not in force since {at}: the groups were taken off{but}"


def hold_words(hold: Json) -> str:
    """An operator's hold, from the figures: `held until 2026-12-01 08:00:00+01:00 by root: change freeze`."""
    until, by, reason = hold.get("until"), hold.get("by"), hold.get("reason")
    words = "held"
    if until is not None:
        words += f" until {datetime.fromtimestamp(until).astimezone().isoformat(' ', 'seconds')}"
    return f"{words}{f' by {by}' if by else ''}{f': {reason}' if reason else ''}"


def _age(at: float | None, now: float) -> float | None:
    return None if not at else max(0.0, now - at)


def _reader_state(figures: Json | None) -> str:
    if figures is None:
        return "off"
    return "failing" if figures.get("failures") else "ok"


def _causes(settings: Json, state: Json, now: float, interval: float) -> Iterator[Cause]:
    if state.get("fault"):
        yield Cause(verdict=Verdict.FAILED, sentence=str(state["fault"]))
    yield from _policy(settings, state.get("policy") or {}, now, interval)
    yield from _log(state.get("log") or {}, now)
    for what, figures in _targets(state):
        yield from _reader(what, figures, now)
    for words in state.get("unbalanced") or ():
        yield Cause(verdict=Verdict.FAILED, sentence=f"the ledger does not balance: {words}")


def _policy(settings: Json, policy: Json, now: float, interval: float) -> Iterator[Cause]:
    if policy.get("fault"):
        yield Cause(verdict=Verdict.FAILED, sentence=f"no updates: {policy['fault']}")
        return
    for name, verdict, words in _ALARMS:
        if policy.get(name):
            yield Cause(verdict=verdict, sentence=words)
    if not settings.get("policy_updates", True):
        yield Cause(verdict=Verdict.HELD, sentence="updates are paused")
    if policy.get("hold"):
        yield Cause(verdict=Verdict.HELD, sentence=f"updates are {hold_words(policy['hold'])}")
    in_force = policy.get("in_force")
    if in_force is not None and in_force["purged"]:
        yield Cause(verdict=Verdict.FAILED, sentence=off_words(in_force))
    if policy.get("upheavals"):
        yield Cause(
            verdict=Verdict.WARNING,
            sentence=f"the firewall said that {policy['upheavals']}; its groups were not checked since",
        )
    if policy.get("test_entry") and not policy.get("running_since"):
        yield Cause(
            verdict=Verdict.WARNING,
            sentence=f"{policy['test_entry']} of a test that broke off is still blocked",
        )
    if policy.get("unused_groups"):
        groups = " and ".join(policy["unused_groups"])
        yield Cause(verdict=Verdict.FAILED, sentence=f"no access-list uses {groups}")
    if policy.get("unknown_names"):
        names = ", ".join(str(one["name"]) for one in policy["unknown_names"])
        yield Cause(
            verdict=Verdict.WARNING, sentence=f"protected names cannot be looked up: {names}"
        )
    last, good = policy.get("last_update"), policy.get("last_good")
    if last is None:
        yield Cause(verdict=Verdict.NEW, sentence="never updated")
        return
    if not last.get("good", True) and last.get("result") != "purged":
        word = "rejected by the guard" if last.get("result") == "refused" else "failed"
        yield Cause(
            verdict=Verdict.FAILED if good is None else Verdict.WARNING,
            sentence=f"the last update {word}: {last.get('error') or last.get('sentence') or word}"
            if word == "failed"
            else f"the last update was {word}: {last.get('error') or 'see `tsadmin show`'}",
        )
    age = _age((good or {}).get("finished_at"), now)
    scheduled = settings.get("policy_updates", True) and not (
        policy.get("held") or policy.get("hold")
    )
    if scheduled and age is not None and age > STALE_INTERVALS * interval:
        hours = many(max(1, int(age // 3600)), "hour", "hours")
        yield Cause(verdict=Verdict.WARNING, sentence=f"the last good update was {hours} ago")


_ALARMS = (
    ("locked_out", Verdict.FAILED, "the password was rejected too often; no login is tried"),
    (
        "stopped_at_failure",
        Verdict.FAILED,
        "the last update gave up at the fifth failure of the device",
    ),
    ("held", Verdict.HELD, "updates are held after a rollback or a purge"),
    ("unsaved", Verdict.WARNING, "the configuration is changed and not saved"),
)


def _log(log: Json, now: float) -> Iterator[Cause]:
    if log.get("fault"):
        yield Cause(verdict=Verdict.FAILED, sentence=f"the log {log['fault']}")
    age = _age(log.get("last_received_at"), now)
    if log and age is None:
        yield Cause(verdict=Verdict.NEW, sentence="no line yet")
    elif age is not None and age > QUIET_SECONDS:
        hours = many(int(age // 3600), "hour", "hours")
        yield Cause(verdict=Verdict.WARNING, sentence=f"no line for {hours}")
    if log.get("changed_texts"):
        segments = many(log["changed_texts"], "segment", "segments")
        yield Cause(
            verdict=Verdict.WARNING,
            sentence=f"somebody changed the text of {segments} of the log within the file",
        )
    if log.get("damaged_segments"):
        segments = many(log["damaged_segments"], "segment", "segments")
        yield Cause(verdict=Verdict.WARNING, sentence=f"{segments} of the log cannot be read")


def _targets(state: Json) -> Iterator[tuple[str, Json]]:
    if state.get("forward"):
        yield "the SIEM", state["forward"]
    for also in state.get("forward_also") or ():
        yield str(also.get("target") or "a further target"), also
    if state.get("upload"):
        yield "the log service", state["upload"]


def _reader(what: str, figures: Json, now: float) -> Iterator[Cause]:
    since = figures.get("failing_since")
    if figures.get("failures") and since:
        stuck = now - since > STUCK_SECONDS
        yield Cause(
            verdict=Verdict.FAILED if stuck else Verdict.WARNING,
            sentence=f"{what}: {figures.get('last_error') or 'failing'}",
        )
    if figures.get("set_aside"):
        batches = many(figures["set_aside"], "batch", "batches")
        yield Cause(verdict=Verdict.WARNING, sentence=f"{what} rejected {batches}")
