"""
The page without sockets, TLS and a manager: bytes in, bytes out, and answers of the test's own.
"""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attrs import define, field, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tscm.errors import ControlUnavailable
from tscm.faces.web.accounts import Accounts, Session
from tscm.faces.web.api.entry import Api
from tscm.faces.web.app import WebApp
from tscm.faces.web.asking import Asking
from tscm.faces.web.chain import Chain
from tscm.faces.web.desk import Desk
from tscm.faces.web.drafts import Drafts
from tscm.faces.web.gate import own_names, own_origins
from tscm.faces.web.live_streams import LiveStreams
from tscm.faces.web.planned import Plans
from tscm.faces.web.roles import Role
from tscm.faces.web.service import BOUNDS
from tscm.faces.web.site import WebSite
from tscm.operations.job_figures import JobFigures
from tscm.settings.web import WebSettings
from tscm.wire.reading import read_value

HOST = "127.0.0.1:9443"
OWN = f"https://{HOST}"
NOW = 1_800_000_000.0
PASSWORD = "a long enough one"
DOWN = ControlUnavailable("/run/tscm/control.sock", "no manager is running")


class InPlace:
    """Threads that are none."""

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return maybeDeferred(call, *args)


@define(eq=False)
class FakeManager:
    """
    Answers by the name of the operation: a value, an exception, or a function of the arguments.
    """

    answers: dict[str, Any] = field(factory=dict)
    asked: list[tuple[str, Any, str | None]] = field(factory=list)

    def named(self, user: str | None) -> "_Named":
        return _Named(self, user)


@define(eq=False)
class _Named:
    manager: FakeManager
    user: str | None

    def call(self, operation: Any, args: Any, *_: Any) -> Any:
        self.manager.asked.append((operation.name, args, self.user))
        answer = self.manager.answers.get(operation.name, DOWN)
        if callable(answer):
            answer = answer(args)
        if isinstance(answer, Exception):
            raise answer
        # As the client of the socket does: tests write answers as they are sent.
        return read_value(operation.answer, answer) if isinstance(answer, dict) else answer

    def detach(self, operation: Any, args: Any) -> JobFigures:
        self.manager.asked.append((f"start {operation.name}", args, self.user))
        answer = self.manager.answers.get(f"start {operation.name}", DOWN)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, JobFigures)
        return answer


@frozen(kw_only=True)
class Reply:
    """What a browser is sent."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    text: str
    size: int
    """Octets of the body on the wire."""

    @property
    def key(self) -> str:
        """The session's key in the cookie."""
        return self.cookies[0].partition(";")[0].partition("=")[2]


class FakeSite:
    """The page, and a clock that the test turns."""

    def __init__(self, folder: Path, settings: WebSettings | None = None) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.settings = settings or WebSettings()
        self.manager = FakeManager()
        self.accounts = Accounts(folder / "web" / "web.db")
        self.accounts.open()
        threads: Any = InPlace()
        asking = Asking(threads, self.manager.named, self.clock.seconds)
        self.desk = Desk(
            settings=self.settings,
            accounts=self.accounts,
            asking=asking,
            hashing=threads,
            plans=Plans(asking, self.clock.seconds),
            chain=Chain(asking),
            drafts=Drafts(self.clock.seconds),
            live=LiveStreams(self.clock, asking, self.lasts),
            now=self.clock.seconds,
        )
        own = own_origins(self.settings.url, [HOST])
        api = Api(self.settings, self.accounts, asking)
        self.app = WebApp(self.desk, lambda: own, api)
        self.site = WebSite(
            self.app.app.resource(),
            BOUNDS,
            self.clock,
            purpose="page",
            names=own_names(self.settings.url),
        )
        self.site.may_send_list = self.app.may_send_list
        self.site.startFactory()

    def lasts(self, session: Session) -> bool:
        found = self.accounts.sessions(session.user, self.clock.seconds())
        return any(one.number == session.number for one in found)

    def close(self) -> None:
        self.desk.live.stop()
        self.site.stopFactory()
        self.accounts.close()
        for call in self.clock.getDelayedCalls():
            call.cancel()

    def signed_in(self, role: Role = Role.ADMIN, name: str | None = None) -> str:
        """The key of a session of a new user with that role."""
        name = name or f"the-{role.word}"
        if self.accounts.user(name) is None:
            self.accounts.add_user(name, role, "no password", self.clock.seconds())
        return self.accounts.begin_session(
            name, "192.0.2.9", "test", "192.0.2.9", self.clock.seconds()
        )

    def send(self, data: bytes, address: str = "192.0.2.9") -> bytes:
        """What comes back for these bytes on one connection."""
        channel: Any = self.site.buildProtocol(IPv4Address("TCP", address, 40000))
        transport = StringTransport(peerAddress=IPv4Address("TCP", address, 40000))
        channel.makeConnection(transport)
        channel.dataReceived(data)
        value: bytes = transport.value()
        self.site.ended(channel)
        return value

    def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        document: str | None = None,
        key: str | None = None,
        method: str | None = None,
        address: str = "192.0.2.9",
        **headers: str | None,
    ) -> Reply:
        """A browser's request; with *form* a POST as our own pages make it.  A header of None is left out."""
        given: dict[str, str | None] = {"host": HOST}
        body = b""
        if document is not None:
            body = document.encode()
            given |= {"content-type": "application/json", "content-length": str(len(body))}
        if form is not None:
            body = urlencode(form).encode()
            given |= {
                "content-type": "application/x-www-form-urlencoded",
                "content-length": str(len(body)),
                "sec-fetch-site": "same-origin",
                "origin": OWN,
            }
        if key is not None:
            given["cookie"] = f"__Host-tscm={key}"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        verb = method or ("GET" if form is None else "POST")
        lines = [f"{verb} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in given.items() if value is not None]
        return read_reply(self.send("\r\n".join([*lines, "", ""]).encode() + body, address))


def read_reply(data: bytes) -> Reply:
    """The answer as a value."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    headers, size = {name.lower(): value for name, _, value in pairs}, len(body)
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Reply(
        status=int(first.split()[1]),
        headers=headers,
        cookies=tuple(value for name, _, value in pairs if name.lower() == "set-cookie"),
        text=body.decode("utf-8", "replace"),
        size=size,
    )


def _unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + rest[:length], rest[length + 2 :]
    return found
