"""
The portal's listener for managers: HTTPS, a code once, then long polls by token.

Everything is decided by `stages` and `messages`; here it is read, kept and answered.  A caller that shows neither a code
nor a token that fits is answered at once, counted, and after some tries not listened to for a while.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tscm.base.clock import wall_seconds
from tscm.base.http_site import BoundedSite, HttpBounds
from tscm.base.listening import bind_all, places_of, tls_factory
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.errors import ListenerUnavailable, TscmError
from tscm.model import Json
from tscm.pairing.absence import paired_managers
from tscm.pairing.book import change_pairing, document_of
from tscm.pairing.certificate import ensure_pairing_certificate
from tscm.pairing.documents import etag_of
from tscm.pairing.figures import PairedManager
from tscm.pairing.guesses import GUESSES, Guesses
from tscm.pairing.known import Known, Marks, document_as_json
from tscm.pairing.messages import (
    BODY_BYTES,
    FOLLOW,
    PAIR,
    WAIT_SECONDS,
    Followed,
    MessageFaulty,
    PairRequest,
    decode,
    news_as_json,
    read_follow,
    read_pair,
)
from tscm.pairing.portal_files import look_at_files, use_code
from tscm.pairing.seen import Seen, read_seen, write_seen
from tscm.pairing.stages import Pairing, Stage, Verdict, digest, ended
from tscm.services.certificate import tls_options
from tscm.services.entries import PortalEntry
from tscm.services.looking import Looker
from tscm.settings.portal import PortalSettings
from tscm.store.audit_entry import AuditEntry

BOUNDS = HttpBounds(
    body_bytes=BODY_BYTES,
    own_body_bytes=16384,
    shared_body_bytes=8 * 1024 * 1024,
    connections=512,
    connections_per_address=64,
)
LOOK_SECONDS = 1.0
"""Between two looks at lists and settings for those who wait: a change is told within so long."""
FILES_SECONDS = 3.0
"""Between two looks at the files, which a user may have edited."""
KEEP_SECONDS = 60.0
"""Between two writes of what managers told."""
_AUDITED_MOST = 60
"""Rejected keys and looks of an hour: what comes beyond is counted, and told with the next hour."""
_HOUR = 3600.0
_SENTENCES: Mapping[Verdict, str] = {
    Verdict.WRONG: "the device ID or the auto key is not right",
    Verdict.USED: "the auto key was used already; issue another one at the portal if this is not known",
    Verdict.EXPIRED: "the auto key has expired; issue another one at the portal",
    Verdict.REVOKED: "the entry was deleted at the portal",
}


@frozen(kw_only=True)
class _Answer:
    status: int
    body: Json


def _fault(status: int, sentence: str) -> _Answer:
    return _Answer(status=status, body={"error": sentence})


@define(eq=False)
class _Waiter:
    """A follow request that waits for news."""

    followed: tuple[Followed, ...]
    until: float
    answered: Deferred[None] = field(factory=Deferred)


@define(eq=False)
class PairingService(Service):
    """
    Listens on `[portal] pairing`; entries and pairings lie under *portal* (`Layout.portal`).

    *threads* is the caller's, and must outlive the service.  *marks* gives the mark of a published list by its name, None while that is not known;
    *audit* keeps what was refused and done.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    portal: Path
    _settings: PortalSettings
    _marks: Marks
    _audit: Callable[[AuditEntry], None]
    _known: Known = field(factory=Known, init=False)
    _seen: dict[str, Seen] = field(factory=dict, init=False)
    _seen_written: bool = field(default=True, init=False)
    _guesses: Guesses = field(factory=Guesses, init=False)
    _waiting: list[_Waiter] = field(factory=list, init=False)
    site: BoundedSite | None = field(default=None, init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _loops: tuple[PeriodicService, ...] = field(default=(), init=False)
    _looker: Looker[Known | None] = field(init=False)
    _audited: int = field(default=0, init=False)
    _unaudited: int = field(default=0, init=False)
    _audited_since: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        # One look at a time: an older one must not undo what a newer one found, and strangers share them.
        self._looker = Looker(
            self._threads,
            None,
            lambda _: look_at_files(self.portal, wall_seconds(self._reactor)),
            self._take_up,
            "device entries and pairings",
        )

    def make_files(self) -> None:
        """Make what is missing on the disk: where root binds, with the rights of the files' owner."""
        ensure_pairing_certificate(self.portal, self._settings, wall_seconds(self._reactor))

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        certificate, key = ensure_pairing_certificate(
            self.portal, self._settings, wall_seconds(self._reactor)
        )
        where = ", ".join(str(one) for one in self._settings.pairing)
        try:
            chain = tls_options(certificate, key)
        except (OSError, ValueError) as error:
            cause = f"cannot use certificate {certificate} with key {key}: {error}"
            raise ListenerUnavailable("managers", where, cause) from None
        self.site = BoundedSite(_Root(self), BOUNDS, self._reactor, purpose="pairing listener")
        factory = tls_factory(chain, self.site)
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, factory, interface=host),
            self._settings.pairing,
            "managers",
        )

    def addresses(self) -> list[str]:
        """The bound addresses, with the ports that the kernel chose."""
        return places_of(self._ports)

    def startService(self) -> None:
        """Begin to look at files, and at who waits."""
        super().startService()
        self._seen = read_seen(self.portal)
        every = partial(PeriodicService, self._reactor)
        self._loops = (
            every(FILES_SECONDS, self.look_again, "check of pairings"),
            every(LOOK_SECONDS, self._tell, "news for managers", LOOK_SECONDS),
            every(KEEP_SECONDS, self._keep_seen, "what managers told", KEEP_SECONDS),
        )
        for loop in self._loops:
            loop.startService()

    def stopService(self) -> Deferred[None]:
        """Answer who waits; fires when nothing of ours runs."""
        super().stopService()
        stopped: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        stopped += [maybeDeferred(loop.stopService) for loop in self._loops if loop.running]
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.answered.callback(None)
        stopped.append(Deferred.fromCoroutine(self._keep_seen()))
        stopped.append(self._looker.when_idle())
        ended_all: Deferred[None] = Deferred()
        DeferredList(stopped, consumeErrors=True).addCallback(lambda _: ended_all.callback(None))
        return ended_all

    def seen(self) -> Mapping[str, Seen]:
        """What managers told last, by device ID."""
        return self._seen

    def paired(self) -> tuple[PairedManager, ...]:
        """The managers that follow, as they stand in memory."""
        now = wall_seconds(self._reactor)
        known = self._known
        entries = known.entries.values()
        return tuple(paired_managers(entries, known.pairings, self._seen, now))

    # -- files -----------------------------------------------------------------

    async def look_again(self) -> None:
        """Take up entries and pairings as they lie on the disk, and answer those for whom that is news."""
        await self._looker.again()

    async def _take_up(self, found: Known | None) -> None:
        assert found is not None  # what a look gives
        self._known = found
        await self._tell()

    async def _keep_seen(self) -> None:
        if self._seen_written:
            return
        self._seen_written = True
        known = {name: one for name, one in self._seen.items() if name in self._known.pairings}
        self._seen = known
        try:
            await self._threads.run(write_seen, self.portal, known)
        except OSError as error:
            self._seen_written = False
            self._log.error("cannot store what managers told: {cause}", cause=error.strerror)

    # -- requests ----------------------------------------------------------------

    async def answer(self, request: Request) -> None:
        """One request, from reading it to its answer."""
        peer = str(getattr(request.getClientAddress(), "host", ""))
        content = request.content
        raw = b"" if content is None else content.read()
        try:
            found = await self._answer(request.path, request.method, raw, peer, request)
        except MessageFaulty as error:
            found = _fault(400, str(error))
        except (TscmError, OSError) as error:
            self._log.error("cannot answer a manager: {cause}", cause=str(error))
            found = _fault(503, "the portal cannot read or write its files")
        if request._disconnected or request.finished:  # noqa: SLF001 - Twisted says so in no other way
            return
        body = json.dumps(found.body).encode()
        request.setResponseCode(found.status)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body)
        request.finish()

    async def _answer(
        self, path: bytes, method: bytes, raw: bytes, peer: str, request: Request
    ) -> _Answer:
        if path not in {PAIR.encode(), FOLLOW.encode()}:
            return _fault(404, "there is nothing here")
        if method != b"POST":
            return _fault(405, "use POST")
        if self._looker.state is None:
            return _fault(503, "the portal is starting")
        now = wall_seconds(self._reactor)
        if path == PAIR.encode():
            wait = self._guesses.waits(peer, self._reactor.seconds())
            if wait:
                return _fault(429, f"too many wrong auto keys from {peer}; try in {wait:.0f} s")
            return await self._pair(read_pair(decode(raw)), peer, now)
        return await self._follow(read_follow(decode(raw)), peer, now, request)

    async def _pair(self, asked: PairRequest, peer: str, now: float) -> _Answer:
        entry = self._known.entries.get(asked.device_id)
        if entry is None:
            await self.look_again()  # it may be newer than the last look
            entry = self._known.entries.get(asked.device_id)
        code = digest(asked.code)
        if entry is None:
            return self._refused(asked, None, Verdict.WRONG, peer, now)
        try:
            verdict, pairing = await self._threads.run(
                use_code, self.portal, entry, asked, code=code, peer=peer, now=now
            )
        except TscmError as error:
            self._log.error(
                "cannot pair {device}: {cause}", device=entry.nickname, cause=str(error)
            )
            return _fault(503, "the portal cannot pair this entry now; see its log")
        if verdict not in {Verdict.GOOD, Verdict.AGAIN}:
            return self._refused(asked, entry, verdict, peer, now, used=pairing)
        who = f"manager {asked.manager!r} from {peer}"
        if asked.look:
            # The holder of a stolen key must not read the settings unnoticed.
            self._note(entry.nickname, f"{who} read the settings with the auto key", now=now)
        else:
            await self.look_again()
            again = "again, with the key that it used" if verdict is Verdict.AGAIN else ""
            self._note(
                entry.nickname,
                f"{who} paired {again}".strip(),
                now=now,
                always=verdict is Verdict.GOOD,
            )
        document = document_of(entry, pairing.settings)
        return _Answer(
            status=200,
            body={
                "nickname": entry.nickname,
                "document": document_as_json(pairing.version, etag_of(document), document),
                "signed": bool(self._settings.dns),
            },
        )

    def _refused(
        self,
        asked: PairRequest,
        entry: PortalEntry | None,
        verdict: Verdict,
        peer: str,
        now: float,
        *,
        used: Pairing | None = None,
    ) -> _Answer:
        count = self._guesses.wrong(peer, self._reactor.seconds())
        sentence = _SENTENCES[verdict]
        by = ""
        if verdict is Verdict.USED and used is not None:
            by = f"; manager {used.manager!r} from {used.address} used it first"
        blocked = "; this address is not listened to for a while" if count >= GUESSES else ""
        self._note(
            None if entry is None else entry.nickname,
            f"manager {asked.manager!r} from {peer} rejected: {sentence}{by}{blocked}",
            outcome="failed", now=now,
        )  # fmt: skip
        return _fault(403, sentence)

    def _note(
        self,
        nickname: str | None,
        sentence: str,
        *,
        now: float,
        outcome: str = "done",
        always: bool = False,
    ) -> None:
        """Into the audit, within bounds unless *always*: who guesses, or looks again and again, must not fill it."""
        if now - self._audited_since > _HOUR or now < self._audited_since:
            if self._unaudited:
                sentence = f"{sentence} ({self._unaudited} more were rejected or looked before)"
            self._audited_since, self._audited, self._unaudited = now, 0, 0
        if not always:
            self._audited += 1
            if self._audited > _AUDITED_MOST:
                self._unaudited += 1
                return
        self._audit(
            AuditEntry(
                at=now,
                actor="pairing listener",
                operation="pair",
                device=nickname,
                outcome=outcome,
                sentence=sentence,
            )
        )

    # -- following -----------------------------------------------------------------

    async def _follow(
        self, followed: tuple[Followed, ...], peer: str, now: float, request: Request
    ) -> _Answer:
        known = [one for one in followed if self._known.is_known(one)]
        if len(known) < len(followed) and not known:
            if self._guesses.waits(peer, self._reactor.seconds()):
                return _fault(429, "too many wrong tokens; try again later")
            await self.look_again()
            known = [one for one in followed if self._known.is_known(one)]
            if not known:
                self._guesses.wrong(peer, self._reactor.seconds())
        for one in known:
            await self._take(one, now)
        if known and len(known) == len(followed) and not self._known.news(followed, self._marks):
            await self._wait(followed, request)
        if not self.running:
            return _fault(503, "the portal is stopping")
        told = self._known.news(followed, self._marks) or self._known.states(followed, self._marks)
        return _Answer(status=200, body=news_as_json(told))

    async def _take(self, one: Followed, now: float) -> None:
        """What a manager says of a device of its own."""
        if self._known.pairings[one.device_id].stage(now) is not Stage.PAIRED:
            return
        if one.unpair:
            who = f"manager {self._known.pairings[one.device_id].manager}"
            await self._threads.run(
                change_pairing, self.portal, one.device_id, lambda it: ended(it, who, now)
            )
            entry = self._known.entries.get(one.device_id)
            self._note(
                None if entry is None else entry.nickname, f"{who} unpaired", now=now, always=True
            )
            await self.look_again()
            return
        self._seen[one.device_id] = Seen(at=now, standing=one.standing)
        self._seen_written = False

    async def _wait(self, followed: tuple[Followed, ...], request: Request) -> None:
        waiter = _Waiter(followed, self._reactor.seconds() + WAIT_SECONDS)
        names = {one.device_id for one in followed}
        for other in [one for one in self._waiting if names & {x.device_id for x in one.followed}]:
            self._waiting.remove(other)  # one at a time: a token holds no more than one connection
            other.answered.callback(None)
        self._waiting.append(waiter)
        request.notifyFinish().addErrback(lambda _: self._gone(waiter))
        await waiter.answered

    def _gone(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            waiter.answered.callback(None)

    async def _tell(self) -> None:
        """Answer those who have waited long enough, or for whom there is news."""
        now = self._reactor.seconds()
        for one in list(self._waiting):
            if one in self._waiting and (
                now >= one.until or self._known.news(one.followed, self._marks)
            ):
                self._waiting.remove(one)
                one.answered.callback(None)

    def failed(self, failure: Failure, request: Request) -> None:
        """A fault in this program: told, and answered as one that passes."""
        self._log.failure("a request of a manager failed", failure)
        if not request._disconnected and not request.finished and not request.startedWriting:  # noqa: SLF001
            request.setResponseCode(500)
            request.finish()


class _Root(Resource):
    """Every path: there is no tree, and none to be found out."""

    isLeaf = True

    def __init__(self, service: PairingService) -> None:
        super().__init__()
        self._service = service

    def render(self, request: Request) -> int:
        """Answered when it is known."""
        answer: Coroutine[Deferred[Any], Any, None] = self._service.answer(request)
        Deferred.fromCoroutine(answer).addErrback(self._service.failed, request)
        return NOT_DONE_YET
