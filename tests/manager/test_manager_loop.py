"""
A device whose lines are to be forwarded to the manager itself: they come in once, and go nowhere.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for
from tests.manager.test_manager_ledger import tsadmin

LINES = [b"<166>%%ASA-6-302013: line %04d" % number for number in range(100)]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.stop()


def forward_to(manager: Manager, port: int, protocol: str = "UDP", host: str = "127.0.0.1") -> None:
    manager.write_device(
        "fw",
        syslog_forward=True,
        forward_address=host,
        forward_port=port,
        forward_protocol=protocol,
    )


def sentence(manager: Manager) -> str:
    state = manager.ask("/v1/devices/fw")["state"]
    return str((state.get("forward") or {}).get("sentence"))


@pytest.mark.parametrize(("protocol", "host"), [("UDP", "localhost"), ("TCP", "127.0.0.1")])
def test_a_file_that_forwards_to_the_manager_makes_no_loop(
    manager: Manager, protocol: str, host: str
) -> None:
    manager.write_device("fw")
    manager.start()
    forward_to(manager, manager.port(protocol.lower()), protocol, host)
    wait_for(lambda: "own listener" in sentence(manager), manager.said)
    send_udp(manager.port("udp"), *LINES)
    manager.when_lines("fw", 100)
    said = tsadmin(manager, "doctor", "fw", "--json").stdout
    assert "own listener" in said
    assert sorted(manager.lines("fw")) == LINES
    found = manager.ask("/v1/ledger")
    assert found["balanced"]
    assert found["devices"]["fw"]["readers"]["forward"]["sent"] == 0
    assert found["devices"]["fw"]["stored"] == 100


def test_a_command_that_would_make_a_loop_is_refused(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    for kind, protocol in (("udp", "UDP"), ("tcp", "TCP"), ("tcp", "TLS")):
        done = tsadmin(
            manager,
            "configure",
            "fw",
            *("--syslog_forward", "yes", "--forward_address", "127.0.0.1"),
            *("--forward_port", str(manager.port(kind)), "--forward_protocol", protocol),
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert "this manager's own listener" in " ".join(done.stderr.split())
    assert manager.ask("/v1/devices/fw")["settings"]["syslog_forward"] is False


def test_a_listener_that_is_opened_where_lines_are_sent_ends_that(manager: Manager) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as siem:
        siem.bind(("127.0.0.1", 0))
        port = siem.getsockname()[1]
        forward_to(manager, port)
        manager.start()
        send_udp(manager.port("udp"), LINES[0])
        siem.settimeout(20)
        assert siem.recv(65536) == LINES[0]
    text = SETTINGS.replace('"[::1]:0"]', f'"[::1]:0", "127.0.0.1:{port}"]', 1)
    manager.layout.settings_file.write_text(text)
    wait_for(lambda: len(manager.ask("/v1/status")["listeners"]["udp"]) == 3, manager.said)
    send_udp(manager.port("udp"), *LINES[1:])
    wait_for(lambda: "own listener" in sentence(manager), manager.said)
    manager.when_lines("fw", 100)
    assert sorted(manager.lines("fw")) == LINES
    assert manager.ask("/v1/ledger")["balanced"]
