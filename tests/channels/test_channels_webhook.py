"""
Webhooks to a real HTTP server: signed, to permitted addresses, without redirects, within time and memory.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tscm.base.server_addresses import refusal
from tscm.channels import webhook
from tscm.channels.fault import ChannelFault
from tscm.channels.message import Message, What, item
from tscm.channels.rendering import as_body
from tscm.channels.webhook import post
from tscm.settings.alarms import WebhookSettings
from tscm.settings.layout import Layout

AT = 1_800_000_000.0
MESSAGE = Message(
    id="abc",
    source="tscm",
    at=AT,
    items=(item(What.NEW, "disk/var", "warning", 'a "b" \n\x1b é', AT),),
)


class Handler(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
        elif self.path == "/flood":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass
        elif self.path == "/hang":
            self.server.over.wait(30)  # type: ignore[attr-defined]
        else:
            self.send_response(500 if self.path == "/bad" else 202, "so\x1b so")
            self.end_headers()
            self.wfile.write(b"told \x1b[31m")

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.over = threading.Event()  # type: ignore[attr-defined]
    Handler.seen.clear()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.over.set()  # type: ignore[attr-defined]
        made.shutdown()
        thread.join()
        made.server_close()


def settings(url: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(**{"url": url, "allow_private": True, "timeout_seconds": 30.0, **more})


def test_an_alarm_is_posted_as_signed_json(server: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("k3y\n")
    file.chmod(0o600)
    wanted = settings(f"{server}/in", secret_file=str(file))
    for _ in range(2):  # the second time out of the sealed file
        answer = post(wanted, Layout(tmp_path), as_body(MESSAGE), AT)
        assert answer.startswith("202 ")
        assert answer.isprintable()
    assert b"k3y" not in file.read_bytes()
    for method, _, headers, body in Handler.seen:
        assert method == "POST"
        assert headers["Content-Type"] == "application/json"
        stamp, digest = (one.partition("=")[2] for one in headers[webhook.SIGNATURE].split(","))
        wanted_digest = hmac.new(b"k3y", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert (stamp, digest) == (str(int(AT)), wanted_digest)
        said = json.loads(body)
        assert said["source"] == "tscm"
        assert said["alarms"] == [
            {
                "event": "new",
                "name": "disk/var",
                "severity": "warning",
                "sentence": 'a "b" \\x1b é',
                "since": AT,
            }
        ]


def test_a_request_without_content_is_not_signed(server: str, tmp_path: Path) -> None:
    post(settings(server), Layout(tmp_path), None, AT, url=f"{server}/beat", method="GET")
    ((method, path, headers, body),) = Handler.seen
    assert (method, path, body) == ("GET", "/beat", b"")
    assert webhook.SIGNATURE not in headers


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/moved", "answered 302 .*redirects are not followed"),
        ("/bad", r"answered 500 .*told \\x1b\[31m"),
        ("/hang", "did not answer in time"),
    ],
)
def test_another_answer_is_a_fault(server: str, tmp_path: Path, path: str, said: str) -> None:
    wanted = settings(server + path, timeout_seconds=1.0)
    with pytest.raises(ChannelFault, match=said) as bad:
        post(wanted, Layout(tmp_path), b"{}", AT)
    assert str(bad.value).isprintable()
    assert path not in str(bad.value)  # it may be the secret by which the service knows us
    assert len(Handler.seen) == 1


def test_an_endless_answer_is_read_up_to_a_bound(server: str, tmp_path: Path) -> None:
    answer = post(settings(f"{server}/flood"), Layout(tmp_path), b"{}", AT)
    assert len(answer) < 1000


def test_private_addresses_and_plain_http_have_to_be_allowed(server: str, tmp_path: Path) -> None:
    closed = settings(f"{server}/T0/s3cret", allow_private=False)
    with pytest.raises(ChannelFault, match="has no TLS") as bad:
        post(closed, Layout(tmp_path), b"{}", AT)
    assert "s3cret" not in str(bad.value)
    secure = settings(server.replace("http:", "https:"), allow_private=False)
    with pytest.raises(ChannelFault, match="private or loopback"):
        post(secure, Layout(tmp_path), b"{}", AT)
    assert Handler.seen == []


def test_a_name_that_answers_with_a_private_address_too_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.rpartition(":")[2])
    rows = [(2, 1, 6, "", (one, port)) for one in ("203.0.113.9", "127.0.0.1")]
    monkeypatch.setattr("tscm.base.checked_wire.socket.getaddrinfo", lambda *_, **__: rows)
    wanted = settings(f"https://hook.example:{port}", allow_private=False)
    with pytest.raises(ChannelFault, match=r"hook\.example: "):
        post(wanted, Layout(tmp_path), b"{}", AT)
    assert Handler.seen == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "::1", "fd00::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "192.0.2.1", "198.18.0.1",
        "fec0::1",
    ],
)  # fmt: skip
def test_a_private_address_is_one_in_every_spelling(address: str) -> None:
    assert refusal(address, allow_private=False)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "::",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:169.254.169.254",
        "255.255.255.255",
    ],
)
def test_some_addresses_are_never_a_server(address: str) -> None:
    assert refusal(address, allow_private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_a_public_address_is_permitted(address: str) -> None:
    assert refusal(address, allow_private=False) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "fd00::1"])
def test_a_private_address_is_permitted_where_that_is_set(address: str) -> None:
    assert refusal(address, allow_private=True) is None


def test_name_and_sentence_of_an_item_are_one_visible_line() -> None:
    one = item(What.NEW, "list_hits/\x1b[31m\u202e\r\nx", "warning", "\x1b\u202e\n", AT)
    assert one.name.isprintable()
    assert one.sentence.isprintable()


def test_what_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChannelFault, match=r"\[webhook\] url is not set"):
        post(WebhookSettings(), Layout(tmp_path), b"{}", AT)
