"""
An HTTP CONNECT proxy with a password, for the demonstration (RFC 9110, 9.3.6).
"""

import base64
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ClientFactory, Factory, Protocol

_MAX_HEAD = 16384


class Outward(Protocol):
    """
    The connection to the server that was asked for.
    """

    def __init__(self, inward: "Inward") -> None:
        self._inward = inward

    def connectionMade(self) -> None:
        """Tell the client, then pass everything both ways."""
        self._inward.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Server to client."""
        assert self._inward.transport is not None
        self._inward.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        """The server closed the connection."""
        del reason
        self._inward.close()


class OutwardFactory(ClientFactory):
    """
    Makes the one outward connection of one client.
    """

    noisy = False

    def __init__(self, inward: "Inward") -> None:
        self._inward = inward

    def buildProtocol(self, _: Any) -> Outward:
        """See `Outward`."""
        return Outward(self._inward)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """The server cannot be reached."""
        del connector, reason
        self._inward.refuse(b"502 Bad Gateway")


class Inward(Protocol):
    """
    One client: a CONNECT with the right password, then bytes.
    """

    def __init__(self, proxy: "ConnectProxy") -> None:
        self._proxy = proxy
        self._head = b""
        self._outward: Outward | None = None
        self._asked = False

    def dataReceived(self, data: bytes) -> None:
        """Head first; behind it whatever the client sends."""
        if self._outward is not None:
            assert self._outward.transport is not None
            self._outward.transport.write(data)
            return
        self._head += data
        if len(self._head) > _MAX_HEAD:
            self.refuse(b"431 Request Header Fields Too Large")
        elif b"\r\n\r\n" in self._head and not self._asked:
            self._asked = True
            self._connect()

    def _connect(self) -> None:
        request, _, rest = self._head.partition(b"\r\n")
        words = request.split(b" ")
        pairs = (line.partition(b":") for line in rest.split(b"\r\n"))
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if headers.get(b"proxy-authorization") != b"Basic " + self._proxy.credentials:
            self._proxy.refused += 1
            self.refuse(
                b"407 Proxy Authentication Required",
                b'Proxy-Authenticate: Basic realm="demonstration"\r\n',
            )
        elif len(words) != 3 or words[0] != b"CONNECT":
            self.refuse(b"405 Method Not Allowed")
        else:
            host, _, port = words[1].decode("ascii", "replace").rpartition(":")
            if not port.isdecimal():
                self.refuse(b"400 Bad Request")
                return
            self._proxy.reactor.connectTCP(host.strip("[]"), int(port), OutwardFactory(self), 10)

    def opened(self, outward: Outward) -> None:
        """The server is reached."""
        self._proxy.tunnels += 1
        self._outward = outward
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def refuse(self, status: bytes, header: bytes = b"") -> None:
        """Say no and close."""
        if self.transport is not None:
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\n" + header + b"Content-Length: 0\r\n\r\n"
            )
        self.close()

    def close(self) -> None:
        """Close after what was written."""
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """The client closed the connection."""
        del reason
        if self._outward is not None and self._outward.transport is not None:
            self._outward.transport.loseConnection()


class InwardFactory(Factory[Inward]):
    """
    A protocol for each client.
    """

    noisy = False

    def __init__(self, proxy: "ConnectProxy") -> None:
        self._proxy = proxy

    def buildProtocol(self, _: object) -> Inward:
        """See `Inward`."""
        return Inward(self._proxy)


@define(eq=False)
class ConnectProxy:
    """
    Listens on loopback; counts tunnels and refusals.
    """

    reactor: Any
    user: str
    password: str
    tunnels: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    port: int = field(default=0, init=False)
    _listening: IListeningPort | None = field(default=None, init=False)

    @property
    def credentials(self) -> bytes:
        """What the client must send (RFC 7617)."""
        return base64.b64encode(f"{self.user}:{self.password}".encode())

    def start(self) -> None:
        """Listen on a port of the kernel's choosing."""
        listening: IListeningPort = self.reactor.listenTCP(
            0, InwardFactory(self), interface="127.0.0.1"
        )
        self._listening = listening
        host = listening.getHost()
        assert isinstance(host, IPv4Address)
        self.port = host.port

    def stop(self) -> Any:
        """A Deferred that fires when it no longer listens."""
        return None if self._listening is None else self._listening.stopListening()
