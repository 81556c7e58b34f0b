"""
What a forwarder and a connection to its target know of each other.
"""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen

from tscm.model import Extent

Address = tuple[int, tuple[Any, ...]]
"""Address family, and the address as that family's sockets take it."""


@frozen
class Disconnected:
    """
    Why a connection is over.

    *reset* says that the peer may have thrown away what its kernel had acknowledged; a
    connection that the peer closed in good order was read to its end.  *idle* says that the peer
    had ended its side and there was nothing to send any more.
    """

    sentence: str
    reset: bool = False
    stopped: bool = False
    idle: bool = False


@frozen
class Chunk:
    """
    What a connection is given at a time: bytes for a stream, or payloads for datagrams.

    Datagrams may also come as *data* that holds so many *lines*, each of them a payload without its
    LF.  *altered* line feeds inside messages became blanks; *cut* payloads were shortened.  An
    *extent* stands for its bytes: the kernel takes them from the file itself.
    """

    data: bytes = b""
    lines: int = 0
    payloads: Sequence[bytes] = ()
    extent: Extent | None = None
    altered: int = 0
    cut: int = 0

    @property
    def size(self) -> int:
        """How far this moves the connection's position: bytes of a stream, or datagrams."""
        if self.extent is not None:
            return self.extent.end - self.extent.start
        return self.lines or len(self.data) or len(self.payloads)


class Reactor(Protocol):
    """The part of a reactor that connections use."""

    def seconds(self) -> float:
        """Now."""

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> Any:  # noqa: D102
        ...

    def addReader(self, reader: Any) -> None:  # noqa: D102
        ...

    def addWriter(self, writer: Any) -> None:  # noqa: D102
        ...

    def removeReader(self, reader: Any) -> None:  # noqa: D102
        ...

    def removeWriter(self, writer: Any) -> None:  # noqa: D102
        ...


class Source(Protocol):
    """
    Where a connection gets what it sends.
    """

    def more(self, position: int) -> Chunk | None:
        """
        The next chunk for a connection that has been given *position*; None: wait for `wake`.
        """

    def waiting(self) -> int:
        """About how many lines `more` has still to give."""

    def connected(self) -> None:
        """The connection can be used."""

    def unsendable(self) -> None:
        """The kernel does not send an extent: the source is to give bytes from now on."""

    def dropped(self) -> None:
        """A datagram cannot be sent at all on this path, in fragments neither."""

    def disconnected(self, ended: Disconnected) -> None:
        """The connection is over; called once, last of all."""


class Link(Protocol):
    """
    One connection, from its opening to its end.
    """

    def open(self) -> None:
        """Begin; every outcome is told to the source, later."""

    def wake(self) -> None:
        """The source may have more."""

    def acknowledged_position(self) -> int:
        """Up to which position everything is known to have left this host."""

    def finish(self) -> None:
        """Take nothing more from the source, but end what was begun."""

    @property
    def finished(self) -> bool:
        """After `finish`: whether all that was taken has been handed to the kernel."""

    def close(self, sentence: str = "") -> None:
        """End now; told to the source as stopped when there is no sentence."""


_SENTENCES = {
    errno.ECONNREFUSED: (
        "refused the connection; check that its syslog input is running and listening on this port"
    ),
    errno.ECONNRESET: "reset the connection; it was killed, or a firewall on the path cut the connection",
    errno.EPIPE: "closed the connection while lines were being sent",
    errno.ETIMEDOUT: (
        "acknowledged nothing in time; check the host, the path and its firewalls, and "
        "whether the receiver is reading"
    ),
    errno.EHOSTUNREACH: "is unreachable: no response from its network; check the address and routes",
    errno.ENETUNREACH: "is unreachable: no route to its network; check this host's routes",
    errno.EACCES: "is blocked by this host's own packet filter",
    errno.EPERM: "is blocked by this host's own packet filter",
}
_RESETS = {errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}


_DATAGRAM_SENTENCES = {
    errno.ECONNREFUSED: (
        "reports that the UDP port is closed; check that its syslog input is running and "
        "listening there"
    ),
}


def disconnect_reason(code: int, *, datagrams: bool = False) -> Disconnected:
    """The end that an error number of the kernel means, in words that name no address."""
    special = _DATAGRAM_SENTENCES.get(code) if datagrams else None
    sentence = special or _SENTENCES.get(code) or f"connection failed: {os.strerror(code)}"
    return Disconnected(sentence, reset=code in _RESETS)
