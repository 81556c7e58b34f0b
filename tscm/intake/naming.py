"""
Host names among the senders, looked up aside and again.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from zope.interface import implementer

from tscm.base.schedule import PeriodicService
from tscm.intake.senders import SenderTable

Resolve = Callable[[str], "Deferred[Sequence[str]]"]
"""Gives the addresses of a name, none where there are none; never blocks the reactor."""

_AT_A_TIME = 4
_LIMIT_SECONDS = 30


@define(eq=False)
class Naming(Service):
    """
    Keeps what `SenderTable` knows of names up to date.

    A name that does not resolve keeps the addresses it had: a name server that is away for
    an hour must not make strangers of firewalls.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _senders: SenderTable
    _interval: float
    _resolve: Resolve | None = None
    _missing: set[str] = field(factory=set, init=False)
    _periodic: PeriodicService = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._periodic = PeriodicService(
            self._reactor, self._interval, self._look_up_all, "sender name lookup"
        )

    def startService(self) -> None:
        """Look up now, then at the interval, and when a new name is claimed."""
        super().startService()
        self._senders.when_named = self._periodic.run_soon
        self._periodic.startService()

    def stopService(self) -> "Deferred[None] | None":
        """Fires when no look-up is in progress."""
        super().stopService()
        self._senders.when_named = None
        return self._periodic.stopService()

    async def _look_up_all(self) -> None:
        tried: set[str] = set()
        while names := self._senders.names - tried:  # one claimed meanwhile is not left out
            tried |= names
            some = DeferredSemaphore(_AT_A_TIME)
            await gatherResults(
                [some.run(self._look_up, name) for name in sorted(names)], consumeErrors=True
            )
        self._missing &= tried

    async def _look_up(self, name: str) -> None:
        resolve = self._resolve or resolver_of(self._reactor)
        cause = "no address"
        found: Sequence[str] = ()
        try:
            found = await resolve(name).addTimeout(_LIMIT_SECONDS, self._reactor)
        except Exception as error:  # noqa: BLE001 - whatever a resolver raises, the name waits
            cause = str(error) or type(error).__name__
        if found:
            self._missing.discard(name)
            self._senders.resolved(name, found)
        elif name not in self._missing:
            self._missing.add(name)
            self._log.warn("sender {name} does not resolve: {cause}", name=name, cause=cause)


@implementer(IResolutionReceiver)
@define(eq=False)
class _Receiver:
    """Collects what the reactor's resolver finds."""

    done: "Deferred[Sequence[str]]"
    found: list[str] = field(factory=list)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N803
        """Nothing to do."""

    def addressResolved(self, address: IAddress) -> None:
        """One more."""
        self.found.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """All found."""
        if not self.done.called:
            self.done.callback(self.found)


def resolver_of(reactor: Any) -> Resolve:
    """The system's resolver, in the reactor's threads for names."""

    def resolve(name: str) -> "Deferred[Sequence[str]]":
        done: Deferred[Sequence[str]] = Deferred()
        reactor.nameResolver.resolveHostName(_Receiver(done), name)
        return done

    return resolve
