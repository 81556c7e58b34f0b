"""
The manager's ear for NOTIFY (RFC 1996): a policy server says that a list has changed, and its devices are updated.

Heard is who is one of the policy servers, and no other host is answered.  An address can be forged: all that a
message does is to have a list asked for its serial, once in `PAUSE_SECONDS`, however many come.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from tscm.base.host_port import HostPort
from tscm.base.listening import bind_all, places_of
from tscm.policy.notify import confirmation, read_notice

PAUSE_SECONDS = 5.0
"""Between two looks at one list for the sake of messages."""
_RESOLVE_SECONDS = 60.0

Resolve = Callable[[str], Deferred[Sequence[str]]]


@define(eq=False)
class NotifyListener(Service):
    """
    Listens on *listen*; *changed* is told of lists, and *used* says whether any device has one.

    *servers* are the policy servers; those with a name are looked up by *resolve*, at most once a minute.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _listen: Sequence[HostPort]
    _servers: Sequence[HostPort]
    _resolve: Resolve
    _used: Callable[[str], bool]
    _changed: Callable[[tuple[str, ...]], None]
    heard: int = field(default=0, init=False)
    ignored: int = field(default=0, init=False)
    _addresses: set[str] = field(factory=set, init=False)
    _resolved_at: float | None = field(default=None, init=False)
    _looked: dict[str, float] = field(factory=dict, init=False)
    _turns: dict[str, IDelayedCall] = field(factory=dict, init=False)
    _ports: list[Any] = field(factory=list, init=False)

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        self._ports = bind_all(
            lambda port, host: self._reactor.listenUDP(port, _Ear(self), interface=host),
            self._listen,
            "NOTIFY",
        )

    def addresses(self) -> list[str]:
        """Where it listens, once bound."""
        return places_of(self._ports)

    def startService(self) -> None:
        """Learn who the servers are."""
        super().startService()
        if self._listen:
            self._look_up()

    def stopService(self) -> Deferred[None]:
        """Fires when the sockets are closed."""
        super().stopService()
        for turn in self._turns.values():
            turn.cancel()
        self._turns.clear()
        ports, self._ports = self._ports, []
        stopped: Deferred[None] = Deferred()
        closing = DeferredList([maybeDeferred(one.stopListening) for one in ports])
        closing.addCallback(lambda _: stopped.callback(None))
        return stopped

    def take(self, message: bytes, peer: str) -> bytes | None:
        """What answers *message* of *peer*; None where nothing does."""
        if not self.running:
            return None
        told = read_notice(message)
        if told is None or peer.removeprefix("::ffff:") not in self._addresses:
            self.ignored += 1
            self._look_up()  # a server may have moved: its next try is heard
            return None
        self.heard += 1
        if self._used(told.zone):
            self._look(told.zone)
        return confirmation(message)

    def _look(self, zone: str) -> None:
        """Have the devices of a list updated: at once, or when the pause is over."""
        if zone in self._turns:
            return
        now = self._reactor.seconds()
        wait = self._looked.get(zone, now - PAUSE_SECONDS) + PAUSE_SECONDS - now
        self._turns[zone] = self._reactor.callLater(max(0.0, wait), self._tell, zone)

    def _tell(self, zone: str) -> None:
        del self._turns[zone]
        self._looked[zone] = self._reactor.seconds()
        self._log.info("policy server: list {zone} has changed", zone=zone)
        self._changed((zone,))

    def _look_up(self) -> None:
        now = self._reactor.seconds()
        if self._resolved_at is not None and now - self._resolved_at < _RESOLVE_SECONDS:
            return
        self._resolved_at = now
        for host in {one.host for one in self._servers}:
            looked = self._resolve(host)
            looked.addCallbacks(self._addresses.update, lambda _: None)


@define(eq=False)
class _Ear(DatagramProtocol):
    _listener: NotifyListener

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """A message of whomever."""
        answer = self._listener.take(datagram, addr[0])
        if answer is not None and self.transport is not None:
            self.transport.write(answer, addr)
