"""
Datagrams of one chunk on their way into a socket: many a system call, or one by one.

The compiled helper sends the lines of a block as they lie in it (`sendmmsg`); Python makes no
object of a line.  Where it was not built, and for payloads that are not such lines, each
goes by a `send` of its own, with the same results (docs/develop/performance.md).
"""

import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field

from tscm.forward.link import Chunk


class Outgoing(Protocol):
    """
    What has not gone of a chunk, in its order.
    """

    def __len__(self) -> int:
        """Datagrams that have not gone."""

    def send(self, sock: socket.socket, most: int) -> tuple[int, int]:
        """
        Hand the kernel up to *most*: how many it took, and the error number of the next, or 0.

        The error may be about a datagram that went before (ICMP); the kernel tells it once.
        """

    def skip(self) -> None:
        """Give up the next one."""


@define(eq=False)
class Payloads:
    """One `send` a datagram."""

    _waiting: deque[bytes]

    def __len__(self) -> int:
        """See `Outgoing`."""
        return len(self._waiting)

    def send(self, sock: socket.socket, most: int) -> tuple[int, int]:
        """See `Outgoing`."""
        waiting, send, sent = self._waiting, sock.send, 0
        try:
            while sent < most and waiting:
                send(waiting[0])
                waiting.popleft()
                sent += 1
        except OSError as error:
            return sent, error.errno or 0
        return sent, 0

    def skip(self) -> None:
        """See `Outgoing`."""
        self._waiting.popleft()


@define(eq=False)
class Lines:
    """
    The lines of a block, each without its LF, through the compiled helper.
    """

    _helper: Any
    _data: bytes
    _left: int
    _at: int = field(default=0, init=False)
    _start: Any = field(init=False)  # the block's first byte, for C
    _done: Any = field(init=False)
    _error: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        ffi = self._helper.ffi
        self._start = ffi.from_buffer(self._data)
        self._done, self._error = ffi.new("size_t *"), ffi.new("int *")

    def __len__(self) -> int:
        """See `Outgoing`."""
        return self._left

    def send(self, sock: socket.socket, most: int) -> tuple[int, int]:
        """See `Outgoing`."""
        done, error = self._done, self._error
        sent: int = self._helper.lib.send_lines(
            sock.fileno(), self._start + self._at, len(self._data) - self._at, most, done, error
        )
        self._at += done[0]
        self._left -= sent
        return sent, error[0]

    def skip(self) -> None:
        """See `Outgoing`."""
        self._at = self._data.index(b"\n", self._at) + 1
        self._left -= 1


Sending = Callable[[Chunk], Outgoing]


def send_singly(chunk: Chunk) -> Outgoing:
    """The way that needs no helper."""
    if not chunk.lines:
        return Payloads(deque(chunk.payloads))
    lines = deque(chunk.data.split(b"\n"))
    lines.pop()  # what stands behind the last LF: nothing
    return Payloads(lines)


def best_sender() -> Sending:
    """In batches where the helper was built."""
    try:
        from tscm.forward import _send  # type: ignore[attr-defined]
    except ImportError:
        return send_singly

    def in_batches(chunk: Chunk) -> Outgoing:
        return Lines(_send, chunk.data, chunk.lines) if chunk.lines else send_singly(chunk)

    return in_batches
