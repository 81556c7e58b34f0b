"""
The walk over one device: first to look, which blocks, then to judge, which is pure.

With a manager the device's *state* comes in, read in the reactor thread; without one it is None, and
what only a manager knows is told as not looked at.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NoReturn

from attrs import define, field, frozen

from tscm.devices.claims import claimed_by_another
from tscm.doctor import judge_onward
from tscm.doctor.finding import Finding, failed, not_looked_at
from tscm.doctor.firewall import Collector, FirewallLook, Heard, Opener, look_of
from tscm.doctor.judge_pulls import judge_pulls
from tscm.doctor.probe_host import HOST, Host, plain_addresses
from tscm.doctor.probe_onward import Fetch, OnwardLook, look_onward
from tscm.errors import SecretUnavailable, TscmError
from tscm.events.figures import EventFigures
from tscm.kinds.kind import kind_of
from tscm.model import Report
from tscm.settings.cluster import READER as CLUSTER
from tscm.settings.device import DeviceSettings
from tscm.settings.files import open_device, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.own_service import own_service
from tscm.spool.figures import ReaderFigures
from tscm.state import DeviceState
from tscm.update.figures import UpdateFigures
from tscm.update.job import Seen
from tscm.update.names import hosts
from tscm.update.ways import look_up, own_address_towards

_DAY = 86400.0
_HEARD_SECONDS = 3600.0


@frozen(kw_only=True)
class DeviceSnapshot:
    """
    A device as it stands before the first probe.

    *state* is that of the manager, *listeners* where it listens; *strangers* are addresses that
    send and belong to no device.
    """

    settings: DeviceSettings
    node: NodeSettings
    sealed: str | None = None
    """Why its secrets could not be opened; then no peer is asked that requires one."""
    state: DeviceState | None = None
    listeners: Mapping[str, Sequence[str]] | None = None
    strangers: tuple[str, ...] = ()

    @property
    def resting(self) -> str | None:
        """Why the firewall must not be asked now."""
        if self.sealed is not None:
            return f"cannot decrypt its password: {self.sealed}"
        policy = UpdateFigures() if self.state is None else self.state.policy
        if policy.locked_out:
            return "its password was rejected too often; another attempt could lock the account"
        if policy.running_since is not None:
            return "an update is in progress, and the device handles only one client at a time"
        return None


@define
class DeviceLook:
    """
    All that was seen for one device.
    """

    firewall: FirewallLook
    onward: OnwardLook | None = None
    hits: int | None = None
    names: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """Addresses of names that the block list must not reach, as looked up now."""
    event_seen: bool = False
    own_address: str | None = None
    twin: tuple[str, str] | None = None
    """Another device that is this firewall, with the same prefix, and by what that is known."""


def read_snapshot(layout: Layout, name: str) -> DeviceSnapshot:
    """
    A stored device, with its secrets where the key opens them.  Raises `TscmError`.
    """
    settings, sealed = read_device(layout, name, None), None
    try:
        settings = open_device(layout, name)
    except SecretUnavailable as error:
        sealed = str(error)
    return DeviceSnapshot(settings=settings, node=read_node(layout), sealed=sealed)


def look_around(
    layout: Layout, snapshot: DeviceSnapshot, fetch: Fetch, report: Report, host: Host = HOST
) -> DeviceLook:
    """Everything but the firewall.  Blocking."""
    look = DeviceLook(
        rest(snapshot, "the device was not queried"),
        own_address=own_address_towards(snapshot.settings.device),
    )
    if snapshot.sealed is None:
        look.onward = look_onward(
            snapshot.settings,
            snapshot.node,
            fetch,
            host.now(),
            report,
            listeners=snapshot.listeners,
            own=own_service(layout, snapshot.node),
        )
    named = [one.host for one in hosts(snapshot.settings, snapshot.node) if one.named]
    look.names = look_up(named) if named else {}
    look.hits = _hits(layout, snapshot.settings.name, host.now())
    look.twin = claimed_by_another(layout, snapshot.settings, Seen(serials=(), layout=""), look_up)
    return look


def look_inside(
    snapshot: DeviceSnapshot, opener: Opener, report: Report, host: Host = HOST
) -> FirewallLook:
    """The firewall, unless it has to be left alone.  Blocking."""
    examine = look_of(snapshot.settings)
    return examine(snapshot.settings, opener, host.now, report, resting=snapshot.resting)


def rest(snapshot: DeviceSnapshot, why: str) -> FirewallLook:
    """The firewall, which is left alone."""
    examine = look_of(snapshot.settings)
    return examine(snapshot.settings, _nobody, HOST.now, lambda _: None, resting=why)


def _nobody() -> NoReturn:
    raise AssertionError("a device that rests is not asked")


def _hits(layout: Layout, name: str, now: float) -> int | None:
    from tscm.events.report import ask, read_question

    try:
        question = read_question(name, {"since": now - _DAY, "top": 1}, now)
        return ask(layout.database, question).hits
    except (sqlite3.Error, TscmError):
        return None


def judge_device(snapshot: DeviceSnapshot, look: DeviceLook, now: float) -> list[Finding]:
    """All findings about one device.  Pure."""
    settings, state = snapshot.settings, snapshot.state
    return [
        *_judge_policy(snapshot, look, now),
        *look.firewall.judge(collector_of(snapshot, look, now)),
        *_judge_pulls(snapshot, now),
        judge_onward.judge_lines(
            None if state is None else state.log,
            now,
            snapshot.strangers,
            settings.name,
            kind_of(settings).silence,
        ),
        *([] if state is None else [judge_onward.judge_connections(state.intake, now)]),
        *look.firewall.judge_effect(_heard(snapshot, look)),
        *_judge_onward(snapshot, look),
    ]


def _judge_policy(snapshot: DeviceSnapshot, look: DeviceLook, now: float) -> list[Finding]:
    settings, seen = snapshot.settings, look.onward
    found: list[Finding] = []
    if seen is None:
        found += not_looked_at(["policy service", "block list", "allow list"], str(snapshot.sealed))
    else:
        found.append(judge_onward.judge_policy_service(seen.servers, feeds_only=seen.feeds_only))
        found += [
            judge_onward.judge_list(kind, one.name, one.entries, one.fault, one.remedy)
            for kind, one in seen.lists.items()
        ]
    figures = None if snapshot.state is None else snapshot.state.policy
    interval = snapshot.node.policy.interval_seconds
    failing = () if figures is None else figures.unknown_names
    known = {one.name: bool(one.addresses) for one in failing}
    overdue = frozenset(one.name for one in failing if one.overdue(now))
    return [
        *found,
        judge_onward.judge_updates(figures, settings.name, interval, now),
        judge_onward.judge_names(look.names, known, overdue),
        *([] if look.twin is None else [judge_onward.judge_twin(settings, *look.twin)]),
    ]


def _judge_pulls(snapshot: DeviceSnapshot, now: float) -> list[Finding]:
    pulls = None if snapshot.state is None else snapshot.state.pulls
    return [] if pulls is None else judge_pulls(pulls, snapshot.settings.name, now)


def collector_of(snapshot: DeviceSnapshot, look: DeviceLook, now: float) -> Collector:
    """Where this manager can be reached from the device."""
    listen = snapshot.node.listen
    places: Mapping[str, Sequence[str]] = snapshot.listeners or {
        "udp": [str(one) for one in listen.udp],
        "tcp": [str(one) for one in listen.tcp],
        "tls": [str(one) for one in listen.tls],
    }
    addresses = plain_addresses(place for many in places.values() for place in many)
    addresses |= {one for one in (snapshot.node.address, look.own_address) if one is not None}
    log = None if snapshot.state is None else snapshot.state.log
    last = None if log is None else log.last_received_at
    return Collector(
        addresses=addresses,
        ports={
            kind: sorted({int(place.rpartition(":")[2]) for place in many})
            for kind, many in places.items()
        },
        hears=last is not None and now - last < _HEARD_SECONDS,
    )


def _heard(snapshot: DeviceSnapshot, look: DeviceLook) -> Heard:
    events = EventFigures() if snapshot.state is None else snapshot.state.events
    return Heard(
        awaited=look.event_seen, hits=look.hits, counted=not events.fault, fault=events.fault
    )


def _judge_onward(snapshot: DeviceSnapshot, look: DeviceLook) -> list[Finding]:
    settings, seen = snapshot.settings, look.onward
    state = DeviceState() if snapshot.state is None else snapshot.state
    if seen is None:
        return not_looked_at(["proxy", "log service", "SIEM"], str(snapshot.sealed))
    sends = settings.send_logs
    url = snapshot.node.upload.url
    found = [
        judge_onward.judge_proxy(settings.log_proxy, seen.proxy, sends=sends and url is not None),
        judge_onward.judge_log_service(url, seen.service, state.upload, sends=sends),
    ]
    by_target = {one.target: one for one in state.targets}
    for reader, (target, fault) in seen.targets.items():
        found.append(
            judge_onward.judge_siem(
                str(target),
                by_target.get(str(target)),
                fault,
                answers=target.protocol != "UDP",
                name=settings.name,
                expired=state.readers.get(reader, ReaderFigures()).expired_by_cause,
                own_listener=seen.loops.get(reader),
            )
        )
    if not seen.targets:
        found.append(judge_onward.judge_siem(None, None, None, answers=False, name=settings.name))
    by_reader = {one.reader: one for one in state.targets}
    found += [
        judge_onward.judge_sink(one, by_reader.get(one.reader))
        for one in snapshot.node.sink
        if one.takes(settings.name)
    ]
    if snapshot.node.cluster.servers:
        found.append(judge_onward.judge_cluster(snapshot.node.cluster, by_reader.get(CLUSTER)))
    return found


def unreadable(name: str, error: TscmError) -> list[Finding]:
    """What is to be said of a device whose file cannot be used."""
    return [
        failed(
            "settings",
            str(error),
            f"correct the file, or run `tsadmin remove {name}` and add the device again",
        )
    ]
