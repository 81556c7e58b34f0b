"""
A manager that root starts and that gives root's rights up, and one that never had them.
"""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.manager_process import wait_for
from tests.manager.systemd_machine import Machine, Started, need_machine

pytestmark = pytest.mark.peer("nsenter")

NOBODY = 65534
INSTALL = Path(__file__).parents[2] / "docs/operate/install.md"
IDS = ("Uid", "Gid", "Groups")
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")
FIREWALL = "127.0.0.2"
LISTEN = '[listen]\nudp = ["127.0.0.1:514"{udp}]\ntcp = ["127.0.0.1:514", "127.0.0.1:1470"]\n'


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    need_machine()
    made = Machine(tmp_path)
    try:
        for name in ("etc/tscm", "var/lib/tscm", "var/log/threatstop"):
            folder = made.root / name
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, NOBODY, NOBODY)
        made.manager.layout.settings_file.write_text(LISTEN.format(udp=""))
        made.add_device("fw", FIREWALL)
        yield made
    finally:
        made.end()


@pytest.fixture(params=[("--uid", "nobody", "--gid", "nogroup"), ()], ids=["told", "by itself"])
def dropped(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Started]:
    """Started by root on ports of root's, to go on as nobody: as twistd is told, or as the files belong."""
    started = machine.twistd(*request.param)
    try:
        wait_for(lambda: "tscm manages" in machine.manager_said(), machine.manager_said)
        yield started
    finally:
        started.stop()


def test_root_is_given_up_for_good_and_lines_come_in_on_roots_ports(
    machine: Machine, dropped: Started
) -> None:
    told = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{dropped.pid}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert {one for name in IDS for one in told[name].split()} == {str(NOBODY)}
    assert {int(told[name], 16) for name in CAPABILITIES} == {0}
    with machine.socket(FIREWALL, socket.SOCK_DGRAM) as out:
        out.sendto(b"over UDP", ("127.0.0.1", 514))
        machine.manager.when_lines("fw", 1)
    for number in (514, 1470):
        with machine.socket(FIREWALL, socket.SOCK_STREAM) as out:
            out.connect(("127.0.0.1", number))
            out.sendall(b"over TCP to %d\n" % number)
    assert sorted(machine.manager.when_lines("fw", 3)) == [
        b"over TCP to 1470",
        b"over TCP to 514",
        b"over UDP",
    ]
    made = [
        *machine.manager.layout.logs.rglob("*"),
        *machine.manager.layout.key.parent.rglob("*"),
    ]
    assert {path.name for path in made} >= {"fw", "syslog", "key", "tscm.db"}
    assert {path.stat().st_uid for path in made} == {NOBODY}
    assert dropped.stop() == -signal.SIGTERM  # as twistd ends when it is told to
    assert "Traceback" not in machine.manager_said()


def test_a_port_that_nobody_may_have_is_said_and_the_others_stay(
    machine: Machine, dropped: Started
) -> None:
    machine.manager.layout.settings_file.write_text(LISTEN.format(udp=', "127.0.0.1:515"'))
    wait_for(lambda: "127.0.0.1:515" in machine.manager_said(), machine.manager_said)
    (sentence,) = [one for one in machine.manager_said().splitlines() if "127.0.0.1:515" in one]
    assert "CAP_NET_BIND_SERVICE" in sentence
    assert sentence.endswith("the previous listeners remain")
    assert dropped.pid is not None
    os.kill(dropped.pid, signal.SIGHUP)  # looks at the same settings, ends nothing
    wait_for(lambda: "SIGHUP received" in machine.manager_said(), machine.manager_said)
    with machine.socket(FIREWALL, socket.SOCK_DGRAM) as out:
        out.sendto(b"as before", ("127.0.0.1", 514))
        assert machine.manager.when_lines("fw", 1) == [b"as before"]
    assert dropped.stop() == -signal.SIGTERM  # as twistd ends when it is told to


def test_the_documented_line_without_systemd_works_as_it_stands(machine: Machine) -> None:
    (line,) = re.findall(r"`(twistd --uid tscm [^`]+)`", INSTALL.read_text())
    words = line.replace("--uid tscm --gid tscm", "--uid nobody --gid nogroup").split()
    machine.manager.layout.settings_file.write_text(
        LISTEN.format(udp="") + '[portal]\ndns = ["127.0.0.1:5353"]\nlogs = ["127.0.0.1:6443"]\n'
    )
    folder = machine.root / "srv/here"
    folder.mkdir(parents=True)

    def inside(*command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *("nsenter", "--target", str(machine.pid), "--all", "--"),
                *("env", "--chdir", "/srv/here", f"TZ={os.environ.get('TZ', '')}", *command),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    made = inside("/opt/tscm/bin/tsadmin", "portal", "add", "office", "--address", "192.0.2.1")
    assert made.returncode == 0, made.stderr
    said, pid_file = (
        machine.root / "var/log/threatstop/manager.log",
        machine.root / "var/lib/tscm/twistd.pid",
    )
    started = inside(f"/opt/tscm/bin/{words[0]}", *words[1:])
    try:
        assert started.returncode == 0, started.stderr
        wait_for(lambda: said.exists() and "tscm manages" in said.read_text(), lambda: "no log")
        member = ("setpriv", "--reuid=daemon", "--regid=daemon", "--groups=nogroup")
        asked = inside(*member, "/opt/tscm/bin/tsadmin", "list")
        assert (asked.returncode, "fw" in asked.stdout) == (0, True), asked.stderr
        assert inside(*member, "ls", "/var/log/threatstop/devices/fw").returncode == 0
        other = inside(
            "setpriv",
            "--reuid=daemon",
            "--regid=daemon",
            "--clear-groups",
            "/opt/tscm/bin/tsadmin",
            "status",
        )
        assert "run tsadmin as root or as a member of group" in other.stderr
        assert not list(folder.iterdir())
        assert "Traceback" not in said.read_text()
        portal = machine.root / "var/lib/tscm/portal"
        assert {one.stat().st_uid for one in (portal, *portal.rglob("*"))} == {NOBODY}
    finally:
        if pid_file.exists():
            inside("kill", pid_file.read_text())
            wait_for(lambda: not pid_file.exists(), said.read_text)


def test_a_manager_of_roots_follows_no_link_in_the_folders_of_another(machine: Machine) -> None:
    victim = machine.root / "etc/victim"
    victim.write_text("precious\n")
    state = machine.root / "var/lib/tscm"
    (state / "lock").symlink_to("/etc/victim")
    (state / "tscm.db").symlink_to("/etc/made")
    refused = machine.twistd()
    assert refused.ended() == 1
    assert "var/lib/tscm/lock: it is a symbolic link" in machine.manager_said()
    (state / "lock").unlink()
    started = machine.twistd()
    try:
        wait_for(lambda: "tscm manages" in machine.manager_said(), machine.manager_said)
        wait_for(lambda: "tscm.db cannot be used" in machine.manager_said(), machine.manager_said)
    finally:
        started.stop()
    assert victim.read_text() == "precious\n"
    assert not (machine.root / "etc/made").exists()


def test_who_may_not_have_a_port_is_told_what_to_do(machine: Machine) -> None:
    user = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    run = machine.root / "run/tscm"
    run.mkdir()
    os.chown(run, NOBODY, NOBODY)
    said = machine.manager.log
    said.touch()
    os.chown(said, NOBODY, NOBODY)
    refused = machine.twistd(as_user=user)
    assert refused.ended() == 4
    (sentence,) = [one for one in machine.manager_said().splitlines() if "514" in one]
    assert "CAP_NET_BIND_SERVICE" in sentence
    assert "Traceback" not in machine.manager_said()
    assert not machine.manager.layout.logs.exists()
