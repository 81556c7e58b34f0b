"""
Ledger, backlogs and batches set aside, as an operator sees them on a running manager.
"""

import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.intake.certificates import Authority
from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tscm.ledger.book import UNTOLD

HIT = b"<166>%%ASA-6-106100: access-list a denied tcp i/192.0.2.1(1) -> o/1.2.3.4(%d)"
SIEM: dict[str, Any] = {
    "syslog_forward": True,
    "forward_address": "127.0.0.1",
    "forward_port": 9,
    "forward_protocol": "TCP",
    "forward_also": ("tcp://127.0.0.1:7", "tcp://127.0.0.2:7?mode=rfc5424"),
}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.stop()


class LogServer(ThreadingHTTPServer):
    """A log service that refuses for good for as long as it is told to."""

    refusing = True
    taken: list[str]
    ca_file: Path


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers["content-length"]))
        batch = self.headers["idempotency-key"].strip('"')
        answer = {"status": "stored", "batch": batch, "lines": 0, "bytes": 0}
        if server.refusing:
            answer = {"error": "no such format"}
        else:
            server.taken.append(batch)
        body = json.dumps(answer).encode()
        self.send_response(400 if server.refusing else 201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        pass


@pytest.fixture
def log_server(tmp_path: Path) -> Iterator[LogServer]:
    authority = Authority(tmp_path)
    issued = authority.issue("logs", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_file, issued.key_file)
    server = LogServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.ca_file, server.taken = authority.issued.certificate_file, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def tsadmin(manager: Manager, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_received_is_stored_and_dropped_over_stops_and_kills(manager: Manager) -> None:
    manager.write_device("fw")
    for at, how in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)):
        manager.start()
        send_udp(manager.port("udp"), b"<166>one", b"<166>two")
        send_udp(manager.port("udp"), b"<166>stranger", source="127.0.0.9")
        wait_for(lambda: manager.ask("/v1/ledger")["received"] == 3, manager.said)
        manager.when_lines("fw", 2 * (at + 1))
        manager.stop(how)
    manager.start()
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    book = ledger["book"]
    # the second stranger came after the last note of a manager that was killed: within the gap
    assert (book["received"], book["stored"], book["dropped"]) == (8, 6, 2)
    assert book["listeners"][UNTOLD]["stored"] == 2
    assert book["dropped_by_sender"] == {"127.0.0.9": 2}
    assert (book["starts"], book["gaps_total"]) == (4, 1)
    (gap,) = book["gaps"]
    assert gap["after"] < gap["before"]
    assert ledger["devices"]["fw"]["stored"] == 6
    said = tsadmin(manager, "ledger")
    assert said.returncode == 0, said.stderr
    for words in ("over 4 starts", UNTOLD, "Unclean stops", "unknown sender 127.0.0.9"):
        assert words in said.stdout


def test_every_target_is_shown_and_what_waits_for_one_that_goes_is_kept_and_listed(
    manager: Manager,
) -> None:
    manager.write_device("fw", **SIEM)
    manager.start()
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    manager.when_lines("fw", 2)
    shown = " ".join(tsadmin(manager, "show", "fw").stdout.split())
    balance = tsadmin(manager, "ledger", "fw").stdout
    for target in ("TCP 127.0.0.1:9", "TCP 127.0.0.1:7", "TCP 127.0.0.2:7"):
        assert f"{target} " in shown
        assert target in balance
    assert shown.count("backlog 2 lines") == 3

    done = tsadmin(manager, "configure", "fw", "--forward_also", "tcp://127.0.0.1:7")
    assert done.returncode == 0
    assert "kept for its return" in done.stderr
    readers = manager.ask("/v1/ledger?device=fw")["devices"]["fw"]["readers"]
    (gone,) = [name for name, one in readers.items() if one["orphan"]]
    assert readers[gone]["waiting"] == 2
    assert "unused" in tsadmin(manager, "ledger", "fw").stdout
    assert f"reader {gone} has a backlog of 2 lines" in tsadmin(manager, "show", "fw").stdout
    listed = json.loads(tsadmin(manager, "spool", "list", "--json").stdout)
    assert listed[0]["orphaned_readers"] == [gone]

    refused = tsadmin(manager, "spool", "drop", "--yes", "fw", "forward")
    assert refused.returncode == 1
    assert "is in use" in refused.stderr
    assert "a backlog of 2 lines" in tsadmin(manager, "spool", "drop", "--yes", "fw", gone).stdout
    assert gone not in manager.ask("/v1/ledger?device=fw")["devices"]["fw"]["readers"]
    assert "has no reader" in tsadmin(manager, "spool", "drop", "--yes", "fw", gone).stderr


def test_a_device_that_comes_back_goes_on_where_its_readers_stood(manager: Manager) -> None:
    manager.write_device("fw", **SIEM)
    manager.start()
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    manager.when_lines("fw", 2)
    file = manager.layout.device_file("fw")
    kept = file.read_bytes()
    file.unlink()
    wait_for(lambda: manager.ask("/v1/devices") == [], manager.said)
    file.write_bytes(kept)
    file.chmod(0o600)
    wait_for(lambda: len(manager.ask("/v1/devices")) == 1, manager.said)
    readers = manager.ask("/v1/ledger")["devices"]["fw"]["readers"]
    assert readers["forward"]["waiting"] == 2


def test_a_reader_is_dropped_offline_too(manager: Manager) -> None:
    manager.write_device("fw", **SIEM)
    manager.start()
    manager.stop()
    manager.write_device("fw", **{**SIEM, "forward_also": ()})
    listed = json.loads(tsadmin(manager, "spool", "list", "--json").stdout)
    assert len(listed[0]["orphaned_readers"]) == 2
    gone = listed[0]["orphaned_readers"][0]
    assert tsadmin(manager, "spool", "drop", "--yes", "fw", "forward").returncode == 1
    assert tsadmin(manager, "spool", "drop", "--yes", "fw", "../key").returncode == 1
    assert tsadmin(manager, "spool", "drop", "--yes", "fw", gone).returncode == 0
    listed = json.loads(tsadmin(manager, "spool", "list", "--json").stdout)
    assert gone not in listed[0]["readers"]


def test_the_log_of_a_removed_device_is_deleted_and_one_of_the_name_begins_anew(
    manager: Manager,
) -> None:
    manager.write_device("fw", **SIEM)
    manager.start()
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    manager.when_lines("fw", 2)
    delete = ("spool", "delete", "--yes", "fw")
    assert "belongs to a device" in tsadmin(manager, *delete).stderr

    manager.layout.device_file("fw").unlink()
    wait_for(lambda: manager.ask("/v1/devices") == [], manager.said)
    assert "2 lines" in tsadmin(manager, *delete).stdout
    assert not manager.layout.device_log("fw").exists()
    again = tsadmin(manager, *delete)
    assert again.returncode == 1
    assert "no log of 'fw'" in again.stderr
    manager.write_device("fw", **SIEM)
    wait_for(lambda: len(manager.ask("/v1/devices")) == 1, manager.said)
    send_udp(manager.port("udp"), b"<166>three")
    manager.when_lines("fw", 1)
    assert manager.ask("/v1/ledger")["balanced"]

    manager.stop()
    manager.layout.device_file("fw").unlink()
    done = tsadmin(manager, *delete)
    assert done.returncode == 0, done.stderr
    manager.write_device("fw", **SIEM)
    manager.start()
    send_udp(manager.port("udp"), b"<166>four")
    manager.when_lines("fw", 1)
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert ledger["book"]["gaps"] == []
    manager.stop()


def test_a_batch_that_was_set_aside_is_listed_sent_again_or_dropped(
    tmp_path: Path, log_server: LogServer
) -> None:
    url = f"https://127.0.0.1:{log_server.server_address[1]}"
    settings = f'{SETTINGS}\n[upload]\nurl = "{url}"\nca_file = "{log_server.ca_file}"\n'
    (tmp_path / "root").mkdir()
    manager = Manager(tmp_path / "root", settings)
    manager.write_device("fw")
    manager.start()
    try:
        for at in range(2):
            send_udp(manager.port("udp"), HIT % at)
            manager.when_lines("fw", at + 1)
            for _ in range(3):
                manager.command("POST", "/v1/devices/fw/logs")
        shown = tsadmin(manager, "show", "fw").stdout
        assert "2; list them with `tsadmin logs fw --rejected`" in shown
        told = tsadmin(manager, "ledger", "fw").stderr
        assert "fw: the log service rejected 2 batches" in told
        assert "`tsadmin logs fw --rejected`" in told
        listed = json.loads(tsadmin(manager, "logs", "fw", "--rejected", "--json").stdout)
        first, second = (one["key"] for one in listed["batches"])
        table = tsadmin(manager, "logs", "fw", "--rejected").stdout
        assert first in table
        assert "no such format" in table

        refused = tsadmin(manager, "logs", "fw", "--send", first)
        assert refused.returncode == 1
        assert "no such format" in refused.stderr
        log_server.refusing = False
        assert "1 batch of 1 line resent" in tsadmin(manager, "logs", "fw", "--send", first).stdout
        assert log_server.taken == [first]
        assert (
            "1 batch of 1 line dropped"
            in tsadmin(manager, "logs", "fw", "--drop", "all", "--yes").stdout
        )
        assert second not in log_server.taken
        assert "no rejected" in tsadmin(manager, "logs", "fw", "--rejected").stdout
        assert "list them with" in tsadmin(manager, "logs", "fw", "--send", first).stderr
        assert "nothing to send" in tsadmin(manager, "logs", "fw").stdout
        assert tsadmin(manager, "logs", "fw", "--rejected", "--drop", "all").returncode == 2
        assert manager.ask("/v1/ledger")["balanced"]
    finally:
        manager.stop()
