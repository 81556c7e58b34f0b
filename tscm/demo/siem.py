"""
A SIEM for the demonstration: takes syslog lines over TCP, keeps them, and can be taken away.
"""

from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, ITransport
from twisted.internet.protocol import Factory, Protocol


class SiemConnection(Protocol):
    """
    One collector that forwards to us: lines ended by LF.
    """

    def __init__(self, siem: "Siem") -> None:
        self._siem = siem
        self._rest = b""

    def connectionMade(self) -> None:
        """Remember the connection, so that it can be cut."""
        self._siem.connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Keep whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._siem.lines.extend(lines)

    def connectionLost(self, reason: Any = None) -> None:
        """A cut line at the end is no line."""
        del reason
        self._siem.connections.discard(self)


class SiemFactory(Factory[SiemConnection]):
    """
    A connection for each collector that comes.
    """

    noisy = False

    def __init__(self, siem: "Siem") -> None:
        self._siem = siem

    def buildProtocol(self, _: object) -> SiemConnection:
        """See `SiemConnection`."""
        return SiemConnection(self._siem)


@define(eq=False)
class Siem:
    """
    Listens on one port of loopback; `go_away` and `come_back` keep that port.
    """

    _reactor: Any
    lines: list[bytes] = field(factory=list, init=False)
    connections: set[SiemConnection] = field(factory=set, init=False)
    port: int = field(default=0, init=False)
    _listening: IListeningPort | None = field(default=None, init=False)

    def come_back(self) -> None:
        """Listen, on the port that we had before."""
        listening: IListeningPort = self._reactor.listenTCP(
            self.port, SiemFactory(self), interface="127.0.0.1"
        )
        self._listening = listening
        host = listening.getHost()
        assert isinstance(host, IPv4Address)
        self.port = host.port

    async def go_away(self) -> None:
        """Stop listening and cut what is connected."""
        if self._listening is not None:
            stopped = self._listening.stopListening()
            self._listening = None
            if isinstance(stopped, Deferred):
                await stopped
        for connection in list(self.connections):
            transport: ITransport | None = connection.transport
            if transport is not None:
                transport.loseConnection()
