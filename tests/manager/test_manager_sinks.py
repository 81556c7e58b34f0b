"""
A manager that sends the lines of its devices to an OpenSearch and a Splunk, over kills and absences.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tests.ports import held_port
from tests.sinks.sink_servers import Reply, SinkServer, Taken, sink_server

SINKS = """
[[sink]]
name = "search"
type = "opensearch"
url = "http://127.0.0.1:{search}"
tls = false
index = "asa"
linger_seconds = 0.1

[[sink]]
name = "siem"
type = "splunk"
url = "http://127.0.0.1:{siem}"
tls = false
secret_file = "{token}"
devices = ["fw"]
linger_seconds = 0.1
"""


@pytest.fixture
def siem() -> Iterator[SinkServer]:
    with sink_server() as found:
        yield found


@pytest.fixture
def search_port() -> int:
    return held_port()


@pytest.fixture
def manager(tmp_path: Path, siem: SinkServer, search_port: int) -> Iterator[Manager]:
    token = tmp_path / "token"
    token.write_text("token-1\n")
    token.chmod(0o600)
    sinks = SINKS.format(search=search_port, siem=siem.port, token=token)
    one = Manager(tmp_path, SETTINGS + sinks)
    yield one
    one.stop()


def tsadmin(manager: Manager, *words: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return " ".join((ended.stdout + ended.stderr).split())


def messages(server: SinkServer) -> list[str]:
    return [one["message"] for one in server.documents.values()]


def test_every_line_is_there_once_over_kills_and_absences(
    manager: Manager, siem: SinkServer, search_port: int
) -> None:
    manager.write_device("fw")
    manager.write_device("other", device="127.0.0.3")
    manager.start()

    def send(first: int, count: int) -> list[str]:
        made = [f"<166>%ASA-6-302013: Built {at}" for at in range(first, first + count)]
        send_udp(manager.port("udp"), *(one.encode() for one in made))
        manager.when_lines("fw", first + count)
        return made

    wanted = send(0, 100)
    wait_for(lambda: "sink search (opensearch at" in tsadmin(manager, "show", "fw"), manager.said)
    wait_for(lambda: "are kept on disk" in tsadmin(manager, "show", "fw"), manager.said)
    wait_for(lambda: len(siem.events) == 100, manager.said)
    with sink_server(port=search_port) as search:
        wait_for(lambda: len(search.documents) == 100, manager.said)
        wanted += send(100, 100)
        manager.stop(signal.SIGKILL)
        manager.start()
        wanted += send(200, 100)
        wait_for(lambda: len(search.documents) == 300, manager.said)
        assert messages(search) == wanted  # each once, in order, whatever the kill interrupted
        wait_for(lambda: len({one["event"] for one in siem.events}) == 300, manager.said)

        send_udp(manager.port("udp"), b"<166>%ASA-6-302013: Built poison", b"<166>last")
        wait_for(lambda: "<166>last" in messages(search), manager.said)
        assert len(search.documents) == 301
    send_udp(manager.port("udp"), b"<166>of the other", source="127.0.0.3")
    manager.when_lines("other", 1)
    shown = tsadmin(manager, "show", "fw")
    assert "rejected by it 1" in shown
    assert "token-1" not in shown + manager.said()
    wait_for(lambda: manager.ask("/v1/ledger")["balanced"] is True, manager.said)
    readers = manager.ask("/v1/ledger")["devices"]
    assert readers["fw"]["readers"]["sink-search"]["not_selected"] == 1
    assert "sink-siem" not in readers["other"]["readers"]
    wait_for(
        lambda: manager.ask("/v1/ledger")["devices"]["other"]["readers"]["sink-search"]["waiting"],
        manager.said,
    )
    said = tsadmin(manager, "doctor", "other")
    assert "sink search (opensearch at 127.0.0.1" in said


def test_an_answer_that_hangs_holds_neither_lines_nor_a_stop(
    manager: Manager, siem: SinkServer
) -> None:
    import threading

    held = threading.Event()

    def hang(_: Taken) -> Reply | None:
        held.wait(60)
        return None

    siem.act = hang
    manager.write_device("fw")
    manager.start()
    send_udp(manager.port("udp"), b"<166>one")
    wait_for(lambda: bool(siem.requests), manager.said)
    send_udp(manager.port("udp"), b"<166>two")
    manager.when_lines("fw", 2)
    process = manager.process
    assert process is not None
    manager.stop()
    assert process.returncode == -signal.SIGTERM, manager.said()
    held.set()
    siem.act = None
    manager.start()
    wait_for(lambda: "<166>two" in [one["event"] for one in siem.events], manager.said)
