"""TCP from connection to log."""

import random
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    from_loopback,
    heard,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tscm.base.host_port import HostPort
from tscm.errors import ListenerUnavailable
from tscm.intake.figures import StreamFigures
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService


def made(spool: MemorySpool | None = None, **changed: Any) -> IntakeService:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    senders.claim("fw2", ["127.0.0.4"])
    return IntakeService(
        reactor, listen(tcp=(ANY,)), bounds(**changed), spool or MemorySpool(), senders
    )


@pytest_twisted.async_yield_fixture
async def intake() -> AsyncIterator[IntakeService]:
    service = made()
    service.startService()
    yield service
    await service.stopService()


def spool_of(service: IntakeService) -> MemorySpool:
    spool = service._spool
    assert isinstance(spool, MemorySpool)
    return spool


def only(service: IntakeService) -> StreamFigures:
    (figures,) = service.figures().listeners.values()
    assert isinstance(figures, StreamFigures)
    return figures


def connected(service: IntakeService, number: int) -> socket.socket:
    made = from_loopback(number, socket.SOCK_STREAM)
    made.connect(target(service.addresses()["tcp"][0]))
    return made


def closed_by_peer(stream: socket.socket) -> bool:
    stream.setblocking(False)
    try:
        return stream.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest_twisted.ensureDeferred
async def test_lines_reach_the_log_of_their_device(intake: IntakeService) -> None:
    with connected(intake, 2) as one, connected(intake, 4) as other:
        one.sendall(b"<1>a\n <1>b\r\n<1>part")
        other.sendall(b"5 <1>c\n5 <1>d\n")
        await until(lambda: spool_of(intake).count() == 4)
        one.sendall(b"ial\n")
        await until(lambda: spool_of(intake).count() == 5)
    assert spool_of(intake).lines("fw1") == [b"<1>a", b"<1>b", b"<1>partial"]
    assert spool_of(intake).lines("fw2") == [b"<1>c", b"<1>d"]
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_a_partial_line_is_kept_when_the_peer_goes(intake: IntakeService) -> None:
    with connected(intake, 2) as one:
        one.sendall(b"<1>whole\n<1>rest")
    await until(lambda: spool_of(intake).count() == 2)
    assert spool_of(intake).lines("fw1") == [b"<1>whole", b"<1>rest"]
    assert only(intake).partial_at_close == 1
    assert intake.figures().connections.open == 0


@pytest_twisted.ensureDeferred
async def test_n17_connections_that_come_and_go_lose_no_line(intake: IntakeService) -> None:
    sent, chosen = 50_000, random.Random(17)

    def send_all() -> None:
        streams = [connected(intake, 2) for _ in range(20)]
        for n in range(0, sent, 10):
            at = chosen.randrange(len(streams))
            if chosen.random() < 0.02:
                # Until intake has noticed, an ended connection counts against its sender's bound.
                streams[at].shutdown(socket.SHUT_WR)
                assert streams[at].recv(1) == b""
                streams[at].close()
                streams[at] = connected(intake, 2)
            streams[at].sendall(b"".join(b"<1>%d\n" % number for number in range(n, n + 10)))
        for stream in streams:
            stream.close()

    await deferToThread(send_all)
    await until(lambda: spool_of(intake).count() == sent)
    numbers = sorted(int(line[3:]) for line in spool_of(intake).lines("fw1"))
    assert numbers == list(range(sent))
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_bad_content_never_ends_a_known_senders_connection(intake: IntakeService) -> None:
    with connected(intake, 2) as one:
        for bad in (
            b"99999999999999 x\n",
            b"-1 0 007 \n",
            b"<999>\x1b\xff\xfe\n",
            b"no PRI, \xe2\x80\xae turned round\r\n",
            b"\0\0\r\r\n\n\n",
            b"x" * 200_000 + b"\n",
            b"<1>../../etc/cron.d/x {format}\n",
        ):
            one.sendall(bad)
            await pause(0.01)
            assert not closed_by_peer(one)
            one.setblocking(True)
        one.sendall(b"<1>good\n")
        await until(lambda: b"<1>good" in spool_of(intake).lines("fw1"))
    assert only(intake).cut == 1
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_a_log_that_is_gone_closes_nothing(intake: IntakeService) -> None:
    spool_of(intake).away = True
    with connected(intake, 2) as one:
        one.sendall(b"<1>a\n<1>b\n")
        await until(lambda: only(intake).received == 2)
        assert not closed_by_peer(one)
        spool_of(intake).away = False
        one.setblocking(True)
        one.sendall(b"<1>c\n")
        await until(lambda: only(intake).received == 3)
    assert only(intake).dropped == {"log unavailable": 2}
    assert spool_of(intake).lines("fw1") == [b"<1>c"]


@pytest_twisted.ensureDeferred
async def test_unknown_senders_are_read_and_counted(intake: IntakeService) -> None:
    with connected(intake, 5) as stranger:
        stranger.sendall(b"<1>who\n<1>me\n")
        await until(lambda: only(intake).received == 2)
        assert not closed_by_peer(stranger)
        assert only(intake).dropped == {"unknown sender": 2}
        (shown,) = intake.senders.unknown()
        assert (shown.address, shown.lines, shown.sample) == ("127.0.0.5", 2, "<1>who")
        intake.senders.claim("fw3", ["127.0.0.5"])
        stranger.setblocking(True)
        stranger.sendall(b"<1>adopted\n")
        await until(lambda: spool_of(intake).count() == 1)
    assert spool_of(intake).lines("fw3") == [b"<1>adopted"]


@pytest_twisted.ensureDeferred
async def test_unknown_senders_are_closed_where_so_set() -> None:
    service = made(unknown_senders="close")
    service.startService()
    with connected(service, 5) as stranger, connected(service, 2) as known:
        await until(lambda: closed_by_peer(stranger))
        known.sendall(b"<1>a\n")
        await until(lambda: spool_of(service).count() == 1)
        assert service.figures().connections.refused == {"unknown sender": 1}
        service.senders.release("fw1")
        known.setblocking(True)
        known.sendall(b"<1>b\n")
        await until(lambda: closed_by_peer(known))
    assert only(service).received == 1
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_other_bounds_come_into_force_on_open_sockets(intake: IntakeService) -> None:
    place = intake.addresses()["tcp"]
    with connected(intake, 5) as stranger, connected(intake, 2) as known:
        stranger.sendall(b"<1>a\n")
        known.sendall(b"<1>b\n")
        await until(lambda: only(intake).received == 2)
        assert intake.apply_limits(bounds(unknown_senders="close", max_connections_per_sender=1))
        assert not intake.apply_limits(bounds(udp_sockets=2))
        stranger.sendall(b"<1>c\n")
        known.sendall(b"<1>d\n")
        await until(lambda: closed_by_peer(stranger))
        await until(lambda: spool_of(intake).count() == 2)
        with connected(intake, 2) as second:
            await until(lambda: closed_by_peer(second))
    assert intake.addresses()["tcp"] == place
    assert spool_of(intake).lines("fw1") == [b"<1>b", b"<1>d"]


@pytest_twisted.ensureDeferred
async def test_strangers_cannot_take_the_room_of_devices() -> None:
    service = made(max_connections=40, max_connections_per_sender=30)
    service.startService()
    strangers = [connected(service, 5) for _ in range(60)]
    await until(lambda: sum(service.figures().connections.refused.values()) == 50)
    devices = [connected(service, 2) for _ in range(30)]
    for n, one in enumerate(devices):
        one.sendall(b"<1>%d\n" % n)
    await until(lambda: spool_of(service).count() == 30)
    figures = service.figures().connections
    assert figures.of_unknown_senders == 10
    assert figures.refused == {"all connections for unknown senders taken": 50}
    for one in strangers + devices:
        one.close()
    await until(lambda: service.figures().connections.open == 0)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_senders_bound_is_its_own() -> None:
    service = made(max_connections_per_sender=2)
    service.startService()
    streams = [connected(service, 2) for _ in range(3)]
    await until(lambda: closed_by_peer(streams[2]))
    assert service.figures().connections.refused == {"all connections of the sender taken": 1}
    with connected(service, 4) as other:
        other.sendall(b"<1>a\n")
        await until(lambda: spool_of(service).count() == 1)
    for one in streams:
        one.close()
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_silent_connection_gives_way_to_a_new_one_of_its_sender() -> None:
    service = made(max_connections_per_sender=1)
    service.startService()
    with connected(service, 2) as old:
        old.sendall(b"<1>part")
        await until(lambda: heard(service) == [7])
        for stream in service._connections.streams():
            stream.last_heard_at -= 3600
        with connected(service, 2) as new:
            new.sendall(b"<1>new\n")
            await until(lambda: spool_of(service).count() == 2)
            assert closed_by_peer(old)
    assert sorted(spool_of(service).lines("fw1")) == [b"<1>new", b"<1>part"]
    assert service.figures().connections.gave_way == 1
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_what_waits_in_connections_is_taken_at_stop() -> None:
    service = made()
    service.startService()
    with connected(service, 2) as one:
        await until(lambda: service.figures().connections.open == 1)
        one.sendall(b"<1>x\n" * 100_000 + b"<1>rest")
        await service.stopService()
    assert spool_of(service).count() > 1000
    assert spool_of(service).lines("fw1")[-1].startswith(b"<")
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_tls_on_a_plain_port_is_named(intake: IntakeService) -> None:
    with connected(intake, 2) as one:
        one.sendall(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\n\n")
        await until(lambda: only(intake).tls_on_plain_port == 1)
        assert not closed_by_peer(one)
    assert only(intake).received == 0


def warnings_of(told: list[LogEvent], words: str) -> list[str]:
    shown = [formatEvent(one) for one in told if one.get("log_level") is LogLevel.warn]
    return [one for one in shown if words in one]


@pytest.fixture
def told() -> Iterator[list[LogEvent]]:
    """What is logged meanwhile."""
    seen: list[LogEvent] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        seen.append(event)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


@pytest_twisted.ensureDeferred
async def test_a_stream_without_line_ends_is_counted_and_told_while_it_lasts(
    intake: IntakeService, told: list[LogEvent]
) -> None:
    with connected(intake, 2) as one:
        one.sendall(b"<1>" + b"x" * 70_000)
        await until(lambda: only(intake).cut == 1)
        one.sendall(b"x" * 200_000 + b"5 <1>ab7 <1>cdef")
        await until(lambda: spool_of(intake).count() == 3)
        one.sendall(b"100000 " + b"y" * 100_000)
        await until(lambda: only(intake).cut == 2)
        assert not closed_by_peer(one)
    assert spool_of(intake).lines("fw1")[1:3] == [b"<1>ab", b"<1>cdef"]
    assert len(warnings_of(told, "max_message_bytes")) == 1
    assert only(intake).framing_faults == 1
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_a_proxy_header_is_counted_and_destroys_nothing(
    intake: IntakeService, told: list[LogEvent]
) -> None:
    with connected(intake, 2) as one:
        one.sendall(b"PROXY TCP4 127.0.0.4 192.0.2.1 4000 514\r\n5 <1>ab6 <1>abc")
        await until(lambda: spool_of(intake).count() == 2)
    assert spool_of(intake).lines("fw1") == [b"<1>ab", b"<1>abc"]
    assert only(intake).proxy_headers == 1
    assert len(warnings_of(told, "PROXY headers")) == 1


@pytest_twisted.ensureDeferred
async def test_a_relay_sends_for_several_devices(intake: IntakeService) -> None:
    intake.senders.claim("fw1", ["127.0.0.2", "127.0.0.9"])
    intake.senders.claim("fw2", ["127.0.0.4", "127.0.0.9"])
    stamp = b"<166>Jan  5 2026 08:52:35 "
    with connected(intake, 9) as relay:
        relay.sendall(
            b"".join(stamp + who + b" : %ASA-6-1: x\n" for who in (b"fw1", b"fw2", b"who"))
        )
        await until(lambda: only(intake).received == 3)
    assert spool_of(intake).lines("fw1") == [stamp + b"fw1 : %ASA-6-1: x"]
    assert spool_of(intake).lines("fw2") == [stamp + b"fw2 : %ASA-6-1: x"]
    assert only(intake).dropped == {"unknown device behind a relay": 1}
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_names_of_senders_are_looked_up_aside() -> None:
    asked: list[str] = []

    async def resolve(name: str) -> list[str]:
        asked.append(name)
        await pause(0.01)
        if name == "gone.example":
            raise OSError("no such name")
        return ["127.0.0.7"]

    from twisted.internet.defer import Deferred

    service = made()
    service._naming._resolve = lambda name: Deferred.fromCoroutine(resolve(name))
    service.startService()
    service.senders.claim("fw7", ["asa.example"])
    service.senders.claim("fw8", ["gone.example"])
    await until(lambda: service.senders.device_of("127.0.0.7") == "fw7")
    await until(lambda: "gone.example" in asked)
    assert service.figures().senders.names == {
        "asa.example": ("127.0.0.7",),
        "gone.example": (),
    }
    await pause(0.05)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_is_a_sentence_and_binds_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        both = (HostPort("127.0.0.1", 0), HostPort("127.0.0.1", port))
        service = IntakeService(
            reactor, listen(udp=(ANY,), tcp=both), bounds(), MemorySpool(), SenderTable()
        )
        with pytest.raises(ListenerUnavailable) as raised:
            service.privilegedStartService()
    assert f"cannot listen for tcp on 127.0.0.1:{port}: Address already in use" in str(raised.value)
    assert service.addresses() == {}
    await pause(0.01)


@pytest_twisted.ensureDeferred
async def test_the_reactors_resolver_finds_localhost(logged_failures: list[LogEvent]) -> None:
    from tscm.intake.naming import resolver_of

    assert "127.0.0.1" in await resolver_of(reactor)("localhost")
