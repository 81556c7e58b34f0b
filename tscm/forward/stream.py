"""
A TCP connection of our own to a receiver that never answers.

Twisted's transport keeps a buffer that cannot be inspected.  Here the kernel's send
queue is the only buffer, so that its length says what the peer has acknowledged, and blocks go from the
log to the socket without being copied together.
"""

import array
import errno
import fcntl
import os
import socket
import termios
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.forward.link import Address, Disconnected, Reactor, Source, disconnect_reason
from tscm.model import Extent

_BURST_SECONDS = 0.003  # how long one connection may go on in one turn of the reactor
_SEND_BUFFER = 512 << 10  # asked of the kernel, which doubles it: bounds what lies in the queue
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT = 30, 10, 3
_HALF_CLOSED_LOOK = 0.5  # how often a connection is looked at whose peer sends nothing any more
_HALF_CLOSED_IDLE = 2.0  # how long it is kept with nothing on its way
_TCP_CLOSE = 7  # tcp_states.h
_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.EIO}
_BLOCKED = (BlockingIOError, InterruptedError)


def send_queue(sock: socket.socket) -> int:
    """Bytes in the send queue (SIOCOUTQ, tcp(7)): for TCP all that the peer has not acknowledged."""
    found = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, found)
    return found[0]


@implementer(IReadWriteDescriptor)
@define(eq=False)
class StreamLink:
    """
    One TCP connection: pulls from its source while the socket takes it, reads only to see the end.

    The end of what a peer sends is not the end of what it takes (RFC 9293, 3.6): a receiver may close its
    own side at once and read on.  Such a connection goes on for as long as there is something
    to acknowledge.  A peer that is gone answers the next bytes with a reset.
    """

    _reactor: Reactor
    _source: Source
    _address: Address
    _connect_seconds: float
    _silence_seconds: float
    _socket: socket.socket = field(init=False)
    _connecting: bool = field(default=True, init=False)
    _ended: bool = field(default=False, init=False)
    _finishing: bool = field(default=False, init=False)
    _limit: Any = field(default=None, init=False)
    _watching: Any = field(default=None, init=False)  # set once the peer has ended its side
    _left_then: int = field(default=0, init=False)  # what it had acknowledged by then
    _left_last: int = field(default=0, init=False)
    _moved_at: float = field(default=0.0, init=False)
    _taken: int = field(default=0, init=False)  # bytes that the source has given
    _extent: Extent | None = field(default=None, init=False)
    _extent_done: int = field(default=0, init=False)
    _rest: memoryview = field(default=memoryview(b""), init=False)  # those not yet in the kernel

    def open(self) -> None:
        """Begin to connect."""
        family, address = self._address
        self._socket = sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_COUNT)
        # Bounds unacknowledged data and a closed window alike (tcp(7)): a half-open link and
        # a peer that reads nothing are both noticed.
        sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._silence_seconds * 1000)
        )
        self._limit = self._reactor.callLater(
            self._connect_seconds,
            self._end,
            Disconnected(
                "does not respond; the host is down, or a firewall on the path drops the packets"
            ),
        )
        try:
            sock.connect(address)
        except _BLOCKED:
            pass
        except OSError as error:
            self._limit.cancel()
            self._limit = self._reactor.callLater(0, self._end, disconnect_reason(error.errno or 0))
            return
        self._reactor.addReader(self)
        self._reactor.addWriter(self)

    def fileno(self) -> int:
        """For the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "forward"

    def doRead(self) -> Failure | None:
        """What a receiver says is of no interest, but that it closed is."""
        if self._connecting and not self._has_connected():  # connected and closed in one turn
            return None
        try:
            data = self._socket.recv(65536)
        except _BLOCKED:
            return None
        except OSError as error:
            self._end(disconnect_reason(error.errno or 0))
            return None
        if data:
            self._heard(data)
        else:
            self._peer_ended()
        return None

    def _peer_ended(self) -> None:
        """The peer sends nothing any more; whether it still takes lines has to be seen."""
        if self._connecting or self._limit is not None:
            self._end(Disconnected("closed the connection"))
        elif self._watching is None and not self._ended:
            self._reactor.removeReader(self)  # it would be ready for ever
            self._left_then = self._left_last = self._acknowledged()
            self._moved_at = self._reactor.seconds()
            self._watching = self._reactor.callLater(_HALF_CLOSED_LOOK, self._watch)

    def _watch(self) -> None:
        """Nothing else sees a reset of a socket that is not read."""
        now, left = self._reactor.seconds(), self._acknowledged()
        if left != self._left_last:
            self._left_last, self._moved_at = left, now
        idle = left == self._taken and not self._finishing
        if self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE:
            self._end(Disconnected("closed the connection", reset=True))
        elif idle and now - self._moved_at >= _HALF_CLOSED_IDLE:
            self._end(Disconnected("closed the connection", idle=True))
        else:
            self._watching = self._reactor.callLater(_HALF_CLOSED_LOOK, self._watch)

    def _heard(self, data: bytes) -> None:
        """Something came: of no interest here."""

    def doWrite(self) -> Failure | None:
        """Hand the kernel what it takes, for a moment, so that one target cannot hold the reactor."""
        if self._ended:  # by `doRead`, in the same turn of the reactor
            return None
        if self._connecting and not self._has_connected():
            return None
        end = self._reactor.seconds() + _BURST_SECONDS
        try:
            while not self._ended and self._reactor.seconds() < end:
                if not self._rest and self._extent is None and not self._pull():
                    self._reactor.removeWriter(self)
                    return None
                if self._extent is not None:
                    self._send_extent(self._extent)
                else:
                    self._rest = self._rest[self._socket.send(self._rest) :]
        except _BLOCKED:
            pass
        except OSError as error:
            self._end(disconnect_reason(error.errno or 0))
        return None

    def _send_extent(self, extent: Extent) -> None:
        """Let the kernel send from the log's file to the socket (sendfile(2))."""
        done, size = self._extent_done, extent.end - extent.start
        try:
            count = os.sendfile(self.fileno(), extent.descriptor, extent.at + done, size - done)
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
            count = 0
        if not count:  # no such file system, or the file is shorter than the index says
            self._source.unsendable()
            self._end(
                Disconnected(
                    "is connected, but the log could not be sent directly; sending it by reads instead"
                )
            )
            return
        self._extent_done += count
        if self._extent_done == size:
            self._drop_extent()

    def _drop_extent(self) -> None:
        if self._extent is not None:
            os.close(self._extent.descriptor)
            self._extent, self._extent_done = None, 0

    @property
    def _waiting(self) -> int:
        """Bytes that were taken from the source and that the kernel does not have."""
        waiting = len(self._rest)
        if self._extent is not None:
            waiting += self._extent.end - self._extent.start - self._extent_done
        return waiting

    def _pull(self) -> bool:
        if (
            self._finishing or self._ended
        ):  # what is taken after the end would belong to no connection
            return False
        chunk = self._source.more(self._taken)
        if chunk is None or self._ended:
            return False
        self._taken += chunk.size
        self._rest, self._extent = memoryview(chunk.data), chunk.extent
        return True

    def _has_connected(self) -> bool:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._end(disconnect_reason(code))
            return False
        self._connecting = False
        self._established()
        return not self._ended

    def _established(self) -> None:
        """The peer's kernel has answered."""
        self._ready()

    def _ready(self) -> None:
        """Lines may go."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self._source.connected()

    def wake(self) -> None:
        """Write as soon as the socket takes it."""
        if not self._ended and not self._connecting:
            self._reactor.addWriter(self)

    def acknowledged_position(self) -> int:
        """Bytes that the peer's kernel has acknowledged."""
        if self._ended or self._connecting:
            return 0
        return self._acknowledged()

    def _acknowledged(self) -> int:
        return self._taken - self._waiting - send_queue(self._socket)

    def finish(self) -> None:
        """Pull nothing more."""
        self._finishing = True

    @property
    def finished(self) -> bool:
        """Whether the kernel has all that was pulled."""
        return self._connecting or not self._waiting

    def close(self, sentence: str = "") -> None:
        """End now; what lies in the send queue the kernel still sends."""
        self._end(Disconnected(sentence, stopped=not sentence))

    def connectionLost(self, _: Failure) -> None:
        """The reactor saw an error or hang-up on the socket before we did."""
        if self._ended:
            return
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end(disconnect_reason(code) if code else Disconnected("closed the connection"))

    def _end(self, ended: Disconnected) -> None:
        if self._ended:
            return
        if self._watching is not None and not ended.stopped:
            # A peer that had closed for good read all that it acknowledged, and nothing after.
            went_on = self._acknowledged() > self._left_then
            ended = Disconnected(
                "closed the connection", reset=ended.reset and went_on, idle=ended.idle
            )
        self._ended = True
        for timer in (self._limit, self._watching):
            if timer is not None and timer.active():
                timer.cancel()
        self._limit = None
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._rest = memoryview(b"")
        self._drop_extent()
        self._socket.close()
        self._source.disconnected(ended)
