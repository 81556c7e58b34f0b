"""What hostile or broken senders and a short supply of descriptors do: nothing to the others."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import LogEvent

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
from tests.waiting import PATIENCE_SECONDS
from tscm.intake.account import Account
from tscm.intake.batch import Batch
from tscm.intake.delivery import Delivery
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.sockets import allow_descriptors
from tscm.model import Run
from tscm.syslog.framing import Lines

SEND_HUGE = """
import socket, sys
host, port, framing = sys.argv[1:]
one = socket.socket()
one.bind(("127.0.0.2", 0))
one.connect((host, int(port)))
huge = b"<1>" + b"x" * (10 << 20)
frames = b"%d %b7 <1>next" % (len(huge), huge)
one.sendall(frames if framing == "octets" else huge + b"\\n<1>next\\n")
"""

OPEN_MANY = """
import socket, sys
all = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(100)]
print("open", flush=True)
sys.stdin.read()
"""


def client(script: str, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", script, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def started(spool: MemorySpool, **changed: Any) -> IntakeService:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    service = IntakeService(
        reactor, listen(udp=(ANY,), tcp=(ANY,)), bounds(**changed), spool, senders
    )
    service.startService()
    return service


@pytest_twisted.ensureDeferred
async def test_forged_sources_cost_no_table_and_no_device() -> None:
    spool = MemorySpool()
    service = started(spool)
    place = target(service.addresses()["udp"][0])
    with from_loopback(2) as known:
        for n in range(2500):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forged:
                forged.bind((f"127.9.{n // 250}.{n % 250 + 1}", 0))
                forged.sendto(b"<1>flood", place)
            if n % 100 == 0:
                known.sendto(b"<1>%d" % n, place)
    await until(lambda: service.figures().unknown_senders.lines == 2500)
    await until(lambda: spool.count() == 25)
    figures = service.figures()
    assert figures.unknown_senders.senders == 1024
    assert figures.unknown_senders.uncounted_lines == 2500 - 1024
    assert balanced(figures)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_message_of_10_mb_is_cut_and_the_next_is_whole() -> None:
    spool = MemorySpool()
    service = started(spool)
    huge = b"<1>" + b"x" * (10 << 20)
    for framing in ("lines", "octets"):
        spool.appended.clear()
        host, port = target(service.addresses()["tcp"][0])
        with client(SEND_HUGE, host, str(port), framing):
            await until(lambda: spool.count() == 2)
        assert spool.lines("fw1") == [huge[:65536], b"<1>next"]
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_when_descriptors_run_out_open_connections_go_on() -> None:
    spool = MemorySpool()
    service = started(spool, max_connections_per_sender=1000, max_connections=4000)
    host, port = target(service.addresses()["tcp"][0])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with from_loopback(2, socket.SOCK_STREAM) as known:
        known.connect((host, port))
        await until(lambda: service.figures().connections.open == 1)
        with client(OPEN_MANY, host, str(port)) as crowd:
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            next_free = os.dup(0)
            os.close(next_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_free + 20, hard))
            try:
                crowd.stdout.readline()
                for n in range(20):
                    known.sendall(b"<1>%d\n" % n)
                    await until(lambda: spool.count() == n + 1)  # noqa: B023
                assert service.figures().connections.open < 60
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            crowd.stdin.close()
        await until(lambda: service.figures().connections.open == 1)
        with from_loopback(2, socket.SOCK_STREAM) as later:
            later.connect((host, port))
            later.sendall(b"<1>later\n")
            await until(lambda: spool.count() == 21)
    await service.stopService()
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_slow_strangers_hold_up_nobody() -> None:
    spool = MemorySpool()
    service = started(spool, max_connections=200, max_connections_per_sender=150)
    place = target(service.addresses()["tcp"][0])
    with ExitStack() as crowd:
        for _ in range(150):
            slow = crowd.enter_context(from_loopback(9, socket.SOCK_STREAM))
            slow.connect(place)
            slow.send(b"1")
        with from_loopback(2, socket.SOCK_STREAM) as known:
            known.connect(place)
            known.sendall(b"<1>a\n" * 1000)
            await until(lambda: spool.count() == 1000)
        assert service.figures().connections.of_unknown_senders <= 50
    await service.stopService()


def test_the_bound_on_descriptors_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        assert allow_descriptors(600) == min(600, hard)
        assert allow_descriptors(100) == min(600, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FaultySpool(MemorySpool):
    """One device's log fails in a way that nobody has thought of."""

    def append(self, device: str, runs: Sequence[Run], received_at: float) -> bool:
        if device == "fw1":
            raise ZeroDivisionError("a fault of the program")
        return super().append(device, runs, received_at)


@pytest_twisted.ensureDeferred
async def test_a_fault_with_one_log_ends_no_socket_and_costs_no_other_log(
    logged_failures: list[LogEvent],
) -> None:
    spool = FaultySpool()
    service = started(spool)
    service.senders.claim("fw2", ["127.0.0.3"])
    with (
        from_loopback(2) as datagrams,
        from_loopback(2, socket.SOCK_STREAM) as stream,
        from_loopback(3) as other,
    ):
        stream.connect(target(service.addresses()["tcp"][0]))
        place = target(service.addresses()["udp"][0])
        for n in range(3):
            datagrams.sendto(b"<1>lost", place)
            stream.sendall(b"<1>lost\n")
            other.sendto(b"<1>%d" % n, place)
            await until(lambda: spool.count() == n + 1)  # noqa: B023
        await until(lambda: sum(one.received for one in service.figures().listeners.values()) == 9)
        assert service.figures().connections.open == 1
    figures = service.figures()
    assert spool.lines("fw2") == [b"<1>0", b"<1>1", b"<1>2"]
    assert balanced(figures)
    dropped = [one.dropped for one in figures.listeners.values()]
    assert dropped == [{"fault of the program": 3}, {"fault of the program": 3}]
    await service.stopService()
    assert len(logged_failures) == 1  # of six: the rest are counted
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_fault_on_the_way_from_the_socket_ends_no_socket(
    monkeypatch: pytest.MonkeyPatch, logged_failures: list[LogEvent]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of the program")

    spool = MemorySpool()
    service = started(spool)
    (listener,) = service._listeners._udp
    with from_loopback(2) as datagrams, from_loopback(2, socket.SOCK_STREAM) as stream:
        stream.connect(target(service.addresses()["tcp"][0]))
        place = target(service.addresses()["udp"][0])
        with monkeypatch.context() as broken:
            broken.setattr(Delivery, "deliver", fail)
            broken.setattr(listener, "_deliver", fail)
            for n in range(3):
                datagrams.sendto(b"<1>lost", place)
                stream.sendall(b"<1>lost\n")
                await until(lambda: listener._errors == n + 1)  # noqa: B023
            await until(lambda: len(logged_failures) == 2)  # the first of each
        datagrams.sendto(b"<1>kept", place)
        stream.sendall(b"<1>kept\n")
        await until(lambda: spool.count() == 2)
        assert service.figures().connections.open == 1
    await service.stopService()
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_datagrams_that_found_no_memory_are_received_and_dropped_with_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spool = MemorySpool()
    service = started(spool)
    (listener,) = service._listeners._udp
    with from_loopback(2) as datagrams:
        with monkeypatch.context() as scarce:
            scarce.setattr(listener, "_drain", lambda *_: Batch(datagrams=3, lost=3))
            listener._take()
        datagrams.sendto(b"<1>kept", target(service.addresses()["udp"][0]))
        await until(lambda: spool.count() == 1)
    figures = service.figures()
    assert balanced(figures)
    (udp,) = [one for name, one in figures.listeners.items() if name.startswith("udp")]
    assert (udp.received, udp.dropped) == (4, {"no memory": 3})
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_fault_with_the_rest_of_a_line_does_not_hold_up_the_stop(
    monkeypatch: pytest.MonkeyPatch, logged_failures: list[LogEvent]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of the program")

    service = started(MemorySpool())
    with from_loopback(2, socket.SOCK_STREAM) as stream:
        stream.connect(target(service.addresses()["tcp"][0]))
        stream.sendall(b"<1>no end")
        await until(lambda: heard(service) == [9])
        monkeypatch.setattr(Delivery, "deliver", fail)
        await service.stopService().addTimeout(PATIENCE_SECONDS, reactor)
    assert len(logged_failures) == 1
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_socket_that_cannot_be_read_is_not_all_that_the_reactor_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def refuse(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise OSError(12, "Cannot allocate memory")

    spool = MemorySpool()
    service = started(spool)
    (listener,) = service._listeners._udp
    with from_loopback(2) as datagrams:
        with monkeypatch.context() as broken:
            broken.setattr(listener, "_drain", refuse)
            datagrams.sendto(b"<1>kept", target(service.addresses()["udp"][0]))
            await until(lambda: tries >= 3)
            await pause(0.1)
            assert tries < 50
        await until(lambda: spool.count() == 1)
    await service.stopService()


def test_only_devices_whose_lines_were_refused_are_told_to_the_ledger() -> None:
    spool, senders = MemorySpool(), SenderTable()
    for number, device in enumerate(("asa", "edge"), 2):
        senders.claim(device, [f"127.0.0.{number}"])
    delivery, account, line = Delivery(spool, senders), Account("udp"), Lines(b"one\n", 1)
    delivery.deliver(account, [("127.0.0.2", line), ("127.0.0.3", line)], 1.0)
    assert delivery.refused() == {}
    spool.away = True
    delivery.deliver(account, [("127.0.0.3", line)], 2.0)
    assert {name: one.dropped for name, one in delivery.refused().items()} == {
        "edge": {"log unavailable": 1}
    }
    assert sorted(delivery.figures()) == ["asa", "edge"]
