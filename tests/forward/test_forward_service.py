import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent

from tests.forward.receivers import TcpReceiver, UdpReceiver, reactor, until
from tests.memory_log import MemoryLog
from tests.ports import held_port
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


@pytest_twisted.async_yield_fixture()
async def siem() -> AsyncIterator[TcpReceiver]:
    receiver = TcpReceiver()
    receiver.listen()
    yield receiver
    await receiver.stop()


@pytest_twisted.async_yield_fixture()
async def listener() -> AsyncIterator[UdpReceiver]:
    receiver = UdpReceiver()
    receiver.listen()
    yield receiver
    await receiver.stop()


@pytest.fixture(params=["helper", "no helper"])
def with_and_without_helper(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the compiled helper was not built, importing it fails."""
    if request.param == "no helper":
        monkeypatch.setitem(sys.modules, "tscm.forward._send", None)
        monkeypatch.delattr("tscm.forward._send", raising=False)


def tcp(port: int, **more: Any) -> Target:
    return Target(address="127.0.0.1", port=port, protocol="TCP", **more)


def udp(port: int, **more: Any) -> Target:
    return Target(address="127.0.0.1", port=port, protocol="UDP", **more)


def forward(threads: Threads, log: MemoryLog, target: Target, **more: Any) -> ForwardService:
    service = ForwardService(reactor, threads, log, target, chance=lambda: 0.0, **more)
    service.startService()
    return service


async def stop(service: ForwardService) -> None:
    stopped = service.stopService()
    if isinstance(stopped, Deferred):
        await stopped
    assert service.figures().state == "off"


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d\n" % at for at in range(first, first + count)]


@pytest_twisted.ensureDeferred
async def test_what_waits_and_what_comes_is_sent_in_order(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    log.append(*lines(1000))
    service = forward(threads, log, tcp(siem.number))
    await until(lambda: log.position.sent == 1000)
    log.append(*lines(10, 1000))
    await until(lambda: log.position.sent == 1010)
    assert siem.data == b"".join(lines(1010))
    figures = service.figures()
    assert figures.state == "connected"
    assert figures.backlog_bytes == 0
    assert figures.sent == 1010
    assert "all lines sent to" in figures.sentence
    await stop(service)


@pytest.mark.usefixtures("with_and_without_helper")
@pytest_twisted.ensureDeferred
async def test_datagrams_carry_a_message_each_as_received(
    threads: Threads, listener: UdpReceiver
) -> None:
    log = MemoryLog()
    log.append(*lines(300), b"two\x10nlines \x10p \x10r\x100\n")
    service = forward(threads, log, udp(listener.number))
    await until(lambda: log.position.sent == 301)
    assert listener.heard == [
        *(one[:-1] for one in lines(300)),
        b"two\nlines \x10 \r\0",
    ]
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_line_feed_inside_a_message_cannot_break_lf_framing(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    log.append(b"plain\n", b"two\x10nlines \x10pn \x10r\x100\n")
    service = forward(threads, log, tcp(siem.number))
    await until(lambda: log.position.sent == 2)
    assert siem.data == b"plain\ntwo lines \x10n \r\0\n"
    assert service.figures().altered == 1
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_away_costs_nothing_and_loses_nothing(threads: Threads) -> None:
    port = held_port()
    log = MemoryLog()
    log.append(*lines(100))
    service = forward(threads, log, tcp(port))
    await until(lambda: service.figures().state == "waiting")
    figures = service.figures()
    assert "refused the connection" in figures.sentence
    assert "lines are kept on disk" in figures.sentence
    assert figures.backlog_bytes == log.end
    assert log.confirms == []
    siem = TcpReceiver(number=port)
    siem.listen()
    await until(lambda: log.position.sent == 100)
    assert siem.data == b"".join(lines(100))
    await stop(service)
    await siem.stop()


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_away_while_nothing_waits_is_told_just_so(threads: Threads) -> None:
    service = forward(threads, MemoryLog(), tcp(held_port()))
    await until(lambda: service.figures().state == "waiting")
    assert "no backlog, next attempt in" in service.figures().sentence
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_target_is_not_said_to_have_what_expired(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    log.append(*lines(3))
    log.expire(log.end)
    log.append(*lines(2, 3))
    service = forward(threads, log, tcp(siem.number))
    await until(lambda: log.position.sent == 2)
    assert service.figures().sentence.endswith(" except 3 lines that expired")
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_after_a_reset_the_window_goes_again_and_counts_once(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    service = forward(threads, log, tcp(siem.number))
    log.append(*lines(50))
    await until(lambda: log.position.sent == 50)
    siem.reset_all()
    await until(lambda: len(siem.streams) == 2 and len(siem.streams[1]) > 0)
    log.append(*lines(50, 50))
    await until(lambda: log.position.sent == 100)
    assert bytes(siem.streams[1]) == b"".join(lines(100))
    figures = service.figures()
    assert (figures.sent, figures.repeated) == (100, 50)
    assert "reset the connection" in str(figures.last_error)
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_window_of_nothing_repeats_nothing(threads: Threads, siem: TcpReceiver) -> None:
    log = MemoryLog()
    service = forward(threads, log, tcp(siem.number, resend_bytes=0))
    log.append(*lines(50))
    await until(lambda: log.position.sent == 50)
    siem.reset_all()
    log.append(*lines(50, 50))
    await until(lambda: log.position.sent == 100)
    assert siem.data == b"".join(lines(100))
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_closes_in_good_order_gets_nothing_twice(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    service = forward(threads, log, tcp(siem.number))
    log.append(*lines(50))
    await until(lambda: log.position.sent == 50)
    siem.close_all()
    log.append(*lines(50, 50))
    await until(lambda: log.position.sent == 100)
    assert siem.data == b"".join(lines(100))
    assert "closed the connection" in str(service.figures().last_error)
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_what_a_deaf_peer_does_not_acknowledge_is_not_sent(threads: Threads) -> None:
    siem = TcpReceiver(deaf=True)
    log = MemoryLog()
    for at in range(200):
        log.append_block(b"".join(lines(1000, at * 1000)))
    service = forward(threads, log, tcp(siem.listen(), silence_seconds=1.0))
    await until(lambda: service.figures().state == "waiting")
    assert "acknowledged nothing in time" in service.figures().sentence
    assert log.position.sent < 200_000
    siem.deaf = False
    siem.reset_all()
    await until(lambda: log.position.sent == 200_000)
    # Lines of the deaf connections that lay in the kernel are gone with it; all after the window came.
    last = bytes(siem.streams[-1])
    assert last.endswith(b"".join(lines(1000, 199_000)))
    await stop(service)
    await siem.stop()


@pytest_twisted.ensureDeferred
async def test_a_peer_that_never_reads_goes_on_failing_however_long_its_connections_live(
    threads: Threads,
) -> None:
    siem = TcpReceiver(deaf=True)
    log = MemoryLog()
    for at in range(200):
        log.append_block(b"".join(lines(1000, at * 1000)))
    target = tcp(siem.listen(), silence_seconds=1.0)
    service = forward(threads, log, target, proven_seconds=0.3)
    await until(lambda: service.figures().failures == 2)
    figures = service.figures()
    assert (figures.failing_since or 1e12) < (figures.last_error_at or 0.0)
    await stop(service)
    siem.reset_all()
    await siem.stop()


@pytest.mark.usefixtures("with_and_without_helper")
@pytest_twisted.ensureDeferred
async def test_a_refused_datagram_goes_again(threads: Threads) -> None:
    port = held_port()
    log = MemoryLog()
    log.append(*lines(20))
    service = forward(threads, log, udp(port))
    await until(lambda: service.figures().state == "waiting")
    assert "the UDP port" in service.figures().sentence
    assert log.position.sent == 0
    listener = UdpReceiver()
    listener.number = port
    listener.listen()
    await until(lambda: log.position.sent == 20)
    assert listener.heard == [one[:-1] for one in lines(20)]
    await listener.stop()
    log.append(*lines(20, 20))
    await until(lambda: service.figures().state == "waiting")
    listener.listen()
    await until(lambda: log.position.sent == 40)
    assert listener.heard == [one[:-1] for one in lines(40)]
    await stop(service)
    await listener.stop()


@pytest.mark.usefixtures("with_and_without_helper")
@pytest_twisted.ensureDeferred
async def test_datagrams_keep_to_their_rate(threads: Threads, listener: UdpReceiver) -> None:
    log = MemoryLog()
    log.append(*lines(400))
    begun = reactor.seconds()
    service = forward(threads, log, udp(listener.number, lines_per_second=400))
    await until(lambda: log.position.sent == 400)
    assert reactor.seconds() - begun > 0.9
    assert len(listener.heard) == 400
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_stop_ends_the_line_that_was_begun(threads: Threads, siem: TcpReceiver) -> None:
    log = MemoryLog()
    for at in range(100):
        log.append_block(b"".join(lines(1000, at * 1000)))
    service = forward(threads, log, tcp(siem.number))
    await until(lambda: log.position.sent > 0)
    await stop(service)
    await until(lambda: not siem.connections)
    assert siem.data.endswith(b"\n")
    assert siem.data == b"".join(lines(log.position.sent))


@pytest_twisted.ensureDeferred
async def test_lines_that_retention_took_are_passed_over(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    log.append(*lines(100))
    port = siem.number
    await siem.stop()
    service = forward(threads, log, tcp(port))
    await until(lambda: service.figures().state == "waiting")
    log.expire(len(b"".join(lines(40))))
    siem.listen()
    await until(lambda: log.position.sent == 60)
    assert siem.data == b"".join(lines(60, 40))
    assert service.figures().expired == 40
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_name_that_does_not_resolve_is_said(threads: Threads) -> None:
    log = MemoryLog()
    service = forward(threads, log, Target(address="siem.invalid", port=514, protocol="TCP"))
    await until(lambda: service.figures().state == "waiting")
    assert "a name that does not resolve" in service.figures().sentence
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_position_that_cannot_be_written_is_said_and_nothing_is_skipped(
    threads: Threads, siem: TcpReceiver
) -> None:
    log = MemoryLog()
    log.append(*lines(10))
    real = log.confirm

    def full(offset: int, *, sent: int, not_selected: int = 0) -> None:
        raise OSError(28, "No space left on device")

    log.confirm = full  # type: ignore[method-assign]
    service = forward(threads, log, tcp(siem.number))
    await until(lambda: service.figures().state == "waiting")
    assert "cannot save its position: No space left" in service.figures().sentence
    assert log.position.offset == 0
    log.confirm = real  # type: ignore[method-assign]
    await until(lambda: log.position.sent == 10)
    assert bytes(siem.streams[-1]) == b"".join(lines(10))
    await stop(service)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("TCP", OSError(24, "Too many open files")),
        ("UDP", OSError(97, "Address family not supported by protocol")),
        ("TCP", ZeroDivisionError()),
    ],
)
async def test_a_socket_that_cannot_be_made_is_tried_again(
    threads: Threads,
    monkeypatch: pytest.MonkeyPatch,
    logged_failures: list[LogEvent],
    kind: str,
    fault: Exception,
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise fault

    log = MemoryLog()
    log.append(*lines(3))
    siem = UdpReceiver() if kind == "UDP" else TcpReceiver()
    siem.listen()
    target = udp(siem.number) if kind == "UDP" else tcp(siem.number)
    with monkeypatch.context() as host:
        host.setattr("tscm.forward.stream.socket.socket", refuse)
        service = forward(threads, log, target)
        await until(lambda: service.figures().state == "waiting")
        cause = getattr(fault, "strerror", "hit an internal error")
        assert cause in service.figures().sentence
    await until(lambda: log.position.sent == 3)
    await stop(service)
    await siem.stop()
    assert len(logged_failures) == (not isinstance(fault, OSError))
    logged_failures.clear()
