"""
The manager under the real systemd, its units as they are shipped.
"""

import os
import signal
import socket
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.manager.manager_process import wait_for
from tests.manager.systemd_load import (
    DEVICES,
    FILL,
    MANAGER,
    SETTINGS,
    Sender,
    datagrams,
    new_connections,
    numbers,
    stream,
)
from tests.manager.systemd_machine import SERVICE, Machine
from tests.manager.systemd_root import USER_ID

pytestmark = pytest.mark.peer("systemctl")

MORE_THAN_A_START_LIMIT = 7  # systemd gives up after 5 within 10 seconds, unless told otherwise
CAP_NET_BIND_SERVICE, CAP_NET_ADMIN = 1 << 10, 1 << 12


def sockets_of(process: Path) -> set[str]:
    links = [str(one.readlink()) for one in (process / "fd").iterdir() if one.is_symlink()]
    return {link for link in links if link.startswith("socket:")}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_the_units_serve_port_514_as_a_user_without_rights(machine: Machine) -> None:
    held = sockets_of(Path(f"/proc/{machine.pid}"))
    machine.systemctl("start", SERVICE)
    pid = machine.manager_pid()
    status = status_of(pid)
    assert status["Uid"].split() == status["Gid"].split() == [str(USER_ID)] * 4
    assert status["NoNewPrivs"] == "1"
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == CAP_NET_BIND_SERVICE | CAP_NET_ADMIN
    assert len(sockets_of(Path(f"/proc/{pid}")) & held) == 6
    listeners = machine.manager.ask("/v1/status")["listeners"]
    assert listeners["udp"] == ["0.0.0.0:514", "[::]:514"]
    assert sorted(listeners["tcp"]) == ["0.0.0.0:1470", "0.0.0.0:514", "[::]:1470", "[::]:514"]
    with machine.socket(DEVICES["fw-udp"], socket.SOCK_DGRAM) as out:
        out.sendto(b"udp 0" + FILL, MANAGER)
    machine.manager.when_lines("fw-udp", 1)
    folder = machine.manager.layout.device_log("fw-udp")
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in [folder, *folder.iterdir()]}
    assert owners == {(USER_ID, USER_ID)}


def test_a_restart_under_load_loses_no_line_and_refuses_nobody(machine: Machine) -> None:
    machine.systemctl("start", SERVICE)
    kinds = {"fw-udp": datagrams, "fw-tcp": stream, "fw-new": new_connections}
    with ExitStack() as stack:
        senders = {name: stack.enter_context(Sender(kind(machine))) for name, kind in kinds.items()}
        for _ in range(2):
            time.sleep(0.5)
            machine.systemctl("restart", SERVICE)
        time.sleep(0.5)
        sent = {name: sender.end() for name, sender in senders.items()}
    for name, count in sent.items():
        machine.manager.when_lines(name, count)
    machine.systemctl("stop", SERVICE)
    for name in ("fw-udp", "fw-tcp"):
        assert numbers(machine, name) == list(range(sent[name]))
    assert sorted(numbers(machine, "fw-new")) == list(range(sent["fw-new"]))


def test_settings_come_into_force_without_a_restart(machine: Machine) -> None:
    machine.systemctl("start", SERVICE)
    pid = machine.manager_pid()
    before = sockets_of(Path(f"/proc/{pid}"))
    more = (
        SETTINGS
        + '[listen]\ntcp = ["0.0.0.0:514", "[::]:514", "0.0.0.0:1470", "[::]:1470", "0.0.0.0:601"]\n'
    )
    with Sender(stream(machine)) as sender:
        machine.manager.layout.settings_file.write_text(more)
        wait_for(
            lambda: "0.0.0.0:601" in machine.manager.ask("/v1/status")["listeners"]["tcp"],
            machine.manager_said,
        )
        sent = sender.end()
    machine.manager.when_lines("fw-tcp", sent)
    assert numbers(machine, "fw-tcp") == list(range(sent))
    assert machine.manager_pid() == pid
    assert len(before - sockets_of(Path(f"/proc/{pid}"))) <= 1  # of the question


def test_a_manager_that_stands_still_is_replaced(machine: Machine) -> None:
    machine.drop_in("[Service]\nWatchdogSec=3\n")
    machine.systemctl("start", SERVICE)
    pid = machine.manager_pid()
    os.kill(pid, signal.SIGSTOP)
    with Sender(datagrams(machine)) as sender, Sender(new_connections(machine)) as newcomers:
        wait_for(lambda: machine.property("NRestarts") == "1", machine.manager_said)
        wait_for(lambda: machine.property("SubState") == "running", machine.manager_said)
        assert machine.manager_pid() not in {0, pid}
        sent, connected = sender.end(), newcomers.end()
    machine.manager.when_lines("fw-udp", sent)
    machine.manager.when_lines("fw-new", connected)
    assert numbers(machine, "fw-udp") == list(range(sent))
    assert sorted(numbers(machine, "fw-new")) == list(range(connected))


def restarted_more_than(machine: Machine, times: int) -> bool:
    return int(machine.property("NRestarts")) > times


def test_a_manager_that_cannot_start_for_long_does_not_cost_the_sockets(machine: Machine) -> None:
    with Sender(datagrams(machine)) as sender, Sender(new_connections(machine)) as newcomers:
        for round_ in range(MORE_THAN_A_START_LIMIT):
            wait_for(lambda: machine.property("SubState") == "start", machine.manager_said)
            machine.systemctl("kill", "--signal", "KILL", SERVICE)
            wait_for(partial(restarted_more_than, machine, round_), machine.manager_said)
        wait_for(lambda: machine.property("SubState") == "running", machine.manager_said)
        sent, connected = sender.end(), newcomers.end()
    machine.manager.when_lines("fw-udp", sent)
    machine.manager.when_lines("fw-new", connected)
    assert numbers(machine, "fw-udp") == list(range(sent))
    assert sorted(numbers(machine, "fw-new")) == list(range(connected))
