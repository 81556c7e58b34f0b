"""At the bounds on connections: who counts, whose lines are stored, who is told of a refusal."""

import os
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from tests.intake.certificates import Authority
from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    from_loopback,
    listen,
    reactor,
    target,
    until,
)
from tests.intake.notify_socket import Systemd, held
from tscm.base.host_port import HostPort
from tscm.doctor.judge_onward import judge_connections
from tscm.intake.connections import Connections, Refusal
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.systemd import Activation, Inherited
from tscm.intake.turned_away import recent_faults
from tscm.standing import Verdict

SENT = 300


def made(changed: dict[str, Any], place: HostPort = ANY, **more: Any) -> IntakeService:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    senders.claim("fw2", ["127.0.0.4", "127.0.0.9"])
    senders.claim("fw3", ["127.0.0.6", "127.0.0.9"])
    wanted = more.pop("listen", None) or listen(tcp=(place,))
    service = IntakeService(reactor, wanted, bounds(**changed), MemorySpool(), senders, **more)
    service.startService()
    return service


def spool_of(service: IntakeService) -> MemorySpool:
    spool = service._spool
    assert isinstance(spool, MemorySpool)
    return spool


def connected(service: IntakeService, number: int) -> socket.socket:
    stream = from_loopback(number, socket.SOCK_STREAM)
    stream.connect(target(service.addresses()["tcp"][0]))
    return stream


def refused(service: IntakeService) -> dict[str, int]:
    found = service.figures().connections.refused
    assert isinstance(found, dict)
    return found


def one_after_the_other(place: tuple[str, int], number: int = 2) -> None:
    """A connection a message: connect, send, close."""
    for n in range(SENT):
        with from_loopback(number, socket.SOCK_STREAM) as stream:
            stream.connect(place)
            stream.sendall(b"<1>%d\n<1>rest of %d" % (n, n))


def all_of_it() -> list[bytes]:
    return sorted(word % n for n in range(SENT) for word in (b"<1>%d", b"<1>rest of %d"))


@pytest_twisted.ensureDeferred
async def test_a_connection_for_each_message_loses_none() -> None:
    service = made({"max_connections_per_sender": 8})
    one_after_the_other(target(service.addresses()["tcp"][0]))  # and the reactor stands meanwhile
    await until(lambda: spool_of(service).count() == 2 * SENT, 30)
    assert sorted(spool_of(service).lines("fw1")) == all_of_it()
    assert refused(service) == {}
    assert balanced(service.figures())
    await until(lambda: service.figures().connections.open == 0)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_the_same_while_the_reactor_runs_and_where_all_connections_are_taken() -> None:
    service = made({"max_connections": 8})
    await deferToThread(one_after_the_other, target(service.addresses()["tcp"][0]))
    await until(lambda: spool_of(service).count() == 2 * SENT, 30)
    assert sorted(spool_of(service).lines("fw1")) == all_of_it()
    assert refused(service) == {}
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_connections_that_waited_while_no_manager_ran_are_all_read() -> None:
    with held(socket.SOCK_STREAM) as kept:
        kept.listen(2 * SENT)
        one_after_the_other(kept.getsockname())
        ours = Inherited(os.dup(kept.fileno()), "tscm.socket")
        place = HostPort(*kept.getsockname())
        service = made({"max_connections_per_sender": 8}, place, activation=Activation((ours,)))
        await until(lambda: spool_of(service).count() == 2 * SENT, 30)
        await service.stopService()
    assert sorted(spool_of(service).lines("fw1")) == all_of_it()
    assert refused(service) == {}


@pytest_twisted.ensureDeferred
async def test_a_tls_connection_for_each_message_loses_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", "collector.example", "127.0.0.1")
    service = made(
        {"max_connections_per_sender": 4},
        listen=listen(
            tls=(ANY,),
            tls_certificate=str(server.certificate_file),
            tls_key=str(server.key_file),
        ),
    )
    context = ssl.create_default_context(cafile=str(authority.issued.certificate_file))

    def send_all() -> None:
        for n in range(60):
            with (
                from_loopback(2, socket.SOCK_STREAM) as stream,
                ExitStack() as stack,
            ):
                stream.settimeout(30)
                stream.connect(target(service.addresses()["tls"][0]))
                shaken = stack.enter_context(
                    context.wrap_socket(stream, server_hostname="collector.example")
                )
                shaken.sendall(b"<1>%d\n" % n)

    await deferToThread(send_all)
    await until(lambda: spool_of(service).count() == 60, 30)
    assert refused(service) == {}
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_relay_may_hold_far_more_connections_than_a_stranger() -> None:
    service = made({})
    with ExitStack() as streams:
        known = [streams.enter_context(connected(service, 9)) for _ in range(150)]
        for one in known:
            one.sendall(b"<1>fw2 : x\n")
        strangers = [streams.enter_context(connected(service, 5)) for _ in range(80)]
        await until(lambda: service.figures().connections.open == 150 + 64, 30)
        await until(lambda: refused(service) == {Refusal.SENDER_FULL.value: 80 - 64}, 30)
        for one in strangers:
            one.close()
    await until(lambda: service.figures().connections.open == 0, 30)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_known_sender_takes_the_place_of_a_stranger() -> None:
    service = made({"max_connections": 8})
    with ExitStack() as streams:
        for _ in range(2):
            streams.enter_context(connected(service, 5))
        await until(lambda: service.figures().connections.open == 2)
        for n in range(8):
            streams.enter_context(connected(service, 2)).sendall(b"<1>%d\n" % n)
        await until(lambda: spool_of(service).count() == 8)
        figures = service.figures().connections
        assert (figures.of_unknown_senders, figures.gave_way, figures.open) == (0, 2, 8)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_refusal_of_a_known_device_is_told_counted_and_found() -> None:
    warnings: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level") is LogLevel.warn:
            warnings.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    service = made({"max_connections_per_sender": 1})
    try:
        with ExitStack() as streams:
            streams.enter_context(connected(service, 9))
            await until(lambda: service.figures().connections.open == 1)
            for n in range(1, 101):
                streams.enter_context(connected(service, 9))
                await until(lambda: refused(service) == {Refusal.SENDER_FULL.value: n})  # noqa: B023
    finally:
        globalLogPublisher.removeObserver(observe)
    told = [one for one in warnings if "permit-hostdown" in one]
    assert [("device fw2" in one, "(1 times)" in one) for one in told] == [
        (True, True),
        (False, True),
        (True, False),
        (False, False),
    ]
    assert all("max_connections_per_sender" in one for one in told)
    figures = service.device_figures("fw2")
    assert figures is not None
    assert figures.turned_away.connections == 100
    now = figures.turned_away.last_at or 0.0
    finding = judge_connections(figures, now)
    assert finding.verdict is Verdict.FAILED
    assert "permit-hostdown" in finding.remedy
    assert "max_connections_per_sender" in finding.remedy
    assert judge_connections(figures, now + 3600).verdict is Verdict.WARNING
    assert judge_connections(None, now).verdict is Verdict.OK
    (fault, other) = recent_faults(service.figures().devices, now)
    assert "device fw2: 100 connections from it were refused" in fault
    assert "device fw3" in other
    assert recent_faults(service.figures().devices, now + 3600) == []
    await service.stopService()


@pytest.fixture
def systemd(tmp_path: Path) -> Any:
    made_here = Systemd(tmp_path / "notify")
    yield made_here
    made_here.close()


@pytest_twisted.ensureDeferred
async def test_connections_that_are_handed_over_are_not_refused(systemd: Systemd) -> None:
    with held(socket.SOCK_STREAM) as kept, ExitStack() as streams:
        place = HostPort(*kept.getsockname())

        def activation() -> Activation:
            ours = Inherited(os.dup(kept.fileno()), "tscm.socket")
            return Activation((ours, *systemd.kept()), systemd.notifier, hands_over=True)

        before = made({}, place, activation=activation())
        kept_streams = [streams.enter_context(connected(before, 2)) for _ in range(3)]
        await until(lambda: before.figures().connections.open == 3)
        await before.stopService()
        after = made({"max_connections_per_sender": 1}, place, activation=activation())
        for n, one in enumerate(kept_streams):
            one.sendall(b"<1>%d\n" % n)
        await until(lambda: spool_of(after).count() == 3)
        assert refused(after) == {}
        systemd.hear()
        await after.stopService()
        systemd.hear()


@define(eq=False)
class _Stream:
    """A connection that is looked at, and counts how often."""

    sender: str
    last_heard_at: float = 0.0
    ended: bool = False
    looks: int = 0
    connections: list[Connections] = field(factory=list)

    def close_for_replacement(self) -> None:
        self.ended = True

    def has_ended(self) -> bool:
        self.looks += 1
        return self.ended

    def take_rest(self) -> bool:
        self.connections[0].closed(self)
        return True


def test_at_the_bound_a_search_costs_a_share_of_the_time_only() -> None:
    connections = Connections(1000, 100, 10)
    streams = [_Stream("a", last_heard_at=100.0, connections=[connections]) for _ in range(100)]
    for one in streams:
        connections.opened(one, known=True)
    for _ in range(50):
        assert connections.refusal("a", known=True, now=100.0) is Refusal.SENDER_FULL
    assert sum(one.looks for one in streams) == 100
    streams[60].ended = True
    assert connections.refusal("a", known=True, now=101.0) is None
    assert connections.figures().open == 99
