"""
A log service, a store or a proxy that sends an octet now and then: given up as a whole, and at once at a stop.

And what a proxy does before it has answered CONNECT is told as the proxy's.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kinds.asa.rest.test_rest_trickle import Serve, over_tls, serving, trickle
from tscm.base.deadline import Scope
from tscm.base.secrets import Secret
from tscm.doctor.probe_onward import ask_proxy, why_not
from tscm.forward.target import Target
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.services.certificate import ensure_certificate
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.receiver import LogServiceReceiver, Receiver, pack
from tscm.upload.s3 import S3Receiver
from tscm.upload.signature import Credentials
from tscm.upload.transport import LEAST_RATE, Way

PART = Part(key="00000000000000000000-5f0c", start=0, end=2)
CONTENT = pack(b"x\n", 1, "zstd")
TRICKLES = [
    pytest.param(b"HTTP/1.1 ", b"2", id="status"),
    pytest.param(b"HTTP/1.1 201 Created\r\nX-Slow: ", b"x", id="headers"),
    pytest.param(b"HTTP/1.1 201 Created\r\n\r\n", b" ", id="body"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim"),
]


def log_service(way: Way) -> Receiver:
    return LogServiceReceiver(way=way, device_id="tdid_abcd1234", device_key=Secret("key"))


def store(way: Way) -> Receiver:
    credentials = Credentials(access_key="AKIA", secret_key=Secret("secret"), region="eu-west-1")
    return S3Receiver(way=way, bucket="logs", device_id="tdid_abcd1234", credentials=credentials)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    found, key = ensure_certificate(tmp_path, [], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found, key)
    return found, context


def way_to(root: str, **more: Any) -> Way:
    settings = {"url": root.removesuffix("/api"), "device": "fw", "timeout_seconds": 0.2, **more}
    return Way(**settings)


def through(root: str, **more: Any) -> Way:
    """Through a proxy at *root* to a log service that nobody will ever reach."""
    proxy = root.removesuffix("/api").replace("https:", "http:")
    return way_to("https://logs.example/api", proxy=proxy, **more)


@pytest.mark.parametrize(("first", "piece"), TRICKLES)
@pytest.mark.parametrize("kind", [log_service, store])
def test_an_answer_that_trickles_is_given_up(
    certificate: tuple[Path, ssl.SSLContext],
    first: bytes,
    piece: bytes,
    kind: Callable[[Way], Receiver],
) -> None:
    with serving(over_tls(first, piece, certificate[1])) as root:
        receiver = kind(way_to(root, ca_file=str(certificate[0])))
        with pytest.raises(
            UploadFailed, match="no complete response was received within 0 s"
        ) as failed:
            receiver.send(PART, CONTENT)
    assert failed.value.kind is Kind.RETRY


def test_a_handshake_that_trickles_is_given_up() -> None:
    def serve(one: socket.socket) -> None:
        trickle(one, b"\x16\x03\x03\x40\x00", b"\0")

    with (
        serving(serve) as root,
        pytest.raises(UploadFailed, match="TLS handshake with the log service 127"),
    ):
        log_service(way_to(root)).send(PART, CONTENT)


def behind(first: bytes, piece: bytes) -> Serve:
    def serve(one: socket.socket) -> None:
        one.recv(65536)
        trickle(one, first, piece)

    return serve


@pytest.mark.parametrize(
    ("first", "piece", "words"),
    [
        pytest.param(b"HTTP/1.1 2", b"0", "did not respond to CONNECT within 0 s", id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", "did not respond to CONNECT", id="headers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\x40\x00",
            b"\0",
            "TLS handshake with the log service .* through",
            id="tls",
        ),
    ],
)
def test_a_proxy_that_trickles_is_given_up(first: bytes, piece: bytes, words: str) -> None:
    with serving(behind(first, piece)) as root, pytest.raises(UploadFailed, match=words):
        log_service(through(root)).send(PART, CONTENT)


def hang_up(one: socket.socket) -> None:
    one.recv(65536)


def reset(one: socket.socket) -> None:
    one.recv(10)  # the rest unread, and lingering for no time: closing resets
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(one: socket.socket) -> None:
    while one.recv(65536):
        pass


def banner(one: socket.socket) -> None:
    one.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    silent(one)


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (hang_up, "closed the connection before it responded to CONNECT"),
        (reset, "closed the connection before it responded to CONNECT"),
        (silent, "did not respond to CONNECT within 0 s"),
        (banner, "answered CONNECT with data that is not HTTP"),
    ],
)
def test_what_a_proxy_does_before_it_answers_is_told_as_its_own(serve: Serve, words: str) -> None:
    with serving(serve) as root:
        way = through(root)
        with pytest.raises(UploadFailed, match=f"the log upload proxy {way.proxy} {words}"):
            log_service(way).send(PART, CONTENT)


def test_a_proxy_that_refuses_is_told_as_the_proxy() -> None:
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        way = through(f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(UploadFailed, match=f"proxy {way.proxy} cannot be reached .*refused"):
            log_service(way).send(PART, CONTENT)


@pytest.mark.parametrize("kind", [log_service, store])
@pytest.mark.parametrize("behind_proxy", [False, True])
def test_a_stop_cuts_an_upload_off_at_once(
    kind: Callable[[Way], Receiver], *, behind_proxy: bool
) -> None:
    seen, scope = threading.Event(), Scope()
    failures: list[str] = []

    def serve(one: socket.socket) -> None:
        one.recv(65536)
        seen.set()
        silent(one)

    def send() -> None:
        try:
            receiver.send(PART, CONTENT)
        except UploadFailed as failure:
            failures.append(str(failure))

    with serving(serve) as root:
        receiver = kind((through if behind_proxy else way_to)(root, timeout_seconds=600.0))
        thread = threading.Thread(target=scope.run, args=(send,))
        thread.start()
        assert seen.wait(60)
        scope.hurry()
        thread.join(60)
        assert not thread.is_alive()
        scope.run(send)  # and none is begun after it
    assert len(failures) == 2
    assert all("interrupted because the manager is stopping" in one for one in failures)


def test_the_bound_grows_with_what_is_sent() -> None:
    way = Way(url="https://logs.example", device="fw", timeout_seconds=60)
    assert way.bound(0) == 120
    assert way.bound(LEAST_RATE * 500) == 620


def test_the_doctors_looks_at_proxy_and_siem_end_too() -> None:
    settings = {"name": "fw", "device_id": "tdid_a1", "device": "192.0.2.1", "username": "u"}
    lists = {"block_list": "b.example", "allow_list": "a.example", "password": Secret("p")}
    with serving(behind(b"HTTP/1.1 2", b"0")) as root:
        place = root.removesuffix("/api").replace("https:", "http:")
        device = AsaRestSettings(**settings, **lists, log_proxy=place)  # type: ignore[arg-type]
        fault = ask_proxy(device, "https://logs.example", whole_seconds=0.2).fault
        assert fault == "no complete answer within 0 s"
    with serving(lambda one: trickle(one, b"\x16\x03\x03\x40\x00", b"\0")) as root:
        port = int(root.removesuffix("/api").rpartition(":")[2])
        target = Target(address="127.0.0.1", port=port, protocol="TLS")
        assert why_not(target, whole_seconds=0.2) == "no complete answer within 0 s"
