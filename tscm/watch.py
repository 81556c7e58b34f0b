"""
To be watched: `/metrics` for Prometheus and `/healthz`, over HTTP, or HTTPS where the settings say so.

Everything is made from the rooms' figures when it is asked for; nothing is counted twice and nothing
costs when nobody asks.  It is made in slices: with hundreds of devices it is work for many
milliseconds, and lines must not wait for it.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from attrs import define, field
from klein import Klein
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.server import Request

from tscm.clock import wall_seconds
from tscm.families import families
from tscm.http_site import BoundedSite, HttpBounds
from tscm.listening import bind_all, places_of, tls_factory
from tscm.model import Json
from tscm.printable import visible
from tscm.schedule import PeriodicService, in_slices
from tscm.settings.node import Listen
from tscm.watch_access import FOLLOW_SECONDS, WatchAccess

Look = Callable[[], Awaitable[Json]]
Faults = Callable[[], Awaitable[list[str]]]
LAG_SECONDS = 0.5
BOUNDS = HttpBounds()
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


@define(eq=False)
class LoopLag:
    """
    How late the reactor is: the worst delay of a half-second timer since the last look.
    """

    _clock: Any
    _loop: LoopingCall = field(init=False)
    _due: float = field(default=0.0, init=False)
    _worst: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._tick)
        self._loop.clock = self._clock

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.seconds() + LAG_SECONDS
        self._loop.start(LAG_SECONDS, now=False)

    def stop(self) -> None:
        """End."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        now = self._clock.seconds()
        self._worst = max(self._worst, now - self._due)
        self._due = now + LAG_SECONDS

    def take(self) -> float:
        """The worst delay in seconds since the last call."""
        worst, self._worst = self._worst, 0.0
        return worst


@define(eq=False)
class _OneFamily:
    """What prometheus-client takes for a collector of everything."""

    _family: Metric

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


@define(eq=False)
class WatchPages:
    """
    The two pages.
    """

    app: ClassVar[Klein] = Klein()

    _clock: Any
    _look: Look
    _faults: Faults
    _waiting: list[Deferred[Any]] = field(factory=list, init=False)

    @app.route("/metrics", methods=["GET"])
    async def metrics(self, request: Request) -> bytes:
        """All families in Prometheus's text form; who asks while they are made is given the same."""
        page: Deferred[Any] = Deferred()
        self._waiting.append(page)
        if len(self._waiting) == 1:
            Deferred.fromCoroutine(self._make_for_all())
        request.setHeader(b"content-type", _TEXT)
        made: bytes = await page
        return made

    async def _make_for_all(self) -> None:
        made: bytes | Failure
        try:
            figures = await self._look()
            pages = [
                generate_latest(_OneFamily(family))
                async for family in in_slices(self._clock, families(figures))
            ]
            made = b"".join(pages)
        except Exception:  # noqa: BLE001 - those who wait are told, and the router logs it
            made = Failure()
        waiting, self._waiting = self._waiting, []
        for page in waiting:
            if not page.called:  # its client has gone
                page.callback(made)

    @app.route("/healthz", methods=["GET"])
    async def healthz(self, request: Request) -> bytes:
        """200 and `ok`, or 503 and a line for each thing that is wrong."""
        faults = await self._faults()
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        if faults:
            request.setResponseCode(503)
            return "".join(f"{visible(fault)}\n" for fault in faults).encode()
        return b"ok\n"


@define(eq=False)
class WatchService(Service):
    """
    Serves the pages as *listen* says.  *look* gives all figures, *faults* what is wrong.
    """

    _reactor: Any
    _listen: Listen
    _look: Look
    _faults: Faults
    lag: LoopLag = field(init=False)
    access: WatchAccess = field(init=False)
    _following: PeriodicService = field(init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.lag = LoopLag(self._reactor)
        self.access = WatchAccess(self._listen, lambda: wall_seconds(self._reactor))
        self._following = PeriodicService(
            self._reactor, FOLLOW_SECONDS, self.access.follow, "watch over the files of metrics"
        )

    def addresses(self) -> list[str]:
        """Where it listens, once bound."""
        return places_of(self._ports)

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`, `CertificateUnusable`, `AccountUnusable`."""
        super().privilegedStartService()
        if not self._listen.metrics:
            return
        self.access.load()
        pages = WatchPages(self._reactor, self._all_figures, self._all_faults)
        site = BoundedSite(
            pages.app.resource(),
            BOUNDS,
            self._reactor,
            purpose="metrics listener",
            names=frozenset(self._listen.metrics_names),
            account=self.access.account,
        )
        tls = self.access.tls
        factory = site if tls is None else tls_factory(tls, site)
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host),
            self._listen.metrics,
            "metrics",
        )

    async def _all_figures(self) -> Json:
        return {**await self._look(), "lag": self.lag.take()}

    async def _all_faults(self) -> list[str]:
        tls = self.access.tls
        own = (self.access.fault, None if tls is None else tls.fault)
        return [*await self._faults(), *(fault for fault in own if fault)]

    def startService(self) -> None:
        """Begin to measure the loop."""
        super().startService()
        self.lag.start()
        if self._ports:
            self._following.startService()

    def stopService(self) -> Deferred[Any]:
        """Fires when nothing listens any more."""
        super().stopService()
        self.lag.stop()
        ports, self._ports = self._ports, []

        async def stop() -> None:
            if self._following.running:
                await maybeDeferred(self._following.stopService)
            for port in ports:
                await maybeDeferred(port.stopListening)

        return Deferred.fromCoroutine(stop())
