"""UDP from socket to log."""

import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted

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
from tests.ports import held_port
from tscm.base.host_port import HostPort
from tscm.intake.figures import DatagramFigures
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.udp import Pace


@pytest_twisted.async_yield_fixture(params=["compiled", "numpy", "plain"])
async def intake(request: Any) -> AsyncIterator[IntakeService]:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2", "127.0.0.3"])
    senders.claim("fw2", ["127.0.0.4"])
    service = IntakeService(
        reactor, listen(udp=(ANY,)), bounds(udp_helper=request.param), MemorySpool(), senders
    )
    service.startService()
    yield service
    await service.stopService()


def spool_of(service: IntakeService) -> MemorySpool:
    spool = service._spool
    assert isinstance(spool, MemorySpool)
    return spool


def only(service: IntakeService) -> DatagramFigures:
    (figures,) = service.figures().listeners.values()
    assert isinstance(figures, DatagramFigures)
    return figures


@pytest_twisted.ensureDeferred
async def test_lines_reach_the_log_of_their_device(intake: IntakeService) -> None:
    (address,) = intake.addresses()["udp"]
    for number in (2, 3, 4, 5):
        with from_loopback(number) as sender:
            for n in range(20):
                sender.sendto(b"<166>%%ASA-6-1: %d from %d\n" % (n, number), target(address))
    await until(lambda: only(intake).received == 80)
    spool = spool_of(intake)
    assert spool.lines("fw2") == [b"<166>%%ASA-6-1: %d from 4" % n for n in range(20)]
    assert sorted(spool.lines("fw1")) == sorted(
        b"<166>%%ASA-6-1: %d from %d" % (n, number) for n in range(20) for number in (2, 3)
    )
    figures = intake.figures()
    assert balanced(figures)
    assert only(intake).dropped == {"unknown sender": 20}
    assert intake.senders.unknown()[0].address == "127.0.0.5"
    assert figures.devices["fw2"].received == 20
    assert (figures.devices["fw2"].last_received_at or 0.0) > 1e9


@pytest_twisted.ensureDeferred
async def test_a_log_that_is_gone_drops_and_counts(intake: IntakeService) -> None:
    spool_of(intake).away = True
    (address,) = intake.addresses()["udp"]
    with from_loopback(2) as sender:
        for _ in range(30):
            sender.sendto(b"x", target(address))
    await until(lambda: only(intake).received == 30)
    assert only(intake).dropped == {"log unavailable": 30}
    assert balanced(intake.figures())


@pytest_twisted.ensureDeferred
async def test_a_batch_is_one_append_a_device(intake: IntakeService) -> None:
    (address,) = intake.addresses()["udp"]
    with from_loopback(2) as one, from_loopback(3) as other:
        for n in range(200):
            (one, other)[n % 2].sendto(b"%d" % n, target(address))
    await until(lambda: only(intake).received == 200)
    appended = spool_of(intake).appended
    assert len(appended) < 10
    assert {run.sender for _, runs, _ in appended for run in runs} == {"127.0.0.2", "127.0.0.3"}


@pytest_twisted.ensureDeferred
async def test_a_burst_beyond_the_buffer_is_counted_exactly() -> None:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    service = IntakeService(
        reactor, listen(udp=(ANY,)), bounds(receive_buffer_bytes=65536), MemorySpool(), senders
    )
    service.startService()
    (address,) = service.addresses()["udp"]
    with from_loopback(2) as sender:
        for _ in range(5000):
            sender.sendto(b"x" * 200, target(address))
    await until(lambda: only(service).received + (only(service).kernel_drops or 0) >= 5000)
    assert (only(service).kernel_drops or 0) > 0
    await service.stopService()
    assert only(service).received + (only(service).kernel_drops or 0) == 5000
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_what_waits_in_the_socket_is_taken_at_stop() -> None:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    spool = MemorySpool()
    service = IntakeService(reactor, listen(udp=(ANY,)), bounds(), spool, senders)
    service.startService()
    (address,) = service.addresses()["udp"]
    with from_loopback(2) as sender:
        for n in range(50):
            sender.sendto(b"%d" % n, target(address))
    await service.stopService()
    assert len(spool.lines("fw1")) == 50


@pytest_twisted.ensureDeferred
async def test_several_sockets_share_a_port() -> None:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    service = IntakeService(
        reactor, listen(udp=(ANY,)), bounds(udp_sockets=3), MemorySpool(), senders
    )
    service.startService()
    (address,) = service.addresses()["udp"]
    for _ in range(40):
        with from_loopback(2) as sender:
            sender.sendto(b"x", target(address))
    await until(lambda: only(service).received == 40)
    assert len(only(service).sockets) == 3
    await service.stopService()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest_twisted.ensureDeferred
async def test_ipv4_and_ipv6_have_a_socket_each_on_one_port() -> None:
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    port = held_port()
    senders = SenderTable()
    senders.claim("fw1", ["::1", "127.0.0.2"])
    spool = MemorySpool()
    both = (HostPort("0.0.0.0", port), HostPort("::", port))
    service = IntakeService(reactor, listen(udp=both, tcp=both), bounds(), spool, senders)
    service.startService()
    assert service.addresses()["udp"] == [f"0.0.0.0:{port}", f"[::]:{port}"]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"six", ("::1", port))
    with from_loopback(2) as sender:
        sender.sendto(b"four", ("127.0.0.1", port))
    await until(lambda: spool.count() == 2)
    assert sorted(spool.lines("fw1")) == [b"four", b"six"]
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_computing_threads_must_let_the_reactor_in_soon() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    service = IntakeService(reactor, listen(), bounds(), MemorySpool(), SenderTable())
    try:
        service.startService()
        assert sys.getswitchinterval() <= 0.001
    finally:
        await service.stopService()
        sys.setswitchinterval(before)


class TestPace:
    def test_a_quiet_socket_is_read_at_once(self) -> None:
        pace = Pace(0.004, 1 << 22)
        for n in range(100):
            assert pace.after(1, more=False, now=1000 + n * 0.01) is None

    def test_a_busy_socket_is_left_to_gather(self) -> None:
        pace = Pace(0.004, 32 << 20)
        waits = [pace.after(80, more=False, now=1000 + n * 0.004) for n in range(100)]
        assert waits[0] is None
        assert set(waits[50:]) == {0.004}

    def test_a_small_buffer_shortens_the_wait(self) -> None:
        pace = Pace(0.010, 212992)
        for n in range(100):
            wait = pace.after(200, more=False, now=1000 + n * 0.002)
        assert wait is not None
        assert wait * 100_000 * 1280 <= 212992 / 4 * 1.1

    def test_many_senders_are_left_to_gather_longer(self) -> None:
        pace = Pace(0.004, 32 << 20)
        wait: float | None = None
        waits = []
        now = 1000.0
        for _ in range(60):  # 100,000 lines a second of 1,000 senders
            gathered = int((wait or 0.001) * 100_000)
            wait = pace.after(gathered, more=False, now=now, senders=min(gathered, 1000))
            now += wait or 0.001
            waits.append(wait)
        assert waits[-1] == 0.04  # so that each sender has some lines
        assert 0.04 * 100_000 * 1280 < (32 << 20) / 4
        few = Pace(0.004, 32 << 20)
        for n in range(60):
            wait = few.after(400, more=False, now=1000 + n * 0.004, senders=10)
        assert wait == 0.004

    def test_many_senders_wait_no_longer_than_the_buffer_lasts(self) -> None:
        pace = Pace(0.004, 4 << 20)
        for n in range(60):
            wait = pace.after(400, more=False, now=1000 + n * 0.004, senders=1000)
        assert wait is not None
        assert wait * 100_000 * 1280 <= (4 << 20) / 4 * 1.1

    def test_what_waits_already_is_not_waited_for(self) -> None:
        assert Pace(0.004, 1 << 22).after(4096, more=True, now=5.0) == 0

    def test_it_calms_down(self) -> None:
        pace = Pace(0.004, 1 << 22)
        for n in range(50):
            pace.after(80, more=False, now=1000 + n * 0.004)
        waits = [pace.after(0, more=False, now=1000.2 + n * 0.004) for n in range(40)]
        assert waits[-1] is None

    def test_a_clock_that_jumps_does_no_harm(self) -> None:
        pace = Pace(0.004, 1 << 22)
        for now in (1000.0, 500.0, 500.0, 9e9, 0.0):
            assert pace.after(1000, more=False, now=now) in (None, 0.004)
