"""
How much a peer may make TLS itself answer: for every listener over TLS.

After the handshake TLS answers to each KeyUpdate (RFC 8446, 4.6.3) and to each try to negotiate again.  A
peer that sends nothing else, and need not read, takes the loop for seconds: 300 answers are more
than a connection ever needs.
"""

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.protocols.tls import (
    BufferingTLSTransport,
    TLSMemoryBIOFactory,
    TLSMemoryBIOProtocol,
)

MAX_ANSWERS = 8192
"""Octets that TLS itself may answer behind the handshake."""
_PIECE = 8192
"""Of what is read so much goes to OpenSSL at once, so that a flood is seen before all of it was answered."""


class BoundedAnswers(TLSMemoryBIOProtocol):
    """
    The server's side of a connection; aborted where TLS would answer more than *MAX_ANSWERS* octets.
    """

    _answered = 0
    _writing = False

    def may_answer(self, octets: int) -> bool:
        """Whether TLS may answer so much more."""
        self._answered += octets
        return self._answered <= MAX_ANSWERS

    def flooded(self) -> None:
        """It may not: the connection is about to be aborted."""

    def take_answer(self, answer: bytes) -> None:
        """What TLS answers."""
        transport: Any = self.transport
        transport.write(answer)

    def _flushSendBIO(self) -> None:
        if self._writing or not self._handshakeDone:
            super()._flushSendBIO()
            return
        try:
            answer: bytes = self._tlsConnection.bio_read(2 * MAX_ANSWERS)
        except SSL.WantReadError:
            return
        if self._aborted or self.may_answer(len(answer)):
            self.take_answer(answer)
            return
        self.flooded()
        self.abortConnection()

    def _write(self, bytes: bytes) -> None:  # noqa: A002 - Twisted's name
        if not self._lostTLSConnection:
            self._flushSendBIO()  # what TLS answered by itself is counted, what we say is not
        self._writing = True
        try:
            super()._write(bytes)
        finally:
            self._writing = False


class TlsFactory(TLSMemoryBIOFactory):
    """
    Twisted's, for a listener whose factory may turn a connection away: Twisted's own would wrap nothing, fail, and
    leave the connection open.
    """

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:
        """None, which closes the connection, where the factory turns it away."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


def answering(flooded: Callable[[Any], None]) -> type[TLSMemoryBIOProtocol]:
    """
    The TLS of a listener whose side answers by itself; *flooded* is told the connection of a flood.
    """

    class Answering(BoundedAnswers, BufferingTLSTransport):
        def flooded(self) -> None:
            flooded(self)

        def dataReceived(self, data: bytes) -> None:
            for at in range(0, len(data), _PIECE):
                if self._aborted or self._lostTLSConnection:
                    return
                super().dataReceived(data[at : at + _PIECE])

    return Answering
