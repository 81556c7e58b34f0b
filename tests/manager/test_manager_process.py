"""
The manager as a process: started by twistd, fed by real senders, stopped and killed.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import (
    Manager,
    send_udp,
    start_and_fail,
    wait_for,
)
from tests.ports import held_port


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.stop()


@pytest.mark.peer("logger")
def test_what_logger_sends_over_udp_and_tcp_is_in_the_devices_file(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    udp, tcp, tcp_too = manager.port("udp"), manager.port("tcp"), manager.port("tcp", 1)
    for where, words in (
        ("127.0.0.1", ["--udp", "--port", str(udp), "over UDP \\n with a backslash"]),
        ("127.0.0.1", ["--tcp", "--port", str(tcp), "over TCP"]),
        ("127.0.0.2", ["--tcp", "--port", str(tcp_too), "over the other TCP port"]),
        ("127.0.0.1", ["--tcp", "--port", str(tcp), "--octet-count", "counted by octets"]),
    ):
        subprocess.run(["logger", "--server", where, "-t", "asa", *words], check=True)
    lines = manager.when_lines("fw", 4)
    assert len(lines) == 4
    for text in (
        b" over UDP \\n with a backslash",
        b" over TCP",
        b" over the other TCP port",
        b" counted by octets",
    ):
        assert sum(line.endswith(text) for line in lines) == 1, (text, lines)
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert ledger["received"] == ledger["stored_since_start"] == 4


def test_devices_are_told_apart_by_address_and_strangers_are_counted(manager: Manager) -> None:
    manager.write_device("one", device="127.0.0.2")
    manager.write_device("two", device="127.0.0.3", syslog_sources=("127.0.0.4", "::1"))
    manager.start()
    udp, udp6 = manager.port("udp"), manager.port("udp", 1)
    send_udp(udp, b"<166>a", b"<166>b", source="127.0.0.2")
    send_udp(udp, b"<166>c", source="127.0.0.3")
    send_udp(udp, b"<166>d\n", source="127.0.0.4")
    send_udp(udp6, b"<166>e", source="::1")
    send_udp(udp, b"<166>whose?", source="127.0.0.9")
    assert manager.when_lines("one", 2) == [b"<166>a", b"<166>b"]
    assert sorted(manager.when_lines("two", 3)) == [b"<166>c", b"<166>d", b"<166>e"]
    wait_for(lambda: bool(manager.ask("/v1/senders")), manager.said)
    (stranger,) = manager.ask("/v1/senders")
    assert stranger["address"] == "127.0.0.9"
    assert stranger["lines"] == 1
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert (ledger["received"], ledger["dropped"]) == (6, 1)
    assert not manager.layout.device_log("127.0.0.9").exists()


def test_a_stranger_that_is_adopted_is_heard_from_then_on(manager: Manager) -> None:
    manager.write_device("fw", device="127.0.0.2")
    manager.start()
    send_udp(manager.port("udp"), b"<166>before", source="127.0.0.9")
    wait_for(lambda: bool(manager.ask("/v1/senders")), manager.said)
    found = manager.command("POST", "/v1/senders/127.0.0.9/adopt", {"name": "fw"})
    assert "error" not in found, found
    send_udp(manager.port("udp"), b"<166>after", source="127.0.0.9")
    assert manager.when_lines("fw", 1) == [b"<166>after"]
    assert manager.ask("/v1/senders") == []


def test_nobody_is_adopted_who_was_never_heard(manager: Manager) -> None:
    manager.write_device("fw", device="127.0.0.2")
    manager.start()
    found = manager.command("POST", "/v1/senders/127.0.0.77/adopt", {"name": "fw"})
    assert "127.0.0.77 is not in the list of unknown senders;" in found["error"]["sentence"]
    assert "tsadmin configure fw --syslog_sources '127.0.0.77'" in found["error"]["sentence"]
    assert "127.0.0.77" not in manager.layout.device_file("fw").read_text()


def test_rejected_batches_are_listed_where_no_log_service_is_set(manager: Manager) -> None:
    manager.write_device("fw", device="127.0.0.2", send_logs=False)
    manager.start()
    assert manager.command("GET", "/v1/devices/fw/aside")["result"]["batches"] == []


def test_a_message_with_line_ends_stays_one_line_and_64_kb_stay_whole(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    whole = b"<166>" + b"x" * 60_000
    send_udp(manager.port("udp"), b"<166>one\ntwo\rthree\0four", whole)
    with socket.create_connection(("127.0.0.1", manager.port("tcp")), 5) as out:
        out.sendall(b"<166>" + b"y" * 65_531 + b"\n<166>next\n")
    lines = manager.when_lines("fw", 4)
    assert b"<166>one\x10ntwo\x10rthree\x100four" in lines
    assert whole in lines
    assert b"<166>" + b"y" * 65_531 in lines
    assert b"<166>next" in lines


def test_a_file_edited_by_hand_is_picked_up_and_a_faulty_one_leaves_the_old(
    manager: Manager,
) -> None:
    manager.write_device("fw", device="127.0.0.2")
    manager.start()
    udp = manager.port("udp")
    path = manager.layout.device_file("fw")
    text = path.read_text()
    path.write_text(text.replace("log_rotate_size = 100", "log_rotate_size = 49"))
    wait_for(
        lambda: bool(manager.ask("/v1/status")["faults"]), lambda: str(manager.ask("/v1/status"))
    )
    assert "49 is out of range" in manager.ask("/v1/status")["faults"]["fw"]
    (row,) = manager.ask("/v1/devices")
    assert row["log_rotate_size"] == 100
    assert "49 is out of range" in row["fault"]
    listed = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 2
    assert "| fw " in listed.stdout
    assert "the previous settings remain in force" in listed.stderr
    send_udp(udp, b"<166>still collected", source="127.0.0.2")
    manager.when_lines("fw", 1)

    path.write_text(text.replace("127.0.0.2", "127.0.0.3"))
    wait_for(
        lambda: not manager.ask("/v1/status")["faults"], lambda: str(manager.ask("/v1/status"))
    )
    send_udp(udp, b"<166>from the new address", source="127.0.0.3")
    assert manager.when_lines("fw", 2)[1] == b"<166>from the new address"

    path.unlink()
    wait_for(lambda: manager.ask("/v1/devices") == [], manager.said)
    assert len(manager.lines("fw")) == 2


def test_other_listeners_come_into_force_and_a_fault_leaves_the_old(manager: Manager) -> None:
    manager.write_device("fw", device="127.0.0.2")
    manager.start()
    udp, tcp = manager.port("udp"), manager.port("tcp")
    file = manager.layout.settings_file
    text = file.read_text()
    with socket.create_connection(("127.0.0.1", tcp), 5, ("127.0.0.2", 0)) as stream:
        stream.sendall(b"<166>first\n")
        manager.when_lines("fw", 1)
        for fault in ("max_connections = 0", "no TOML ["):
            file.write_text(text + f"[intake]\n{fault}\n")
            wait_for(lambda: bool(manager.ask("/v1/status")["faults"]), manager.said)
            stream.sendall(b"<166>still there\n")
            file.write_text(text)
            wait_for(lambda: not manager.ask("/v1/status")["faults"], manager.said)
        manager.when_lines("fw", 3)
        file.write_text(text.replace('"[::1]:0"', '"127.0.0.3:0"'))
        wait_for(lambda: "127.0.0.3:" in str(manager.ask("/v1/status")["listeners"]), manager.said)
        assert (manager.port("udp"), manager.port("tcp")) == (udp, tcp)
        stream.sendall(b"<166>on the same connection\n")
        send_udp(udp, b"<166>to the same socket", source="127.0.0.2")
        manager.when_lines("fw", 5)


def test_a_lost_key_does_not_stop_the_collecting(manager: Manager) -> None:
    manager.write_device("fw")
    manager.layout.key.unlink()
    manager.start()
    send_udp(manager.port("udp"), b"<166>collected")
    manager.when_lines("fw", 1)
    assert "lost" in manager.ask("/v1/status")["faults"]["fw"]
    found = manager.command("POST", "/v1/devices/fw/update", {})
    assert "lost" in found["error"]["sentence"]
    assert found["error"]["exit_status"] == 3


def test_nothing_that_was_stored_is_lost_by_a_kill(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    send_udp(manager.port("udp"), *(b"<166>line %d" % n for n in range(500)))
    manager.when_lines("fw", 500)
    manager.stop(signal.SIGKILL)
    manager.start()
    send_udp(manager.port("udp"), b"<166>after the kill")
    lines = manager.when_lines("fw", 501)
    assert lines == [*(b"<166>line %d" % n for n in range(500)), b"<166>after the kill"]
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"]
    assert ledger["devices"]["fw"]["stored"] == 501
    assert ledger["devices"]["fw"]["unclean_stops"] == 1


def test_logs_are_rotated_by_size(manager: Manager) -> None:
    manager.write_device("fw", log_rotate_size=50)
    manager.start()
    udp = manager.port("udp")
    sent = 0
    # A log is sealed at most once a second, so that how much each segment holds depends on the machine.
    while len(list(manager.layout.device_log("fw").glob("syslog.*"))) < 2:
        assert sent < 20 * 600, manager.said()
        send_udp(udp, *(b"<166>%d " % (sent + k) + b"." * 1000 for k in range(20)))
        sent += 20
        manager.when_lines("fw", sent)
        time.sleep(0.1)
    assert len(manager.lines("fw")) == sent


def test_tcp_stays_open_over_everything_that_is_asked_of_the_manager(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    with socket.create_connection(("127.0.0.1", manager.port("tcp")), 5) as out:
        out.sendall(b"<166>one\n<166>tw")
        manager.when_lines("fw", 1)
        path = manager.layout.device_file("fw")
        path.write_text(path.read_text().replace("log_rotate_size = 100", "log_rotate_size = 50"))
        wait_for(
            lambda: manager.ask("/v1/devices/fw")["settings"]["log_rotate_size"] == 50,
            manager.said,
        )
        out.sendall(b"o\n%%%garbage\x00\xff\n <166>three\n")
        lines = manager.when_lines("fw", 4)
        out.settimeout(0.2)
        with pytest.raises(TimeoutError):
            out.recv(1)
    assert lines[:2] == [b"<166>one", b"<166>two"]
    assert lines[-1] == b"<166>three"


def test_a_hang_up_closes_nothing_and_changed_settings_are_read(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    assert manager.process is not None
    with socket.create_connection(("127.0.0.1", manager.port("tcp")), 5) as out:
        out.sendall(b"<166>one\n<166>tw")
        manager.when_lines("fw", 1)
        path = manager.layout.device_file("fw")
        path.write_text(path.read_text().replace("log_rotate_size = 100", "log_rotate_size = 50"))
        for times in (1, 2):
            os.kill(manager.process.pid, signal.SIGHUP)
            wait_for(lambda: manager.said().count("SIGHUP received") == times, manager.said)  # noqa: B023
        wait_for(
            lambda: manager.ask("/v1/devices/fw")["settings"]["log_rotate_size"] == 50,
            manager.said,
        )
        out.sendall(b"o\n")
        assert manager.when_lines("fw", 2) == [b"<166>one", b"<166>two"]
        assert manager.process.poll() is None
    assert "Traceback" not in manager.said()


def test_signals_that_mean_nothing_end_nothing(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    assert manager.process is not None
    with socket.create_connection(("127.0.0.1", manager.port("tcp")), 5) as out:
        out.sendall(b"<166>one\n")
        manager.when_lines("fw", 1)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGIO):
            os.kill(manager.process.pid, number)
            words = f"{number.name} has no effect here and is ignored"
            wait_for(lambda: words in manager.said(), manager.said)  # noqa: B023
        out.sendall(b"<166>two\n")
        assert manager.when_lines("fw", 2) == [b"<166>one", b"<166>two"]
        assert manager.process.poll() is None


@pytest.mark.parametrize(
    ("settings", "status", "sentence"),
    [
        ('[listen]\nudp = ["127.0.0.1:{port}"]\ntcp = []\n', 4, "cannot listen for"),
        ('[listen]\nudp = []\ntcp = ["127.0.0.1:{port}"]\n', 4, "cannot listen for"),
        ("[listen]\nudp = 7\nfoo = 1\n", 2, "2 errors"),
        ("not toml at all", 2, "not valid TOML"),
    ],
)
def test_a_manager_that_cannot_start_says_why_in_a_sentence(
    tmp_path: Path, settings: str, status: int, sentence: str
) -> None:
    port = held_port()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", port)),
    ):
        udp.bind(("127.0.0.1", port))
        Manager(tmp_path, settings.replace("{port}", str(port)))
        done = start_and_fail(tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert sentence in done.stderr
    assert done.stderr.startswith("[ERROR] : ")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_root_that_is_no_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("")
    done = start_and_fail(root)
    assert done.returncode == 1
    assert done.stderr.startswith("[ERROR] : ")
    assert "Not a directory" in done.stderr
    assert "--root" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_second_manager_on_one_root_is_refused(manager: Manager) -> None:
    manager.start()
    done = start_and_fail(manager.layout.root)
    assert done.returncode == 5
    assert "only one manager" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert manager.ask("/v1/status")["devices"] == 0


def test_it_stops_in_order(manager: Manager) -> None:
    manager.write_device("fw", syslog_forward=True, forward_address="127.0.0.1", forward_port=9)
    manager.start()
    send_udp(manager.port("udp"), b"<166>last words")
    manager.stop()
    assert manager.lines("fw") == [b"<166>last words"]
    assert "Traceback" not in manager.said()
    manager.start()
    assert manager.ask("/v1/ledger")["devices"]["fw"]["unclean_stops"] == 0


def test_a_log_is_rotated_also_where_nothing_is_uploaded(manager: Manager) -> None:
    manager.write_device("fw")
    manager.start()
    send_udp(manager.port("udp"), b"<166>one", b"<166>two")
    manager.when_lines("fw", 2)
    done = manager.command("POST", "/v1/devices/fw/logs")["result"]
    assert (done["rotated"], done["lines"]) == (True, 0)
    assert done["sentence"].startswith("the log is rotated; logs of fw are not uploaded: ")
    assert (manager.layout.device_log("fw") / f"syslog.{0:020d}").exists()
    assert (manager.layout.device_log("fw") / "syslog").stat().st_size == 0
    again = manager.command("POST", "/v1/devices/fw/logs")["result"]
    assert again["rotated"] is False
    assert again["sentence"].startswith("no line was received since the log was last rotated; ")
    assert "error" in manager.command("POST", "/v1/devices/nobody/logs")
