"""Client certificates that devices pin: who must show one, and whom one tells."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.intake.certificates import Authority, Issued
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
from tests.waiting import PATIENCE_SECONDS
from tscm.intake.figures import DeviceIntake, WithoutCertificate
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.tls import fingerprint_of


class Stage:
    """Listeners of all kinds; fw1 is 127.0.0.2, fw2 127.0.0.3, both are behind 127.0.0.5."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.own, self.other, self.nobodys = (
            self.authority.issue(name, "fw.example", own=True) for name in ("own", "other", "x")
        )
        server = self.authority.issue("server", "127.0.0.1")
        self.settings = {
            "tls_certificate": str(server.certificate_file),
            "tls_key": str(server.key_file),
        }
        self.spool = MemorySpool()
        self.senders = SenderTable()
        self.started: list[IntakeService] = []

    def claim(self, first: tuple[Issued, ...] = (), second: tuple[Issued, ...] = ()) -> None:
        for number, pinned in ((1, first), (2, second)):
            prints = [fingerprint_of(one.certificate) for one in pinned]
            sources = [f"127.0.0.{number + 1}", "127.0.0.5"]
            self.senders.claim(f"fw{number}", sources, prints)

    def start(self, **changed: Any) -> IntakeService:
        wanted = listen(udp=(ANY,), tcp=(ANY,), tls=(ANY,), **self.settings)
        service = IntakeService(reactor, wanted, bounds(**changed), self.spool, self.senders)
        service.startService()
        self.started.append(service)
        return service

    def is_refused(self, number: int, shown: Issued | None) -> bool:
        """Blocking: whether the connection ends, as one that is refused does."""
        return not self.send(number, shown, seconds=PATIENCE_SECONDS)

    def send(
        self, number: int, shown: Issued | None, text: bytes = b"<1>one\n", seconds: float = 0.3
    ) -> bool:
        """Blocking: whether lines could be sent over TLS and the connection stood *seconds* afterwards."""
        trusted = str(self.authority.issued.certificate_file)
        context = ssl.create_default_context(cafile=trusted)
        if shown is not None:
            context.load_cert_chain(shown.certificate_file, shown.key_file)
        try:
            raw = from_loopback(number, socket.SOCK_STREAM)
            raw.settimeout(60)
            raw.connect(target(self.started[0].addresses()["tls"][0]))
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
                stream.sendall(text)
                stream.settimeout(seconds)
                try:
                    return stream.recv(1) != b""
                except TimeoutError:
                    return True
        except (ssl.SSLError, ConnectionError):
            return False


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for service in made.started:
        pytest_twisted.blockon(service.stopService())


def refused(service: IntakeService, device: str) -> WithoutCertificate:
    found = service.figures().devices.get(device, DeviceIntake())
    return found.without_certificate


@pytest_twisted.ensureDeferred
async def test_a_device_that_pins_must_show_its_certificate(stage: Stage) -> None:
    stage.claim(first=(stage.own,))
    service = stage.start()
    for shown in (None, stage.other, stage.nobodys):
        assert await deferToThread(stage.is_refused, 2, shown)
    await until(lambda: refused(service, "fw1").connections == 3)
    assert stage.spool.count() == 0
    reasons = service.figures().connections.refused
    assert reasons == {"certificate of the device not shown": 3}
    assert await deferToThread(stage.send, 2, stage.own)
    await until(lambda: stage.spool.lines("fw1") == [b"<1>one"])
    assert await deferToThread(stage.send, 3, None), "fw2 pins nothing"
    await until(lambda: stage.spool.lines("fw2") == [b"<1>one"])
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_nothing_plain_gets_into_the_log_of_a_device_that_pins(stage: Stage) -> None:
    stage.claim(first=(stage.own,))
    service = stage.start()
    with from_loopback(2) as forged:
        forged.sendto(b"<1>forged", target(service.addresses()["udp"][0]))
    with from_loopback(2, socket.SOCK_STREAM) as plain:
        plain.connect(target(service.addresses()["tcp"][0]))
        await until(lambda: refused(service, "fw1") == WithoutCertificate(connections=1, lines=1))
    with from_loopback(5) as relay:
        relay.sendto(
            b"<1>Apr 15 2026 09:36:50 fw1 : %ASA-6-1: x", target(service.addresses()["udp"][0])
        )
        await until(lambda: refused(service, "fw1").lines == 2)
    assert stage.spool.count() == 0
    udp = service.figures().listeners[f"udp {service.addresses()['udp'][0]}"]
    assert udp.dropped == {"certificate of the device not shown": 2}
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_the_certificate_of_another_device_is_refused(stage: Stage) -> None:
    stage.claim(first=(stage.own,))
    service = stage.start()
    assert await deferToThread(stage.is_refused, 3, stage.own)
    await until(lambda: refused(service, "fw2").connections == 1)
    assert stage.spool.count() == 0


@pytest_twisted.ensureDeferred
async def test_a_pinned_certificate_tells_the_device_from_any_address(stage: Stage) -> None:
    stage.claim(first=(stage.own,), second=(stage.other,))
    service = stage.start(unknown_senders="close")
    for number in (9, 5):
        assert await deferToThread(stage.send, number, stage.own)
    await until(lambda: stage.spool.lines("fw1") == [b"<1>one"] * 2)
    assert await deferToThread(stage.send, 9, stage.other)
    await until(lambda: stage.spool.lines("fw2") == [b"<1>one"])
    for shown in (None, stage.nobodys):
        assert await deferToThread(stage.is_refused, 9, shown)
    assert stage.spool.count() == 3
    assert service.figures().connections.refused == {"unknown sender": 2}


@pytest_twisted.ensureDeferred
async def test_a_relays_certificate_is_pinned_by_each_device_behind_it(stage: Stage) -> None:
    stage.claim(first=(stage.own, stage.other), second=(stage.other,))
    stage.start()
    text = b"".join(b"<1>Apr 15 2026 09:36:50 fw%d : %%ASA-6-1: x\n" % n for n in (1, 2, 2))
    assert await deferToThread(stage.send, 5, stage.other, text)
    await until(lambda: stage.spool.count() == 3)
    assert [len(stage.spool.lines(name)) for name in ("fw1", "fw2")] == [1, 2]


@pytest_twisted.ensureDeferred
async def test_a_pin_that_comes_later_ends_what_cannot_show_it(stage: Stage) -> None:
    stage.claim()
    service = stage.start()
    with from_loopback(2, socket.SOCK_STREAM) as plain:
        plain.connect(target(service.addresses()["tcp"][0]))
        plain.sendall(b"<1>before\n")
        await until(lambda: stage.spool.count() == 1)
        stage.claim(first=(stage.own,))
        plain.sendall(b"<1>after\n")
        await until(lambda: refused(service, "fw1").connections == 1)
    await pause(0.05)
    assert stage.spool.lines("fw1") == [b"<1>before"]
    stage.claim()
    assert await deferToThread(stage.send, 2, None)
    await until(lambda: stage.spool.count() == 2)
