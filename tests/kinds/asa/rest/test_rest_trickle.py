"""
A device that sends a byte now and then, and never comes to an end.
"""

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.opening import open_driver
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.services.certificate import ensure_certificate

Serve = Callable[[socket.socket], None]

SHORT = Bounds(connect_seconds=0.2, read_seconds=0.2, write_seconds=0.2)
_PAUSE = 0.02
_PIECES = 3000
"""Of what trickles: a client that waits for the end of it fails its test by the fault it ends with."""


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """A server on loopback that lets *serve* have each connection; gives the API's root."""
    gone = threading.Event()

    def accept(listener: socket.socket) -> None:
        while not gone.is_set():
            with suppress(OSError), listener.accept()[0] as one:
                serve(one)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield f"https://127.0.0.1:{port}/api"
        finally:
            gone.set()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                pass
            thread.join()


def trickle(one: socket.socket, first: bytes, piece: bytes) -> None:
    """*first*, then *piece* again and again, until the other end has enough."""
    one.sendall(first)
    waits = threading.Event()
    for _ in range(_PIECES):
        waits.wait(_PAUSE)
        one.sendall(piece)


def over_tls(first: bytes, piece: bytes, context: ssl.SSLContext) -> Serve:
    """TLS as it should be, and then an answer that trickles."""

    def serve(one: socket.socket) -> None:
        with context.wrap_socket(one, server_side=True) as tls:
            tls.recv(65536)
            trickle(tls, first, piece)

    return serve


def ask(root: str, **changes: Any) -> None:
    """One question by a driver that waits for nothing long."""
    settings = AsaRestSettings(
        name="fw",
        device_id="tdid_test1",
        device="127.0.0.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
        rest_url=root,
        token_auth=False,
        **changes,
    )
    driver = open_driver(settings, bounds=SHORT)
    try:
        driver.probe()
    finally:
        driver.close()


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"HTTP/1.1 ", b"2"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: x\r\n\r\n", b" "),
    ],
    ids=["status", "headers", "body"],
)
@pytest.mark.parametrize("trust", ["fingerprint", "ca_file"])
def test_an_answer_that_trickles_is_cut_off(
    tmp_path: Path, first: bytes, piece: bytes, trust: str
) -> None:
    certificate, key = ensure_certificate(tmp_path, [], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))
    how = {"fingerprint": hashlib.sha256(der).hexdigest(), "ca_file": str(certificate)}
    with (
        serving(over_tls(first, piece, context)) as root,
        pytest.raises(faults.Overloaded, match="was not completed within the time"),
    ):
        ask(root, **{trust: how[trust]})


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"fingerprint": "ab" * 32}, faults.Overloaded),
        ({"allow_self_signed": True}, faults.Unreachable),
        ({}, faults.Overloaded),
    ],
    ids=["fingerprint", "self-signed", "system"],
)
def test_a_handshake_that_trickles_is_cut_off(
    how: dict[str, Any], fault: type[DeviceFault]
) -> None:
    def serve(one: socket.socket) -> None:
        trickle(one, b"\x16\x03\x03\x40\x00", b"\0")  # a TLS record of 16 KB is to follow

    with serving(serve) as root, pytest.raises(fault, match="time"):
        ask(root, **how)
