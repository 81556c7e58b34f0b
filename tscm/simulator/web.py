"""
The HTTPS edge of the simulated agent: Twisted's HTTP with the ASA's headers and their casing.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, datetimeToString
from twisted.web.http import Request as HttpRequest

from tscm.simulator.http_values import Reply, Request

VARY = "Accept-Charset, Accept-Encoding, Accept-Language, Accept"
SECURITY_HEADERS = (
    ("X-frame-options", "DENY"),
    ("Strict-transport-security", "max-age=63072000"),
    ("X-content-type-options", "no-sniff"),
    ("X-xss-protection", "1; mode=block"),
)
MAX_BODY = 64 << 20
"""No body is larger, whatever the switches say."""
_CUT_PAUSE = 0.05
_ENDLESS_PIECE = 1 << 18
_EXACT = {b"X-Auth-Token": b"X-Auth-Token"}


class AsaChannel(HTTPChannel):
    """
    Writes `Content-length` where Twisted writes `Content-Length`, as the agent does.
    """

    def connectionMade(self) -> None:
        """Be known to the factory, so that a stop can end the connection."""
        super().connectionMade()
        self.factory.open.add(self)
        peer: Any = self.getPeer()
        if not self.factory.admits(peer.host):
            abort(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Be forgotten."""
        self.factory.closed(self)
        super().connectionLost(reason)

    def lineLengthExceeded(self, line: bytes) -> None:
        """End the connection at once: one that is closed waits over TLS for a producer that never ends."""
        del line
        abort(self)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """The status line and the headers, each name as the agent spells it."""
        lines = [version, b" ", code, b" ", reason, b"\r\n"]
        for name, values in headers.getAllRawHeaders():
            for value in values:
                lines.extend((_EXACT.get(name, name.capitalize()), b": ", value, b"\r\n"))
        lines.append(b"\r\n")
        assert self.transport is not None
        self.transport.writeSequence(lines)


class AsaHttpRequest(HttpRequest):
    """
    Hands each request over to the factory's *taker*.
    """

    received = 0

    def gotLength(self, length: int | None) -> None:
        """A body that is too large is not read."""
        super().gotLength(length)
        self._bear(length or 0)

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body, of unknown length."""
        self.received += len(data)
        if self._bear(self.received):
            super().handleContentChunk(data)

    def _bear(self, size: int) -> bool:
        if size > MAX_BODY:
            self.reset_connection()
        return size <= MAX_BODY

    def process(self) -> None:
        """A request has come in whole."""
        self.channel.factory.taker(self)

    def reset_connection(self) -> None:
        """Answer no more: the peer sees a reset."""
        if self.channel is not None:
            abort(self.channel)


def abort(channel: Any) -> None:
    """Reset a connection; what is in progress on it is lost."""
    channel.transport.abortConnection()


class AsaHttpFactory(HTTPFactory):
    """
    Connections of the agent; no time-outs and no access log of its own.
    """

    protocol = AsaChannel  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        taker: Callable[[AsaHttpRequest], None],
        admits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.admits = admits
        super().__init__(reactor=reactor)
        self.timeOut = None  # HTTPFactory documents None as "no time-out"
        self.taker = taker
        self.open: set[AsaChannel] = set()
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        """A channel whose requests come to us."""
        channel: Any = super().buildProtocol(addr)
        channel.requestFactory = AsaHttpRequest
        return channel

    def log(self, request: Any) -> None:
        """Requests are counted, not logged."""

    def closed(self, channel: AsaChannel) -> None:
        """A connection is gone."""
        self.open.discard(channel)
        if not self.open and self._emptied is not None:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def end_connections(self) -> Deferred[None]:
        """Close every connection; fires when none is left."""
        if not self.open:
            return succeed(None)
        self._emptied = Deferred()
        emptied = self._emptied
        for channel in list(self.open):
            abort(channel)
        return emptied


def read_request(http: AsaHttpRequest, default_root: str) -> Request:
    """The value of a request on the wire."""
    path, _, query = http.uri.decode("latin-1").partition("?")
    headers = {
        name.decode("latin-1").lower(): values[-1].decode("latin-1")
        for name, values in http.requestHeaders.getAllRawHeaders()
    }
    host = headers.get("host")
    content: Any = http.content
    content.seek(0)
    return Request(
        method=http.method.decode("latin-1"),
        segments=tuple(unquote(part) for part in path.split("/") if part),
        path=path,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        body=content.read(),
        peer=(http.getClientAddress().host, http.getClientAddress().port),
        root=f"https://{host}" if host else default_root,
    )


def _write_head(http: AsaHttpRequest, reply: Reply, now: float, *, security: bool) -> bytes:
    """Set status and headers; the body that is to follow."""
    body = b"" if reply.body is None else reply.body.encode("utf-8", "replace")
    http.setResponseCode(reply.status)
    set_header = http.responseHeaders.setRawHeaders
    set_header("Server", ["CiscoASARestApiServer"])
    set_header("Date", [datetimeToString(now).decode()])
    set_header("Vary", [VARY])
    set_header("Accept-ranges", ["bytes"])
    if security:
        for name, value in SECURITY_HEADERS:
            set_header(name, [value])
    for name, value in reply.headers:
        set_header(name, [value])
    if reply.status != 204:
        set_header("Content-length", [str(len(body))])
    if body:
        set_header("Content-type", [reply.content_type])
    return body


def write_reply(http: AsaHttpRequest, reply: Reply, now: float, *, security: bool) -> int:
    """Send *reply*; the size of its body."""
    body = _write_head(http, reply, now, security=security)
    if body:
        http.write(body)
    http.finish()
    return len(body)


def write_cut_reply(
    http: AsaHttpRequest, reply: Reply, now: float, *, security: bool, later: Callable[..., None]
) -> None:
    """Send half of the body that the headers promise, and hang up when it is on its way."""
    body = _write_head(http, reply, now, security=security)
    http.notifyFinish().addErrback(lambda _: None)
    http.write(body[: len(body) // 2])
    later(_CUT_PAUSE, http.reset_connection)


def write_slow_reply(
    http: AsaHttpRequest,
    reply: Reply,
    now: float,
    *,
    security: bool,
    seconds: float,
    later: Callable[..., None],
) -> None:
    """Let the body trickle out over *seconds*, in ten pieces."""
    body = _write_head(http, reply, now, security=security)
    size = -(-len(body) // 10)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    gone: list[object] = []
    http.notifyFinish().addErrback(gone.append)

    def piece(at: int) -> None:
        if gone:
            return
        http.write(pieces[at])
        if at + 1 < len(pieces):
            later(seconds / len(pieces), piece, at + 1)
        else:
            http.finish()

    piece(0)


def write_endless_reply(
    http: AsaHttpRequest, reply: Reply, now: float, *, security: bool, later: Callable[..., None]
) -> None:
    """Write the body again and again, until the other end has enough."""
    body = _write_head(http, reply, now, security=security) or b"\n"
    http.responseHeaders.removeHeader("Content-length")
    gone: list[object] = []
    http.notifyFinish().addErrback(gone.append)

    def piece() -> None:
        if not gone:
            http.write(body * (1 + _ENDLESS_PIECE // len(body)))
            later(0.01, piece)

    piece()
