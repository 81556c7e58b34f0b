"""
A full UDP socket in, one chunk of lines per sender out: three ways with the same results.

`compiled` reads and groups in C; `numpy` calls `recvmmsg` without a compiler; `plain` asks for
one datagram at a time and runs everywhere.  The kernel's own work is most of the cost, so what
counts is how few system calls and Python steps a line takes (docs/develop/performance.md).
"""

import socket
from typing import NamedTuple, Protocol

from attrs import field, frozen

from tscm.syslog.framing import Lines, close_messages

MAX_DATAGRAM = 65536
MAX_MESSAGES = 4096
MAX_BYTES = 1 << 19
"""Bounds of one drain of those that do not look at a clock."""
MAX_SENDERS = 8192
"""Senders a batch: one more ends it, so that forged sources cannot grow anything."""


class SenderLines(NamedTuple):
    """
    What one sender sent in a batch: its packed address, and its lines in their order.

    A tuple, for one is made for each sender and batch.
    """

    key: bytes
    lines: Lines


@frozen
class Batch:
    """
    What a drain took: *messages* that were no empty datagrams, grouped by sender.

    *more* says that the bound ended it, not an empty socket.  *lost* are messages that were taken
    from the socket and found no memory.
    """

    senders: list[SenderLines] = field(factory=list)
    datagrams: int = 0
    empty: int = 0
    cut: int = 0
    more: bool = False
    lost: int = 0


class Drain(Protocol):
    """A way to empty a socket."""

    name: str
    max_messages: int
    max_bytes: int
    """Bounds of one drain, so that other work gets its turn after a few milliseconds."""

    def __call__(self, taken: socket.socket, max_messages: int, max_bytes: int) -> Batch:
        """
        Take what waits, within the bounds; never wait.  Raises `OSError` where the socket is
        unusable.
        """


class PlainDrain:
    """One `recvfrom` a datagram."""

    name = "plain"
    max_messages = MAX_MESSAGES
    max_bytes = MAX_BYTES

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message

    def __call__(self, taken: socket.socket, max_messages: int, max_bytes: int) -> Batch:
        """See `Drain`."""
        groups: dict[str, list[bytes]] = {}
        datagrams = 0
        size = 0
        more = True
        try:
            while datagrams < max_messages and size < max_bytes and len(groups) < MAX_SENDERS:
                data, address = taken.recvfrom(MAX_DATAGRAM, socket.MSG_DONTWAIT)
                datagrams += 1
                size += len(data)
                host = address[0]
                try:
                    groups[host].append(data)
                except KeyError:
                    groups[host] = [data]
        except BlockingIOError:
            more = False
        senders: list[SenderLines] = []
        empty = cut = 0
        for host, messages in groups.items():
            closed = close_messages(messages, self._max_message)
            empty += closed.empty
            cut += closed.cut
            if closed.lines is not None:
                senders.append(SenderLines(address_key(host), closed.lines))
        return Batch(senders, datagrams, empty, cut, more)


def address_key(address: str) -> bytes:
    """4 bytes of an IPv4 address, 16 of an IPv6 one; its zone goes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address.partition("%")[0])


def address_from_key(key: bytes) -> str:
    """The address that `address_key` was given."""
    return socket.inet_ntop(socket.AF_INET if len(key) == 4 else socket.AF_INET6, key)
