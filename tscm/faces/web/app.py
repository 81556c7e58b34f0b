"""
The one point at which every request for a page enters: here it is refused, carried out, rendered and sent.

In this order: is it a file that never changes; where does it lead; who asks; may he; does it come from our own
pages; then its handler.  Nothing is changed by GET.
"""

import gzip
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode

from attrs import define, evolve, field
from jinja2 import Environment
from klein import Klein
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.server import Request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.backend import ManagerError
from tscm.faces.web.accounts import Session
from tscm.faces.web.api import http as api
from tscm.faces.web.api.answers import ApiAnswer, ApiRefused, refusal
from tscm.faces.web.api.entry import Api
from tscm.faces.web.asking import PageBusy
from tscm.faces.web.assets import FOR_EVER, Assets
from tscm.faces.web.credentials import LoginBusy
from tscm.faces.web.desk import Desk
from tscm.faces.web.gate import (
    ATTEMPT_COOKIE,
    COOKIE,
    attempt_in,
    cross_site_fault,
    session_in,
    user_of_proxy,
)
from tscm.faces.web.headers import header, headers
from tscm.faces.web.rendering import Chrome, environment, rendered
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import Route, routes
from tscm.faces.web.site import API
from tscm.faces.web.views.trouble import trouble_of
from tscm.faces.web.visit import (
    Answer,
    Download,
    Faulty,
    Fields,
    Forbidden,
    NotHere,
    Page,
    Redirect,
    Stream,
    Visit,
)
from tscm.settings.values import shown

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}
_MOST_FIELDS = 500
_PACKED_FROM = 500
_FORM = "application/x-www-form-urlencoded"
_KEPT_FORM = 16_384


@define(eq=False)
class WebApp:
    """
    The pages as a Klein application.  *own* are the page's origins.
    """

    _log: ClassVar[Logger] = Logger()

    _desk: Desk
    _own: Callable[[], frozenset[str]]
    _api: Api
    app: Klein = field(factory=Klein, init=False)
    _assets: Assets = field(factory=Assets.load, init=False)
    _templates: Environment = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._templates = environment(self._assets)
        for number, route in enumerate(routes()):
            register = self.app.route(route.path, methods=[route.method], endpoint=f"page{number}")
            register(self._opened_by(route))
        self.app.route("/static/<path:name>", methods=["GET"], endpoint="static")(self._static)
        self.app.route("/api/<path:rest>", methods=api.METHODS, endpoint="api")(self._called)
        told = self.app.handle_errors(NotFound, MethodNotAllowed, RequestRedirect)
        told(self._nowhere)  # type: ignore[arg-type]  # klein takes a bound method too

    # -- files ----------------------------------------------------------------

    def _static(self, request: Request, name: str) -> bytes:
        del name
        found = self._assets.by_path.get(request.path.decode("utf-8", "replace"))
        self._head(request)
        if found is None:
            request.setResponseCode(http.NOT_FOUND)
            request.setHeader("content-type", "text/plain; charset=utf-8")
            return b"there is no such file\n"
        request.setHeader("content-type", found.content_type)
        request.setHeader("cache-control", FOR_EVER)
        request.setHeader("vary", "Accept-Encoding")
        if _takes_gzip(request):
            request.setHeader("content-encoding", "gzip")
            return found.packed
        return found.plain

    # -- the API --------------------------------------------------------------

    def _called(self, request: Request, rest: str) -> Deferred[bytes]:
        del rest
        try:
            self._user_of_proxy(request, _address_of(request))
            call = api.call_of(request, self._desk.now())
        except Forbidden as error:
            return succeed(self._send_document(request, refusal(ApiRefused(403, str(error)))))
        except ApiRefused as error:
            return succeed(self._send_document(request, refusal(error)))
        answered = self._api.answer(call)
        return answered.addCallback(lambda answer: self._send_document(request, answer))

    def _send_document(self, request: Request, answer: ApiAnswer) -> bytes:
        self._head(request)
        return _packed(request, api.put_into(request, answer))

    # -- pages ----------------------------------------------------------------

    def _opened_by(self, route: Route) -> Callable[..., Any]:
        def opened(request: Request, **parts: str) -> Deferred[bytes]:
            return Deferred.fromCoroutine(self._serve(request, route, parts))

        return opened

    def _nowhere(self, request: Request, _: Failure) -> bytes:
        """No such page; told in the same words whether the visitor is signed in or not."""
        if request.path == b"/api" or request.path.startswith(API):
            return self._send_document(request, api.no_such_path())
        visit = self._visit(request, None, {})
        return self._send(request, visit, trouble_of(NotHere(), 404))

    async def _serve(self, request: Request, route: Route, parts: Mapping[str, str]) -> bytes:
        visit = self._visit(request, None, parts)
        try:
            session = self._session(request, visit.address, visit.now, touch=not visit.live)
            visit = evolve(visit, session=session)
            answer = await self._answer(request, route, visit)
        except TscmError as error:
            answer = trouble_of(error, _status_of(error))
        except Exception:  # noqa: BLE001 - the end of a request: logged and told
            mark = secrets.token_hex(4)
            self._log.failure("page {path} failed ({mark})", path=visit.path, mark=mark)
            answer = trouble_of(_Internal(mark), 500)
        if isinstance(answer, Stream):
            return await self._stream(request, answer)
        return self._send(request, visit, answer)

    async def _stream(self, request: Request, answer: Stream) -> bytes:
        """Events until one of both sides ends them."""
        self._head(request)
        request.setHeader("cache-control", "no-store")
        request.setHeader("content-type", "text/event-stream; charset=utf-8")
        if request.method == b"HEAD":
            return b""
        request.write(b": lines follow\n\n")
        running = answer.begin(request)
        request.notifyFinish().addErrback(lambda _: running.gone())
        await running.over
        return b""

    async def _answer(self, request: Request, route: Route, visit: Visit) -> Answer:
        if route.method != "GET":
            fault = cross_site_fault(
                header(request, "sec-fetch-site"), header(request, "origin"), self._own()
            )
            if fault is not None:
                return trouble_of(Faulty(f"{fault}; nothing was done"), 403)
            if (header(request, "content-type") or "").partition(";")[0].strip() != _FORM:
                return trouble_of(Faulty("the request is not a form"), 415)
        if route.role > visit.role:
            if visit.session is None:
                return self._to_login(visit)
            sentence = f"this takes the role {route.role.word}; {visit.user} has the role {visit.role.word}"
            return trouble_of(Faulty(sentence), 403)
        return await route.handler(self._desk, visit)

    def _to_login(self, visit: Visit) -> Answer:
        """Sign in first; a form that was filled in is kept on the way."""
        if not self._desk.accounts.any_user():
            return Redirect(to="/setup")
        if visit.method == "GET":
            way_back = quote(visit.at(live=None), safe="")
            return Redirect(to="/login" if visit.path == "/" else f"/login?next={way_back}")
        from tscm.faces.web.handlers.signing import login_page

        kept = urlencode({name: list(values) for name, values in visit.fields.items()}, doseq=True)
        return login_page(
            self._desk,
            visit,
            fault="The session has ended; sign in again.  What you typed is kept.",
            status=401,
            kept=(visit.path, kept) if len(kept) <= _KEPT_FORM else None,
        )

    # -- in and out -----------------------------------------------------------

    def may_send_list(self, request: Request, address: str) -> bool:
        """Is the sender of this head, whose body is still to come, signed in as a user who edits lists?"""
        try:
            session = self._session(request, address, self._desk.now(), touch=False)
        except TscmError:
            return False
        return session is not None and session.role >= Role.OPERATOR

    def _session(
        self, request: Request, address: str, now: float, *, touch: bool
    ) -> Session | None:
        named = self._user_of_proxy(request, address)
        if named is not None and self._desk.accounts.any_user():
            found = self._desk.accounts.proxied(named, address, now)
            if found is None:
                raise Forbidden(
                    f"the proxy has signed in {shown(named)}, who is not a user of the page; an admin "
                    "can add the user under Users"
                )
            return found
        key = session_in(request.requestHeaders.getRawHeaders(b"cookie", []))
        if key is None:
            return None
        return self._desk.accounts.session(key, now, touch=touch)

    def _user_of_proxy(self, request: Request, address: str) -> str | None:
        """Whom a trusted proxy names.  Raises `Forbidden`."""
        settings = self._desk.settings
        if settings.proxy_user_header is None:
            return None
        names = headers(request, settings.proxy_user_header)
        try:
            return user_of_proxy(names, address, settings.proxy_addresses)
        except ValueError as error:
            raise Forbidden(str(error)) from None

    def _visit(self, request: Request, session: Session | None, parts: Mapping[str, str]) -> Visit:
        fields = _fields_of(request)
        method = request.method.decode("ascii", "replace")
        return Visit(
            method="GET" if method == "HEAD" else method,
            path=request.path.decode("utf-8", "replace"),
            parts=parts,
            fields=fields,
            session=session,
            attempt=attempt_in(request.requestHeaders.getRawHeaders(b"cookie", [])),
            address=_address_of(request),
            agent=(header(request, "user-agent") or "")[:200],
            live="live" in fields,
            now=self._desk.now(),
        )

    def _head(self, request: Request) -> None:
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        request.responseHeaders.removeHeader(b"server")

    def _send(self, request: Request, visit: Visit, answer: Page | Redirect | Download) -> bytes:
        self._head(request)
        request.setHeader("cache-control", "no-store")
        if isinstance(answer, Redirect):
            self._set_cookie(request, answer.cookie)
            self._set_cookie(request, answer.attempt, ATTEMPT_COOKIE)
            if answer.notice and visit.session is not None:
                self._desk.notice(visit.session.number, answer.notice)
            if visit.live and answer.to.startswith("/login"):
                request.setResponseCode(http.UNAUTHORIZED)
                request.setHeader("hx-redirect", answer.to)
                return b""
            request.setResponseCode(http.SEE_OTHER)
            request.setHeader("location", answer.to)
            return b""
        if isinstance(answer, Download):
            request.setHeader("content-type", answer.content_type)
            request.setHeader("content-disposition", f'attachment; filename="{answer.name}"')
            return _packed(request, answer.content)
        self._set_cookie(request, answer.cookie)
        self._set_cookie(request, answer.attempt, ATTEMPT_COOKIE)
        request.setResponseCode(answer.status)
        request.setHeader("content-type", "text/html; charset=utf-8")
        if answer.retry_after is not None:
            request.setHeader("retry-after", str(answer.retry_after))
        session = visit.session
        chrome = Chrome(
            title=answer.title,
            section=visit.path.split("/")[1],
            user=visit.user,
            role=visit.role,
            notice="" if session is None or visit.live else self._desk.take_notice(session.number),
            here=visit.at(live=None) if visit.method == "GET" else visit.path,
            now=visit.now,
        )
        return _packed(request, rendered(self._templates, chrome, answer.view))

    def _set_cookie(self, request: Request, key: str | None, name: str = COOKIE) -> None:
        if key is None:
            return
        age = "" if key else "; Max-Age=0"
        request.responseHeaders.addRawHeader(
            b"set-cookie",
            f"{name}={key}; Secure; HttpOnly; SameSite=Lax; Path=/{age}".encode(),
        )


class _Internal(TscmError):
    """An internal error, by the mark under which the log tells it."""

    def __init__(self, mark: str) -> None:
        super().__init__(mark)
        self.mark = mark

    def __str__(self) -> str:
        return f"internal error {self.mark}; the log of the page has the details"


def _status_of(error: TscmError) -> int:
    if isinstance(error, NotHere):
        return 404
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, PageBusy | LoginBusy | ControlUnavailable):
        return 503
    if isinstance(error, Faulty) or error.exit_status == Faulty.exit_status:
        return 400
    return 409 if isinstance(error, ManagerError) else 500


def _address_of(request: Request) -> str:
    return str(getattr(request.getClientAddress(), "host", ""))


def _fields_of(request: Request) -> Fields:
    """Query of a GET, form of a POST; what is not UTF-8 is replaced, what is too much is left out."""
    if request.method == b"POST":
        content = request.content
        raw = b"" if content is None else content.getvalue()
    else:
        raw = request.uri.partition(b"?")[2]
    try:
        found = parse_qs(
            raw.decode("ascii", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:  # too many
        return {}
    return {name: tuple(values) for name, values in found.items()}


def _takes_gzip(request: Request) -> bool:
    accepted = header(request, "accept-encoding") or ""
    return any(one.partition(";")[0].strip() == "gzip" for one in accepted.split(","))


def _packed(request: Request, content: bytes) -> bytes:
    """
    *content*, compressed where the browser takes that.

    No page holds a secret beside what the asker chose (there is no token in forms), so its length tells nothing.
    """
    request.setHeader("vary", "Accept-Encoding")
    if len(content) < _PACKED_FROM or not _takes_gzip(request):
        return content
    request.setHeader("content-encoding", "gzip")
    return gzip.compress(content, 5, mtime=0)
