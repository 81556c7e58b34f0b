"""
`ssh` within the unit: it must be able to ask which host keys are pinned, and to reach a terminal of its own.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.kinds.asa.ssh.test_ssh_openssh import NO_PIN, Daemon
from tests.manager.systemd_machine import SERVICE, Machine

pytestmark = [pytest.mark.peer("systemctl"), pytest.mark.peer("ssh"), pytest.mark.peer("sshd")]


@pytest.fixture
def server(machine: Machine, tmp_path: Path) -> Iterator[Daemon]:
    """An sshd in the machine's network, which knows no password."""
    host = tmp_path / "host"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(host)], check=True
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as its service does
    config = tmp_path / "sshd.conf"
    config.write_text(f"HostKey {host}\nUsePAM no\nPidFile none\n")
    with machine.network():
        listener = socket.create_server(("127.0.0.1", 0))
    made = Daemon(tmp_path, config, listener)
    thread = Thread(target=made.serve, daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)
    for one in made.running:
        one.kill()
        one.wait()


@pytest.mark.parametrize("pinned", [True, False])
def test_a_host_key_is_looked_up_within_the_unit(
    machine: Machine, server: Daemon, *, pinned: bool
) -> None:
    key = server.pin if pinned else NO_PIN
    machine.add_device("fw-ssh", "127.0.0.1", type="asa", ssh_port=server.port, host_key=[key])
    machine.systemctl("start", SERVICE)
    answer = machine.manager.command("POST", "/v1/devices/fw-ssh/doctor", {})
    found = {one["link"]: one for one in answer["result"]["findings"]}
    shown, login = found["host key"], found["login"]
    if pinned:
        assert shown["verdict"] == "ok", shown
        assert "rejected the user name or the password" in login["sentence"]
    else:
        assert "not one that its settings pin" in shown["sentence"]
        assert server.pin in shown["sentence"]
