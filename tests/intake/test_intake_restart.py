"""Over a restart: sockets that systemd holds, connections that it keeps, word to it."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    from_loopback,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tests.intake.notify_socket import Systemd, held
from tscm.base.host_port import HostPort
from tscm.intake.handover import hand_over, take_over
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.systemd import (
    Activation,
    Inherited,
    Notifier,
    SystemdService,
    environment,
    inherited,
)
from tscm.syslog.framing import StreamState


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path / "notify")
    yield made
    made.close()


def manager(
    place: HostPort, spool: MemorySpool, activation: Activation, *, udp: bool = False
) -> IntakeService:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    wanted = listen(udp=(place,)) if udp else listen(tcp=(place,))
    service = IntakeService(reactor, wanted, bounds(), spool, senders, activation=activation)
    service.startService()
    return service


@pytest_twisted.ensureDeferred
async def test_datagrams_between_two_managers_wait_in_the_held_socket() -> None:
    spool = MemorySpool()
    with held(socket.SOCK_DGRAM) as kept, from_loopback(2) as sender:
        place = HostPort(*kept.getsockname())
        for round_ in range(3):
            sender.sendto(b"between %d" % round_, kept.getsockname())
            ours = Inherited(os.dup(kept.fileno()), "tscm.socket")
            service = manager(place, spool, Activation((ours,)), udp=True)
            sender.sendto(b"during %d" % round_, kept.getsockname())
            await until(lambda: spool.count() == 2 * round_ + 2)  # noqa: B023
            await service.stopService()
    assert len(spool.lines("fw1")) == 6


@pytest_twisted.ensureDeferred
async def test_no_connection_is_refused_between_two_managers() -> None:
    spool = MemorySpool()
    with held(socket.SOCK_STREAM) as kept, ExitStack() as streams:
        place = HostPort(*kept.getsockname())
        for round_ in range(3):
            stream = streams.enter_context(from_loopback(2, socket.SOCK_STREAM))
            stream.connect(kept.getsockname())
            stream.sendall(b"<1>%d\n" % round_)
            ours = Inherited(os.dup(kept.fileno()), "tscm.socket")
            service = manager(place, spool, Activation((ours,)))
            assert service.addresses()["tcp"] == [str(place)]
            await until(lambda: spool.count() == round_ + 1)  # noqa: B023
            await service.stopService()


@pytest_twisted.ensureDeferred
async def test_accepted_connections_go_on_in_the_middle_of_a_line(systemd: Systemd) -> None:
    spool = MemorySpool()
    with held(socket.SOCK_STREAM) as kept, ExitStack() as streams:
        place = HostPort(*kept.getsockname())
        lines, counted, fresh = (
            streams.enter_context(from_loopback(2, socket.SOCK_STREAM)) for _ in range(3)
        )

        def activation() -> Activation:
            ours = Inherited(os.dup(kept.fileno()), "tscm.socket")
            return Activation((ours, *systemd.kept()), systemd.notifier, hands_over=True)

        before = manager(place, spool, activation())
        for one in (lines, counted, fresh):
            one.connect(kept.getsockname())
        lines.sendall(b"<1>whole\n<1>first half, ")
        counted.sendall(b"8 <1>first11 <1>sec")
        await until(lambda: spool.count() == 2)
        await until(lambda: before.figures().connections.open == 3)
        await before.stopService()
        assert spool.count() == 2
        lines.sendall(b"second half\n")  # nobody runs
        after = manager(place, spool, activation())
        systemd.hear()
        assert systemd.store == {}
        counted.sendall(b"ond1 ")
        fresh.sendall(b"<1>fresh\n")
        await until(lambda: spool.count() == 5)
        assert sorted(spool.lines("fw1")) == sorted(
            [b"<1>whole", b"<1>first", b"<1>first half, second half", b"<1>second1 ", b"<1>fresh"]
        )
        assert balanced(after.figures())
        assert after.figures().connections.open == 3
        await after.stopService()
        systemd.hear()
        assert len(systemd.store) == 4


@pytest_twisted.ensureDeferred
async def test_without_a_store_connections_are_drained_and_closed() -> None:
    spool = MemorySpool()
    service = manager(ANY, spool, Activation(notifier=Notifier("/nowhere/notify"), hands_over=True))
    with from_loopback(2, socket.SOCK_STREAM) as stream:
        stream.connect(target(service.addresses()["tcp"][0]))
        await until(lambda: service.figures().connections.open == 1)
        stream.sendall(b"<1>a\n<1>rest")
        await service.stopService()
        stream.settimeout(60)
        assert stream.recv(1) == b""
    assert spool.lines("fw1") == [b"<1>a", b"<1>rest"]
    await pause(0.01)


def test_what_does_not_read_is_passed_over(systemd: Systemd) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    memory = os.memfd_create("states")
    os.write(memory, b"no json")
    listener = held(socket.SOCK_STREAM)
    names = [("tscm-stream-0", reading), ("tscm-streams", memory), ("other", listener.fileno())]
    assert take_over([Inherited(fd, name) for name, fd in names], Notifier()) == []
    with pytest.raises(OSError):
        os.fstat(reading)
    listener.close()
    assert hand_over(Notifier(), [(1, StreamState())]) == set()
    assert hand_over(systemd.notifier, []) == set()


def test_descriptors_of_another_process_are_not_ours() -> None:
    mine = {"LISTEN_PID": "7", "LISTEN_FDS": "0", "LISTEN_FDNAMES": "a:b", "X": "y"}
    assert inherited(mine, 7) == ()
    assert mine == {"X": "y"}
    assert inherited({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, 7) == ()
    assert inherited({"LISTEN_PID": "7", "LISTEN_FDS": "-1"}, 7) == ()
    assert inherited({}, 7) == ()


def test_what_twisted_takes_out_of_the_environment_is_found_all_the_same(tmp_path: Path) -> None:
    started_with = tmp_path / "environ"
    started_with.write_bytes(b"LISTEN_PID=7\0LISTEN_FDS=2\0LISTEN_FDNAMES=a:b\0TSCM_OLD=1\0")
    found = environment(started_with)
    assert "TSCM_OLD" not in found
    assert {name: found[name] for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")} == {
        "LISTEN_PID": "7",
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "a:b",
    }
    assert environment(tmp_path / "none") == dict(os.environ)


def test_systemd_is_told_and_the_watchdog_fed(systemd: Systemd) -> None:
    environ = {
        "NOTIFY_SOCKET": systemd.notifier.address,
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": "7",
    }
    clock = Clock()
    service = SystemdService(clock, Activation.of(environ, 7))
    service.startService()
    clock.pump([1.0] * 5)
    service.say_stopping()
    clock.pump([1.0] * 2)  # a stop that takes its time is no reactor that stands still
    service.stopService()
    systemd.hear()
    assert systemd.words == ["READY=1", *["WATCHDOG=1"] * 6, "STOPPING=1", *["WATCHDOG=1"] * 2]
    assert clock.getDelayedCalls() == []
    assert Activation.of(environ, 8).watchdog_seconds == 0
    quiet = SystemdService(clock, Activation.of({}, 7))
    quiet.startService()
    quiet.stopService()
    assert clock.getDelayedCalls() == []
