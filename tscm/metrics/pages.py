"""
To be watched: `/metrics` for Prometheus and `/healthz`, over HTTP, or HTTPS where the settings say so.

Everything is made from the rooms' figures when it is asked for; nothing is counted twice and nothing
costs without a request.  It is made in slices: with hundreds of devices it is work for many
milliseconds, and lines must not wait for it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from attrs import define, evolve, field
from klein import Klein
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.server import Request

from tscm.base.clock import wall_seconds
from tscm.base.host_port import HostPort
from tscm.base.http_site import BoundedSite, HttpBounds
from tscm.base.listening import bind_all, places_of, tls_factory
from tscm.base.schedule import PeriodicService, in_slices
from tscm.metrics.access import FOLLOW_SECONDS, WatchAccess
from tscm.metrics.device_families import of_devices
from tscm.metrics.families import of_node
from tscm.metrics.family import Family
from tscm.printable import visible
from tscm.settings.node import Listen
from tscm.state import Watched

Look = Callable[[], Awaitable[Watched]]
Faults = Callable[[], Awaitable[list[str]]]
LAG_SECONDS = 0.5
_DEVICES_AT_ONCE = 64
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


async def page_of(clock: Any, figures: Watched) -> bytes:
    """All figures in Prometheus's text form, made in slices."""
    found: dict[str, Family] = {}
    names = list(figures.devices)
    async for at in in_slices(clock, range(0, len(names), _DEVICES_AT_ONCE)):
        some = {name: figures.devices[name] for name in names[at : at + _DEVICES_AT_ONCE]}
        for family in of_devices(some, figures.now):
            kept = found.setdefault(family.name, family)
            if kept is not family:
                kept.take(family)
    found |= {family.name: family for family in of_node(figures)}
    made = [family.text().encode() async for family in in_slices(clock, found.values())]
    return b"".join(made)


@define(eq=False)
class WatchPages:
    """
    The two pages.
    """

    app: ClassVar[Klein] = Klein()

    _clock: Any
    _look: Look
    _faults: Faults
    _notes: Faults
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
            made = await page_of(self._clock, await self._look())
        except Exception:  # noqa: BLE001 - those who wait are told, and the router logs it
            made = Failure()
        waiting, self._waiting = self._waiting, []
        for page in waiting:
            if not page.called:  # its client has gone
                page.callback(made)

    @app.route("/healthz", methods=["GET"])
    async def healthz(self, request: Request) -> bytes:
        """
        200 and `ok`, or 503 and a line for each thing that is wrong; below that what is to be known of devices.
        """
        faults = await self._faults()
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        if faults:
            request.setResponseCode(503)
        lines = [*(faults or ["ok"]), *await self._notes()]
        return "".join(f"{visible(line)}\n" for line in lines).encode()


@define(eq=False)
class WatchService(Service):
    """
    Serves the pages as *listen* says.  *look* gives all figures, *faults* what is wrong with the process,
    *notes* what is to be known of devices.
    """

    _reactor: Any
    _listen: Listen
    _look: Look
    _faults: Faults
    _notes: Faults
    lag: LoopLag = field(init=False)
    access: WatchAccess = field(init=False)
    _following: PeriodicService = field(init=False)
    _ports: dict[HostPort, IListeningPort] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.lag = LoopLag(self._reactor)
        self.access = self._access_of(self._listen)
        self._following = PeriodicService(
            self._reactor,
            FOLLOW_SECONDS,
            self._follow,
            "metrics file watch",
        )

    async def _follow(self) -> None:
        await self.access.follow()

    def _access_of(self, listen: Listen) -> WatchAccess:
        return WatchAccess(listen, lambda: wall_seconds(self._reactor))

    def addresses(self) -> list[str]:
        """Where it listens, once bound."""
        return places_of(self._ports.values())

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`, `CertificateUnusable`, `AccountUnusable`."""
        super().privilegedStartService()
        self.apply_listeners(self._listen)

    def apply_listeners(self, listen: Listen) -> None:
        """
        Other addresses, names, certificate or account from now on; connections that are accepted keep theirs.

        Raises `ListenerUnavailable`, `CertificateUnusable`, `AccountUnusable`; then all is as it was.
        """
        access = self._access_of(listen)
        if listen.metrics:
            access.load()
        factory = self._factory(listen, access)
        new = [one for one in listen.metrics if one not in self._ports]
        bound = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host),
            new,
            "metrics",
        )
        for where in self._ports.keys() - set(listen.metrics):
            maybeDeferred(self._ports.pop(where).stopListening)
        for port in self._ports.values():  # Twisted's port asks its factory at each connection
            factory.doStart()
            port.factory.doStop()  # type: ignore[attr-defined]
            port.factory = factory  # type: ignore[attr-defined]
        self._ports |= dict(zip(new, bound, strict=True))
        self._listen, self.access = listen, access

    def _factory(self, listen: Listen, access: WatchAccess) -> Any:
        pages = WatchPages(self._reactor, self._all_figures, self._all_faults, self._notes)
        site = BoundedSite(
            pages.app.resource(),
            BOUNDS,
            self._reactor,
            purpose="metrics listener",
            names=frozenset(listen.metrics_names),
            account=access.account,
        )
        return site if access.tls is None else tls_factory(access.tls, site)

    async def _all_figures(self) -> Watched:
        return evolve(await self._look(), loop_lag_seconds=self.lag.take())

    async def _all_faults(self) -> list[str]:
        tls = self.access.tls
        own = (self.access.fault, None if tls is None else tls.fault)
        return [*await self._faults(), *(fault for fault in own if fault)]

    def startService(self) -> None:
        """Begin to measure the loop."""
        super().startService()
        self.lag.start()
        self._following.startService()

    def stopService(self) -> Deferred[Any]:
        """Fires when nothing listens any more."""
        super().stopService()
        self.lag.stop()
        ports, self._ports = list(self._ports.values()), {}

        async def stop() -> None:
            if self._following.running:
                await maybeDeferred(self._following.stopService)
            for port in ports:
                await maybeDeferred(port.stopListening)

        return Deferred.fromCoroutine(stop())
