"""
The manager's figures as Prometheus's families: names, types and labels.

Pure: from figures to families, one at a time, so that the writer may pause between two.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tscm.channels.figures import AlarmFigures
from tscm.forward.figures import ForwardState
from tscm.intake.figures import IntakeFigures, StreamFigures, kernel_drops
from tscm.metrics.family import Family
from tscm.services.figures import KeptUploads, LogServiceFigures
from tscm.spool.figures import ReaderFigures
from tscm.state import NodeFigures, Watched, WatchedDevice
from tscm.update.figures import UpdateCounts

_counter = partial(Family, kind="counter")


def families(figures: Watched) -> Iterable[Family]:
    """All families, one at a time."""
    yield from of_devices(figures.devices, figures.now)
    yield from of_node(figures)


def of_node(figures: Watched) -> Iterable[Family]:
    """Those of the manager as a whole."""
    yield from _intake(figures.intake, figures.now)
    if figures.uploads is not None:
        yield from _uploads(figures.uploads)
    node = figures.node
    yield _one(
        "tscm_started_at_seconds",
        "Start time of the manager, in seconds since the epoch.",
        node.started_at,
    )
    if node.database_bytes is not None:
        about = "Size of the database in bytes, without its write-ahead log."
        yield _one("tscm_database_bytes", about, node.database_bytes)
    if node.backup_at is not None:
        about = "Time of the latest scheduled backup, in seconds since the epoch."
        yield _one("tscm_backup_timestamp_seconds", about, node.backup_at)
    yield from _alarms(node.alarms)
    yield from _pairings(node)
    yield _one("tscm_devices", "Number of devices in force.", node.devices)
    about = "Number of settings files that are not in force."
    yield _one("tscm_settings_faults", about, node.settings_faults)
    yield _one(
        "tscm_event_loop_lag_seconds",
        "Longest delay of the event loop since the last scrape, in seconds.",
        figures.loop_lag_seconds,
    )
    yield _one(
        "tscm_ledger_balanced", "1 if the ledger balances, 0 otherwise.", float(figures.balanced)
    )


def _one(name: str, about: str, value: float) -> Family:
    family = Family(name, about)
    family.add_metric([], value)
    return family


def _pairings(node: NodeFigures) -> Iterable[Family]:
    if node.portals:
        heard = Family(
            "tscm_portal_heard_timestamp_seconds",
            "Time of the latest answer of a portal that devices are paired with, in seconds since the epoch; "
            "0 before the first.",
            labels=["portal"],
        )
        for one in node.portals:
            heard.add_metric([one.portal], one.heard_at or 0.0)
        yield heard
    if node.managers:
        asked = Family(
            "tscm_paired_manager_seen_timestamp_seconds",
            "Time of the latest request of the manager that is paired with an entry, in seconds since the epoch.",
            labels=["entry"],
        )
        behind = Family(
            "tscm_paired_manager_behind",
            "1 if the settings of the entry are not in force at its manager, 0 otherwise.",
            labels=["entry"],
        )
        for manager in node.managers:
            asked.add_metric([manager.nickname], manager.seen_at)
            behind.add_metric([manager.nickname], float(manager.behind))
        yield asked
        yield behind


def _alarms(figures: AlarmFigures) -> Iterable[Family]:
    raised = Family("tscm_alarms_open", "Open alarms that are not muted.", labels=["severity"])
    for severity, count in figures.open.items():
        raised.add_metric([severity], count)
    yield raised
    yield _one("tscm_alarms_muted", "Open alarms that are muted.", figures.muted)
    yield _one(
        "tscm_alarms_evaluated_timestamp_seconds",
        "Time at which the alarms were last evaluated, in seconds since the epoch.",
        figures.looked_at,
    )
    messages = _counter(
        "tscm_alarm_messages",
        "Messages of alarms: sent, tries that failed, and messages that were given up.",
        labels=["channel", "outcome"],
    )
    for name, one in figures.channels.items():
        messages.add_metric([name, "sent"], one.sent)
        messages.add_metric([name, "failed"], one.failed)
        messages.add_metric([name, "lost"], one.lost)
    yield messages
    if figures.heartbeat_at is not None:
        about = "Time at which the last heartbeat arrived, in seconds since the epoch."
        yield _one("tscm_heartbeat_timestamp_seconds", about, figures.heartbeat_at)


def _intake(figures: IntakeFigures, now: float) -> Iterable[Family]:
    received = _counter("tscm_received_lines", "Lines received.", labels=["listener"])
    stored = _counter("tscm_stored_lines", "Lines stored.", labels=["listener"])
    dropped = _counter("tscm_dropped_lines", "Lines dropped.", labels=["listener", "cause"])
    kernel = _counter(
        "tscm_kernel_dropped_datagrams", "Datagrams dropped by the kernel.", labels=["listener"]
    )
    cut = _counter(
        "tscm_cut_lines",
        "Messages longer than the limit, of which only the first part is kept.",
        labels=["listener"],
    )
    framing = _counter("tscm_framing_faults", "Framing errors in streams.", labels=["listener"])
    partial = _counter(
        "tscm_partial_messages", "Connections closed inside a message.", labels=["listener"]
    )
    for name, one in figures.listeners.items():
        cut.add_metric([name], one.cut)
        if isinstance(one, StreamFigures):
            framing.add_metric([name], one.framing_faults)
            partial.add_metric([name], one.partial_at_close)
        received.add_metric([name], one.received)
        stored.add_metric([name], one.stored)
        for cause, lines in one.dropped.items():
            dropped.add_metric([name, cause], lines)
        lost = kernel_drops(one)
        if lost is not None:
            kernel.add_metric([name], lost)
    yield from (received, stored, dropped, kernel, cut, framing, partial)
    yield _one("tscm_open_connections", "Open TCP and TLS connections.", figures.connections.open)
    refused = _counter(
        "tscm_refused_connections", "TCP and TLS connections refused.", labels=["cause"]
    )
    for cause, count in figures.connections.refused.items():
        refused.add_metric([cause], count)
    turned_away = _counter(
        "tscm_device_refused_connections",
        "Connections of a device that were refused because a limit was reached.",
        labels=["device"],
    )
    for name, device in figures.devices.items():
        turned_away.add_metric([name], device.turned_away.connections)
    yield from (refused, turned_away)
    yield _certificates(figures, now)
    yield _one("tscm_unknown_senders", "Unknown senders seen.", figures.unknown_senders.senders)


def _certificates(figures: IntakeFigures, now: float) -> Family:
    days = Family(
        "tscm_certificate_days", "Days until a listener's certificate expires.", labels=["listener"]
    )
    for name, one in figures.listeners.items():
        if isinstance(one, StreamFigures) and one.tls is not None and one.tls.expires_at:
            days.add_metric([name], (one.tls.expires_at - now) / 86400)
    return days


_UploadRow = tuple[Callable[[KeptUploads], int], str, str]
_UPLOADS: tuple[_UploadRow, ...] = (
    (
        lambda one: one.batches,
        "tscm_log_service_batches",
        "Uploaded batches that the log service keeps.",
    ),
    (
        lambda one: one.lines,
        "tscm_log_service_lines",
        "Lines of uploads that the log service keeps.",
    ),
    (
        lambda one: one.kept_bytes,
        "tscm_log_service_bytes",
        "Bytes of uploads that the log service keeps.",
    ),
)
_DELETED: tuple[_UploadRow, ...] = (
    (
        lambda one: one.deleted_batches,
        "tscm_log_service_deleted_batches",
        "Uploaded batches deleted by age or for disk space.",
    ),
    (
        lambda one: one.deleted_bytes,
        "tscm_log_service_deleted_bytes",
        "Bytes of uploaded batches that were deleted.",
    ),
)


def _uploads(figures: LogServiceFigures) -> Iterable[Family]:
    for rows, kind in ((_UPLOADS, Family), (_DELETED, _counter)):
        for figure, called, about in rows:
            family = kind(called, about, labels=["device_id"])
            for device, one in figures.devices.items():
                family.add_metric([device], figure(one))
            yield family
    refused = _counter("tscm_log_service_refused_uploads", "Uploads rejected.", labels=["status"])
    for status, count in figures.refused.items():
        refused.add_metric([status], count)
    yield refused
    yield _one(
        "tscm_log_service_taking",
        "0 if uploads are rejected for lack of disk space, 1 otherwise.",
        float(figures.refusing is None),
    )


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
        "1 for a group that was created again and that no access-list uses.",
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
