"""Other listeners while lines come in: what stays wanted is not touched."""

import socket
from pathlib import Path

import pytest
import pytest_twisted

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
from tscm.base.host_port import HostPort
from tscm.errors import ListenerUnavailable
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.tls import CertificateUnusable


def started(folder: Path) -> tuple[IntakeService, MemorySpool, dict[str, str]]:
    server = Authority(folder).issue("server", "127.0.0.1")
    files = {"tls_certificate": str(server.certificate_file), "tls_key": str(server.key_file)}
    senders, spool = SenderTable(), MemorySpool()
    senders.claim("fw1", ["127.0.0.2"])
    service = IntakeService(reactor, listen(udp=(ANY,), tcp=(ANY,)), bounds(), spool, senders)
    service.startService()
    return service, spool, files


def refuses(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(target(address)) != 0


@pytest_twisted.ensureDeferred
async def test_listeners_come_and_go_beside_those_that_stay(tmp_path: Path) -> None:
    service, spool, files = started(tmp_path)
    before = service.addresses()
    other = HostPort("127.0.0.3", 0)
    with from_loopback(2, socket.SOCK_STREAM) as old, from_loopback(2) as datagrams:
        old.connect(target(before["tcp"][0]))
        old.sendall(b"<1>half a ")
        service.apply_listeners(listen(udp=(ANY, other), tcp=(ANY, other), tls=(ANY,), **files))
        after = service.addresses()
        assert [after["udp"][0], after["tcp"][0]] == [before["udp"][0], before["tcp"][0]]
        assert [len(after[kind]) for kind in ("udp", "tcp", "tls")] == [2, 2, 1]
        old.sendall(b"line\n")
        for place in after["udp"]:
            datagrams.sendto(b"<1>datagram", target(place))
        with from_loopback(2, socket.SOCK_STREAM) as new:
            new.connect(target(after["tcp"][1]))
            new.sendall(b"<1>new\n")
            await until(lambda: spool.count() == 4)
            service.apply_listeners(listen(udp=(other,), tcp=(ANY,)))
            assert service.addresses() == {"udp": [after["udp"][1]], "tcp": before["tcp"]}
            for kind in ("tcp", "tls"):
                await until(lambda: refuses(after[kind][-1]))  # noqa: B023
            new.sendall(b"<1>its listener is gone\n")
            old.sendall(b"<1>last\n")
            await until(lambda: spool.count() == 6)
    assert sorted(spool.lines("fw1")) == sorted(
        [
            *(b"<1>datagram", b"<1>datagram", b"<1>half a line", b"<1>new"),
            *(b"<1>its listener is gone", b"<1>last"),
        ]
    )
    await service.stopService()
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    service, spool, files = started(tmp_path)
    before = service.addresses()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        in_use = HostPort("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ListenerUnavailable):
            service.apply_listeners(listen(udp=(HostPort("127.0.0.3", 0),), tcp=(in_use,)))
        assert service.addresses() == before
        with pytest.raises(ListenerUnavailable):
            service.apply_listeners(listen(udp=(ANY,), tcp=(ANY,), tls=(in_use,), **files))
    with pytest.raises(CertificateUnusable):
        service.apply_listeners(listen(tls=(ANY,), tls_certificate="/nowhere", tls_key="/nowhere"))
    assert service.addresses() == before
    service.apply_listeners(listen(udp=(ANY,), tcp=(ANY,), tls=(ANY,), **files))
    with_tls = service.addresses()
    with pytest.raises(CertificateUnusable):
        service.apply_listeners(listen(udp=(), tls=(ANY,), **{**files, "tls_key": "/nowhere"}))
    assert service.addresses() == with_tls
    with from_loopback(2) as sender:
        sender.sendto(b"<1>still", target(before["udp"][0]))
        await until(lambda: spool.lines("fw1") == [b"<1>still"])
    await service.stopService()
