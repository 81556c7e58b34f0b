"""
Our HTTP listeners under hostile requests: bytes in, bytes out.
"""

import tempfile
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from tscm.base.http_site import BoundedChannel, BoundedRequest, BoundedSite, HttpBounds


class Echo(Resource):
    """Answers with the body that it was given."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def render(self, request: Any) -> bytes:
        self.asked += 1
        content: bytes = request.content.read()
        return b"<" + content + b">"


class Wire:
    """A site and one connection to it."""

    def __init__(self, bounds: HttpBounds, **more: Any) -> None:
        self.clock = Clock()
        self.echo = Echo()
        self.site = BoundedSite(self.echo, bounds, self.clock, purpose="test", **more)
        self.transport = StringTransport()
        self.channel = self.connect(self.transport)

    def connect(self, transport: StringTransport, host: str = "192.0.2.1") -> BoundedChannel:
        channel: BoundedChannel = self.site.buildProtocol(IPv4Address("TCP", host, 1024))
        if channel is not None:
            channel.makeConnection(transport)
        return channel

    def ask(self, data: bytes) -> bytes:
        self.channel.dataReceived(data)
        answered: bytes = self.transport.value()
        return answered


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(autouse=True)
def _no_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def spooled(*_: object, **__: object) -> None:
        raise AssertionError("a body went to the disk")

    monkeypatch.setattr(tempfile, "TemporaryFile", spooled)


@pytest.mark.parametrize(
    "tail",
    [
        b"Content-Length: 1\r\n\r\nx",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: identity\r\n\r\n",
        b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_a_listener_without_bodies_hangs_up_before_it_keeps_one(tail: bytes) -> None:
    wire = Wire(HttpBounds())
    answer = wire.ask(HEAD + tail)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100" not in answer.split(b"\r\n")[0]
    assert answer.count(b"HTTP/1.1") == 1
    assert wire.transport.disconnecting
    assert not wire.echo.asked


def test_an_empty_body_is_none() -> None:
    wire = Wire(HttpBounds())
    assert wire.ask(HEAD + b"Content-Length: 0\r\n\r\n").endswith(b"<>")


@pytest.mark.parametrize(
    "tail",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_body_within_the_bound_is_taken(tail: bytes) -> None:
    assert Wire(HttpBounds(body_bytes=5)).ask(HEAD + tail).endswith(b"<hello>")


@pytest.mark.parametrize(
    "tail",
    [b"Content-Length: 6\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n"],
)
def test_a_body_over_the_bound_is_refused(tail: bytes) -> None:
    wire = Wire(HttpBounds(body_bytes=5))
    assert wire.ask(HEAD + tail).startswith(b"HTTP/1.1 413 ")
    wire.ask(b"x" * 100_000)
    assert not wire.echo.asked


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HEAD + b"Content-Length: x\r\nA: b\r\n\r\n",
        HEAD + b"Content-Length: +5\r\nA: b\r\n\r\nhello",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"A: " + b"x" * 9000 + b"\r\n\r\n",
        HEAD + b"A: b\r\n" * 2000 + b"\r\n",
        b"GET /" + b"x" * 20000,
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_a_head_that_is_none_is_answered_once_and_never_carried_out(data: bytes) -> None:
    wire = Wire(HttpBounds(body_bytes=100))
    answer = wire.ask(data)
    assert answer.startswith(b"HTTP/1.1 4")
    assert answer.count(b"HTTP/1.1") == 1
    assert wire.transport.disconnecting
    assert not wire.echo.asked


def test_a_connection_has_one_request() -> None:
    wire = Wire(HttpBounds())
    one = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = wire.ask(one * 3)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"\r\nConnection: close\r\n" in answer
    wire.ask(one)
    assert wire.echo.asked == 1


def test_a_foreign_name_is_refused_and_one_of_the_settings_is_not() -> None:
    names = frozenset({"logs.example"})
    asked = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"
    assert Wire(HttpBounds(), names=names).ask(asked % b"evil.example").startswith(b"HTTP/1.1 421 ")
    assert Wire(HttpBounds(), names=names).ask(asked % b"logs.example").startswith(b"HTTP/1.1 200 ")


def test_an_absolute_target_is_taken_and_judged_by_its_own_host() -> None:
    names = frozenset({"logs.example"})
    asked = b"GET http://%s/metrics HTTP/1.1\r\nHost: %s\r\n\r\n"
    for target, host, status in (
        (b"logs.example", b"logs.example", b"200"),
        (b"localhost:9090", b"evil.example", b"200"),
        (b"evil.example", b"localhost", b"421"),
    ):
        answer = Wire(HttpBounds(), names=names).ask(asked % (target, host))
        assert answer.startswith(b"HTTP/1.1 %s " % status), answer


def test_the_head_has_a_time_of_its_own() -> None:
    wire = Wire(HttpBounds(body_bytes=5, head_seconds=5, request_seconds=30))
    wire.ask(HEAD)
    wire.clock.advance(5)
    assert wire.transport.disconnected


def test_behind_the_head_the_body_has_what_is_left_of_the_requests_time() -> None:
    wire = Wire(HttpBounds(body_bytes=5, head_seconds=5, request_seconds=30))
    wire.clock.advance(4)
    wire.ask(HEAD + b"Content-Length: 5\r\n\r\n")
    wire.clock.advance(25)
    assert not wire.transport.disconnected
    wire.clock.advance(1)
    assert wire.transport.disconnected


def test_a_request_that_trickles_ends() -> None:
    wire = Wire(HttpBounds(request_seconds=10))
    for byte in HEAD:
        wire.channel.dataReceived(bytes([byte]))
        wire.clock.advance(1)
    assert wire.transport.disconnected


def test_an_answer_that_nobody_takes_ends() -> None:
    wire = Wire(HttpBounds(taken_seconds=60))
    wire.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wire.clock.advance(59)
    assert not wire.transport.disconnected
    wire.clock.advance(1)
    assert wire.transport.disconnected


def asking(wire: Wire, host: str = "192.0.2.1") -> Any:
    """A connection whose request is whole, and answered as long as nobody takes the answer."""
    transport = StringTransport()
    channel = wire.connect(transport, host)
    if channel is not None:
        channel.dataReceived(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return channel


def test_connections_are_bounded_in_all_and_by_address() -> None:
    wire = Wire(HttpBounds(connections=4, connections_per_address=2))
    wire.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    second = asking(wire)
    assert second is not None
    assert asking(wire) is None
    assert asking(wire, "192.0.2.2") is not None
    assert asking(wire, "192.0.2.3") is not None
    assert asking(wire, "192.0.2.4") is None
    second.connectionLost()
    assert asking(wire) is not None
    assert wire.site.refused_connections == 2


def test_half_requests_shut_nobody_out() -> None:
    wire = Wire(HttpBounds(connections=4, connections_per_address=2))
    asked = asking(wire, "192.0.2.9")
    halves = [StringTransport() for _ in range(50)]
    for number, half in enumerate(halves):
        assert wire.connect(half, f"192.0.2.{number % 8}") is not None
    assert sum(not half.disconnected for half in halves) == 3
    assert asking(wire, "192.0.2.10") is not None
    assert asked in wire.site._open
    assert wire.site.refused_connections == 0
    assert wire.site.pushed_out == 1 + 48


def test_chunks_of_a_byte_are_refused_before_they_hold_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    keep = BoundedRequest.handleContentChunk

    def noted(request: BoundedRequest, data: bytes) -> None:
        seen.append(len(data))
        keep(request, data)

    monkeypatch.setattr(BoundedRequest, "handleContentChunk", noted)
    wire = Wire(HttpBounds(body_bytes=1 << 20))
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    answer = wire.ask(HEAD + chunked + b"1\r\na\r\n" * 10_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"too small" in answer
    assert len(seen) < 4000, "what is in the read is not decoded to its end"
    assert not wire.echo.asked


def test_chunks_of_a_usual_size_are_taken_however_many_there_are() -> None:
    wire = Wire(HttpBounds(body_bytes=1 << 22))
    body = (b"200\r\n" + b"x" * 512 + b"\r\n") * 5000
    answer = wire.ask(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")
    assert answer.endswith(b"<" + b"x" * 512 * 5000 + b">")
