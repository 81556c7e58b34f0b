"""
How our own HTTP listeners take requests: one a connection, within bounds, nothing of it on the disk.

Twisted writes a body of unknown length to a temporary file, parses what follows in the same connection
and waits as long as a byte comes now and then.  Here the head and the body have a bound of bytes and
one of time, a body is kept in memory where one is taken at all, and the connection ends with its answer.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, ClassVar

from attrs import frozen
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from tscm.base.http_gate import Account, Refusal, host_fault, in_origin_form, line_fault
from tscm.base.http_places import Held, room_for

_PIECE = 8192  # of a body, between two looks at whether it is still wanted
_FREE_CHUNKS = 1024
_LEAST_CHUNK = 256  # bytes, on average, of all beyond those
_LENGTH_DIGITS = 18  # int() refuses thousands of digits with an exception of its own


@frozen(kw_only=True)
class HttpBounds:
    """
    How much, and how long in seconds.

    *head_seconds* counts from the connection to the end of the head, *request_seconds* to the end of the request,
    *taken_seconds* from the end of the answer until the peer has taken it; making the answer may take what it takes.
    Each body may have *own_body_bytes*; what exceeds that comes out of *shared_body_bytes* for all connections (None: no
    such bound).
    """

    body_bytes: int = 0
    own_body_bytes: int = 0
    shared_body_bytes: int | None = None
    head_bytes: int = 8192
    head_seconds: float = 10.0
    request_seconds: float = 10.0
    taken_seconds: float = 60.0
    connections: int = 64
    connections_per_address: int = 16


class BoundedRequest(Request):
    """
    One request, judged by its head before a byte of its body is kept.
    """

    channel: "BoundedChannel"

    def gotLength(self, length: int | None) -> None:
        """The head is in; *length* is None for a chunked body."""
        self.content = BytesIO()
        self.channel.chunked = length is None
        self.channel.head_is_in()
        refusal = self.channel.judge(self, length)
        if refusal is not None:
            self.channel.refuse(refusal)

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body, as long as the bound allows."""
        if not self.channel.wants(data):
            return
        assert self.content is not None
        if self.content.tell() + len(data) > self.channel.bounds.body_bytes:
            self.channel.refuse(self.channel.too_long())
            return
        if not self.channel.factory.holds(self.channel, self.content.tell() + len(data)):
            sentence = "other requests take the memory for long bodies; try again"
            self.channel.refuse(Refusal(status=503, sentence=sentence))
            return
        self.content.write(data)

    def process(self) -> None:
        """All of it is in."""
        if self.channel.refused:
            return
        refusal = line_fault(self.method, self.path)
        if refusal is not None:
            self.channel.refuse(refusal)
            return
        # The router looks at no host, and fails on one that is not there.
        self.requestHeaders.setRawHeaders(b"host", [b"localhost"])
        super().process()


class BoundedChannel(HTTPChannel):
    """
    One connection: a request, its answer, the end.
    """

    site: "BoundedSite"
    factory: "BoundedSite"
    refused = False
    whole = False
    """Whether the request is, or has been refused: nothing more is expected of the peer."""
    chunked = False
    """Whether the body comes in chunks, as the head says."""
    request_line = b""
    """As it came, with its target in origin form; empty until it is in."""
    _deadline: Any = None
    _began = 0.0
    _target_host: bytes | None = None
    _line_is_in = False
    _chunks = _chunk_bytes = 0

    @property
    def bounds(self) -> HttpBounds:
        """Those of the listener."""
        return self.factory.bounds

    def connectionMade(self) -> None:
        """The time for the request begins."""
        self.totalHeadersSize = self.bounds.head_bytes
        super().connectionMade()
        self._began = self.factory.reactor.seconds()
        self._end_after(min(self.bounds.head_seconds, self.bounds.request_seconds))

    def lineReceived(self, line: bytes) -> None:
        """A line of the head; the first that is not empty is the request's."""
        if self.refused:
            return
        if line and not self._line_is_in:
            self._line_is_in = True
            asked = in_origin_form(line)
            line, self._target_host = asked.line, asked.host
            self.request_line = line
        super().lineReceived(line)

    def head_is_in(self) -> None:
        """The rest of the request may take what is left of its time."""
        passed = self.factory.reactor.seconds() - self._began
        self._end_after(max(0.0, self.bounds.request_seconds - passed))

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line without an end."""
        del line
        self._respondToBadRequestAndDisconnect()

    def rawDataReceived(self, data: bytes) -> None:
        """
        More of the body.

        Of chunks of one byte a read holds ten thousand, and what is refused at the first of them must not
        cost the others.
        """
        for at in range(0, len(data), _PIECE):
            if self.deaf:
                return
            super().rawDataReceived(data[at : at + _PIECE])

    @property
    def deaf(self) -> bool:
        """Whether what still comes of the body is of no use any more."""
        return self.refused

    def wants(self, data: bytes) -> bool:
        """Whether a piece of the body is to be kept; one in chunks that are too small is refused."""
        if self.chunked:
            self._chunks += 1
            self._chunk_bytes += len(data)
            if self._chunks > _FREE_CHUNKS + self._chunk_bytes // _LEAST_CHUNK:
                self.refuse(
                    Refusal(status=400, sentence="the body comes in chunks that are too small")
                )
        return not self.deaf

    def headerReceived(self, line: bytes) -> bool:
        """One header, whole."""
        name, _, value = line.partition(b":")
        length = name.strip().lower() == b"content-length"
        if length and (len(value.strip()) > _LENGTH_DIGITS or not value.strip().isdigit()):
            self.refuse(Refusal(status=400, sentence="Content-Length is not a number"))
        return not self.refused and bool(super().headerReceived(line))

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """Never: what else the peer wants comes by a connection of its own."""
        request.clientproto = version  # known here first, and needed to judge the head
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return False

    def allContentReceived(self) -> None:
        """The request is in time."""
        self.whole = True
        self._end_after(None)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """The answer is made; the peer must take it now."""
        super().requestDone(request)
        self._end_after(self.bounds.taken_seconds)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Over."""
        self._end_after(None)
        self.factory.ended(self)
        super().connectionLost(reason)

    def judge(self, request: BoundedRequest, length: int | None) -> Refusal | None:
        """Why *request* with a body of *length* bytes (None: chunked) is refused, or None."""
        if self.refused:
            return None
        headers = request.requestHeaders
        if headers.hasHeader(b"transfer-encoding") and not self.bounds.body_bytes:
            return self.too_long()
        if length is not None and length > self.bounds.body_bytes:
            return self.too_long()
        hosts = headers.getRawHeaders(b"host", [])
        fault = host_fault(request.clientproto, hosts, self.factory.names, self._target_host)
        return fault or self._stranger(headers)

    def _stranger(self, headers: Any) -> Refusal | None:
        account = self.factory.account()
        if account is None or account.fits(headers.getRawHeaders(b"authorization", [None])[0]):
            return None
        return Refusal(
            status=401,
            sentence="this listener requires an account",
            headers=((b"WWW-Authenticate", b'Basic realm="tscm", charset="UTF-8"'),),
        )

    def too_long(self) -> Refusal:
        """The refusal of a body over the bound."""
        most = self.bounds.body_bytes
        if not most:
            return Refusal(status=413, sentence="a request to this listener has no body")
        return Refusal(status=413, sentence=f"a request body has at most {most:,} bytes")

    def refuse(self, refusal: Refusal) -> None:
        """Say why and hang up; what still comes is not looked at."""
        if self.refused or self.transport is None:
            return
        self.refused = self.whole = True
        kind, body = self.refusal_body(refusal.sentence)
        reason = RESPONSES.get(refusal.status, b"Refused")
        lines = [
            b"HTTP/1.1 %d %s" % (refusal.status, reason),
            b"Connection: close",
            b"Content-Type: " + kind,
            b"Content-Length: %d" % len(body),
            *(name + b": " + value for name, value in refusal.headers),
            b"",
            body,
        ]
        self.transport.write(b"\r\n".join(lines))
        self.loseConnection()
        self._end_after(self.bounds.request_seconds)

    def refusal_body(self, sentence: str) -> tuple[bytes, bytes]:
        """Content type and body of a refusal."""
        return self.factory.refusal_body(sentence)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """What Twisted calls for a head that it cannot read."""
        self.refuse(
            Refusal(status=400, sentence="the request's header cannot be read, or is too long")
        )

    def _send100Continue(self) -> None:
        if not self.refused:
            super()._send100Continue()

    def _end_after(self, seconds: float | None) -> None:
        """Abort the connection then; None takes that back."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and self.transport is not None:
            self._deadline = self.factory.reactor.callLater(seconds, self.abort)

    def abort(self) -> None:
        """End the connection at once, whatever was not sent yet."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()


def plain_refusal(sentence: str) -> tuple[bytes, bytes]:
    """Content type and body of a refusal that people read."""
    return b"text/plain; charset=utf-8", sentence.encode() + b"\n"


class BoundedSite(Site):
    """
    A listener's factory.  *names* are those that a Host header may hold besides an address and
    localhost (None: any); *account* gives what is asked for, or None.
    """

    _log: ClassVar[Logger] = Logger()
    protocol = BoundedChannel  # type: ignore[assignment]
    noisy = False
    displayTracebacks = False

    def __init__(
        self,
        resource: IResource,
        bounds: HttpBounds,
        reactor: Any,
        *,
        purpose: str,
        names: frozenset[str] | None = None,
        account: Callable[[], Account | None] = lambda: None,
        refusal_body: Callable[[str], tuple[bytes, bytes]] = plain_refusal,
    ) -> None:
        super().__init__(resource, requestFactory=BoundedRequest, timeout=None, reactor=reactor)
        self.bounds = bounds
        self.names = names
        self.account = account
        self.refusal_body = refusal_body
        self.refused_connections = 0
        self.pushed_out = 0
        """Connections whose request was not whole, ended to make room for others."""
        self._purpose = purpose
        self._open: dict[BoundedChannel, str] = {}
        self._shared: dict[BoundedChannel, int] = {}
        """What bodies take of the memory for long ones."""

    def buildProtocol(self, addr: Any) -> Any:
        """A channel; None, which closes the connection, where there is no room."""
        host = str(getattr(addr, "host", ""))
        if not self.has_room(host):
            self.no_room(host or "this host")
            return None
        channel = super().buildProtocol(addr)
        self.enter(channel, host)
        return channel

    def enter(self, channel: BoundedChannel, peer: str) -> None:
        """*channel* is open, and *peer*'s."""
        self._open[channel] = peer

    def held(self) -> list[Held[BoundedChannel]]:
        """What is open, the oldest first."""
        return [Held(channel, peer, channel.whole) for channel, peer in self._open.items()]

    def has_room(self, host: str) -> bool:
        """Whether there is room for one more connection of *host*; one that said nothing may have to go."""
        bounds = self.bounds
        return self.makes_room(
            host, self.held(), bounds.connections, bounds.connections_per_address
        )

    def makes_room(
        self, peer: str, held: list[Held[BoundedChannel]], most: int, by_peer: int
    ) -> bool:
        """As `room_for` says."""
        room = room_for(peer, held, most, by_peer)
        if room.leaves is not None:
            self.pushed_out += 1
            if self.pushed_out.bit_count() == 1:
                self._log.warn(
                    "{purpose}: {count} connections closed so far to make room for "
                    "others, because their request was incomplete; the last from {host}",
                    purpose=self._purpose,
                    count=self.pushed_out,
                    host=self._open[room.leaves] or "this host",
                )
            self.ended(room.leaves)
            room.leaves.abort()
        return room.free

    def no_room(self, peer: str) -> None:
        """Count, and tell now and then, that a connection of *peer* had no room."""
        self.refused_connections += 1
        if self.refused_connections.bit_count() == 1:  # the first, the second, the fourth, …
            self._log.warn(
                (
                    "{purpose}: {count} connections refused so far, the last from "
                    "{host}: {open} are open"
                ),
                purpose=self._purpose,
                count=self.refused_connections,
                host=peer,
                open=len(self._open),
            )

    def holds(self, channel: BoundedChannel, size: int) -> bool:
        """Whether there is memory for a body of *size* bytes; it is held until the connection ends."""
        most = self.bounds.shared_body_bytes
        beyond = size - self.bounds.own_body_bytes
        if most is None or beyond <= 0:
            return True
        if sum(self._shared.values()) - self._shared.get(channel, 0) + beyond > most:
            return False
        self._shared[channel] = beyond
        return True

    def ended(self, channel: BoundedChannel) -> None:
        """A connection is over."""
        self._open.pop(channel, None)
        self._shared.pop(channel, None)

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 alone: HTTP/2 has bounds of its own, and is not needed here."""
        return [b"http/1.1"]

    def log(self, request: object) -> None:
        """No access log."""
