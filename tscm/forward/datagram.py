"""
Datagrams to a receiver, one a line, in batches within a rate.

UDP has no answer.  What there is to go by is used: the socket is connected, so that an ICMP
error about a datagram comes back to it; the first line of a connection goes alone, and lines
count as sent only when no error came back for a while.

Nothing tells that a receiver's buffer is full.  The kernel's default one (212,992 bytes, in which
each datagram counts with some hundred bytes of its own) holds 160 to 270 lines, so that what
came at once must not go at once.  A few lines are spread over a tenth of a second.  More of them go at an
even rate that a receiver which does some work for each line keeps up with, for as long as none waits longer than
a second; beyond that the rate rises to what keeps that bound, or to the limit of the settings.
"""

import errno
import socket
from collections import deque
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.forward.link import Address, Chunk, Disconnected, Reactor, Source, disconnect_reason
from tscm.forward.outgoing import Outgoing, Sending, best_sender
from tscm.forward.stream import send_queue

_SPREAD_SECONDS = 0.1  # a few lines that wait are spread over so long
_EASY = 4000  # lines a second that are not exceeded while
_WAIT_MOST = 1.0  # no line waits longer than this for its turn
_PIECE = 32  # datagrams in one burst
_PIECE_MOST = 256  # and where so many wait that more have to go in a millisecond
_TICK_SECONDS = 0.001  # between two bursts at least: the reactor's own grain
_UNPACED = _PIECE_MOST / _TICK_SECONDS  # lines a second that go with each turn of the reactor
_LATE_SECONDS = 0.01  # a reactor that was late makes up for so much
_FILL_SECONDS = 0.05  # how much of a second's lines a burst may hold at a low rate
_SETTLE_SECONDS = 0.25  # an ICMP error that comes later than this is not waited for
_SEND_BUFFER = 1 << 20
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # ip(7), ipv6(7); not in the socket module
_BLOCKED = {errno.EAGAIN, errno.ENOBUFS, errno.EINTR}


def pace(waiting: int, rate: float, limit: int) -> tuple[float, int]:
    """
    Lines a second, and how many of them in one burst, while so many lines wait.

    *rate* is the one before, 0 where nothing waited: it only grows while lines wait, or the last of them
    would go ever more slowly.  *limit* bounds it; 0 takes the bound away.
    """
    rate = max(
        rate,
        min(waiting / _SPREAD_SECONDS, _EASY),
        waiting / _WAIT_MOST,
        _PIECE / _SPREAD_SECONDS,
    )
    burst = min(_PIECE_MOST, max(_PIECE, int(rate * _TICK_SECONDS)))
    if limit:
        rate = min(rate, float(limit))
        burst = min(
            _PIECE_MOST, max(1, int(limit * _FILL_SECONDS)), max(_PIECE, int(rate * _TICK_SECONDS))
        )
    return rate, burst


@implementer(IReadWriteDescriptor)
@define(eq=False)
class DatagramLink:
    """
    One connected UDP socket.
    """

    _reactor: Reactor
    _source: Source
    _address: Address
    _lines_per_second: int
    _sending: Sending = field(factory=best_sender)
    _socket: socket.socket = field(init=False)
    _ended: bool = field(default=False, init=False)
    _finishing: bool = field(default=False, init=False)
    _timer: Any = field(default=None, init=False)
    _proven: bool = field(default=False, init=False)  # the first datagram brought no error
    _first_at: float | None = field(default=None, init=False)  # when the first datagram went
    _rate: float = field(default=0.0, init=False)  # lines a second while lines wait; 0: none do
    _due: float = field(default=0.0, init=False)  # when the next burst is to go
    _outgoing: Outgoing = field(init=False)
    _taken: int = field(default=0, init=False)
    _marks: deque[tuple[float, int]] = field(factory=deque, init=False)
    _left: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._outgoing = self._sending(Chunk())

    def open(self) -> None:
        """Begin; the address is taken to be there until an error says otherwise."""
        family, address = self._address
        self._socket = sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        # Also errors that do not end a connection, such as host unreachable.
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        try:
            sock.connect(address)
        except OSError as error:
            self._timer = self._reactor.callLater(
                0, self._end, disconnect_reason(error.errno or 0, datagrams=True)
            )
            return
        self._reactor.addReader(self)
        self._timer = self._reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._source.connected()
        self.wake()

    def fileno(self) -> int:
        """For the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "forward"

    def wake(self) -> None:
        """Send as soon as rate and socket allow."""
        if not self._ended and self._timer is None:
            self._pump()

    def doWrite(self) -> Failure | None:
        """The socket's buffer has room again."""
        if self._ended:
            return None
        self._reactor.removeWriter(self)
        if self._timer is None:
            self._pump()
        return None

    def doRead(self) -> Failure | None:
        """Whatever a receiver may say is passed over; an error is not."""
        try:
            self._socket.recv(65536)
        except OSError as error:
            if error.errno not in _BLOCKED:
                self._end(disconnect_reason(error.errno or 0, datagrams=True))
        return None

    def connectionLost(self, _: Failure) -> None:
        """The reactor saw an error wait at the socket."""
        if not self._ended:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._end(
                disconnect_reason(code, datagrams=True)
                if code
                else Disconnected("connection failed")
            )

    def _pump(self) -> None:
        """Send one burst; the timer for the next is set, unless nothing waits or the socket is full."""
        self._timer = None
        if not self._outgoing and not self._pull():
            self._rate = 0.0
            return
        room = self._allowed()
        taken = 0
        while room > taken and (self._outgoing or self._pull()):
            sent, error = self._outgoing.send(self._socket, room - taken)
            taken += sent
            if error and not self._goes_on_after(error):
                self._paid(taken)
                return
        if room:
            self._timer = self._reactor.callLater(self._paid(taken), self._pump)

    def _goes_on_after(self, error: int) -> bool:
        if error in _BLOCKED:
            self._reactor.addWriter(self)
            return False
        if error == errno.EMSGSIZE:
            # A router may have meant an earlier one, of which the kernel makes fragments from now on.
            _, error = self._outgoing.send(self._socket, 1)
            if error == errno.EMSGSIZE:
                # Larger than this path takes at all, even in fragments: nothing would change that.
                self._outgoing.skip()
                self._source.dropped()
                return True
            return not error or self._goes_on_after(error)
        self._end(disconnect_reason(error))
        return False

    def _pull(self) -> bool:
        if (
            self._finishing or self._ended
        ):  # what is taken after the end would belong to no connection
            return False
        chunk = self._source.more(self._taken)
        if chunk is None or self._ended:
            return False
        self._taken += chunk.size
        self._outgoing = self._sending(chunk)
        return True

    def _allowed(self) -> int:
        """How many may go now; where it is none, a timer is set for when."""
        now = self._reactor.seconds()
        if not self._proven:
            if self._first_at is None:
                self._first_at = now
                return 1
            self._proven = now - self._first_at >= _SETTLE_SECONDS
            if not self._proven:
                self._timer = self._reactor.callLater(_SETTLE_SECONDS, self._pump)
                return 0
        fresh = not self._rate
        waiting = len(self._outgoing) + self._source.waiting()
        self._rate, burst = pace(waiting, self._rate, self._lines_per_second)
        self._due = max(self._due, now if fresh else now - _LATE_SECONDS)
        if self._due > now:
            self._timer = self._reactor.callLater(max(self._due - now, _TICK_SECONDS), self._pump)
            return 0
        return burst

    def _paid(self, sent: int) -> float:
        """Note what went; seconds until the next burst."""
        if not self._rate:  # the first one, on trial
            return _SETTLE_SECONDS
        self._due += sent / self._rate
        wait = self._due - self._reactor.seconds()
        return wait if wait > _TICK_SECONDS else _TICK_SECONDS * (self._rate < _UNPACED)

    def acknowledged_position(self) -> int:
        """Datagrams that left the socket's queue and about which no error came back in time."""
        if self._ended:
            return self._left
        now, sent = self._reactor.seconds(), self._taken - len(self._outgoing)
        while self._marks and self._marks[0][0] <= now - _SETTLE_SECONDS:
            self._left = self._marks.popleft()[1]
        known = self._marks[-1][1] if self._marks else self._left
        if sent > known and send_queue(self._socket) == 0:
            self._marks.append((now, sent))
        return self._left

    def finish(self) -> None:
        """Take no more; the chunk in hand still goes."""
        self._finishing = True

    @property
    def finished(self) -> bool:
        """Whether the chunk in hand has gone."""
        return not self._outgoing

    def close(self, sentence: str = "") -> None:
        """End now."""
        self._end(Disconnected(sentence, stopped=not sentence))

    def _end(self, ended: Disconnected) -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._outgoing = self._sending(Chunk())
        self._socket.close()
        self._source.disconnected(ended)
