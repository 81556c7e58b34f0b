"""
Where a target is: looked up aside, and never in the way of what is known already.
"""

import ipaddress
import socket
from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.forward.link import Address, Reactor
from tscm.forward.target import Target

_PATIENCE_SECONDS = (
    2.0  # how long a connection attempt waits for a look-up when it knows an address
)
_PARALLEL = 2


def look_up(host: str, port: int, kind: int) -> Sequence[Address]:
    """Blocking: all addresses of *host*, in the order that this host prefers.  Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=kind)
    return list(dict.fromkeys((one[0], one[4]) for one in found))


@define(eq=False)
class Resolver:
    """
    Looks names up in threads, a few at a time over all targets that share it.

    A name server that does not answer holds a thread for many seconds: it must not hold all.
    """

    reactor: Reactor
    _threads: Threads
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_PARALLEL), init=False)

    def addresses(self, host: str, port: int, kind: int) -> Deferred[Sequence[Address]]:
        """Fails with `OSError`."""
        return self._slots.run(self._threads.run, look_up, host, port, kind)


@define(eq=False)
class Whereabouts:
    """
    The addresses of one target: the latest answer, and what there was before it.
    """

    _target: Target
    _resolver: Resolver
    _known: Sequence[Address] = field(default=(), init=False)
    _turn: int = field(default=0, init=False)
    _asked: Deferred[Sequence[Address]] | None = field(default=None, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    error: OSError | None = field(default=None, init=False)
    """Why the last look-up failed; None after one that did not."""

    def __attrs_post_init__(self) -> None:
        try:
            ip = ipaddress.ip_address(self._target.address)
        except ValueError:
            return
        family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
        self._known = [(family, (str(ip), self._target.port))]

    @property
    def literal(self) -> bool:
        """Whether there is nothing to look up."""
        try:
            ipaddress.ip_address(self._target.address)
        except ValueError:
            return False
        return True

    def look_again(self) -> Deferred[None]:
        """
        Ask again; fires when the answer is there, also where it is an error.  One question at a time.
        """
        self._ask()
        answered: Deferred[None] = Deferred()
        if self._asked is None:
            return succeed(None)
        self._waiting.append(answered)
        return answered

    def still_at(self, address: Address) -> bool:
        """Whether *address* is among those that the last good answer gave."""
        return any(
            (family, place[:2]) == (address[0], address[1][:2]) for family, place in self._known
        )

    def next_address(self) -> Deferred[Address]:
        """
        The address to try now; the answer to a look-up is waited for only briefly where one is known.

        Several addresses take turns.  Fails with `OSError` where none is known.
        """
        if self.literal:
            return succeed(self._pick())
        self._ask()
        return Deferred.fromCoroutine(self._next())

    async def _next(self) -> Address:
        if self._asked is not None:
            answered: Deferred[None] = Deferred()
            self._waiting.append(answered)
            timer = None
            if self._known:
                timer = self._resolver.reactor.callLater(_PATIENCE_SECONDS, self._give_up, answered)
            try:
                await answered
            finally:
                if answered in self._waiting:
                    self._waiting.remove(answered)
                if timer is not None and timer.active():
                    timer.cancel()
        if not self._known:
            raise self.error or OSError("no address")
        return self._pick()

    def _give_up(self, answered: Deferred[None]) -> None:
        if answered in self._waiting:
            self._waiting.remove(answered)
            answered.callback(None)

    def _pick(self) -> Address:
        self._turn += 1
        return self._known[(self._turn - 1) % len(self._known)]

    def _ask(self) -> None:
        if self._asked is not None:
            return
        kind = socket.SOCK_DGRAM if self._target.protocol == "UDP" else socket.SOCK_STREAM
        asked = self._resolver.addresses(self._target.address, self._target.port, kind)
        self._asked = asked
        asked.addCallbacks(self._answered, self._unanswered)
        asked.addBoth(self._over)

    def _answered(self, addresses: Sequence[Address]) -> None:
        self.error = None
        if list(addresses) != list(self._known):
            self._known, self._turn = addresses, 0

    def _unanswered(self, failure: Failure) -> None:
        failure.trap(OSError)
        assert isinstance(failure.value, OSError)
        self.error = failure.value

    def _over(self, result: object) -> object:
        self._asked = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
        return result
