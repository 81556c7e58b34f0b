"""
httpx over connections that a `CutOff` may end at any moment: while they are made, too, and behind a proxy.

httpx does not tell of a connection before it is open, and its limits count from the last byte.  So the
lowest layer, the one that makes sockets, is ours; it also knows how far an exchange had got.
"""

import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
from attrs import define, field

from tscm.base.deadline import CutOff

_FIRST_BYTES = 16
_HTTP = b"HTTP/1."


@define(eq=False)
class Wire(httpcore.NetworkBackend):
    """
    Makes the connections of one client, and remembers what came of the last one.
    """

    cut: CutOff
    connected: bool = field(default=False, init=False)
    """It stands: with the server, or with the proxy before it."""
    secured: bool = field(default=False, init=False)
    """TLS has begun; with a proxy, its answer to CONNECT was good."""
    first: bytes = field(default=b"", init=False)
    """What came first since the request, or TLS, began."""
    _last: socket.socket | None = field(default=None, init=False)

    @property
    def is_http(self) -> bool:
        """Can what came be the beginning of an answer?  So can nothing."""
        return _HTTP.startswith(self.first[: len(_HTTP)])

    def begin(self) -> None:
        """A request begins within the time of `cut`, maybe over the connection of the one before."""
        self.first = b""
        if self._last is not None and self._last.fileno() >= 0:
            self.cut.watch(self._last)

    def begin_tls(self, inside: socket.socket | None) -> None:
        """What comes from now on is TLS; its socket, once the handshake is done."""
        self.secured = True
        self.first = b""
        self._last = inside

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        del local_address, socket_options
        self.connected = self.secured = False
        self._last = None
        try:
            made = self.cut.connect(host, port, timeout)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connected, self._last = True, made
        return _Stream(self, made)


class _Stream(httpcore.NetworkStream):
    def __init__(self, wire: Wire, connection: socket.socket) -> None:
        self._wire = wire
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._connection.settimeout(timeout)
            data = self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error
        if len(self._wire.first) < _FIRST_BYTES:
            self._wire.first = (self._wire.first + data)[:_FIRST_BYTES]
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                self._connection.settimeout(timeout)
                rest = rest[self._connection.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        self._wire.begin_tls(None)
        try:
            self._connection.settimeout(timeout)
            inside = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error
        self._wire.begin_tls(inside)
        return _Stream(self._wire, inside)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._connection if isinstance(self._connection, ssl.SSLSocket) else None
        if info == "socket":
            return self._connection
        if info == "is_readable":
            return _readable(self._connection)
        return None


def _readable(connection: socket.socket) -> bool:
    """Whether something waits on a kept connection: its end, as a rule."""
    import select

    if connection.fileno() < 0:
        return True
    look = select.poll()
    look.register(connection, select.POLLIN)
    return bool(look.poll(0))


class WatchedTransport(httpx.HTTPTransport):
    """
    One client's connections, all of them made by *wire*; no proxy and no CA out of the environment.
    """

    def __init__(
        self, wire: Wire, *, verify: ssl.SSLContext, proxy: httpx.Proxy | None = None
    ) -> None:
        super().__init__(verify=verify, trust_env=False, proxy=proxy)
        # The one way to hand httpcore a network layer of ours that leaves httpx's own pool alone.
        self._pool._network_backend = wire  # noqa: SLF001
