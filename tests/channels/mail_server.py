"""
A real SMTP server on loopback, by Twisted: it keeps what it accepts, and can misbehave.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import defer
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from tscm.services.certificate import ensure_certificate, tls_options

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from twisted.mail import smtp
    from twisted.mail.imap4 import LOGINCredentials


@implementer(smtp.IMessage)
class _Kept:
    def __init__(self, server: "MailServer", to: str) -> None:
        self.server, self.to, self.lines = server, to, []  # type: ignore[var-annotated]

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)

    def eomReceived(self) -> Any:
        self.server.mails.append((self.to, b"\r\n".join(self.lines)))
        return defer.succeed(b"queued as 42")

    def connectionLost(self) -> None:
        pass


@implementer(smtp.IMessageDelivery)
class _Delivery:
    def __init__(self, server: "MailServer") -> None:
        self.server = server

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
        return b""

    def validateFrom(self, helo: Any, origin: Any) -> Any:
        return origin

    def validateTo(self, user: Any) -> Any:
        if str(user.dest) in self.server.refuse:
            raise smtp.SMTPBadRcpt(user)
        return lambda: _Kept(self.server, str(user.dest))


class _Realm:
    def __init__(self, server: "MailServer") -> None:
        self.server = server

    def requestAvatar(self, avatar: Any, mind: Any, *interfaces: Any) -> Any:
        self.server.logins.append(avatar)
        return smtp.IMessageDelivery, _Delivery(self.server), lambda: None


class _Session(smtp.ESMTP):
    def connectionMade(self) -> None:
        self.factory.open[self] = defer.Deferred()
        super().connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.factory.open.pop(self).callback(None)


class MailServer(ServerFactory):
    """*tls*: `starttls`, `tls` or none; *account*: the one name and password that it takes."""

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        tls: str = "none",
        account: tuple[str, str] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.logins: list[bytes] = []
        self.refuse: set[str] = set()
        self.account = account
        self.tls = tls
        self.context: Any = None
        self.ca: Path | None = None
        self.open: dict[Any, defer.Deferred[None]] = {}
        if tls != "none":
            certificate, key = ensure_certificate(folder, names, reactor.seconds(), "mail")
            self.context, self.ca = tls_options(certificate, key), certificate
        if tls == "tls":
            self.port = reactor.listenSSL(0, self, self.context, interface="127.0.0.1")
        else:
            self.port = reactor.listenTCP(0, self, interface="127.0.0.1")

    def buildProtocol(self, addr: Any) -> Any:
        context = self.context if self.tls == "starttls" else None
        checks = {b"LOGIN": LOGINCredentials} if self.account else None
        made = _Session(chal=checks, contextFactory=context)
        made.factory = self
        if self.account:
            checker = InMemoryUsernamePasswordDatabaseDontUse()
            checker.addUser(*(one.encode() for one in self.account))
            made.portal = Portal(_Realm(self), [checker])  # type: ignore[arg-type,assignment]
        else:
            made.delivery = _Delivery(self)
        made.host = b"mail.example"
        return made

    @property
    def number(self) -> int:
        """Its port."""
        return int(self.port.getHost().port)

    async def stop(self) -> None:
        """Listen no longer, and end what is open."""
        await defer.maybeDeferred(self.port.stopListening)
        ends = list(self.open.items())
        for one, _ in ends:
            one.transport.abortConnection()
        await defer.DeferredList([end for _, end in ends])
