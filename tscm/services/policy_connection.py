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

from tscm.services.counter import Counter
from tscm.services.dns_question import HEADER_OCTETS, MAX_OCTETS
from tscm.services.places import Place
from tscm.services.registry import plain_address

IDLE_SECONDS = 30
STRANGER_SECONDS = 10
"""Silence, or the time that one message may take to come in: nothing but a whole one counts."""


class Answerer(Protocol):
    """
    What a connection needs of the policy service.
    """

    log: Logger
    answered: Counter

    def place(self, peer: str) -> Place | None:
        """A place for one more connection of *peer*, if there is room."""

    def connected(self, protocol: "PolicyConnection") -> None:
        """A connection begins."""

    def disconnected(self, protocol: "PolicyConnection") -> None:
        """A connection has ended."""

    async def respond(self, message: bytes, peer: str) -> Iterator[bytes]:
        """The messages that answer *message*, made as they are taken."""


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
        place = self._service.place(peer)
        if place is None:
            self._service.answered.add("no room")
            return None
        return PolicyConnection(self._service, place)


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

    MAX_LENGTH = MAX_OCTETS

    _service: Answerer
    place: Place
    answering: bool = field(default=False, init=False)
    """Whether a question has come whole and its answer is in progress."""
    gone: Deferred[None] = field(factory=Deferred, init=False)

    def connectionMade(self) -> None:
        """Begin to wait for a question."""
        self._service.connected(self)
        self.setTimeout(IDLE_SECONDS if self.place.known else STRANGER_SECONDS)

    def lengthLimitExceeded(self, length: int) -> None:  # noqa: ARG002
        """Longer than any question: not one octet of it is taken."""
        self._service.answered.add("too long")
        self.hang_up()

    def stringReceived(self, string: bytes) -> None:
        """One message."""
        self.resetTimeout()
        if len(string) < HEADER_OCTETS or string[2] & 0x80:
            self.hang_up()
            return
        self.pauseProducing()
        self.answering = True
        answering = Deferred.fromCoroutine(self._answer(string))
        answering.addErrback(self._failed)

    async def _answer(self, message: bytes) -> None:
        messages = await self._service.respond(message, self.place.address)
        if self.gone.called or self.transport is None:
            return
        sending = _Sending(self, messages)
        self.transport.registerProducer(sending, streaming=False)  # type: ignore[attr-defined]
        await sending.done
        self.answering = False
        if not self.gone.called:
            self.resetTimeout()
            self.resumeProducing()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(ConnectionDone):
            self._service.log.failure("cannot answer a policy query", failure)
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
