"""
What waits for one collector, and how it goes out by UDP.

Sending is paced, so that a burst does not overrun the receiver's socket buffer, which nobody
would notice with UDP.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from tscm.simulator.counts import Counts
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches

_TICK = 0.01
_MOST_A_TICK = 2000
MOST_WAITING = 2_000_000
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
        return MOST_WAITING

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
