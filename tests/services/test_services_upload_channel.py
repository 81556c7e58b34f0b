"""
The log service's connections: places, patience, refusals told at once.
"""

import base64
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.services.test_services_services import AtOnce, ended
from tscm import upload_format
from tscm.base.host_port import HostPort
from tscm.base.listening import tls_factory
from tscm.services.certificate import ensure_certificate, tls_options
from tscm.services.entries import PortalEntry, add_entry
from tscm.services.log_service import LogService
from tscm.services.places import PlaceBounds
from tscm.services.upload_channel import BOUNDS, UploadChannel, UploadSite, is_too_slow
from tscm.services.upload_request import UploadRequest

LINES = b"one\ntwo\n"


class World:
    """A log service without its listeners, and its one device."""

    def __init__(self, folder: Path) -> None:
        self.portal = folder
        self.entry: PortalEntry = add_entry(folder, nickname="edge", address="192.0.2.1")
        self.clock = Clock()
        self.service = LogService(self.clock, AtOnce(), folder, [HostPort("127.0.0.1", 0)])  # type: ignore[arg-type]
        ended(self.service._registry.look_again())
        self.service._loaded = True
        self.site = UploadSite(
            lambda *rest: UploadRequest(self.service, *rest),
            self.service._registry.registers,
            self.clock,
        )

    def connect(self, peer: str = "198.51.100.1") -> tuple[Any, StringTransport]:
        channel = self.site.buildProtocol(IPv4Address("TCP", peer, 4711))
        if channel is None:
            return None, StringTransport()
        assert isinstance(channel, UploadChannel)
        transport = StringTransport(peerAddress=IPv4Address("TCP", peer, 4711))
        channel.makeConnection(transport)
        return channel, transport

    def head(self, batch: str, *, key: str = "", length: int | None = len(LINES)) -> bytes:
        assert self.entry.device_key is not None
        device = self.entry.device_id
        headers = upload_format.request_headers(
            device_id=device, batch=batch, start=0, end=8, lines=2, content=LINES, encoding=""
        )
        account = f"{device}:{key or self.entry.device_key.reveal()}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(account).decode()
        headers |= {"Host": "logs"}
        if length is None:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(length)
        lines = [f"POST {upload_format.PATH} HTTP/1.1", *map(": ".join, headers.items()), "", ""]
        return "\r\n".join(lines).encode()

    def files(self) -> list[str]:
        return sorted(one.name for one in self.portal.glob("uploads/*/*"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def status(transport: StringTransport) -> int:
    return int(transport.value().split(b" ", 2)[1]) if transport.value() else 0


def lose(channel: Any) -> None:
    channel.connectionLost(Failure(ConnectionDone()))


def test_bare_connections_of_strangers_leave_the_places_of_registered_addresses(
    world: World,
) -> None:
    opened = [world.connect(f"198.51.100.{n % 250}")[0] for n in range(600)]
    assert len(world.site.places) == 64
    one, _ = world.connect("192.0.2.1")
    assert len(world.site.places) == 65
    for each in (*opened, one):
        lose(each)
    assert len(world.site.places) == 0
    assert world.connect("198.51.100.9")[0] is not None


def test_one_stranger_cannot_take_the_places_of_all(world: World) -> None:
    first, _ = world.connect("198.51.100.2")
    opened = [world.connect("198.51.100.1") for _ in range(20)]
    assert len(world.site.places) == 9
    assert [transport.disconnected for _, transport in opened] == [True] * 12 + [False] * 8
    assert world.connect("198.51.100.3")[0] is not None
    assert world.site.places.take("198.51.100.1", known=False) is None
    lose(first)


def test_connections_that_say_nothing_make_room_for_who_has_no_entry_at_its_address(
    world: World,
) -> None:
    """Behind a translated address, or all of them taken by strangers: its key is what counts."""
    for at in range(64):
        world.connect(f"198.51.100.{at}")
    channel, transport = world.connect("203.0.113.1")
    channel.dataReceived(world.head("b"))
    for at in range(640):
        world.connect(f"198.51.100.{at % 250}")
        world.connect("203.0.113.1")
    assert not transport.disconnected
    channel.dataReceived(LINES)
    assert status(transport) == 201
    lose(channel)


def test_connections_that_say_nothing_make_room_at_an_address_with_an_entry_too(
    world: World,
) -> None:
    uploading, transport = world.connect("192.0.2.1")
    uploading.dataReceived(world.head("b"))
    opened = [world.connect("192.0.2.1") for _ in range(100)]
    assert len(world.site.places) == 64
    assert not transport.disconnected
    assert [one.disconnected for _, one in opened] == [True] * 37 + [False] * 63
    refused, heard = world.connect("192.0.2.1")
    refused.dataReceived(b"no HTTP\r\n\r\n")
    for _ in range(64):
        world.connect("192.0.2.1")
    assert heard.disconnected, "what was refused is not worth waiting for"


def test_contents_under_way_make_room_for_nobody(world: World) -> None:
    world.site.places.bounds = PlaceBounds(most=9, by_address=2, strangers=1, by_stranger=1)
    opened = [world.connect("192.0.2.1") for _ in range(2)]
    for number, (channel, _) in enumerate(opened):
        channel.dataReceived(world.head(f"b{number}"))
    assert world.connect("192.0.2.1")[0] is None
    assert not any(transport.disconnected for _, transport in opened)
    for channel, _ in opened:
        lose(channel)


def test_who_shows_a_key_no_longer_counts_as_a_stranger(world: World) -> None:
    world.site.places.bounds = PlaceBounds(most=9, by_address=9, strangers=1, by_stranger=1)
    channel, transport = world.connect()
    channel.dataReceived(world.head("b"))
    assert world.connect()[0] is not None
    assert len(world.site.places) == 2
    assert not transport.disconnected
    lose(channel)


@pytest.mark.parametrize("sent", [b"", b"POST /v1/logs HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_must_come_within_its_time_however_it_trickles(world: World, sent: bytes) -> None:
    channel, transport = world.connect()
    channel.dataReceived(sent)
    for number in range(int(BOUNDS.request_seconds) - 1):
        channel.dataReceived(b"x-%d: 1\r\n" % number if sent else b"")
        world.clock.advance(1)
    assert not transport.disconnecting
    world.clock.advance(2)
    assert transport.disconnected
    lose(channel)


def test_a_content_that_trickles_is_cut_off_and_leaves_nothing(world: World) -> None:
    channel, transport = world.connect()
    channel.dataReceived(world.head("b", length=1 << 20))
    for _ in range(200):
        channel.dataReceived(b"x")
        world.clock.advance(1)
        if transport.disconnecting:
            break
    assert status(transport) == 408
    lose(channel)
    assert world.files() == []
    assert world.clock.getDelayedCalls() == []


def test_a_slow_line_may_take_its_time() -> None:
    assert not is_too_slow(0, 60)
    assert is_too_slow(0, 61)
    assert not is_too_slow(64 << 20, 4 * 3600)
    assert is_too_slow(60 * 4096, 121)


@pytest.mark.parametrize("length", [64 << 20, None])
def test_a_stranger_is_refused_before_its_content(world: World, length: int | None) -> None:
    channel, transport = world.connect()
    channel.dataReceived(world.head("b", key="wrong", length=length))
    assert status(transport) == 401
    assert transport.disconnecting
    assert b'"error"' in transport.value()
    told = transport.value()
    channel.dataReceived(b"10\r\n0123456789abcdef\r\n" * 1000)
    assert transport.value() == told
    assert not transport.disconnected, "it may still be sending, and is to hear why"
    world.clock.advance(BOUNDS.request_seconds)
    assert transport.disconnected
    lose(channel)
    assert world.files() == []


def test_no_more_is_passed_over_than_a_content_may_hold(world: World) -> None:
    channel, transport = world.connect()
    channel.dataReceived(world.head("b", key="wrong", length=None))
    piece = b"x" * (1 << 20)
    for _ in range(upload_format.MAX_CONTENT_BYTES // len(piece)):
        channel.dataReceived(piece)
    assert not transport.disconnected
    channel.dataReceived(piece)
    assert transport.disconnected
    lose(channel)


def test_a_content_over_the_bound_is_refused_at_once(world: World) -> None:
    world.service.max_content = 1000
    channel, transport = world.connect()
    channel.dataReceived(world.head("b", length=None) + b"ff\r\n" + b"a" * 255 + b"\r\n")
    assert status(transport) == 0
    assert len(world.files()) == 1
    channel.dataReceived(b"3e8\r\n" + b"a" * 1000 + b"\r\n")
    assert status(transport) == 413
    assert world.files() == [], "nothing of it stays"
    lose(channel)


def test_one_device_cannot_take_all_uploads_at_once(world: World) -> None:
    world.service.at_once_of_device = 2
    channels = [world.connect()[0] for _ in range(2)]
    for number, channel in enumerate(channels):
        channel.dataReceived(world.head(f"b{number}"))
    third, transport = world.connect()
    third.dataReceived(world.head("b3"))
    assert status(transport) == 503
    assert b"Retry-After: 5" in transport.value()
    lose(channels[0])
    fourth, transport = world.connect()
    fourth.dataReceived(world.head("b4") + LINES)
    assert status(transport) == 201
    for channel in (channels[1], third, fourth):
        lose(channel)
    assert world.service._taking == {}


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/logs HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000,
        b"\0\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_a_head_that_cannot_be_read_ends_in_a_sentence(world: World, head: bytes) -> None:
    channel, transport = world.connect()
    channel.dataReceived(head)
    assert status(transport) == 400
    assert b'"error"' in transport.value()
    lose(channel)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")
def test_a_connection_without_a_place_is_closed_without_a_failure(
    world: World, tmp_path: Path
) -> None:
    chain = tls_options(*ensure_certificate(tmp_path, [], 1_800_000_000))
    factory = tls_factory(chain, world.site)
    world.site.places.bounds = PlaceBounds(most=0, by_address=0, strangers=0, by_stranger=0)
    assert factory.buildProtocol(IPv4Address("TCP", "198.51.100.1", 1)) is None


@pytest.mark.parametrize("key", ["", "wrong"])
def test_chunks_of_a_byte_cost_no_more_than_the_first_of_them(
    world: World, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a device gone wrong, and of a stranger, whose refusal is told only after a look at the entries."""
    seen: list[int] = []
    keep = UploadRequest.handleContentChunk

    def noted(request: UploadRequest, data: bytes) -> None:
        seen.append(len(data))
        keep(request, data)

    monkeypatch.setattr(UploadRequest, "handleContentChunk", noted)
    channel, transport = world.connect("203.0.113.1")
    channel.dataReceived(world.head("b", key=key, length=None) + b"1\r\na\r\n" * 10_000)
    assert len(seen) < 4000
    if not key:
        assert status(transport) == 400
    lose(channel)
    assert world.files() == []
