"""
One DNS connection over TCP (RFC 7766), with deadlines that hold against a peer that trickles.

Blocking: for a thread of the pool.  `socket` time-outs alone count from the last byte; here the
whole exchange has a limit too, and so has what may come in.
"""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from tscm.base.deadline import CutOff

_PIECE = 1 << 18
_LENGTH = 2


@frozen(kw_only=True)
class Limits:
    """
    Seconds for connecting, for silence, for the whole of one list, and of a core to read it; bytes and entries of it.
    """

    connect_seconds: float = 10.0
    idle_seconds: float = 30.0
    whole_seconds: float = 300.0
    reading_seconds: float = 30.0
    max_bytes: int = 256 << 20
    max_entries: int = 1_000_000


class Unanswered(Exception):
    """
    A server that cannot be talked to; the text says in words what it did.

    *middlebox* marks what an application-layer gateway in the way looks like, *begun* that part of
    a message had come, *stopped* that we closed the connection because the manager stops.
    """

    def __init__(
        self, cause: str, *, middlebox: bool = False, begun: bool = False, stopped: bool = False
    ) -> None:
        self.middlebox = middlebox
        self.begun = begun
        self.stopped = stopped
        super().__init__(cause)

    @classmethod
    def by_stop(cls) -> "Unanswered":
        """The manager stops, so it closed the connection."""
        return cls("it was interrupted because the manager is stopping", begun=True, stopped=True)


@define(eq=False)
class DnsStream:
    """
    Queries out, messages in; `Unanswered` when it cannot go on.
    """

    host: str
    port: int
    limits: Limits
    deadline: float
    monotonic: Callable[[], float]
    received: int = field(default=0, init=False)
    _cut: CutOff = field(factory=CutOff, init=False)
    _open: ExitStack = field(factory=ExitStack, init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _buffer: bytearray = field(factory=bytearray, init=False)
    _at: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        where = f"port {self.port} of {self.host}"
        try:
            # The one call here without a limit of ours: the system's resolver has its own.
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or "it is not a host name"
            raise Unanswered(f"policy server {self.host} has no address ({cause})") from None
        self._open.enter_context(self._cut.within(self._wait(self.limits.whole_seconds)))
        try:
            self._socket = self._connected(found, where)
        except BaseException:
            self._open.close()
            raise
        return self

    def _connected(self, found: list[Any], where: str) -> socket.socket:
        refusal = None
        for family, kind, protocol, _name, address in found:
            limit = self._wait(self.limits.connect_seconds)
            one = socket.socket(family, kind, protocol)
            try:
                one.settimeout(limit)
                self._cut.watch(one)
                one.connect(address)
            except OSError as error:
                one.close()
                refusal = error
            else:
                return one
        if isinstance(refusal, TimeoutError):
            raise Unanswered(
                f"no TCP connection to {where} within {self.limits.connect_seconds:g} s",
                middlebox=True,
            )
        cause = refusal.strerror or str(refusal) if refusal else "no address"
        raise Unanswered(f"no TCP connection to {where} ({cause.lower()})")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()
        self._open.close()

    def send(self, query: bytes) -> None:
        """Send one message with its length in front."""
        assert self._socket is not None
        self._socket.settimeout(self._wait(self.limits.idle_seconds))
        try:
            self._socket.sendall(len(query).to_bytes(_LENGTH, "big") + query)
        except OSError as error:
            raise self._broken(error) from None

    def receive(self) -> bytes:
        """The next message."""
        while True:
            have = len(self._buffer) - self._at
            if have >= _LENGTH:
                size = int.from_bytes(self._buffer[self._at : self._at + _LENGTH], "big")
                if have >= _LENGTH + size:
                    start = self._at + _LENGTH
                    self._at = start + size
                    return bytes(self._buffer[start : self._at])
            self._fill()

    def _fill(self) -> None:
        assert self._socket is not None
        del self._buffer[: self._at]
        self._at = 0
        self._socket.settimeout(self._wait(self.limits.idle_seconds))
        try:
            piece = self._socket.recv(_PIECE)
        except OSError as error:
            raise self._broken(error) from None
        if not piece and self._cut.over:
            raise self._broken(TimeoutError())
        if not piece:
            inside = " inside a message" if self._buffer else ""
            raise Unanswered(
                f"{self.host} port {self.port} closed the connection{inside}",
                middlebox=True,
                begun=bool(self._buffer),
            )
        self.received += len(piece)
        if self.received > self.limits.max_bytes:
            raise Unanswered(
                f"{self.host} sent more than {self.limits.max_bytes:,} bytes for one list"
            )
        self._buffer += piece

    def _broken(self, error: OSError) -> Unanswered:
        where = f"{self.host} port {self.port}"
        if self._cut.stopped:
            return Unanswered.by_stop()
        if isinstance(error, TimeoutError) or self._cut.over:
            if self._cut.over or self.monotonic() >= self.deadline:
                return Unanswered(
                    f"{where} took longer than {self.limits.whole_seconds:g} s", begun=True
                )
            return Unanswered(
                f"{where} sent nothing for {self.limits.idle_seconds:g} s",
                middlebox=True,
                begun=True,
            )
        return Unanswered(
            f"the connection to {where} was lost ({(error.strerror or str(error)).lower()})",
            middlebox=True,
            begun=bool(self._buffer),
        )

    def _wait(self, seconds: float) -> float:
        if self._cut.stopped:
            raise Unanswered.by_stop()
        left = self.deadline - self.monotonic()
        if left <= 0:
            raise Unanswered(
                f"{self.host} port {self.port} took longer than {self.limits.whole_seconds:g} s"
            )
        return min(seconds, left)
