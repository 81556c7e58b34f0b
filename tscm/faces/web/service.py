"""
The page as a service: accounts, TLS, and a listener within bounds.

The same in a process of its own and inside the manager: it asks over the control socket in either case.
"""

from collections.abc import Callable
from functools import partial
from socket import AF_INET, AF_INET6, SO_ACCEPTCONN, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.http_site import HttpBounds
from tscm.base.listening import bind_all, places_of, tls_factory
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.errors import ListenerUnavailable
from tscm.faces.client import ManagerBackend
from tscm.faces.web.accounts import Accounts, Session
from tscm.faces.web.api.entry import Api
from tscm.faces.web.app import WebApp
from tscm.faces.web.asking import Asking
from tscm.faces.web.certificate import PURPOSE, certificate_of, fingerprint_of_file
from tscm.faces.web.chain import Chain
from tscm.faces.web.desk import Desk
from tscm.faces.web.drafts import Drafts
from tscm.faces.web.failed_logins import TELL_SECONDS, LoginFailures
from tscm.faces.web.gate import own_names, own_origins
from tscm.faces.web.live_streams import LiveStreams
from tscm.faces.web.oidc.provider import provider_of
from tscm.faces.web.planned import Plans
from tscm.faces.web.site import WebSite
from tscm.intake.tls import TlsFiles, TlsServer
from tscm.services.certificate import ensure_certificate
from tscm.settings.layout import Layout
from tscm.settings.web import WebSettings

BOUNDS = HttpBounds(
    body_bytes=1 << 20,  # a list of 32,000 entries is pasted
    own_body_bytes=1 << 16,
    shared_body_bytes=8 << 20,
    head_bytes=16_384,
    head_seconds=10.0,
    request_seconds=20.0,
    taken_seconds=60.0,
    connections=256,
    connections_per_address=96,
)
"""Many browsers may come by way of one address: a proxy's, or a tunnel's."""
FOLLOW_SECONDS = 10.0
_THREADS = 12
_API_THREADS = 6
"""Of the API alone: a program that waits for pushes must not keep people from their pages."""


@define(eq=False)
class WebService(Service):
    """
    Listens on every address of the settings and serves the pages.
    """

    log: ClassVar[Logger] = Logger()

    _reactor: Any
    _layout: Layout
    _settings: WebSettings
    _inherited: tuple[int, ...] = ()
    """Descriptors of listening sockets that systemd holds; they take the place of [web] listen."""
    _leave: Callable[[], None] | None = None
    """Ends the process, which the next request starts again; None where nothing would."""
    accounts: Accounts = field(init=False)
    _asked: tuple[Asking, ...] = field(default=(), init=False)
    _threads: Threads = field(init=False)
    _api_threads: Threads = field(init=False)
    _hashing: Threads = field(init=False)
    _at_provider: Threads = field(init=False)
    _desk: Desk = field(init=False)
    _tls: TlsServer | None = field(default=None, init=False)
    _site: WebSite = field(init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _following: PeriodicService = field(init=False)
    _live: LiveStreams = field(init=False)
    _watching: PeriodicService = field(init=False)
    _telling: PeriodicService = field(init=False)
    _busy_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        settings = self._settings
        self._threads = Threads(self._reactor, _THREADS, "tscm-web")
        self._api_threads = Threads(self._reactor, _API_THREADS, "tscm-web-api")
        self._hashing = Threads(self._reactor, 1, "tscm-web-hashing")
        self._at_provider = Threads(self._reactor, 2, "tscm-web-oidc")
        self.accounts = Accounts(
            self._layout.web / "web.db",
            settings.idle_minutes * 60.0,
            settings.session_hours * 3600.0,
        )
        manager = partial(ManagerBackend, self._layout.control_socket)
        asking = Asking(self._threads, manager, self._now)
        self._live = LiveStreams(self._reactor, asking, self._lasts)
        self._desk = desk = Desk(
            settings=settings,
            accounts=self.accounts,
            asking=asking,
            hashing=self._hashing,
            plans=Plans(asking, self._now),
            chain=Chain(asking),
            live=self._live,
            drafts=Drafts(self._now),
            now=self._now,
            fingerprint=self.fingerprint,
            certificate_fault=self.certificate_fault,
        )
        of_api = Asking(self._api_threads, manager, self._now)
        self._asked = (asking, of_api)
        api = Api(settings, self.accounts, of_api)
        pages = WebApp(desk, self._own, api)
        self._site = WebSite(
            pages.app.resource(),
            BOUNDS,
            self._reactor,
            purpose=PURPOSE,
            names=own_names(settings.url),
        )
        self._site.may_send_list = pages.may_send_list
        self._following = PeriodicService(
            self._reactor,
            FOLLOW_SECONDS,
            self._follow,
            "check of the page's certificate",
            FOLLOW_SECONDS,
        )
        failures = LoginFailures(asking, self.accounts.user)
        self.accounts.failed = failures.note
        self._telling = PeriodicService(
            self._reactor, TELL_SECONDS, failures.tell, "report of failed logins", TELL_SECONDS
        )
        self._busy_at = self._reactor.seconds()
        often = max(0.2, min(FOLLOW_SECONDS, settings.idle_exit_seconds / 4))
        self._watching = PeriodicService(
            self._reactor,
            often,
            self._look_whether_idle,
            "check whether the page is in use",
            often,
        )

    def _lasts(self, session: Session) -> bool:
        """Does *session* still?"""
        if session.is_proxied:
            return self.accounts.user(session.user) is not None
        open_now = self.accounts.sessions(session.user, self._now())
        return any(one.number == session.number for one in open_now)

    def _now(self) -> float:
        return wall_seconds(self._reactor)

    def _own(self) -> frozenset[str]:
        return own_origins(self._settings.url, self.addresses())

    def make_files(self) -> None:
        """Open the accounts, read or make the certificate.  Raises `TscmError`."""
        self.accounts.open()
        self._tls = TlsServer(self._files(), self._now)
        self._tls.load()
        self._desk.provider = provider_of(self._settings, self._at_provider, self._now)

    def privilegedStartService(self) -> None:
        """Bind.  Raises `TscmError`."""
        super().privilegedStartService()
        if self._tls is None:
            self.make_files()
        assert self._tls is not None
        factory = tls_factory(self._tls, self._site)
        if self._inherited:
            self._ports = [self._adopted(descriptor, factory) for descriptor in self._inherited]
            return
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host),
            self._settings.listen,
            PURPOSE,
        )

    def _adopted(self, descriptor: int, factory: Any) -> IListeningPort:
        """A port on a socket that systemd listens on.  Raises `ListenerUnavailable`."""
        with socket(fileno=descriptor) as given:
            fault = _adoption_fault(given)
            if fault:
                given.detach()
                raise ListenerUnavailable(PURPOSE, f"descriptor {descriptor}", fault)
            given.setblocking(False)
            # It works on a copy; the one here is closed.
            port: IListeningPort = self._reactor.adoptStreamPort(descriptor, given.family, factory)
            return port

    def _files(self) -> TlsFiles:
        settings = self._settings
        files = TlsFiles(
            certificate=settings.certificate or "",
            key=settings.key or "",
            listener=PURPOSE,
            settings="[web] certificate and key",
        )
        if files.certificate and files.key:
            return files
        if files.certificate or files.key:
            raise files.unusable("certificate, key", "one is set without the other")
        names = [one.host for one in settings.listen] + [*own_names(settings.url)]
        made, key = ensure_certificate(self._layout.web, names, self._now(), PURPOSE)
        return TlsFiles(certificate=str(made), key=str(key), listener=PURPOSE)

    def startService(self) -> None:
        """Begin to answer."""
        super().startService()
        self._threads.startService()
        self._api_threads.startService()
        self._hashing.startService()
        self._at_provider.startService()
        self._following.startService()
        self._telling.startService()
        if self._inherited and self._leave is not None and self._settings.idle_exit_seconds:
            self._watching.startService()
        self.log.info(
            "the page is at {addresses}; its certificate has SHA-256 {fingerprint}",
            addresses=", ".join(f"https://{one}" for one in self.addresses()),
            fingerprint=self.fingerprint(),
        )

    async def _follow(self) -> None:
        if self._tls is not None:
            self._tls.follow()

    async def _look_whether_idle(self) -> None:
        busy = self._site.held() or not all(one.is_idle for one in self._asked)
        now = self._reactor.seconds()
        if busy:
            self._busy_at = now
        idle = now - max(self._busy_at, self._site.entered_at)
        if self._leave is not None and idle >= self._settings.idle_exit_seconds:
            self.log.info(
                "no connection for {seconds:.0f} s; the next one starts this process again",
                seconds=idle,
            )
            leave, self._leave = self._leave, None
            leave()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing of ours is running."""
        super().stopService()
        self._live.stop()
        stopped: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        stopped += [
            maybeDeferred(one.stopService)
            for one in (self._following, self._telling, self._watching)
            if one.running
        ]
        for channel in [one.key for one in self._site.held()]:
            channel.abort()
        ended: Deferred[None] = Deferred()
        DeferredList(stopped).addCallback(lambda _: self._stop_threads(ended))
        return ended

    def _stop_threads(self, ended: Deferred[None]) -> None:
        every = (self._threads, self._api_threads, self._hashing, self._at_provider)
        pools = [one.stopService() for one in every if one.running]

        def over(_: object) -> None:
            self.accounts.close()
            ended.callback(None)

        DeferredList(pools).addCallback(over)

    def addresses(self) -> list[str]:
        """The bound addresses, with the ports that the kernel chose."""
        return places_of(self._ports)

    def fingerprint(self) -> str:
        """SHA-256 of the certificate in force, as people compare it."""
        return fingerprint_of_file(certificate_of(self._layout, self._settings))

    def certificate_fault(self) -> str:
        """Why the files of the certificate cannot be used since they changed; empty while they can."""
        return "" if self._tls is None else self._tls.fault or ""


def _adoption_fault(given: socket) -> str:
    """Why a descriptor of systemd's is no listening TCP socket; empty where it is."""
    try:
        good = (
            given.family in {AF_INET, AF_INET6}
            and given.type == SOCK_STREAM
            and given.getsockopt(SOL_SOCKET, SO_ACCEPTCONN)
        )
    except OSError as error:
        return error.strerror or str(error)
    return "" if good else "it is not a listening TCP socket; see tscm-web.socket"
