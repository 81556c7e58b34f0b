"""
What is told of each device, as Prometheus's families.  Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tscm.forward.figures import ForwardState
from tscm.metrics.family import Family
from tscm.spool.figures import ReaderFigures
from tscm.state import WatchedDevice
from tscm.update.figures import UpdateCounts

_counter = partial(Family, kind="counter")


_ReaderRow = tuple[Callable[[ReaderFigures], int], str, str]
_READER: tuple[_ReaderRow, ...] = (
    (
        lambda one: one.sent,
        "tscm_reader_sent_lines",
        "Lines that a log reader has sent or counted.",
    ),
    (
        lambda one: one.not_selected,
        "tscm_reader_skipped_lines",
        "Lines that a log reader did not select.",
    ),
    (
        lambda one: one.expired,
        "tscm_reader_expired_lines",
        "Lines deleted by retention before a log reader had read them.",
    ),
)
_WAITING: tuple[_ReaderRow, ...] = (
    (
        lambda one: one.waiting_lines,
        "tscm_reader_waiting_lines",
        "Backlog of a log reader, in lines.",
    ),
    (
        lambda one: one.waiting_bytes,
        "tscm_reader_waiting_bytes",
        "Backlog of a log reader, in bytes.",
    ),
    (
        lambda one: one.difference,
        "tscm_ledger_difference_lines",
        "Lines by which the ledger is out of balance; 0 is correct.",
    ),
)


def of_devices(devices: Mapping[str, WatchedDevice], now: float) -> Iterable[Family]:
    """Those of some devices: the same families whichever devices they are."""
    stored = _counter(
        "tscm_device_stored_lines", "Lines stored in a device's log.", labels=["device"]
    )
    size = _counter(
        "tscm_device_stored_bytes", "Bytes stored in a device's log.", labels=["device"]
    )
    age = Family(
        "tscm_device_silent_seconds", "Seconds since a device's last line.", labels=["device"]
    )
    kept = Family(
        "tscm_device_kept_bytes",
        "Bytes of a device's log that retention has kept, before compression.",
        labels=["device"],
    )
    segments = Family(
        "tscm_device_segments", "Rotated segments of a device's log.", labels=["device"]
    )
    lag = Family(
        "tscm_reader_lag_seconds",
        "Age of the oldest line in a log reader's backlog, in seconds.",
        labels=["device", "reader"],
    )
    unread = _counter(
        "tscm_device_unread_policy_lines",
        "Lines of a device's access-lists whose source and destination cannot be read.",
        labels=["device"],
    )
    for name, one in devices.items():
        unread.add_metric([name], one.events.unread)
        log = one.log
        stored.add_metric([name], log.stored_lines)
        size.add_metric([name], log.stored_bytes)
        kept.add_metric([name], log.stored_bytes - log.first_offset)
        segments.add_metric([name], log.segments)
        for reader, seconds in one.lag_seconds.items():
            lag.add_metric([name, reader], seconds)
        if log.last_received_at:
            age.add_metric([name], now - log.last_received_at)
    yield from (stored, size, kept, segments, age, lag, unread)
    for rows, kind in ((_READER, _counter), (_WAITING, Family)):
        for figure, called, about in rows:  # one at a time: they are the largest
            family = kind(called, about, labels=["device", "reader"])
            for name, one in devices.items():
                for reader, row in one.log.readers.items():
                    family.add_metric([name, reader], figure(row))
            yield family
    yield from _targets(devices)
    yield from _policy(devices, now)
    yield from _pulls(devices, now)
    yield from _standing(devices, now)


def _targets(devices: Mapping[str, WatchedDevice]) -> Iterable[Family]:
    lag = Family(
        "tscm_forward_lag_seconds", "Lag of a target, in seconds.", labels=["device", "target"]
    )
    up = Family(
        "tscm_forward_up", "1 if a target is connected, 0 otherwise.", labels=["device", "target"]
    )
    failing = Family(
        "tscm_upload_failures", "Failed uploads since the last successful one.", labels=["device"]
    )
    batches = _counter("tscm_upload_batches", "Batches uploaded.", labels=["device"])
    aside = Family(
        "tscm_upload_set_aside_batches",
        "Batches that the log service rejected.",
        labels=["device"],
    )
    for name, one in devices.items():
        for target in one.targets:
            up_now = target.state is ForwardState.CONNECTED
            lag.add_metric([name, target.target], target.lag_seconds)
            up.add_metric([name, target.target], float(up_now))
        upload = one.upload
        if upload is not None:
            failing.add_metric([name], upload.failures)
            batches.add_metric([name], upload.batches)
            aside.add_metric([name], upload.rejected_batches)
    yield from (lag, up, failing, batches, aside)


def _standing(devices: Mapping[str, WatchedDevice], now: float) -> Iterable[Family]:
    """What `tsadmin status` says, as figures."""
    verdict = Family(
        "tscm_device_verdict", "1 for the verdict of a device.", labels=["device", "verdict"]
    )
    held = Family(
        "tscm_policy_held",
        "1 for what holds scheduled updates: operator, settings, rollback or lock-out.",
        labels=["device", "cause"],
    )
    cut = Family(
        "tscm_policy_cut_entries",
        "Entries cut to fit Max Policy Size in the last successful update.",
        labels=["device", "list"],
    )
    uploaded = Family(
        "tscm_upload_age_seconds", "Seconds since the last successful upload.", labels=["device"]
    )
    hits = _counter(
        "tscm_hits",
        "Hits since the manager started, by action.",
        labels=["device", "action", "list"],
    )
    for name, one in devices.items():
        policy = one.policy
        verdict.add_metric([name, one.verdict], 1)
        for cause, value in (
            ("operator", policy.hold is not None),
            ("settings", policy.paused),
            ("rollback", policy.held),
            ("lock-out", policy.locked_out),
        ):
            held.add_metric([name, cause], float(value))
        good = policy.last_good
        for kind, figures in (("block", good and good.block), ("allow", good and good.allow)):
            if figures:
                cut.add_metric([name, kind], figures.cut)
        if one.upload is not None and one.upload.last_upload_at is not None:
            uploaded.add_metric([name], now - one.upload.last_upload_at)
        for action, lists in one.events.hits.items():
            for called, count in lists.items():
                hits.add_metric([name, action, called], count)
    yield from (verdict, held, cut, uploaded, hits)


def _pulls(devices: Mapping[str, WatchedDevice], now: float) -> Iterable[Family]:
    published = Family(
        "tscm_list_published_generation",
        "Generation of the lists that are published for a firewall that pulls.",
        labels=["device"],
    )
    pulled = Family(
        "tscm_list_pulled_generation",
        "Generation of the lists that the firewall pulled last.",
        labels=["device"],
    )
    age = Family(
        "tscm_list_pull_age_seconds",
        "Seconds since the firewall last pulled its lists.",
        labels=["device"],
    )
    for name, one in devices.items():
        if one.pulls is None:
            continue
        if one.pulls.generation is not None:
            published.add_metric([name], one.pulls.generation)
        if one.pulls.pulled:
            last = one.pulls.pulled[0]
            pulled.add_metric([name], last.generation)
            age.add_metric([name], now - last.last_at)
    yield from (published, pulled, age)


def _policy(devices: Mapping[str, WatchedDevice], now: float) -> Iterable[Family]:
    age = Family(
        "tscm_policy_age_seconds",
        "Seconds since a device's last successful update.",
        labels=["device"],
    )
    good = Family(
        "tscm_policy_good", "1 if the last update succeeded, 0 otherwise.", labels=["device"]
    )
    entries = Family(
        "tscm_policy_entries",
        "Entries on a device when it was last checked; see tscm_policy_unchecked_seconds.",
        labels=["device", "list"],
    )
    unchecked = Family(
        "tscm_policy_unchecked_seconds",
        (
            "Seconds since a reload or failover after which entries may be missing and have "
            "not been checked; 0 otherwise."
        ),
        labels=["device"],
    )
    result = Family(
        "tscm_policy_result", "1 for the result of the last update.", labels=["device", "result"]
    )
    failed = Family(
        "tscm_policy_failed_runs",
        "Failed updates since the last successful one.",
        labels=["device"],
    )
    unknown = Family(
        "tscm_unknown_name_seconds",
        (
            "Seconds since which a name that must not be blocked does not resolve; alarm "
            "above one day."
        ),
        labels=["device", "name"],
    )
    unused = Family(
        "tscm_groups_unused",
        "1 for a group that no access-list was seen to use.",
        labels=["device", "group"],
    )
    for name, one in devices.items():
        policy = one.policy
        for group in policy.unused_groups:
            unused.add_metric([name, group], 1)
        for each in policy.unknown_names:
            if each.failing_since is not None:
                unknown.add_metric([name, each.name], now - each.failing_since)
        failed.add_metric([name], policy.failed_runs)
        since = policy.upheavals_since
        unchecked.add_metric([name], 0 if since is None else now - since)
        if policy.last_update is not None:
            good.add_metric([name], float(policy.last_update.good))
            result.add_metric([name, policy.last_update.result], 1)
        if policy.last_good is not None:
            age.add_metric([name], now - policy.last_good.finished_at)
        if policy.in_force is not None:
            entries.add_metric([name, "block"], policy.in_force.block)
            entries.add_metric([name, "allow"], policy.in_force.allow)
    yield from (age, good, result, failed, entries, unchecked, unknown, unused)
    yield from _updates({name: one.policy.since_start for name, one in devices.items()})


_TrafficRow = tuple[Callable[[UpdateCounts], int], str, str]
_UPDATE_TRAFFIC: tuple[_TrafficRow, ...] = (
    (
        lambda one: one.requests,
        "tscm_update_requests",
        "Requests that updates and plans sent to a device.",
    ),
    (
        lambda one: one.sent_bytes,
        "tscm_update_sent_bytes",
        "Bytes that updates and plans sent to a device.",
    ),
    (
        lambda one: one.received_bytes,
        "tscm_update_received_bytes",
        "Bytes received from a device by updates and plans.",
    ),
)


def _updates(devices: Mapping[str, UpdateCounts]) -> Iterable[Family]:
    ended = _counter(
        "tscm_updates", "Updates since the manager started.", labels=["device", "result"]
    )
    for name, one in devices.items():
        for result, count in one.ended.items():
            ended.add_metric([name, result], count)
    yield ended
    for figure, called, about in _UPDATE_TRAFFIC:
        family = _counter(called, about, labels=["device"])
        for name, one in devices.items():
            family.add_metric([name], figure(one))
        yield family
