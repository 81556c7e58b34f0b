"""
Mail over a real SMTP server: what arrives, what the server says, and what is never sent.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.channels.mail_server import MailServer
from tscm.base.host_port import HostPort
from tscm.base.secrets import PREFIX
from tscm.channels.fault import ChannelFault
from tscm.channels.mail import send_mail
from tscm.channels.message import Message, What, item
from tscm.channels.rendering import as_mail
from tscm.settings.alarms import MailSettings
from tscm.settings.layout import Layout

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted

TO = ("ops@example.net", "night@example.net")
HOSTILE = (
    'x\r\nBcc: spy@evil.example\r\n\r\n<script>alert(1)</script> \x1b[31m\u202e "é" .\r\n.\r\n'
)
MESSAGE = Message(
    id="abc",
    source="tscm",
    at=1_800_000_000.0,
    items=(item(What.NEW, "device_failed/hq", "failed", HOSTILE, 1_799_999_000.0),),
)


def settings(port: int, **more: Any) -> MailSettings:
    return MailSettings(
        **{
            "server": HostPort("127.0.0.1", port),
            "security": "none",
            "sender": "tscm@fw.example.net",
            "to": TO,
            "timeout_seconds": 30.0,
            **more,
        }
    )


def first_word(file: str) -> str:
    return Path(file).read_text()[: len(PREFIX)]


async def sent(folder: Path, wanted: MailSettings, message: Message = MESSAGE) -> str:
    mail = as_mail(message, wanted.sender or "", wanted.to)
    answer: str = await deferToThread(send_mail, wanted, Layout(folder), mail)
    return answer


def secret(folder: Path, text: str) -> str:
    path = folder / "password"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?=0d=0aBcc:_spy@evil.example?=",
        "é =?utf-8?q?=0aBcc:_spy@evil.example?= é",
        "=?utf-8?b?DQpCY2M6IHNweUBldmlsLmV4YW1wbGU=?= =?utf-8?q?x?=",
        "==?utf-8?q?=0d=0aBcc:_spy@evil.example?=",
        "=\u200b?utf-8?q?=0d=0aBcc:_spy@evil.example?=",
        "=?" * 40,
    ],
)
def test_an_encoded_word_in_a_text_of_strangers_writes_no_header(text: str) -> None:
    message = evolve(MESSAGE, items=(item(What.NEW, "backup", "warning", text, 0.0),))
    raw = as_mail(message, "a@b.example", TO).content.as_bytes(policy=SMTP)
    head = message_from_bytes(raw, policy=default)
    assert set(head.keys()) == {
        *("From", "To", "Date", "Message-ID", "Auto-Submitted", "Subject"),
        *("MIME-Version", "Content-Type"),
    }
    told = " ".join(str(head["Subject"]).split())  # folded where it is long
    assert told == message.subject.replace("=?", "= ?")


@pytest_twisted.ensureDeferred
async def test_a_mail_arrives_whole_and_no_text_of_strangers_adds_to_it(tmp_path: Path) -> None:
    server = MailServer(reactor, tmp_path)
    try:
        answer = await sent(tmp_path, settings(server.number))
    finally:
        await server.stop()
    assert answer.startswith("250 ")
    assert [to for to, _ in server.mails] == list(TO)
    mail = message_from_bytes(server.mails[0][1], policy=default)
    assert mail["To"] == ", ".join(TO)
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == "<abc@fw.example.net>"
    assert str(mail["Subject"]).startswith("[tscm tscm] new: device_failed/hq: x")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    text, page = plain.get_content(), html.get_content()
    assert "new, failed: device_failed/hq" in text
    assert "\x1b" not in text + page
    assert "\u202e" not in text + page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest_twisted.ensureDeferred
async def test_over_tls_with_an_account_whose_password_is_sealed_at_the_first_use(
    tmp_path: Path, tls: str
) -> None:
    server = MailServer(reactor, tmp_path, tls, ("anna", "s3cret"))
    file = secret(tmp_path, "s3cret\n")
    wanted = settings(
        server.number, security=tls, ca_file=str(server.ca), user="anna", password_file=file
    )
    try:
        await sent(tmp_path, wanted)
        assert first_word(file) == PREFIX
        await sent(tmp_path, wanted)
        assert server.logins == [b"anna"] * 2
        assert len(server.mails) == 4
        secret(tmp_path, "wrong")
        with pytest.raises(
            ChannelFault, match=r"rejected the login: 535 .*; check user and"
        ) as bad:
            await sent(tmp_path, wanted)
        assert "wrong" not in str(bad.value)
        with pytest.raises(ChannelFault, match="its certificate is not trusted"):
            await sent(tmp_path, evolve(wanted, ca_file=None))
    finally:
        await server.stop()
    assert len(server.mails) == 4


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_without_the_tls_that_is_set(tmp_path: Path) -> None:
    server = MailServer(reactor, tmp_path)
    try:
        with pytest.raises(ChannelFault, match="does not offer STARTTLS"):
            await sent(tmp_path, settings(server.number, security="starttls"))
        file = secret(tmp_path, "s3cret")
        with pytest.raises(ChannelFault, match="no password is sent without TLS"):
            await sent(tmp_path, settings(server.number, user="anna", password_file=file))
    finally:
        await server.stop()
    assert server.mails == []


@pytest_twisted.ensureDeferred
async def test_what_the_server_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    server = MailServer(reactor, tmp_path)
    try:
        server.refuse = {TO[0]}
        answer = await sent(tmp_path, settings(server.number))
        assert f"rejected: {TO[0]}: 550 " in answer
        assert [to for to, _ in server.mails] == [TO[1]]
        server.refuse = set(TO)
        with pytest.raises(ChannelFault, match=r"rejected every recipient: ops@example\.net: 550 "):
            await sent(tmp_path, settings(server.number))
    finally:
        await server.stop()


@pytest.mark.parametrize("missing", ["server", "sender", "to"])
def test_what_is_not_set_is_named(tmp_path: Path, missing: str) -> None:
    wanted = settings(25, **{missing: () if missing == "to" else None})
    mail = as_mail(MESSAGE, "a@b.example", TO)
    mail = evolve(mail, to=wanted.to)
    with pytest.raises(ChannelFault, match=rf"\[mail\] {missing} not set"):
        send_mail(wanted, Layout(tmp_path), mail)


@contextmanager
def peer(first: bytes, then: bytes) -> Iterator[int]:
    """A server that says *first*, and then *then* again and again, whatever it is told."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                connection.sendall(first)
                while then and not over.is_set():
                    connection.sendall(then)
                over.wait(30)
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        over.set()
        thread.join(30)
        listening.close()


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (b"", b"", "did not (answer|finish) in time"),
        (b"220 x\r\n", b"", "did not (answer|finish) in time"),
        (b"220-", b"a", "answered|Line too long|closed"),
        (b"220 x\r\n", b"250-" + b"a" * 70 + b"\r\n", "mail server"),
        (b"421 go away\x1b[2J\r\n", b"", r"answered 421 go away\\x1b\[2J"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", b"", "mail server"),
    ],
)
def test_a_server_that_hangs_floods_or_is_none_ends_within_time_and_memory(
    tmp_path: Path, first: bytes, then: bytes, said: str
) -> None:
    with peer(first, then) as port:
        wanted = settings(port, timeout_seconds=1.0)
        with pytest.raises(ChannelFault, match=said) as bad:
            send_mail(wanted, Layout(tmp_path), as_mail(MESSAGE, "a@b.example", TO))
    assert str(bad.value).isprintable()


def test_what_the_server_says_of_the_content_is_its_answer(tmp_path: Path) -> None:
    said = [b"220 x", b"250 x", b"250 ok", b"250 ok", b"250 ok", b"354 go on", b"554 no\x1b[31m"]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as lines:
                for number, one in enumerate(said):
                    connection.sendall(one + b"\r\n")
                    end = b".\r\n" if number == len(said) - 2 else None
                    for line in lines:
                        if end is None or line == end:
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        wanted = settings(listening.getsockname()[1])
        with pytest.raises(ChannelFault, match=r"answered 554 no\\x1b\[31m"):
            send_mail(wanted, Layout(tmp_path), as_mail(MESSAGE, "a@b.example", TO))
        thread.join(30)


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))  # held, and not listening
        with pytest.raises(ChannelFault, match="Connection refused"):
            send_mail(
                settings(one.getsockname()[1]),
                Layout(tmp_path),
                as_mail(MESSAGE, "a@b.example", TO),
            )
