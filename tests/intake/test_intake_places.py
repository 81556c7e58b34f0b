"""Where intake listens: IPv4 and IPv6 side by side or in one, and ports that nobody else shares."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import pytest_twisted

from tests.intake.intake_parts import (
    MemorySpool,
    balanced,
    bounds,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tscm.base.host_port import HostPort
from tscm.errors import ListenerUnavailable
from tscm.intake import sockets
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService

WIDE = HostPort("::", 0)
LOCAL = HostPort("127.0.0.1", 0)


def made(udp_sockets: int = 1, **wanted: Any) -> IntakeService:
    senders = SenderTable()
    senders.claim("fw4", ["127.0.0.2"])
    senders.claim("fw6", ["::1"])
    return IntakeService(
        reactor, listen(**wanted), bounds(udp_sockets=udp_sockets), MemorySpool(), senders
    )


def spool_of(service: IntakeService) -> MemorySpool:
    spool = service._spool
    assert isinstance(spool, MemorySpool)
    return spool


def port_of(service: IntakeService, kind: str, at: int = 0) -> int:
    return target(service.addresses()[kind][at])[1]


def send_udp(host: str, source: str, port: int, data: bytes) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.bind((source, 0))
        one.sendto(data, (host, port))


@pytest_twisted.ensureDeferred
async def test_one_socket_takes_both_where_so_set_and_ipv4_stays_ipv4() -> None:
    service = made(udp=(WIDE,), tcp=(WIDE,), ipv6_takes_ipv4=True)
    service.startService()
    send_udp("127.0.0.1", "127.0.0.2", port_of(service, "udp"), b"<13>u4")
    send_udp("::1", "::1", port_of(service, "udp"), b"<13>u6")
    with ExitStack() as streams:
        for host, source in (("127.0.0.1", "127.0.0.2"), ("::1", "::1")):
            place = (host, port_of(service, "tcp"))
            one = streams.enter_context(socket.create_connection(place, 10, (source, 0)))
            one.sendall(b"<13>t\n")
        await until(lambda: spool_of(service).count() == 4)
    spool = spool_of(service)
    assert sorted(spool.lines("fw4")) == [b"<13>t", b"<13>u4"]
    assert sorted(spool.lines("fw6")) == [b"<13>t", b"<13>u6"]
    senders = {run.sender for _, runs, _ in spool.appended for run in runs}
    assert senders == {"127.0.0.2", "::1"}
    assert balanced(service.figures())
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_ipv6_alone_by_default() -> None:
    service = made(udp=(WIDE,), tcp=(WIDE,))
    service.startService()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(service, "tcp")), 10)
    (one,) = service._listeners._udp
    assert one._socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    await service.stopService()
    await pause(0.01)


@pytest.mark.parametrize("both", [True, False])
@pytest_twisted.ensureDeferred
async def test_both_stand_side_by_side_whatever_the_setting(*, both: bool) -> None:
    first = made(tcp=(HostPort("0.0.0.0", 0),))
    first.startService()
    port = port_of(first, "tcp")
    await first.stopService()
    place = HostPort("0.0.0.0", port)
    two = (place, HostPort("::", port))
    service = made(tcp=two, udp=two, ipv6_takes_ipv4=both)
    service.startService()
    send_udp("127.0.0.1", "127.0.0.2", port, b"<13>u4")
    send_udp("::1", "::1", port, b"<13>u6")
    await until(lambda: spool_of(service).count() == 2)
    assert spool_of(service).lines("fw4") == [b"<13>u4"]
    await service.stopService()
    await pause(0.01)


@pytest_twisted.ensureDeferred
async def test_a_second_manager_does_not_share_a_port_of_several_sockets() -> None:
    first = made(udp=(LOCAL,), udp_sockets=3)
    first.startService()
    place = HostPort("127.0.0.1", port_of(first, "udp"))
    for count in (1, 3):
        second = made(udp=(place,), udp_sockets=count)
        with pytest.raises(ListenerUnavailable, match="in use"):
            second.privilegedStartService()
        assert second.addresses() == {}
    for number in range(50):
        send_udp("127.0.0.1", "127.0.0.2", place.port or 0, b"<13>%d" % number)
    await until(lambda: spool_of(first).count() == 50)
    await first.stopService()


@contextmanager
def sharing(place: HostPort) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((place.host, place.port))
        yield other


@pytest_twisted.ensureDeferred
async def test_one_that_came_in_the_same_moment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with sharing(LOCAL) as other:
        place = sockets.place_of(other)
        monkeypatch.setattr(sockets, "claim_udp", lambda _, address, **__: address)
        second = made(udp=(place,), udp_sockets=2)
        with pytest.raises(ListenerUnavailable, match="another process"):
            second.privilegedStartService()
        assert second.addresses() == {}
    second.privilegedStartService()
    await second.stopService()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernels_table_is_read_rightly(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        two = [stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2)]
        port = 0
        for one in two:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind((host, port))
            port = one.getsockname()[1]
        place = HostPort(host, port)
        sockets.refuse_sharing("udp", place, [one.fileno() for one in two])
        with pytest.raises(ListenerUnavailable):
            sockets.refuse_sharing("udp", place, [two[0].fileno()])
