"""
Datagrams to a receiver, one a line, in batches within a rate.

UDP has no answer.  What there is to go by is used: the socket is connected, so that an ICMP
error about a datagram comes back to it; the first line of a connection goes alone, and lines
count as sent only when no error came back for a while.
"""

import errno
import socket
from collections import deque
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.forward.link import Address, Chunk, Ended, Reactor, Source, ended_by
from tscm.forward.outgoing import Outgoing, Sending, best_way
from tscm.forward.stream import send_queue

_BURST = 256  # datagrams in one turn of the reactor
_SETTLE_SECONDS = 0.25  # an ICMP error that comes later than this is not waited for
_BURST_SECONDS = 0.05  # how much of a second's lines may go at once after a pause
_SEND_BUFFER = 1 << 20
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # ip(7), ipv6(7); not in the socket module
_BLOCKED = {errno.EAGAIN, errno.ENOBUFS, errno.EINTR}


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
    _sending: Sending = field(factory=best_way)
    _socket: socket.socket = field(init=False)
    _ended: bool = field(default=False, init=False)
    _finishing: bool = field(default=False, init=False)
    _timer: Any = field(default=None, init=False)
    _proven: bool = field(default=False, init=False)  # the first datagram brought no error
    _credit: float = field(default=1.0, init=False)
    _credited_at: float = field(default=0.0, init=False)
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
                0, self._end, ended_by(error.errno or 0, datagrams=True)
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
                self._end(ended_by(error.errno or 0, datagrams=True))
        return None

    def connectionLost(self, _: Failure) -> None:
        """The reactor saw an error wait at the socket."""
        if not self._ended:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._end(ended_by(code, datagrams=True) if code else Ended("connection failed"))

    def _pump(self) -> None:
        """Send one burst; then go on in the reactor's next turn, or when there is credit."""
        self._timer = None
        room = _BURST
        while room:
            if not self._outgoing and not self._pull():
                return
            allowed = self._allowed(room)
            if not allowed:
                return
            sent, error = self._outgoing.send(self._socket, allowed)
            self._credit -= sent
            room -= sent
            if error and not self._goes_on_after(error):
                return
        self._timer = self._reactor.callLater(0, self._pump)

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
        self._end(ended_by(error))
        return False

    def _pull(self) -> bool:
        if self._finishing or self._ended:  # what is taken after the end would be nobody's
            return False
        chunk = self._source.more(self._taken)
        if chunk is None or self._ended:
            return False
        self._taken += chunk.size
        self._outgoing = self._sending(chunk)
        return True

    def _allowed(self, most: int) -> int:
        """How many may go now; where it is none, a timer is set for when."""
        now, rate = self._reactor.seconds(), self._lines_per_second
        if not self._proven:
            if self._credit >= 1:
                self._credited_at = now
                return 1
            self._proven = now - self._credited_at >= _SETTLE_SECONDS
            if not self._proven:
                self._timer = self._reactor.callLater(_SETTLE_SECONDS, self._pump)
                return 0
        if not rate:
            return most
        fill = max(1.0, rate * _BURST_SECONDS)
        self._credit = min(fill, self._credit + (now - self._credited_at) * rate)
        self._credited_at = now
        if self._credit >= 1:
            return min(most, int(self._credit))
        self._timer = self._reactor.callLater(max((1 - self._credit) / rate, 0.002), self._pump)
        return 0

    def left(self) -> int:
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
        self._end(Ended(sentence, stopped=not sentence))

    def _end(self, ended: Ended) -> None:
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
        self._source.ended(ended)
