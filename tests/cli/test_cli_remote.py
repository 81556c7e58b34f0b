"""
`tsadmin --portal`: operations over another host's API; the key is never on the command line.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.retrieve.https_server import https
from tscm.cli.main import run
from tscm.cli.remote import portal_of
from tscm.errors import ControlUnavailable
from tscm.faces.backend import ManagerError
from tscm.faces.remote import Portal, PortalFaulty, RemoteBackend
from tscm.operations.arguments import Nothing
from tscm.operations.list_arguments import ListEdited, ListShown
from tscm.operations.table.user_lists import EDIT_LIST, LIST_PAGE, LISTS

KEY = "tscm_abcdefgh"


class FakeAnswer:
    def __init__(self, status: int, body: bytes) -> None:
        self.status, self._body = status, body

    def read(self, most: int) -> bytes:
        return self._body[:most]


class FakeConnection:
    """Takes one request, and answers as it was told."""

    def __init__(self, status: int, body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answer = FakeAnswer(status, text)
        self.asked: tuple[str, str, bytes | None, dict[str, str]] | None = None

    def request(self, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        self.asked = (verb, path, body, headers)

    def getresponse(self) -> FakeAnswer:
        return self._answer

    def close(self) -> None:
        pass


def backend(status: int, body: Any) -> tuple[RemoteBackend, FakeConnection]:
    connection = FakeConnection(status, body)
    portal = Portal.of("https://tscm.example:9443", KEY, None)
    return RemoteBackend(portal, lambda *_: connection), connection  # type: ignore[arg-type]


def test_an_operation_is_asked_for_below_api_with_the_key() -> None:
    remote, connection = backend(200, {"lists": [{"name": "own-block", "side": "block"}]})
    assert remote.call(LISTS, Nothing()).lists[0].name == "own-block"
    assert connection.asked is not None
    verb, path, body, headers = connection.asked
    assert (verb, path, body) == ("GET", "/api/v1/lists", None)
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_arguments_go_as_the_api_takes_them() -> None:
    remote, connection = backend(200, {"version": 3})
    remote.call(LIST_PAGE, ListShown(list_name="a b", search="192.0.2.0/24"))
    assert connection.asked is not None
    assert connection.asked[1] == "/api/v1/lists/a%20b?search=192.0.2.0%2F24"
    remote, connection = backend(200, {"sentence": "done"})
    remote.call(EDIT_LIST, ListEdited(list_name="a", text="192.0.2.1", mode="replace"))
    assert connection.asked is not None
    assert json.loads(connection.asked[2] or b"") == {"text": "192.0.2.1", "mode": "replace"}


def test_an_error_of_the_manager_there_is_told_as_here() -> None:
    error = {"error": {"sentence": "there is no list 'x'", "exit_status": 2}}
    with pytest.raises(ManagerError, match="there is no list 'x'") as failed:
        backend(404, error)[0].call(LISTS, Nothing())
    assert failed.value.exit_status == 2


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (200, b"<html>", "no JSON"),
        (200, b"[" * 100_000, "no JSON"),
        (502, {}, "status 502"),
        (302, {}, "status 302"),
        (200, b"null", "another form"),
        (400, {"error": {"exit_status": "x"}}, "another form"),
    ],
)
def test_what_is_no_answer_of_the_api_is_told(status: int, body: Any, cause: str) -> None:
    with pytest.raises(ControlUnavailable, match=cause) as failed:
        backend(status, body)[0].call(LISTS, Nothing())
    assert "https://tscm.example:9443" in str(failed.value)


@pytest.mark.parametrize(
    "url",
    ["http://tscm.example", "https://", "https://u:p@tscm.example", "https://tscm.example/api", "tscm.example", "https://tscm.example:x"],
)  # fmt: skip
def test_the_url_is_that_of_a_host_over_tls(url: str) -> None:
    with pytest.raises(PortalFaulty):
        Portal.of(url, KEY, None)


def test_the_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    assert portal_of("https://a.example", str(file), None).key == KEY
    assert not capsys.readouterr().err
    file.chmod(0o644)
    portal_of("https://a.example", str(file), None)
    assert "can be read by others" in "".join(capsys.readouterr())
    monkeypatch.setenv("TSCM_KEY", KEY)
    assert portal_of("https://a.example", None, None).key == KEY
    assert KEY not in repr(portal_of("https://a.example", None, None))


def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TSCM_KEY", raising=False)
    assert run(["--portal", "https://a.example", "--key", KEY, "lists"]) == 2
    told = "".join(capsys.readouterr())
    assert "name of a file" in told
    assert KEY not in told
    assert run(["--portal", "https://a.example", "lists"]) == 2
    assert "requires a key" in "".join(capsys.readouterr())
    assert run(["--key", "x", "lists"]) == 2


def test_a_command_on_files_is_refused_for_another_host(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSCM_KEY", KEY)
    for words in (["check"], ["spool", "list"]):
        assert run(["--portal", "https://a.example", *words]) == 2
        assert "files of its own host" in "".join(capsys.readouterr())


@contextmanager
def api(folder: Path) -> Iterator[tuple[str, list[str]]]:
    seen = []

    def respond(handler: Any) -> None:
        seen.append(handler.path)
        content = b'{"lists": [{"name": "there", "side": "block"}]}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    with https(folder, respond) as url:
        yield url.removesuffix("/list"), seen


def test_a_command_asks_the_other_host_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSCM_KEY", KEY)
    with api(tmp_path) as (url, seen):
        ca = str(tmp_path / "log-service.crt")
        assert run(["--portal", url, "--portal_ca", ca, "lists", "--json"]) == 0
        assert "there" in capsys.readouterr().out
        assert run(["--portal", url, "lists", "--json"]) != 0
        assert "certificate is not trusted" in "".join(capsys.readouterr())
        assert seen == ["/api/v1/lists"], "no key goes to who is not believed"


def test_a_host_that_is_away_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSCM_KEY", KEY)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens
        url = f"https://127.0.0.1:{held.getsockname()[1]}"
        assert run(["--portal", url, "lists"]) != 0
        assert "refused" in "".join(capsys.readouterr()).lower()


@pytest.mark.parametrize("host", ["a..example", "a" * 70 + ".example"])
def test_a_name_that_no_host_can_have_is_told(host: str) -> None:
    portal = Portal.of(f"https://{host}", "k", None)
    with pytest.raises(ControlUnavailable, match="not a host name"):
        RemoteBackend(portal).call(LISTS, Nothing())
