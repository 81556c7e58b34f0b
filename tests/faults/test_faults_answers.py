"""
A manager in a process of its own, whose firewall answers with megabytes: what reads them goes when it goes.
"""

import contextlib
import json
import os
import signal
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.base.test_base_parse_apart import is_alive
from tests.faults.fault_world import LISTEN, World
from tests.faults.test_faults_stop import gone
from tests.kinds.asa.rest.test_rest_bounds import Device
from tests.kinds.asa.rest.test_rest_reader import page
from tests.kinds.asa.rest.test_rest_trickle import serving
from tests.manager.manager_process import Manager, wait_for
from tests.waiting import PATIENCE_SECONDS

NAME = "fw-one"
LARGE = page(40_000)
REST = 8 << 20
"""Blanks behind the page, of which some come when the test says so."""


class Halting(Device):
    """Sends a large page of groups, and its rest when *goes_on* is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, self._reply_to)
        self.goes_on = threading.Event()
        self.sent = threading.Event()

    def _reply_to(self, path: str) -> tuple[str, bytes]:
        return "", LARGE if "networkobjectgroups" in path else b'{"asaVersion": "9.8"}'

    def answer(self, one: ssl.SSLSocket, headers: str, body: bytes) -> None:
        if body is not LARGE:
            super().answer(one, headers, body)
            return
        length = len(body) + REST
        one.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        self.sent.set()
        self.goes_on.wait(2 * PATIENCE_SECONDS)
        with contextlib.suppress(OSError):
            one.sendall(b" " * REST)


def child_of(manager: Manager) -> int:
    """The process that reads an answer, once it is there."""
    assert manager.process is not None
    parent = manager.process.pid
    found: list[int] = []

    def look() -> bool:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes()
                if int(stat[1]) == parent and b"tscm.kinds.asa.rest.reader_process" in command:
                    found.append(int(folder.name))
        return bool(found)

    wait_for(look, manager.said)
    return found[0]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[tuple[Halting, str]]:
    one = Halting(tmp_path / "portal")
    with serving(one) as root:
        try:
            yield one, root
        finally:
            one.goes_on.set()


@pytest.fixture
def manager(tmp_path: Path, device: tuple[Halting, str]) -> Iterator[Manager]:
    lists = tmp_path / "list.txt"
    lists.write_text("203.0.113.0/24\n")
    feeds = "".join(
        f'[[policy.feeds]]\nname = "{one}.example"\nurl = "{lists.as_uri()}"\n'
        for one in ("b", "a")
    )
    manager = Manager(tmp_path / "node", LISTEN + "[policy]\nallow_special = true\n" + feeds)
    World(manager).add(
        NAME,
        None,
        block_list="b.example",
        allow_list="a.example",
        prefix="T",
        rest_url=device[1],
        allow_self_signed=True,
        token_auth=False,
    )
    yield manager
    manager.stop(signal.SIGKILL)
    assert "Traceback" not in manager.said()


@contextlib.contextmanager
def asking(manager: Manager, what: str, told: list[Any]) -> Iterator[None]:
    """An update or the doctor, asked for while something else is done."""

    def ask() -> None:
        with contextlib.suppress(Exception):  # the manager may go away meanwhile
            told.append(manager.command("POST", f"/v1/devices/{NAME}/{what}", {}))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_reads_an_answer_goes_with_the_manager(
    manager: Manager, device: tuple[Halting, str], how: signal.Signals
) -> None:
    manager.start()
    with asking(manager, "update", []):
        assert device[0].sent.wait(PATIENCE_SECONDS), manager.said()
        child = child_of(manager)
        assert manager.process is not None
        manager.process.send_signal(how)
        device[0].goes_on.set()
        assert gone(manager.process) in {-how, 0}, manager.said()
        manager.process = None
    wait_for(lambda: not is_alive(child), manager.said)
    assert "abandoned" not in manager.said()


def test_a_killed_reader_is_a_fault_of_the_answer_and_of_nothing_else(
    manager: Manager, device: tuple[Halting, str]
) -> None:
    manager.start()
    told: list[Any] = []
    with asking(manager, "doctor", told):
        assert device[0].sent.wait(PATIENCE_SECONDS), manager.said()
        os.kill(child_of(manager), signal.SIGKILL)
        with World(manager).connect(NAME) as out:
            out.sendall(b"<166>one\n<166>two\n")
        manager.when_lines(NAME, 2)
        device[0].goes_on.set()
    said = json.dumps(told)
    assert "its process was terminated by signal 9" in said, said
    assert manager.ask("/v1/ledger")["balanced"]
