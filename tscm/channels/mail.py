"""
A mail by SMTP (RFC 5321), with STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314).

Blocking, for a thread; the connection ends after its time whatever the server does.
"""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any, cast

from attrs import frozen

from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.secrets import Secret
from tscm.channels.fault import ChannelFault, ChannelStopped, answer_text
from tscm.settings.alarms import MailSettings
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_ANSWERS_BYTES = 1 << 16
"""All answers of a server over one connection; they are some hundred bytes."""
_ACCEPTED, _FORWARDED = 250, 251


@frozen(kw_only=True)
class Mail:
    """A mail that is ready to be sent: envelope and content."""

    sender: str
    to: tuple[str, ...]
    content: EmailMessage


class _BoundedAnswers:
    """Lines of a server, as `smtplib` reads them; more than the bound are an end of the stream."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = _ANSWERS_BYTES

    def readline(self, most: int) -> bytes:
        line: bytes = self._file.readline(min(most, max(self._left, 0)))
        self._left -= len(line)
        return line

    def close(self) -> None:
        self._file.close()


class _Session(smtplib.SMTP):
    """An SMTP session over a connection that `cut` may end, with bounded answers."""

    def __init__(self, cut: CutOff, context: ssl.SSLContext | None, seconds: float) -> None:
        self._cut = cut
        self._context = context
        """Of TLS from the first byte."""
        # A name of its own: `smtplib` would look one up, and wait for the name service.
        super().__init__(local_hostname=_greeting(), timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = self._cut.connect(host, port, timeout)
        if self._context is None:
            return made
        try:
            return self._context.wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            assert self.sock is not None
            self.file = cast("Any", _BoundedAnswers(self.sock.makefile("rb")))
        return super().getreply()


def _greeting() -> str:
    name = socket.gethostname()
    fits = name and name.isascii() and all(one.isalnum() or one in ".-" for one in name)
    return name if fits else "localhost"


def refuse_unset(settings: MailSettings, to: Sequence[str]) -> None:
    """Raise `ChannelFault` where the settings do not say how a mail is to be sent."""
    missing = [
        name
        for name, value in (("server", settings.server), ("sender", settings.sender), ("to", to))
        if not value
    ]
    if missing:
        raise ChannelFault(f"[mail] {' and '.join(missing)} not set", "set it in tscm.toml")
    if settings.user and not settings.password_file:
        raise ChannelFault("[mail] user is set without a password_file", "set both or none")
    if settings.user and settings.security == "none":
        raise ChannelFault(
            "[mail] security is none, and no password is sent without TLS",
            "set starttls or tls, or no user",
        )


def send_mail(settings: MailSettings, layout: Layout, mail: Mail) -> str:
    """
    Send *mail*; gives the server's own answer.  Blocking; raises `ChannelFault`.

    Where the server takes it for some recipients only, it is sent to those, and the answer names the others.
    """
    refuse_unset(settings, mail.to)
    assert settings.server is not None
    where = settings.server.host
    port = settings.server.port or _PORTS[settings.security]
    password = None
    if settings.user and settings.password_file:
        try:
            password = read_secret(
                Path(settings.password_file), "mail/password", layout, "password_file"
            )
        except SecretFileFaulty as error:
            raise ChannelFault(f"[mail] {error.cause}", error.remedy) from None
    try:
        context = None if settings.security == "none" else trusting(settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ChannelFault(f"[mail] ca_file cannot be read: {error}", "check the file") from None
    cut, seconds = CutOff(), settings.timeout_seconds
    first = context if settings.security == "tls" else None
    try:
        with cut.within(seconds):
            try:
                return _exchange(settings, _Session(cut, first, seconds), context, password, mail)
            except (smtplib.SMTPException, OSError, UnicodeError, ValueError):
                if cut.stopped:
                    raise ChannelStopped(f"mail server {where}") from None
                raise
    except ChannelFault:
        raise
    except ssl.SSLCertVerificationError as error:
        raise ChannelFault(
            f"mail server {where}: its certificate is not trusted: {answer_text(error.verify_message)}",
            "set ca_file, or correct the name of the server",
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelFault(
            f"mail server {where} rejected the login: {error.smtp_code} {answer_text(error.smtp_error)}",
            "check user and password_file",
        ) from None
    except smtplib.SMTPResponseException as error:
        raise ChannelFault(
            f"mail server {where} answered {error.smtp_code} {answer_text(error.smtp_error)}"
        ) from None
    except smtplib.SMTPException as error:
        # smtplib tells of its own limit as of a connection that was closed
        late = cut.over or isinstance(error.__context__, TimeoutError)
        over = "it did not finish in time" if late else answer_text(error)
        raise ChannelFault(f"mail server {where}: {over}", "check server and security") from None
    except (OSError, UnicodeError, ValueError) as error:
        late = cut.over or isinstance(error, TimeoutError)
        over = "it did not answer in time" if late else answer_text(error)
        raise ChannelFault(
            f"mail server {where}, port {port}: {over}", "check server and security"
        ) from None


def _exchange(
    settings: MailSettings,
    session: _Session,
    context: ssl.SSLContext | None,
    password: Secret | None,
    mail: Mail,
) -> str:
    assert settings.server is not None
    where = settings.server.host
    session._host = where  # type: ignore[attr-defined]  # noqa: SLF001 - the name that `starttls` checks
    try:
        code, said = session.connect(where, settings.server.port or _PORTS[settings.security])
        _expect(code, said, 220)
        session.ehlo_or_helo_if_needed()
        if settings.security == "starttls":
            if not session.has_extn("starttls"):
                raise ChannelFault(
                    f"mail server {where} does not offer STARTTLS",
                    "set security to tls or none, as the server requires",
                )
            code, said = session.starttls(context=context)
            _expect(code, said, 220)
            session.ehlo_or_helo_if_needed()
        if settings.user and password is not None:
            session.login(settings.user, password.reveal())
        code, said = session.mail(mail.sender)
        _expect(code, said, _ACCEPTED)
        rejected = []
        for one in mail.to:
            code, said = session.rcpt(one)
            if code not in {_ACCEPTED, _FORWARDED}:
                rejected.append(f"{one}: {code} {answer_text(said)}")
        if len(rejected) == len(mail.to):
            raise ChannelFault(
                f"mail server {where} rejected every recipient: {'; '.join(rejected)}",
                "check the recipients",
            )
        code, said = session.data(mail.content.as_bytes(policy=SMTP_POLICY))
        _expect(code, said, _ACCEPTED)
        answer = f"{code} {answer_text(said)}"
        return f"{answer}; rejected: {'; '.join(rejected)}" if rejected else answer
    finally:
        # QUIT would wait for one more answer, and the mail has its own.
        session.close()


def _expect(code: int, said: bytes, wanted: int) -> None:
    if code != wanted:
        raise smtplib.SMTPResponseException(code, said)
