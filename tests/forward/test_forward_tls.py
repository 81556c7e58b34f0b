"""
TLS targets: a Python server to look into, and rsyslog with octet-counted framing.
"""

import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import ssl as twisted_ssl

from tests.forward.receivers import TcpReceiver, reactor, until
from tests.memory_log import MemoryLog
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "siem")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "siem.pem", folder / "siem.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, secret


class TlsReceiver(TcpReceiver):
    """The same over TLS."""

    def listen_tls(self, pem: Path, key: Path) -> int:
        options = twisted_ssl.DefaultOpenSSLContextFactory(str(key), str(pem))
        port: Any = reactor.listenSSL(self.number, self, options, interface="127.0.0.1")
        self._port = port
        self.number = port.getHost().port
        return self.number

    def reset_all(self) -> None:
        for one in list(self.connections):
            transport: Any = one.transport
            transport.abortConnection()


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d\n" % at for at in range(first, first + count)]


async def stop(service: ForwardService) -> None:
    stopped = service.stopService()
    assert stopped is not None
    await stopped


@pytest_twisted.ensureDeferred
async def test_lines_go_over_tls_and_count_when_their_records_have_left(
    threads: Threads, tmp_path: Path
) -> None:
    pem, key = certificate(tmp_path)
    siem = TlsReceiver()
    port = siem.listen_tls(pem, key)
    log = MemoryLog()
    for first in range(0, 40_000, 1000):
        log.append_block(b"".join(lines(1000, first)))
    target = Target(address="127.0.0.1", port=port, protocol="TLS", ca_file=str(pem))
    service = ForwardService(reactor, threads, log, target, chance=lambda: 0.0)
    service.startService()
    await until(lambda: log.position.sent == 40_000)
    log.append(*lines(5, 40_000))
    await until(lambda: log.position.sent == 40_005)
    assert siem.data == b"".join(lines(40_005))
    await stop(service)
    await until(lambda: not siem.connections)
    await siem.stop()


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_not_trusted_gets_no_line(
    threads: Threads, tmp_path: Path
) -> None:
    pem, key = certificate(tmp_path)
    siem = TlsReceiver()
    port = siem.listen_tls(pem, key)
    log = MemoryLog()
    log.append(*lines(5))
    target = Target(address="127.0.0.1", port=port, protocol="TLS")
    service = ForwardService(reactor, threads, log, target)
    service.startService()
    await until(lambda: service.figures().state == "waiting")
    assert "presented an untrusted certificate" in service.figures().sentence
    assert siem.data == b""
    assert log.position.sent == 0
    await stop(service)
    await siem.stop()


@pytest_twisted.ensureDeferred
async def test_a_ca_file_that_is_lost_is_said(threads: Threads, tmp_path: Path) -> None:
    target = Target(
        address="127.0.0.1", port=6514, protocol="TLS", ca_file=str(tmp_path / "absent.pem")
    )
    service = ForwardService(reactor, threads, MemoryLog(), target)
    service.startService()
    await until(lambda: service.figures().state == "waiting")
    assert "absent.pem" in service.figures().sentence
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_a_peer_without_tls_is_said(threads: Threads) -> None:
    siem = TcpReceiver()
    log = MemoryLog()
    log.append(*lines(5))
    target = Target(address="127.0.0.1", port=siem.listen(), protocol="TLS", connect_seconds=0.5)
    service = ForwardService(reactor, threads, log, target)
    service.startService()
    await until(lambda: service.figures().state == "waiting")
    assert "does not respond; the" in service.figures().sentence
    assert log.position.sent == 0
    await stop(service)
    await siem.stop()
