"""TLS from hand-shake to log."""

import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs

from tests.intake.certificates import Authority, Issued
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
from tscm.intake.figures import StreamFigures, TlsFigures
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.tls import (
    CertificateUnusable,
    Chain,
    TlsFiles,
    TlsServer,
    client_fault,
    fingerprint_of,
    name_matches,
    names_of,
)
from tscm.settings.node import Intake


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


Start = Callable[..., IntakeService]


@pytest_twisted.async_yield_fixture
async def start(authority: Authority) -> AsyncIterator[Start]:
    started: list[IntakeService] = []
    server = authority.issue("server", "collector.example", "127.0.0.1")
    shutil.copy(server.certificate_file, authority.folder / "server.pem")
    shutil.copy(server.key_file, authority.folder / "server.key")

    def make(intake: Intake | None = None, **changed: Any) -> IntakeService:
        senders = SenderTable()
        senders.claim("fw1", ["127.0.0.2"])
        settings = {
            "tls": (ANY,),
            "tls_certificate": str(authority.folder / "server.pem"),
            "tls_key": str(authority.folder / "server.key"),
        }
        service = IntakeService(
            reactor, listen(**(settings | changed)), intake or bounds(), MemorySpool(), senders
        )
        service.startService()
        started.append(service)
        return service

    yield make
    for service in started:
        await service.stopService()


def spool_of(service: IntakeService) -> MemorySpool:
    spool = service._spool
    assert isinstance(spool, MemorySpool)
    return spool


def only(service: IntakeService) -> StreamFigures:
    (figures,) = service.figures().listeners.values()
    assert isinstance(figures, StreamFigures)
    return figures


def tls(service: IntakeService) -> TlsFigures:
    figures = only(service).tls
    assert figures is not None
    return figures


def plain(service: IntakeService) -> socket.socket:
    stream = from_loopback(2, socket.SOCK_STREAM)
    stream.settimeout(60)
    stream.connect(target(service.addresses()["tls"][0]))
    return stream


def connect(
    service: IntakeService, authority: Authority, client: Issued | None = None, **limits: Any
) -> ssl.SSLSocket:
    """Blocking: for a thread."""
    context = ssl.create_default_context(cafile=str(authority.issued.certificate_file))
    for name, value in limits.items():
        setattr(context, name, value)
    if client is not None:
        context.load_cert_chain(client.certificate_file, client.key_file)
    return context.wrap_socket(plain(service), server_hostname="collector.example")


def send(
    service: IntakeService, authority: Authority, client: Issued | None = None, **limits: Any
) -> bool:
    """Blocking: whether lines could be sent and the connection stood afterwards."""
    try:
        with connect(service, authority, client, **limits) as stream:
            stream.sendall(b"<1>one\n7 <1>two\n")
            stream.settimeout(0.3)
            try:
                return stream.recv(1) != b""
            except TimeoutError:
                return True
    except (ssl.SSLError, ConnectionError):
        return False


@pytest_twisted.ensureDeferred
async def test_lines_reach_the_log(start: Start, authority: Authority) -> None:
    service = start()
    assert await deferToThread(send, service, authority)
    await until(lambda: spool_of(service).count() == 2)
    assert spool_of(service).lines("fw1") == [b"<1>one", b"7 <1>two"]
    assert tls(service).handshakes_failed == {}
    assert balanced(service.figures())


@pytest_twisted.ensureDeferred
async def test_a_connection_that_a_bound_leaves_no_room_for_is_closed(start: Start) -> None:
    service = start(bounds(max_connections_per_unknown_sender=2))

    def strangers() -> list[socket.socket]:
        made = []
        for _ in range(5):
            one = from_loopback(9, socket.SOCK_STREAM)
            one.settimeout(60)
            one.connect(target(service.addresses()["tls"][0]))
            made.append(one)
        for refused in made[2:]:
            with contextlib.suppress(ConnectionResetError):
                assert refused.recv(1) == b""
        return made

    with capturedLogs() as said:
        made = await deferToThread(strangers)
    figures = service.figures().connections
    assert (figures.open, sum(figures.refused.values())) == (2, 3)
    assert [one for one in said if "log_failure" in one] == []
    for one in made:
        one.close()


@pytest_twisted.ensureDeferred
async def test_versions_before_1_2_are_refused(start: Start, authority: Authority) -> None:
    service = start()
    old = ssl.TLSVersion(0x0302)  # TLS 1.1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        taken = await deferToThread(
            send, service, authority, minimum_version=old, maximum_version=old
        )
    assert not taken
    assert await deferToThread(send, service, authority, maximum_version=ssl.TLSVersion.TLSv1_2)


@pytest_twisted.ensureDeferred
async def test_a_new_certificate_is_taken_up_and_connections_stay(
    start: Start, authority: Authority
) -> None:
    service = start()
    old = await deferToThread(connect, service, authority)
    first = old.getpeercert(binary_form=True)
    fresh = authority.issue("server", "collector.example")
    shutil.copy(fresh.certificate_file, authority.folder / "server.pem")
    assert service._listeners.tls is not None
    service._listeners.tls.follow()  # the key does not fit yet
    assert "key values mismatch" in str(tls(service).fault)
    assert await deferToThread(send, service, authority)
    shutil.copy(fresh.key_file, authority.folder / "server.key")
    service._listeners.tls.follow()
    assert tls(service).fault is None
    new = await deferToThread(connect, service, authority)
    assert new.getpeercert(binary_form=True) != first
    count = spool_of(service).count()
    old.sendall(b"<1>old\n")
    new.sendall(b"<1>new\n")
    await until(lambda: spool_of(service).count() == count + 2)
    old.close()
    new.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"<166>%ASA-6-302013: this is no TLS\n" * 5,
        b"16 <1>1 - - - - - -",
        b"GET / HTTP/1.1\r\n\r\n",
        b"CONNECT fw:6514 HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        b"\xff" * 100,
        b"SSH-2.0-x\r\n",
    ],
)
@pytest_twisted.ensureDeferred
async def test_gibberish_is_named_and_closed(start: Start, sent: bytes) -> None:
    service = start()
    with plain(service) as stream:
        stream.sendall(sent)
        await until(lambda: bool(tls(service).handshakes_failed))
    (cause,) = tls(service).handshakes_failed
    assert cause.startswith("the data is not TLS")
    assert only(service).received == 0


@pytest_twisted.ensureDeferred
async def test_a_hand_shake_that_never_ends_is_closed(
    start: Start,
) -> None:
    service = start()
    server = service._listeners.tls
    assert server is not None
    server.handshake_seconds = 0.1
    with plain(service) as stream:
        stream.sendall(b"\x16\x03\x01")
        await until(lambda: bool(tls(service).handshakes_failed))
        assert service.figures().connections.open == 0
    (cause,) = tls(service).handshakes_failed
    assert "not finished" in cause


@pytest_twisted.ensureDeferred
async def test_a_client_certificate_can_be_required(start: Start, authority: Authority) -> None:
    service = start(tls_client="required", tls_client_ca=str(authority.issued.certificate_file))
    await deferToThread(send, service, authority)
    stranger = Authority(authority.folder / "..").issue("other", "fw.example")
    expired = authority.issue("expired", "fw.example", days=-1)
    own = authority.issue("own", "fw.example", own=True)
    for bad in (stranger, expired, own):
        await deferToThread(send, service, authority, bad)
    await until(lambda: sum(tls(service).handshakes_failed.values()) == 4)
    assert only(service).received == 0
    assert tls(service).handshakes_failed == {
        "no client certificate": 1,
        "client certificate is neither pinned nor issued by the client CA": 2,
        "client certificate, or its CA's, has expired": 1,
    }
    good = authority.issue("client", "fw.example")
    assert await deferToThread(send, service, authority, good)
    await until(lambda: only(service).received == 2)


@pytest_twisted.ensureDeferred
async def test_a_pinned_certificate_needs_no_authority(start: Start, authority: Authority) -> None:
    pinned = authority.issue("pinned", "fw.example", own=True)
    other = authority.issue("other", "fw.example", own=True)
    service = start(
        tls_client="required", tls_client_fingerprints=(fingerprint_of(pinned.certificate),)
    )
    await deferToThread(send, service, authority, other)
    await until(lambda: bool(tls(service).handshakes_failed))
    assert only(service).received == 0
    assert await deferToThread(send, service, authority, pinned)
    await until(lambda: only(service).received == 2)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("fw.example", "FW.example.", True),
        ("*.example.net", "fw.example.net", True),
        ("*.example.net", "a.b.example.net", False),
        ("*.example.net", "example.net", False),
        ("f*.example.net", "fw.example.net", False),
        ("*", "fw", False),
        ("*.net", "example.net", False),
        ("a.*.net", "a.b.net", False),
        ("*.*.net", "a.b.net", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_wildcard_is_the_whole_left_most_label(pattern: str, name: str, fits: bool) -> None:
    assert name_matches(pattern, name) is fits


def test_client_names_are_compared_with_what_was_issued(authority: Authority) -> None:
    files = TlsFiles(
        certificate="", key="", client="optional", client_names=("fw.example", "192.0.2.1")
    )
    for sans, fault in (
        (("fw.example",), ""),
        (("*.example.net",), "client certificate is for other names"),
        (("192.0.2.1",), ""),
        ((), "client certificate is for other names"),
    ):
        issued = authority.issue("fw.example", *sans).certificate
        assert names_of(issued) == sans
        assert client_fault(files, issued) == fault
    assert client_fault(files, None) == ""


@pytest.mark.parametrize("verdicts", [(20, 10), (10, 21), (20, 9), (18,)])
def test_a_chain_that_does_not_hold_outweighs_a_date(verdicts: tuple[int, ...]) -> None:
    assert chain_of(verdicts) is Chain.BROKEN


def test_a_date_is_told_as_a_date() -> None:
    assert chain_of(()) is Chain.GOOD
    assert "expired" in chain_of((10,)).value
    assert "not valid yet" in chain_of((9,)).value


def chain_of(verdicts: tuple[int, ...]) -> Chain:
    return reduce(Chain.with_another, map(Chain.of, verdicts), Chain.GOOD)


def test_a_certificate_that_cannot_be_read_is_a_cause_and_no_exception(
    authority: Authority,
) -> None:
    class Presents:
        """A client with what OpenSSL lets through and the stricter reader does not."""

        def get_peer_certificate(self, *, as_cryptography: bool) -> x509.Certificate:
            assert as_cryptography
            return x509.load_der_x509_certificate(b"\x30\x00")

    files = TlsFiles(certificate="", key="", client="required", client_fingerprints=("00" * 32,))
    server = TlsServer(files, lambda: 0.0)
    assert server.client_fault(Presents()) == "client certificate cannot be read: ValueError"
    assert server.certificate(Presents()) == ""


def test_settings_that_cannot_be_meant_are_a_sentence(authority: Authority) -> None:
    with pytest.raises(CertificateUnusable, match="tls_certificate, tls_key: not set"):
        TlsFiles.of(listen(tls=(ANY,)))
    with pytest.raises(CertificateUnusable, match="tls_client_ca: not set"):
        TlsFiles.of(listen(tls_certificate="/a", tls_key="/b", tls_client="required"))
    missing = TlsFiles(certificate="/nowhere/a.pem", key="/nowhere/b.key")
    with pytest.raises(CertificateUnusable, match=r"/nowhere/a\.pem: No such file"):
        TlsServer(missing, lambda: 0.0).load()
    text = authority.folder / "text.pem"
    text.write_text("no certificate")
    with pytest.raises(CertificateUnusable, match=r"text\.pem: it contains no certificate in PEM"):
        TlsServer(TlsFiles(certificate=str(text), key=str(text)), lambda: 0.0).load()
