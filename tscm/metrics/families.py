"""
The manager's figures as Prometheus's families: names, types and labels.

Pure: from figures to families, one at a time, so that the writer may pause between two.
"""

from collections.abc import Callable, Iterable
from functools import partial

from tscm.channels.figures import AlarmFigures
from tscm.intake.figures import IntakeFigures, StreamFigures, kernel_drops
from tscm.metrics.device_families import of_devices
from tscm.metrics.family import Family
from tscm.services.figures import KeptUploads, LogServiceFigures
from tscm.state import NodeFigures, Watched

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
