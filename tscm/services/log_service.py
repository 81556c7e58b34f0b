"""
The embedded log service: HTTPS, takes batches of log lines by device ID and key.

It says yes only when a batch is on its disk (`tscm.upload_format` has the whole agreement).  Who
has no entry gets no byte written: the headers are judged before the content is taken.
"""

import hmac
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tscm import upload_format
from tscm.base.host_port import HostPort
from tscm.base.listening import bind_all, places_of, tls_factory
from tscm.base.schedule import PeriodicService
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.errors import ListenerUnavailable
from tscm.services.certificate import ensure_certificate, tls_options
from tscm.services.counter import Counter
from tscm.services.decoding import ContentRefused
from tscm.services.figures import KeptUploads, LogServiceFigures
from tscm.services.receipts import Stored, rewrite_receipts
from tscm.services.registry import Registry
from tscm.services.upload_channel import UploadSite
from tscm.services.upload_request import Refusal, UploadRequest
from tscm.services.upload_retention import DeviceUploads, Space, UploadBounds, doomed, refusal
from tscm.services.uploads import delete, read_stored, store, uploads_folder
from tscm.settings.own_service import ensure_manager_key
from tscm.upload_format import BatchHead

_AT_ONCE = 16
_AT_ONCE_OF_DEVICE = 4
RETAIN_SECONDS = 2.0
"""Between two looks at what is kept and what is free: the logs beside it may grow by 50 MB a second."""
_DELETED_AT_ONCE = 256
_NO_ROOM = 507


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


@define(eq=False)
class LogService(Service):
    """
    Listens on every address of *listen*; uploads lie under *portal* (`Layout.portal`).

    *threads* is the caller's, and must outlive the service.  *names* are further names by which uploaders know this host, for a certificate of our making.
    """

    log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    portal: Path
    _listen: Sequence[HostPort]
    _certificate: Path | None = field(default=None, converter=_path)
    _key: Path | None = field(default=None, converter=_path)
    _names: Iterable[str] = ()
    max_content: int = upload_format.MAX_CONTENT_BYTES
    max_plain: int = upload_format.MAX_PLAIN_BYTES
    _now: Callable[[], float] = time.time
    bounds: UploadBounds = field(factory=UploadBounds)
    at_once_of_device: int = _AT_ONCE_OF_DEVICE
    _registry: Registry = field(init=False)
    _taking: dict[str, int] = field(factory=dict, init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _uploads: dict[str, DeviceUploads] = field(factory=dict, init=False)
    _coming: int = field(default=0, init=False)
    """Bytes that the uploads in progress may still bring."""
    _retaining: PeriodicService = field(init=False)
    _short: str | None = field(default=None, init=False)
    """Why no upload is taken now."""
    _fault: str = field(default="", init=False)
    """Why what should be deleted is still there."""
    _under_way: set[tuple[str, str]] = field(factory=set, init=False)
    _loaded: bool = field(default=False, init=False)
    _busy: int = field(default=0, init=False)
    _idle: Deferred[None] | None = field(default=None, init=False)
    _manager_key: Secret | None = field(default=None, init=False)
    _refused: Counter = field(init=False)
    _repeated: Counter = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._registry = Registry(self.portal, self._reactor, self._threads)
        self._retaining = PeriodicService(
            self._reactor, RETAIN_SECONDS, self._retain, "retention of uploads", RETAIN_SECONDS
        )
        self._refused = Counter("log_service_refused", "Uploads rejected.", ("status",))
        self._repeated = Counter("log_service_repeated", "Uploads already stored.", ("device_id",))

    @property
    def certificate(self) -> Path:
        """The certificate in use: what an uploader needs as its CA file."""
        assert self._certificate is not None
        return self._certificate

    def make_files(self) -> None:
        """Make what is missing on the disk: where root binds, with the rights of the files' owner."""
        self._manager_key = ensure_manager_key(self.portal)
        if self._certificate is None or self._key is None:
            names = [*self._names, *(one.host for one in self._listen)]
            self._certificate, self._key = ensure_certificate(self.portal, names, self._now())

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        self.make_files()
        assert self._certificate is not None
        assert self._key is not None
        try:
            chain = tls_options(self._certificate, self._key)
        except (OSError, ValueError) as error:
            everywhere = ", ".join(str(one) for one in self._listen)
            cause = f"cannot use certificate {self._certificate} with key {self._key}: {error}"
            raise ListenerUnavailable("uploads", everywhere, cause) from None
        site = UploadSite(partial(UploadRequest, self), self._registry.registers, self._reactor)
        factory = tls_factory(chain, site)
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host),
            self._listen,
            "uploads",
        )

    def addresses(self) -> list[str]:
        """The bound addresses, with the ports that the kernel chose."""
        return places_of(self._ports)

    def startService(self) -> None:
        """Look at what is stored; until that is done uploaders are told to come again."""
        super().startService()
        self._registry.startService()
        self._busy += 1
        loading = self._threads.run(read_stored, self.portal)
        loading.addCallbacks(
            self._take_stored, lambda f: self.log.failure("cannot read uploads", f)
        )
        loading.addBoth(self._ended)

    def _take_stored(self, found: dict[str, DeviceUploads]) -> None:
        self._uploads = found
        self._loaded = True
        if self.running:
            self._retaining.startService()

    def stopService(self) -> Deferred[None]:
        """Take nothing more; fires when what was taken is stored and answered."""
        super().stopService()
        stopped: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        stopped.append(self._registry.stopService())
        if self._retaining.running:
            stopped.append(maybeDeferred(self._retaining.stopService))
        if self._busy:
            self._idle = Deferred()
            stopped.append(self._idle)
        ended: Deferred[None] = Deferred()
        DeferredList(stopped).addCallback(lambda _: ended.callback(None))
        return ended

    def _is_manager(self, key: str) -> bool:
        """Whether the manager of this very root asks: to it the device ID is enough."""
        own = self._manager_key.reveal() if self._manager_key is not None else ""
        return bool(own) and hmac.compare_digest(key.encode(), own.encode())

    def judge(self, request: UploadRequest, length: int | None) -> BatchHead | Refusal:
        """By the headers alone: what will be uploaded, or why not."""
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        credentials = upload_format.read_basic(headers.get("authorization", ""))
        if credentials is None:
            return Refusal(401, "device ID and device key are required")
        entry = self._registry.entry(credentials[0])
        if entry is None or not (
            entry.key_fits(credentials[1]) or self._is_manager(credentials[1])
        ):
            return Refusal(401, "unknown device ID or wrong device key")
        try:
            head = upload_format.read_head(headers)
        except ValueError as error:
            return Refusal(400, str(error))
        if head.device_id != entry.device_id:
            return Refusal(401, "the lines and the key belong to different devices")
        if head.encoding and head.encoding not in upload_format.ENCODINGS:
            return Refusal(415, f"content encoding {head.encoding[:20]!r} is not supported")
        if length is not None and length > self.max_content:
            return Refusal(413, f"over {self.max_content:,} bytes; split the batch")
        if not self._loaded or sum(self._taking.values()) >= _AT_ONCE:
            return Refusal(503, "the log service is busy", later=True)
        if self._taking.get(head.device_id, 0) >= self.at_once_of_device:
            return Refusal(503, "other uploads of this device are in progress", later=True)
        if self._of(head.device_id).known(head.batch) is None:
            self._look_at_space(self.max_content if length is None else length)
            if self._short is not None:
                return Refusal(_NO_ROOM, self._short, later=True)
        return head

    def _of(self, device_id: str) -> DeviceUploads:
        return self._uploads.setdefault(device_id, DeviceUploads())

    def _look_at_space(self, more: int) -> None:
        try:
            short = refusal(self.bounds, Space.of(self.portal), self._coming + more)
        except OSError as error:
            short = f"cannot check the log service's disk: {error.strerror or error}"
        if (short is None) != (self._short is None):
            if short is not None:
                self.log.error("rejecting uploads: {cause}", cause=short)
            else:
                self.log.info("accepting uploads again: enough free disk space")
        self._short = short

    async def _retain(self) -> None:
        """Delete what is over a bound, until nothing is."""
        self._look_at_space(0)
        going = True
        while going and self.running:
            space = Space.of(self.portal)
            found = doomed(self._uploads, self.bounds, self._now(), space, _DELETED_AT_ONCE)
            going = len(found) == _DELETED_AT_ONCE
            for device in dict.fromkeys(device for device, _, _ in found):
                batches = [stored for of, stored, _ in found if of == device]
                why = ", ".join(sorted({cause for of, _, cause in found if of == device}))
                going = await self._delete(device, batches, why) and going

    async def _delete(self, device: str, batches: list[Stored], why: str) -> bool:
        gone, fault = await self._threads.run(delete, self.portal, device, batches)
        uploads = self._of(device)
        for one in gone:
            uploads.delete(one)
        if uploads.receipts.drop_oldest():
            folder, content = uploads_folder(self.portal, device), uploads.receipts.content()
            await self._threads.run(rewrite_receipts, folder, content)
        if gone:
            self.log.info(
                ("deleted {count} uploads of {device}, {lines} lines in {size} bytes: {why}"),
                count=len(gone),
                device=device,
                lines=sum(one.lines for one in gone),
                size=sum(one.size for one in gone),
                why=why,
            )
        if fault and fault != self._fault:
            self.log.error("cannot delete uploads: {cause}", cause=fault)
        self._fault = fault
        return not fault

    def begin(self, device_id: str, length: int) -> None:
        """A content of this device is being taken."""
        self._coming += length
        self._taking[device_id] = self._taking.get(device_id, 0) + 1

    def end(self, device_id: str, length: int) -> None:
        """It is stored or thrown away."""
        self._coming -= length
        left = self._taking.pop(device_id) - 1
        if left:
            self._taking[device_id] = left

    async def consider(self, request: UploadRequest, refusal: Refusal) -> Refusal:
        """*refusal* as it is to be told: who is not known may have an entry since the last look."""
        if refusal.status == 401:
            await self._registry.look_for_stranger()
            again = self.judge(request, 0)
            if not isinstance(again, Refusal) or again.status != 401:
                refusal = Refusal(503, "the device entry is new; try again later", later=True)
        self._refused.add(str(refusal.status))
        return refusal

    async def answer(self, request: UploadRequest) -> None:
        """Decide about a request whose content has come."""
        self._busy += 1
        try:
            status, body, later = await self._decide(request)
        finally:
            request.release()
            self._ended(None)
        if status >= 400:
            self._refused.add(str(status))
        request.answer(status, body, later=later)

    async def _decide(self, request: UploadRequest) -> tuple[int, bytes, bool]:
        if request.path != upload_format.PATH.encode():
            sentence = f"only {upload_format.PATH} exists here"
            return 404, upload_format.error_body(sentence), False
        if request.method != b"POST":
            return 405, upload_format.error_body("use POST for uploads"), False
        head, path = request.head, request.path_written
        assert head is not None
        assert path is not None
        if not upload_format.digest_fits(head, request.hash.digest()):
            sentence = f"the content does not match {upload_format.CONTENT_DIGEST}"
            return 400, upload_format.error_body(sentence), False
        return await self._store(head, path)

    async def _store(self, head: BatchHead, path: Path) -> tuple[int, bytes, bool]:
        uploads = self._of(head.device_id)
        known = uploads.known(head.batch)
        if known is not None:
            if known.digest != head.digest:
                sentence = "this idempotency key was used for different content"
                return upload_format.CONFLICT, upload_format.error_body(sentence), False
            self._repeated.add(head.device_id)
            body = upload_format.stored_body(head, known.size, known=True)
            return upload_format.KNOWN, body, False
        mark = (head.device_id, head.batch)
        if mark in self._under_way:
            return 503, upload_format.error_body("this batch is being stored"), True
        self._under_way.add(mark)
        try:
            stored = await self._threads.run(store, self.portal, head, path, self.max_plain)
        except ContentRefused as refused:
            return refused.status, upload_format.error_body(str(refused)), False
        except OSError as error:
            self.disk_failed(error)
            sentence = "the log service cannot write to its disk"
            return 503, upload_format.error_body(sentence), True
        finally:
            self._under_way.discard(mark)
        uploads.add(stored)
        return (
            upload_format.STORED,
            upload_format.stored_body(head, stored.size, known=False),
            False,
        )

    def disk_failed(self, error: OSError) -> None:
        """Say it; the uploader keeps its batch and comes again."""
        self.log.error("cannot store uploads: {cause}", cause=error.strerror or str(error))

    def figures(self) -> LogServiceFigures:
        """What is kept and was deleted by device, what was refused, and why nothing is taken now."""
        devices = {
            device: KeptUploads(
                batches=one.kept.batches,
                lines=one.kept.lines,
                kept_bytes=one.kept.bytes,
                deleted_batches=one.receipts.total.batches,
                deleted_lines=one.receipts.total.lines,
                deleted_bytes=one.receipts.total.bytes,
                repeated=self._repeated.value(device),
            )
            for device, one in sorted(self._uploads.items())
        }
        refused = {labels[0]: count for labels, count in self._refused}
        return LogServiceFigures(
            devices=devices, refused=refused, refusing=self._short, fault=self._fault or None
        )

    def _ended(self, _: object) -> None:
        self._busy -= 1
        if not self._busy and self._idle is not None:
            self._idle.callback(None)
