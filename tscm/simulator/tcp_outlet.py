"""
Lines out by TCP, as an ASA sends them.

LF after each line, no octet count, sometimes a blank in front of the next line, segments that end
in the middle of one (docs/develop/asa.md, section 7).
"""

from collections.abc import Callable
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.simulator.outlets import MOST_WAITING, Outlet


@implementer(IPushProducer)
class _Sender(Protocol):
    """
    One connection to the collector; it says when its buffer is full.
    """

    def __init__(self, outlet: "TcpOutlet") -> None:
        self.outlet = outlet

    def connectionMade(self) -> None:
        """The collector is there."""
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, streaming=True)
        self.outlet.connected(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is not any more."""
        del reason
        self.outlet.disconnected()

    def write(self, data: bytes) -> None:
        """Put bytes on the wire."""
        transport: Any = self.transport
        transport.write(data)

    def pauseProducing(self) -> None:
        """The collector reads slowly."""
        self.outlet.paused = True

    def resumeProducing(self) -> None:
        """It has caught up."""
        self.outlet.resume()

    def stopProducing(self) -> None:
        """The connection ends."""
        self.outlet.paused = True


@define(eq=False)
class TcpOutlet(Outlet, ClientFactory):
    """
    One connection, tried again for ever; *changed* is called when it comes or goes.

    While it is away only a logging queue of lines waits, as on the ASA.
    """

    changed: Callable[["TcpOutlet"], None] = lambda _: None
    queue: Callable[[], int] = lambda: 512
    up: bool = field(default=False, init=False)
    paused: bool = field(default=False, init=False)
    connections: int = field(default=0, init=False)
    _sender: _Sender | None = field(default=None, init=False)
    _connector: Any = field(default=None, init=False)
    _again: Any = field(default=None, init=False)
    _tail: bytes = field(default=b"", init=False)
    _tail_ids: list[str] = field(factory=list, init=False)
    _random: Random = field(factory=lambda: Random(1), init=False)  # noqa: S311 - no secret
    _gone: Deferred[None] | None = field(default=None, init=False)

    noisy = False

    @property
    def room(self) -> int:
        """A logging queue while the collector is away."""
        return MOST_WAITING if self.up else self.queue()

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        source = self._source()
        bind = (source, 0) if source else None
        self._again = None
        self._connector = self._reactor.connectTCP(
            self.target.host, self.target.port, self, timeout=5, bindAddress=bind
        )

    def stop(self) -> Deferred[None] | None:
        """Hang up."""
        super().stop()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._connector is None or self._connector.state == "disconnected":
            return None
        self._gone = Deferred()
        self._connector.disconnect()
        return self._gone

    def buildProtocol(self, addr: Any) -> _Sender:
        """A connection was made."""
        del addr
        return _Sender(self)

    def connected(self, sender: _Sender) -> None:
        """The collector took the connection."""
        self._sender = sender
        self.up = True
        self.paused = False
        self.connections += 1
        self.changed(self)
        self._wake()

    def disconnected(self) -> None:
        """The connection is gone; what was half out is lost."""
        was_up, self.up = self.up, False
        self._sender = None
        self.dropped += len(self._tail_ids)
        self._tail = b""
        self._tail_ids.clear()
        while len(self._waiting) > self.room:
            self._waiting.popleft()
            self.dropped += 1
        if was_up and not self._stopped:
            self.changed(self)
        self._settle()

    def reset(self) -> None:
        """Break the connection; it is made again."""
        if self._sender is not None:
            transport: Any = self._sender.transport
            transport.abortConnection()

    def resume(self) -> None:
        """There is room on the wire again."""
        self.paused = False
        self._wake()

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """No peer is there yet."""
        del reason
        self._retry(connector)

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        """It went away."""
        del reason
        self._retry(connector)

    def _retry(self, connector: Any) -> None:
        del connector
        if self._stopped:
            if self._gone is not None:
                gone, self._gone = self._gone, None
                gone.callback(None)
            return
        self._again = self._reactor.callLater(self._switches.reconnect_seconds, self.start)

    def _has_work(self) -> bool:
        return self.up and not self.paused and bool(self._waiting or self._tail_ids)

    def _held_up(self) -> bool:
        return self.up and self.paused and bool(self._waiting)

    def _emit(self, most: int) -> None:
        if self._sender is None:
            return
        pieces = [self._tail]
        for _ in range(min(most, len(self._waiting))):
            number, line = self._waiting.popleft()
            if self._random.random() < self._switches.stray_space_share:
                pieces.append(b" ")
            pieces.append(line + b"\n")
            self._tail_ids.append(number)
        data = b"".join(pieces)
        cut = len(data)
        if self._switches.split_segments and self._waiting:
            cut = self._random.randint(1, len(data))
        self._tail = data[cut:]
        kept = self._tail.count(b"\n")
        out = len(self._tail_ids) - kept
        for number in self._tail_ids[:out]:
            self._count(number)
        del self._tail_ids[:out]
        self._sender.write(data[:cut])
