"""
The listener that firewalls pull their lists from: HTTPS, from what the updates have published.

What is served was rendered and compressed when it was published; a request costs a look at a small file at most once a
second, and a body is read from the disk once.  A publication that cannot be read leaves the last one that could in
force, and is told.
"""

import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tscm.base.host_port import HostPort
from tscm.base.http_gate import Refusal
from tscm.base.http_site import BoundedSite, HttpBounds, plain_refusal
from tscm.base.listening import bind_all, places_of, tls_factory
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.intake.tls import TlsFiles, TlsServer
from tscm.services.certificate import ensure_certificate
from tscm.services.figures import PullFigures
from tscm.services.list_bodies import Bodies, NoRoom
from tscm.services.list_gate import (
    NOT_ALLOWED,
    NOT_FOUND,
    http_date,
    is_held,
    judge,
    later,
    read_path,
    tag_of,
    takes_gzip,
)
from tscm.services.list_pieces import Pieces
from tscm.services.portal_lists import PortalLists, name_in
from tscm.services.publication import (
    MD5,
    PLAIN_BLOCK,
    TEXT,
    File,
    Publication,
    PublicationDamaged,
    read_body,
)
from tscm.services.published_devices import PublishedDevices, Shown
from tscm.services.pulls import PullBook
from tscm.settings.device import DeviceSettings
from tscm.settings.node import Listen
from tscm.settings.pulled import PullSettings

BOUNDS = HttpBounds(
    connections=512, connections_per_address=128, taken_seconds=300.0, head_bytes=16384
)
ROUND_SECONDS = 3.0
"""Between two looks at all devices, and between two writes of who pulled."""
_LATER = 503
_LISTENER = "lists listener"
_SETTINGS = "[listen] lists_certificate and lists_key"


@frozen(kw_only=True, eq=False)
class _Fetch:
    """What is fetched: *name* of the files that are *published*, by *peer*."""

    shown: Shown
    peer: str
    published: Publication
    name: str


@define(eq=False)
class ListService(Service):
    """
    Serves what lies in *folder*, a folder a device, on the addresses of *listen*.

    *threads* is the caller's, and must outlive the service.  *own* holds the certificate that is made where none is set.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    folder: Path
    own: Path
    _listen: Listen
    book: PullBook
    _now: Callable[[], float] = time.time
    bodies: Bodies = field(init=False)
    portal: PortalLists | None = field(default=None, init=False)
    """The lists of the policy service in this process, for who shows a device key."""
    tls: TlsServer | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    published: PublishedDevices = field(init=False)
    _ports: dict[HostPort, IListeningPort] = field(factory=dict, init=False)
    _round: PeriodicService = field(init=False)
    _strangers: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.bodies = Bodies(self._threads)
        self.published = PublishedDevices(self._reactor, self._threads, self.folder)
        self._round = PeriodicService(
            self._reactor, ROUND_SECONDS, self._look_around, "check of published lists"
        )

    # -- life ------------------------------------------------------------------

    def make_files(self) -> None:
        """Make what is missing on the disk: where root binds, with the rights of the files' owner."""
        if self._listen.lists and not self._listen.lists_certificate:
            self._made_for(self._listen)

    def _made_for(self, listen: Listen) -> tuple[Path, Path]:
        names = [*listen.lists_names, *(one.host for one in listen.lists)]
        return ensure_certificate(self.own, names, self._now(), stem="lists")

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`, `CertificateUnusable`."""
        super().privilegedStartService()
        self.apply_listeners(self._listen)

    def apply_listeners(self, listen: Listen) -> None:
        """
        Other addresses or another certificate from now on; connections that are accepted keep theirs.

        Raises `ListenerUnavailable`, `CertificateUnusable`; then all is as it was.
        """
        tls = self._tls_of(listen) if listen.lists else None
        new = [one for one in listen.lists if one not in self._ports]
        factory = None if tls is None else tls_factory(tls, self._site())
        bound = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host), new, "lists"
        )
        for where in self._ports.keys() - set(listen.lists):
            maybeDeferred(self._ports.pop(where).stopListening)
        if factory is not None:
            for port in self._ports.values():  # Twisted's port asks its factory at each connection
                factory.doStart()
                port.factory.doStop()  # type: ignore[attr-defined]
                port.factory = factory  # type: ignore[attr-defined]
        self._ports |= dict(zip(new, bound, strict=True))
        self._listen, self.tls = listen, tls

    def _tls_of(self, listen: Listen) -> TlsServer:
        certificate, key = listen.lists_certificate or "", listen.lists_key or ""
        if not certificate and not key:
            certificate, key = map(str, self._made_for(listen))
        files = TlsFiles(certificate=certificate, key=key, listener=_LISTENER, settings=_SETTINGS)
        if not (certificate and key):
            raise files.unusable("lists_certificate, lists_key", "one is set without the other")
        tls = TlsServer(files, self._now)
        tls.load()
        return tls

    def _site(self) -> BoundedSite:
        return BoundedSite(_Lists(self), BOUNDS, self._reactor, purpose=_LISTENER)

    def addresses(self) -> list[str]:
        """Where it listens, once bound."""
        return places_of(self._ports.values())

    def startService(self) -> None:
        """Begin to look at what is published."""
        super().startService()
        self._since = self._now()
        self._round.startService()

    def stopService(self) -> Deferred[Any]:
        """Fires when nothing listens any more; who pulled is kept."""
        super().stopService()
        ports, self._ports = list(self._ports.values()), {}

        async def stop() -> None:
            for port in ports:
                await maybeDeferred(port.stopListening)
            if self._round.running:
                await maybeDeferred(self._round.stopService)
            self.book.write_or_wait()

        return Deferred.fromCoroutine(stop())

    # -- devices ---------------------------------------------------------------

    def set_device(self, settings: DeviceSettings) -> None:
        """Take in a device, or its changed settings; one that pulls no list is not served."""
        if isinstance(settings, PullSettings):
            self.published.put(settings)
        else:
            self.published.devices.pop(settings.name, None)

    def forget_device(self, name: str) -> None:
        """Serve it no more, and forget who pulled for it."""
        self.published.devices.pop(name, None)
        self.book.forget(name)

    def rename_device(self, name: str, to: str) -> None:
        """Serve it no more under *name*; who pulled for it pulled for *to*."""
        self.published.devices.pop(name, None)
        self.book.rename(name, to)

    def figures(self, name: str) -> PullFigures | None:
        """How the lists of a device are served; None where it pulls none."""
        one = self.published.devices.get(name)
        if one is None:
            return None
        published = one.publication
        block = None if published is None else published.files.get(PLAIN_BLOCK)
        return PullFigures(
            interval_seconds=60.0 * one.settings.pull_minutes,
            since=self._since,
            served_at=tuple(self.addresses()),
            fault=one.fault or (self.tls.fault if self.tls is not None else None) or "",
            generation=None if published is None else published.generation,
            generation_at=None if published is None else published.generation_at,
            entries=0 if block is None else block.entries,
            purged=published is not None and published.purged,
            pulled=self.book.latest(name, one.settings.BLOCK_FILES),
            refused=dict(one.refused),
        )

    async def figures_now(self, name: str) -> PullFigures | None:
        """The same, with what is published at this moment."""
        one = self.published.devices.get(name)
        if one is not None:
            await self.published.look_now(one)
        return self.figures(name)

    def stamp(self, name: str) -> tuple[object, ...]:
        """Equal to an earlier one as long as `figures` would judge the device alike."""
        figures = self.figures(name)
        if figures is None:
            return ()
        return (
            figures.generation,
            figures.generation_at,
            figures.fault,
            figures.served_at,
            figures.interval_seconds,
            figures.pulled,
        )

    async def _look_around(self) -> None:
        if self.tls is not None:
            self.tls.follow()
        self.book.write_or_wait()
        await self.published.look_at_all()

    # -- requests --------------------------------------------------------------

    async def answer(self, request: Request) -> None:
        """One request, from judging it to its last byte."""
        name = name_in(request.path)
        if name is not None and self.portal is not None:
            await self._answer_by_key(request, self.portal, name)
            return
        asked = read_path(request.path)
        shown = self.published.devices.get(asked.device) if asked is not None else None
        peer = str(getattr(request.getClientAddress(), "host", ""))
        refusal = judge(
            None if shown is None else shown.door,
            asked,
            peer,
            request.requestHeaders.getRawHeaders(b"authorization", [None])[0],
        )
        if refusal is not None or shown is None or asked is None:
            if asked is not None:  # what is no path of a list at all is no device's URL
                self._note_stranger(peer, refusal or NOT_FOUND)
            self._refuse(request, shown, refusal or NOT_FOUND)
            return
        if request.method not in {b"GET", b"HEAD"}:
            allowed = ((b"Allow", b"GET, HEAD"),)
            sentence = "only GET and HEAD are allowed for a list"
            refusal = Refusal(status=405, sentence=sentence, headers=allowed)
            self._refuse(request, shown, refusal)
            return
        await self.published.look(shown)
        published = shown.publication
        if published is None:
            self._refuse(request, shown, later("no list is published for this device yet"))
            return
        found = published.files.get(asked.file)
        if found is None:
            self._answer_checksum(request, shown, published, asked.file)
            self._note_look(shown, peer, published, asked.file.removesuffix(MD5))
            return
        fetch = _Fetch(shown=shown, peer=peer, published=published, name=asked.file)
        await self._answer_file(request, fetch, found)

    async def _answer_by_key(self, request: Request, portal: PortalLists, name: str) -> None:
        refusal = await portal.answer(request, name, self.bodies)
        if refusal is not None:
            if refusal.status == NOT_ALLOWED:
                self._note_stranger(str(getattr(request.getClientAddress(), "host", "")), refusal)
            self._refuse(request, None, refusal)

    def _answer_checksum(
        self, request: Request, shown: Shown, published: Publication, file: str
    ) -> None:
        found = published.files.get(file.removesuffix(MD5)) if file.endswith(MD5) else None
        if found is None:
            self._refuse(request, shown, NOT_FOUND)
            return
        content = found.md5.encode()
        request.setHeader(b"content-type", TEXT.encode())
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"content-length", b"%d" % len(content))
        request.write(content)
        request.finish()

    async def _answer_file(self, request: Request, fetch: _Fetch, one: File) -> None:
        shown, published, peer, name = fetch.shown, fetch.published, fetch.peer, fetch.name
        headers = request.requestHeaders
        zipped = takes_gzip(headers.getRawHeaders(b"accept-encoding", []))
        request.setHeader(b"etag", tag_of(one, zipped=zipped).encode())
        request.setHeader(b"last-modified", http_date(published.published_at).encode())
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"vary", b"Accept-Encoding")
        device, generation = shown.settings.name, published.generation
        held = is_held(
            one,
            published.published_at,
            headers.getRawHeaders(b"if-none-match", []),
            headers.getRawHeaders(b"if-modified-since", [None])[0],
        )
        if held:
            request.setResponseCode(304)
            request.finish()
            if request.method == b"GET":
                self.book.pulled(device, peer, name, generation, self._now())
            else:
                self._note_look(shown, peer, published, name)
            return
        size = one.zipped_size if zipped else one.size
        request.setHeader(b"content-type", one.kind.encode())
        request.setHeader(b"content-length", b"%d" % size)
        if zipped:
            request.setHeader(b"content-encoding", b"gzip")
        if request.method == b"HEAD":
            request.finish()
            self._note_look(shown, peer, published, name)
            return
        key = f"{one.digest}{'.gz' if zipped else ''}"
        load = partial(read_body, self.folder / device, one, zipped=zipped)
        gone = request.notifyFinish()
        taken = gone.addCallbacks(lambda _: True, lambda _: False)
        try:
            content = await self.bodies.lend(key, size, load)
        except NoRoom:
            self._refuse(request, shown, later("too many lists are being sent now"))
            return
        except (PublicationDamaged, OSError) as error:
            self.published.damaged(shown, str(error))
            self._refuse(request, shown, later("the list cannot be read now"))
            return
        try:
            if not taken.called:
                Pieces(request, content).begin()
            if await taken:
                self.book.pulled(device, peer, name, generation, self._now())
        finally:
            self.bodies.give_back(key)

    def _note_look(self, shown: Shown, peer: str, published: Publication, name: str) -> None:
        """Count who fetches a list only where its head or its checksum is another one: Juniper, FMC."""
        one = published.files.get(name)
        if one is not None:
            generations = (one.since, published.generation)
            self.book.looked(shown.settings.name, peer, name, generations, self._now())

    def _note_stranger(self, peer: str, refusal: Refusal) -> None:
        """Count, and tell now and then, who asks with another secret, account or address than the settings say."""
        if refusal.status == _LATER:
            return
        self._strangers += 1
        if self._strangers.bit_count() == 1:  # the first, the second, the fourth, …
            self._log.warn(
                "{listener}: {count} requests refused so far, the last from {peer} with {status}; check the "
                "URL and the account on that firewall against what `tsadmin show --lines` prints for it",
                listener=_LISTENER,
                count=self._strangers,
                peer=peer,
                status=refusal.status,
            )

    def _refuse(self, request: Request, shown: Shown | None, refusal: Refusal) -> None:
        if shown is not None:
            shown.refused[str(refusal.status)] += 1
        if request._disconnected:  # noqa: SLF001 - Twisted says so in no other way
            return
        kind, body = plain_refusal(refusal.sentence)
        for name in (b"etag", b"last-modified", b"content-encoding"):
            request.responseHeaders.removeHeader(name)
        request.setResponseCode(refusal.status)
        request.setHeader(b"content-type", kind)
        request.setHeader(b"content-length", b"%d" % len(body))
        for name, value in refusal.headers:
            request.setHeader(name, value)
        request.write(body)
        request.finish()

    def failed(self, failure: Failure, request: Request) -> None:
        """A fault in this program: told, and answered as one that passes."""
        self._log.failure("a request for a list failed", failure)
        if not request._disconnected and not request.finished and not request.startedWriting:  # noqa: SLF001
            self._refuse(request, None, later("the list cannot be served now"))


class _Lists(Resource):
    """Every path: there is no tree, and none to be found out."""

    isLeaf = True

    def __init__(self, service: ListService) -> None:
        super().__init__()
        self._service = service

    def render(self, request: Request) -> int:
        """Answered when it is known."""
        answer: Coroutine[Deferred[Any], Any, None] = self._service.answer(request)
        Deferred.fromCoroutine(answer).addErrback(self._service.failed, request)
        return NOT_DONE_YET
