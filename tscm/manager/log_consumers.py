"""
The consumers of the logs: forward, upload, sinks, cluster and events.  A further one is a folder, and a row here.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import DeferredSemaphore

from tscm.base.threads import Threads
from tscm.cluster.service import ClusterService, Site
from tscm.consumers.consumer import Consumer, Wanted
from tscm.events.selection import ListedLines
from tscm.forward.own import own_listener
from tscm.forward.resolve import Resolver
from tscm.forward.service import ForwardService
from tscm.forward.target import targets_of
from tscm.intake.service import IntakeService
from tscm.manager.lag import ReaderLags
from tscm.model import OwnReader
from tscm.settings.cluster import READER as CLUSTER
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import READER
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.own_service import own_service
from tscm.settings.sinks import READER as SINK
from tscm.sinks.service import Outlet, SinkService
from tscm.spool.service import SpoolService
from tscm.upload.receivers import receiver_of
from tscm.upload.service import UploadService

UPLOAD = OwnReader.UPLOAD
"""The uploader's reader in every log."""
EVENTS = OwnReader.EVENTS
"""The event reader's name in every log."""
DROP = "drop"


class Means(Protocol):
    """The parts of the manager of which the services of consumers are made."""

    reactor: Any
    quick: Threads
    slow: Threads
    layout: Layout
    node: NodeSettings
    spool: SpoolService
    intake: IntakeService
    resolver: Resolver
    lags: ReaderLags
    upload_slots: DeferredSemaphore
    outlets: Mapping[str, Outlet]
    """The sinks, by the name of the reader that each has of every log."""
    site: Site | None
    """The cluster; None where the manager is by itself."""


def _forwarders(settings: DeviceSettings, _: NodeSettings) -> Mapping[str, Wanted]:
    return {
        name: Wanted(user=str(target), setup=target, place=target.place)
        for name, target in targets_of(settings).items()
    }


def _make_forwarder(means: Means, settings: DeviceSettings, name: str) -> ForwardService:
    def own(address: str, port: int, protocol: str) -> str | None:
        return own_listener(address, port, protocol, means.intake.addresses())

    return ForwardService(
        means.reactor,
        means.quick,
        means.spool.reader(settings.name, name, at_end=True),
        targets_of(settings)[name],
        resolver=means.resolver,
        resolve_seconds=means.node.intake.resolve_seconds,
        own=own,
    )


def _uploaders(settings: DeviceSettings, node: NodeSettings) -> Mapping[str, Wanted]:
    if not settings.send_logs:
        return {}
    user = "S3 store" if node.upload.kind == "s3" else "log service"
    return {UPLOAD: Wanted(user=user, setup=receiver_of(settings, node.upload))}


def _make_uploader(means: Means, settings: DeviceSettings, name: str) -> UploadService:
    device, bounds = settings.name, means.node.upload
    receiver = receiver_of(settings, bounds, own_service(means.layout, means.node))
    assert receiver is not None
    return UploadService(
        means.reactor,
        means.slow,
        # A device that drops backlogs does not need the log from its beginning either.
        means.spool.reader(device, name, at_end=settings.backlog == DROP),
        receiver,
        means.layout.device_log(device) / ".spool" / "upload",
        partial(means.spool.seal, device),
        means.upload_slots,
        interval_seconds=bounds.interval_seconds,
        max_batch_kb=bounds.max_batch_kb,
        select=ListedLines(means.layout.database, device, settings.type),
    )


def _event_readers(settings: DeviceSettings, _: NodeSettings) -> Mapping[str, Wanted]:
    return {EVENTS: Wanted(user="roll-ups", setup=(settings.block_list, settings.allow_list))}


def _sinks(settings: DeviceSettings, node: NodeSettings) -> Mapping[str, Wanted]:
    return {
        one.reader: Wanted(user=str(one), setup=(one, settings.name), place=one.place)
        for one in node.sink
        if one.takes(settings.name)
    }


def _make_sink(means: Means, settings: DeviceSettings, name: str) -> SinkService:
    return SinkService(
        means.reactor,
        means.slow,
        means.spool.reader(settings.name, name, at_end=True),
        means.outlets[name],
        means.layout.device_log(settings.name),
    )


def _publishers(_: DeviceSettings, node: NodeSettings) -> Mapping[str, Wanted]:
    cluster = node.cluster
    if not cluster.servers:
        return {}
    return {CLUSTER: Wanted(user=str(cluster), setup=cluster, place=cluster.place)}


def _make_publisher(means: Means, settings: DeviceSettings, name: str) -> ClusterService:
    assert means.site is not None
    return ClusterService(
        means.reactor,
        means.quick,
        means.spool.reader(settings.name, name, at_end=False),
        means.site,
        means.layout.device_log(settings.name),
    )


FORWARD: Consumer[Means] = Consumer(
    name="forward",
    owns=lambda reader: reader == READER or reader.startswith(f"{READER}-"),
    wants=_forwarders,
    make=_make_forwarder,
)
UPLOADS: Consumer[Means] = Consumer(
    name="upload", owns=lambda reader: reader == UPLOAD, wants=_uploaders, make=_make_uploader
)
ROLL_UPS: Consumer[Means] = Consumer(
    name="events", owns=lambda reader: reader == EVENTS, wants=_event_readers
)
SINKS: Consumer[Means] = Consumer(
    name="sink",
    owns=lambda reader: reader.startswith(f"{SINK}-"),
    wants=_sinks,
    make=_make_sink,
)
PUBLISHERS: Consumer[Means] = Consumer(
    name="cluster",
    owns=lambda reader: reader == CLUSTER,
    wants=_publishers,
    make=_make_publisher,
)
CONSUMERS: tuple[Consumer[Means], ...] = (FORWARD, UPLOADS, SINKS, PUBLISHERS, ROLL_UPS)


def users_of(settings: DeviceSettings, node: NodeSettings) -> dict[str, str]:
    """Who uses each reader of a device's log, by the reader's name; what is not there is an orphan."""
    return {
        name: one.user
        for consumer in CONSUMERS
        for name, one in consumer.wants(settings, node).items()
        if one.setup is not None
    }
