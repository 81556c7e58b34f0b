"""
NOTIFY (RFC 1996) to managers that ask for it: the entry's list has changed.

A message goes to the addresses that an entry registers and to no others, so that an entry cannot make it send to a third.
It is repeated until it is confirmed, or given up: a manager that heard nothing looks at its next run.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from tscm.policy.notify import confirmed_number, notice
from tscm.services.counter import Counter
from tscm.services.zones import Zone

PAUSES = (2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries (RFC 1996, 3.6, lets them be set)."""
WAITING_MOST = 4096
"""Messages that wait for their confirmation."""

Place = tuple[str, int]


@define(eq=False)
class _Waiting:
    """One message to one place about one zone."""

    place: Place
    message: bytes
    tries: int = 0
    again: IDelayedCall | None = None


@define(eq=False)
class Notifier:
    """
    Sends, repeats and hears confirmations; *places* gives who wants to hear of a list.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _places: Callable[[str], Iterable[Place]]
    counted: Counter
    _ports: dict[str, Any] = field(factory=dict, init=False)
    _waiting: dict[int, _Waiting] = field(factory=dict, init=False)
    _latest: dict[tuple[Place, str], int] = field(factory=dict, init=False)

    def changed(self, zone: Zone) -> None:
        """Tell all who want to hear of it; what was said of an earlier serial is not repeated any more."""
        for place in self._places(zone.name):
            earlier = self._latest.pop((place, zone.name), None)
            if earlier is not None:
                self._forget(earlier)
            if len(self._waiting) >= WAITING_MOST:
                self.counted.add("NOTIFY not sent")
                return
            number = self._number()
            self._waiting[number] = _Waiting(place, notice(number, zone.owner, zone.soa))
            self._latest[place, zone.name] = number
            self._send(number)

    def stop(self) -> list[Deferred[Any]]:
        """Send no more; what fires when the sockets are closed."""
        for number in list(self._waiting):
            self._forget(number)
        ports, self._ports = list(self._ports.values()), {}
        return [maybeDeferred(port.stopListening) for port in ports]

    def heard(self, message: bytes, place: Place) -> None:
        """An answer; one from elsewhere than where the message went confirms nothing."""
        number = confirmed_number(message)
        waiting = None if number is None else self._waiting.get(number)
        if number is not None and waiting is not None and waiting.place == place:
            self.counted.add("NOTIFY confirmed")
            self._forget(number)

    def _number(self) -> int:
        while (number := secrets.randbelow(1 << 16)) in self._waiting:
            pass
        return number

    def _send(self, number: int) -> None:
        waiting = self._waiting[number]
        waiting.again = None
        try:
            self._port(waiting.place[0]).write(waiting.message, waiting.place)
            self.counted.add("NOTIFY")
        except OSError as error:  # no way there now: tried again like one that is lost
            self._log.debug("NOTIFY to {place}: {error}", place=waiting.place[0], error=str(error))
        if waiting.tries < len(PAUSES):
            pause = PAUSES[waiting.tries]
            waiting.tries += 1
            waiting.again = self._reactor.callLater(pause, self._send, number)
        else:
            self.counted.add("NOTIFY unanswered")
            self._forget(number)

    def _forget(self, number: int) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None and waiting.again is not None:
            waiting.again.cancel()

    def _port(self, address: str) -> Any:
        any_ = "::" if ":" in address else "0.0.0.0"  # noqa: S104 - a socket to send from
        if any_ not in self._ports:
            port = self._reactor.listenUDP(0, _Answers(self), interface=any_)
            self._ports[any_] = port.protocol.transport
        return self._ports[any_]


@define(eq=False)
class _Answers(DatagramProtocol):
    _notifier: Notifier

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """An answer, or what a stranger sends."""
        self._notifier.heard(datagram, (addr[0], addr[1]))
