"""
The syslog source: lines out by UDP or TCP, as an ASA sends them, each one counted.

TCP: LF after each line, no octet count, sometimes a blank in front of the next line, segments
that end in the middle of one (asa.md, section 7).  Sending is paced, so that a burst does not
overrun the receiver's socket buffer, which nobody would notice with UDP.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.simulator.counts import Counts
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches

_TICK = 0.01
_MOST_A_TICK = 2000
_MOST_WAITING = 2_000_000
Line = tuple[str, bytes]
"""Message id and the line without its end."""


@frozen
class Target:
    """
    A collector: `udp` or `tcp`, address and port.
    """

    protocol: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> "Target":
        """From `udp://HOST:PORT` or `tcp://HOST:PORT`."""
        protocol, _, rest = text.partition("://")
        host, colon, port = rest.rpartition(":")
        if protocol not in ("udp", "tcp") or not colon or not host or not port.isdigit():
            raise SimulatorUnavailable(
                f"collector {text!r}",
                "this is no address of one",
                "write udp://HOST:PORT or tcp://HOST:PORT",
            )
        if not 0 < int(port) < 65536:
            raise SimulatorUnavailable(
                f"collector {text!r}", "the port is out of range", "choose one from 1 to 65535"
            )
        return cls(protocol, host.strip("[]"), int(port))

    @property
    def command(self) -> str:
        """The `logging host` line of it; the running configuration shows protocol numbers."""
        return f"logging host management {self.host} {'6' if self.protocol == 'tcp' else '17'}/{self.port}"


@define(eq=False)
class Outlet:
    """
    What waits for one collector, sent at the pace of the switches.
    """

    target: Target
    _reactor: Any
    _switches: Switches
    _source_address: str
    _counts: Counts
    sent: int = 0
    dropped: int = 0
    """Lines that found no room, or were half out when the connection broke."""
    _waiting: deque[Line] = field(factory=deque, init=False)
    _timer: Any = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)
    _stopped: bool = field(default=False, init=False)

    @property
    def waiting(self) -> int:
        """Lines that are not on the wire yet."""
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many lines may wait."""
        return _MOST_WAITING

    def put(self, lines: Iterable[Line]) -> None:
        """Line them up and see that they go out."""
        for line in lines:
            if len(self._waiting) < self.room:
                self._waiting.append(line)
            else:
                self.dropped += 1
        self._wake()

    def when_idle(self) -> Deferred[None]:
        """Fires when nothing waits any more, or when nothing can go out."""
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        self._settle()
        return idle

    def _settle(self) -> None:
        if self._timer is None and not self._held_up():
            waiters, self._idle = self._idle, []
            for waiter in waiters:
                waiter.callback(None)

    def _wake(self) -> None:
        if self._timer is None and self._has_work() and not self._stopped:
            self._last = self._reactor.seconds() - _TICK
            self._timer = self._reactor.callLater(0, self._tick)

    def _has_work(self) -> bool:
        return bool(self._waiting)

    def _held_up(self) -> bool:
        """Is the collector there but slow to take what waits?"""
        return False

    def _tick(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        rate = self._switches.lines_per_second
        # A stall is not made up for by a burst: that is what would overrun the receiver.
        passed = min(now - self._last, 2 * _TICK)
        share = int(rate * passed) if rate else _MOST_A_TICK
        if share:
            self._last = now
            self._emit(min(share, _MOST_A_TICK))
        if self._has_work() and not self._stopped:
            self._timer = self._reactor.callLater(_TICK if rate else 0, self._tick)
        else:
            self._settle()

    def _emit(self, most: int) -> None:
        raise NotImplementedError

    def _count(self, number: str) -> None:
        self.sent += 1
        self._counts.lines_sent += 1
        self._counts.lines_by_id[number] += 1

    def start(self) -> None:
        """Open the socket."""

    def stop(self) -> Deferred[None] | None:
        """Close it; what waits is dropped and counted."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._settle()
        return None


@define(eq=False)
class UdpOutlet(Outlet):
    """
    One datagram a line, from the source address if there is one.
    """

    _port: Any = field(default=None, init=False)

    def start(self) -> None:
        """Bind; raises `SimulatorUnavailable`."""
        address = self._source_address or ("::" if ":" in self.target.host else "")
        try:
            self._port = self._reactor.listenUDP(0, DatagramProtocol(), interface=address)
        except CannotListenError as error:
            raise SimulatorUnavailable(
                f"cannot send syslog from {address}",
                str(error.socketError),
                "choose a source address of this machine",
            ) from error

    def stop(self) -> Deferred[None] | None:
        """Close the socket."""
        super().stop()
        if self._port is None:
            return None
        port, self._port = self._port, None
        closed: Deferred[None] = maybeDeferred(port.stopListening)
        return closed

    def _emit(self, most: int) -> None:
        where = (self.target.host, self.target.port)
        for _ in range(min(most, len(self._waiting))):
            number, line = self._waiting[0]
            try:
                self._port.write(line, where)
            except OSError:
                return  # the socket buffer is full: the same line goes first in the next tick
            self._waiting.popleft()
            self._count(number)


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

    _log: ClassVar[Logger] = Logger()

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
        return _MOST_WAITING if self.up else self.queue()

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        bind = (self._source_address, 0) if self._source_address else None
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

    def resume(self) -> None:
        """There is room on the wire again."""
        self.paused = False
        self._wake()

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """Nobody is there yet."""
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


@define(eq=False)
class SyslogSource(Service):
    """
    All collectors of one firewall; each gets every line.
    """

    _reactor: Any
    _switches: Switches
    _targets: tuple[Target, ...]
    _source_address: str
    _counts: Counts
    changed: Callable[[TcpOutlet], None] = lambda _: None
    queue: Callable[[], int] = lambda: 512
    outlets: list[Outlet] = field(factory=list, init=False)
    _started: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        for target in self._targets:
            arguments = (
                target,
                self._reactor,
                self._switches,
                self._source_address,
                self._counts,
            )
            if target.protocol == "udp":
                self.outlets.append(UdpOutlet(*arguments))
            else:
                self.outlets.append(TcpOutlet(*arguments, changed=self.changed, queue=self.queue))

    def privilegedStartService(self) -> None:
        """Open the sockets."""
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Open the sockets, where that is not done yet."""
        super().startService()
        self._open()

    def _open(self) -> None:
        if not self._started:
            self._started = True
            for outlet in self.outlets:
                outlet.start()

    def put(self, line_for: Callable[[bool], Iterable[Line]]) -> None:
        """Give each collector its lines; *line_for* is told whether it is reached by UDP."""
        for outlet in self.outlets:
            outlet.put(line_for(outlet.target.protocol == "udp"))

    @property
    def tcp_is_down(self) -> bool:
        """Is a TCP collector away?"""
        return any(isinstance(o, TcpOutlet) and not o.up for o in self.outlets)

    def when_idle(self) -> Deferred[None]:
        """Fires when no collector that is there has lines waiting."""
        waits = [outlet.when_idle() for outlet in self.outlets]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done

    def stopService(self) -> Deferred[None]:
        """Close everything."""
        super().stopService()
        stops = [outlet.stop() for outlet in self.outlets] if self._started else []
        waits = [stop for stop in stops if stop is not None]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done
