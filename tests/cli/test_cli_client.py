"""
`tsadmin` and a manager that ends, or is no longer waited for, in the midst of its answer.
"""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tscm import __version__
from tscm.errors import ControlUnavailable
from tscm.faces.client import ManagerBackend, WaitInterrupted
from tscm.model import Json, Progress
from tscm.operations.arguments import Nothing, Push
from tscm.operations.table.manager import VERSIONS
from tscm.operations.table.policies import UPDATE

PROGRESS = {"progress": {"phase": "push", "text": "changing groups", "done": 1, "total": 9}}


class Peer:
    """
    A socket at which each connection is answered with the next of *answers*, and noted.
    """

    def __init__(self, path: Path, *answers: bytes) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._connections: list[socket.socket] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._socket.settimeout(10)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self._answers:
            connection, _ = self._socket.accept()
            self._connections.append(connection)
            connection.settimeout(10)
            while b"\r\n\r\n" not in (asked := connection.recv(65536, socket.MSG_PEEK)):
                pass
            self.asked.append(connection.recv(len(asked)).decode().split("\r\n")[0])
            connection.sendall(self._answers.pop(0))
            connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._thread.join(timeout=10)
        for one in (*self._connections, self._socket):  # not before: unread bytes would reset it
            one.close()


def lines(*told: Json, ended: bool) -> bytes:
    body = b"".join(
        b"%x\r\n%b\r\n" % (len(one), one)
        for one in (json.dumps(line).encode() + b"\n" for line in told)
    )
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + body + (b"0\r\n\r\n" if ended else b"")


def job(state: str) -> Json:
    return {"job": {"id": 7, "state": state}}


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Any]:
    made = []

    def answering(*answers: bytes) -> tuple[ManagerBackend, Peer]:
        made.append(Peer(tmp_path / "s", *answers))
        return ManagerBackend(tmp_path / "s"), made[-1]

    yield answering
    for one in made:
        one.close()


def interrupt(_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("ended", [True, False])
def test_an_answer_that_breaks_off_says_where_to_look(peer: Any, ended: bool) -> None:
    backend, _ = peer(lines(PROGRESS, ended=ended))
    seen: list[Progress] = []
    with pytest.raises(ControlUnavailable, match="is incomplete; `tsadmin show` tells"):
        backend.call(UPDATE, Push(name="fw"), seen.append)
    assert [one.text for one in seen] == ["changing groups"]


def test_an_interrupt_under_way_says_that_the_manager_goes_on(peer: Any) -> None:
    backend, asked = peer(lines(job("queued"), job("running"), PROGRESS, ended=False))
    with pytest.raises(
        WaitInterrupted, match="continues in the manager: `tsadmin jobs 7`"
    ) as caught:
        backend.call(UPDATE, Push(name="fw"), interrupt)
    assert caught.value.exit_status == 130
    assert asked.asked == ["POST /v1/devices/fw/update HTTP/1.1"]


def test_an_interrupt_while_waiting_withdraws_the_call(peer: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    backend, asked = peer(lines(job("queued"), ended=False), answer)
    with pytest.raises(WaitInterrupted, match="is withdrawn, nothing was changed"):
        backend.call(UPDATE, Push(name="fw"), told=interrupt)
    asked.close()
    assert asked.asked[1] == "POST /v1/jobs/7/withdraw HTTP/1.1"


def test_a_call_that_begins_at_the_moment_of_the_interrupt_is_told_so(peer: Any) -> None:
    refused = json.dumps({"error": {"sentence": "job 7 has begun", "exit_status": 1}}).encode()
    answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%b" % (len(refused), refused)
    backend, _ = peer(lines(job("queued"), ended=False), answer)
    with pytest.raises(WaitInterrupted, match="has started and continues"):
        backend.call(UPDATE, Push(name="fw"), told=interrupt)


def test_a_closed_output_is_not_the_managers_fault(peer: Any) -> None:
    def full(_: object) -> None:
        raise BrokenPipeError

    backend, _ = peer(lines(PROGRESS, ended=True))
    with pytest.raises(BrokenPipeError):
        backend.call(UPDATE, Push(name="fw"), full)


@pytest.mark.parametrize(("version", "told"), [("0.0.9", ["0.0.9"]), (__version__, []), ("", [])])
def test_a_manager_of_another_version_is_told_once(
    peer: Any, tmp_path: Path, version: str, told: list[str]
) -> None:
    head = f"X-Tscm-Version: {version}\r\n" if version else ""
    answer = f"HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\n[]".encode()
    peer(answer, answer)
    heard: list[str] = []
    backend = ManagerBackend(tmp_path / "s", differs=heard.append)
    assert [backend.call(VERSIONS, Nothing()) for _ in range(2)] == [(), ()]
    assert heard == told
