"""
One connection to the policy service: questions answered in turn, messages sent as there is room.
"""

from collections.abc import Iterator
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IPullProducer
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import Int16StringReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.metrics import Counter
from tscm.portal.registry import plain_address

IDLE_SECONDS = 30
_HEADER_OCTETS = 12


class Answerer(Protocol):
    """
    What a connection needs of the policy service.
    """

    log: Logger
    answered: Counter

    def has_room(self, peer: str) -> bool:
        """Whether *peer* may open one more."""

    def connected(self, protocol: "PolicyConnection") -> None:
        """A connection begins."""

    def disconnected(self, protocol: "PolicyConnection") -> None:
        """A connection has ended."""

    async def respond(self, wire: bytes, peer: str) -> Iterator[bytes]:
        """The messages that answer *wire*, made as they are taken."""


@define(eq=False)
class PolicyFactory(Factory):
    """
    Makes connections, and turns away those that there is no room for.
    """

    noisy = False
    _service: Answerer

    def buildProtocol(self, addr: IAddress | None) -> "PolicyConnection | None":
        """None closes the connection at once."""
        peer = plain_address(str(getattr(addr, "host", "::")))
        if not self._service.has_room(peer):
            self._service.answered.add("no room")
            return None
        return PolicyConnection(self._service, peer)


@implementer(IPullProducer)
@define(eq=False)
class _Sending:
    """
    Messages to a connection, one each time it has room: a transfer costs no memory.
    """

    _connection: "PolicyConnection"
    _messages: Iterator[bytes]
    done: Deferred[None] = field(factory=Deferred)

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._connection.resetTimeout()
        try:
            message = next(self._messages)
        except StopIteration:
            self._connection.transport.unregisterProducer()  # type: ignore[union-attr]
            self.done.callback(None)
            return
        except Exception:  # noqa: BLE001 - the reactor would only hang up without a word
            self._connection.transport.unregisterProducer()  # type: ignore[union-attr]
            self.done.errback(Failure())
            return
        self._connection.sendString(message)

    def stopProducing(self) -> None:
        """The connection is gone."""
        if not self.done.called:
            self.done.errback(ConnectionDone())


@define(eq=False)
class PolicyConnection(Int16StringReceiver, TimeoutMixin):
    """
    One connection: questions are answered in turn; what comes meanwhile waits unread.
    """

    _service: Answerer
    peer: str
    gone: Deferred[None] = field(factory=Deferred, init=False)

    def connectionMade(self) -> None:
        """Begin to wait for a question."""
        self._service.connected(self)
        self.setTimeout(IDLE_SECONDS)

    def stringReceived(self, string: bytes) -> None:
        """One message."""
        self.resetTimeout()
        if len(string) < _HEADER_OCTETS or string[2] & 0x80:
            self.hang_up()
            return
        self.pauseProducing()
        answering = Deferred.fromCoroutine(self._answer(string))
        answering.addErrback(self._failed)

    async def _answer(self, wire: bytes) -> None:
        messages = await self._service.respond(wire, self.peer)
        if self.gone.called or self.transport is None:
            return
        sending = _Sending(self, messages)
        self.transport.registerProducer(sending, streaming=False)  # type: ignore[attr-defined]
        await sending.done
        if not self.gone.called:
            self.resetTimeout()
            self.resumeProducing()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(ConnectionDone):
            self._service.log.failure("cannot answer a policy question", failure)
        self.hang_up()

    def timeoutConnection(self) -> None:
        """Idle, or not reading what it asked for."""
        self.hang_up()

    def hang_up(self) -> None:
        """Close now; what was not read is lost to the peer, which must ask again."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # noqa: ARG002
        """The end."""
        self.setTimeout(None)
        self._service.disconnected(self)
        self.gone.callback(None)
