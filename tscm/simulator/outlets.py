"""
What waits for one collector, and how it goes out by UDP.

Sending is paced, so that a burst does not overrun the receiver's socket buffer; over UDP the loss
would not be noticed.
"""

import errno
from collections import deque
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from tscm.simulator.counts import Counts
from tscm.simulator.digits import whole
from tscm.simulator.logging_lines import LogHost
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches

_TICK = 0.01
_MOST_A_TICK = 2000
MOST_WAITING = 2_000_000
_FULL = frozenset([errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS])
"""The socket buffer is full, which passes."""
Line = tuple[str, bytes]
"""Message id and the line without its end."""


@frozen
class Target:
    """
    A collector: `udp` or `tcp`, address and port; *emblem* is the form that it wants.
    """

    protocol: str
    host: str
    port: int
    emblem: bool = False

    @classmethod
    def of(cls, text: str) -> "Target":
        """From `udp://HOST:PORT` or `tcp://HOST:PORT`."""
        protocol, _, rest = text.partition("://")
        host, colon, port = rest.rpartition(":")
        number = whole(port, 65535, 1)
        address = host.strip("[]")
        if protocol not in ("udp", "tcp") or not colon or not _is_address(address):
            raise SimulatorUnavailable(
                f"collector {text!r}",
                "this is not a collector address",
                "write udp://ADDRESS:PORT or tcp://ADDRESS:PORT",
            )
        if number is None:
            raise SimulatorUnavailable(
                f"collector {text!r}", "the port is out of range", "choose one from 1 to 65535"
            )
        return cls(protocol, str(ip_address(address)), number)

    @classmethod
    def of_host(cls, host: LogHost) -> "Target":
        """What a `logging host` line names."""
        return cls(host.protocol, host.address, host.port, host.emblem)

    @property
    def command(self) -> str:
        """The `logging host` line of it."""
        return str(
            LogHost(
                interface="management",
                address=self.host,
                protocol=self.protocol,
                port=self.port,
                emblem=self.emblem,
            )
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


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

    def _source(self) -> str:
        """The address to send from; none where it is of the other family."""
        same = (":" in self._source_address) == (":" in self.target.host)
        return self._source_address if same else ""

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
        address = self._source() or ("::" if ":" in self.target.host else "")
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
            except MessageLengthError:
                self.dropped += 1  # no datagram can carry it
            except OSError as error:
                if error.errno in _FULL:
                    return  # the same line goes first in the next tick
                self.dropped += 1
            else:
                self._count(number)
            self._waiting.popleft()
