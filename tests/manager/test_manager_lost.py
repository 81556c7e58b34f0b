"""
What a restart and a kill under load take with them, under the real systemd; see docs/operate/limits.md.
"""

import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.intake.certificates import Authority
from tests.manager.manager_process import wait_for
from tests.manager.systemd_load import DEVICES, FILL, MANAGER, SETTINGS, Sender, datagrams, numbers
from tests.manager.systemd_machine import SERVICE, Machine
from tests.manager.systemd_root import USER_ID

pytestmark = pytest.mark.peer("systemctl")

ROUNDS = 3
SOME = 100
LARGEST_BATCH = 4096
TLS = ("127.0.0.1", 6514)
LISTEN = """
[listen]
tls = ["127.0.0.1:6514"]
tls_certificate = "/etc/tscm/server.pem"
tls_key = "/etc/tscm/server.key"
"""


class Again:
    """
    Sends lines over one connection after the other, as a firewall does; *connect* makes one.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._connection = connect()
        self.begun = [0]
        """With which line each connection began."""

    def __call__(self, number: int) -> None:
        line = b"tcp %d%b\n" % (number, FILL)
        try:
            self._connection.sendall(line)
        except OSError:
            self._connection.close()
            self._connection = self._connect()
            self.begun.append(number)
            self._connection.sendall(line)


def plain(machine: Machine) -> socket.socket:
    out = machine.socket(DEVICES["fw-tcp"], socket.SOCK_STREAM)
    out.connect(MANAGER)
    return out


def secure(machine: Machine, trusted: ssl.SSLContext) -> socket.socket:
    """The manager holds this listener itself: while it is away, connections are refused."""
    deadline = time.monotonic() + 60
    while True:
        out = machine.socket(DEVICES["fw-new"], socket.SOCK_STREAM)
        try:
            out.connect(TLS)
            return trusted.wrap_socket(out, server_hostname="127.0.0.1")
        except OSError:
            out.close()
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def trusted(machine: Machine, tmp_path: Path) -> ssl.SSLContext:
    """A manager with TLS, running; what its senders trust."""
    authority = Authority(tmp_path)
    server = authority.issue("server", "127.0.0.1")
    for source, name in ((server.certificate_file, "server.pem"), (server.key_file, "server.key")):
        target = machine.root / "etc/tscm" / name
        shutil.copy(source, target)
        os.chown(target, USER_ID, USER_ID)
    machine.manager.layout.settings_file.write_text(SETTINGS + LISTEN)
    machine.systemctl("start", SERVICE)
    return ssl.create_default_context(cafile=authority.issued.certificate_file)


def missing(found: list[int], begun: list[int], sent: int) -> list[int]:
    """
    How many lines went with each connection but the last: those before the next began, and no others.
    """
    assert found == sorted(set(found))
    gone = set(range(sent)) - set(found)
    lost = []
    for first, behind in pairwise(begun):
        taken = [number for number in found if first <= number < behind]
        assert taken == list(range(first, first + len(taken)))
        lost.append(behind - first - len(taken))
    assert sum(lost) == len(gone)
    return lost


def _ends_with(machine: Machine, name: str, end: bytes) -> bool:
    return machine.manager.lines(name)[-1].endswith(end)


def stop_when_all_is_read(machine: Machine, last: dict[str, int]) -> None:
    """What is still under way at the end is no loss: each sender's last line comes behind it."""
    for name, number in last.items():
        line = b" %d%b" % (number, FILL)
        wait_for(partial(_ends_with, machine, name, line), machine.manager_said)
    machine.systemctl("stop", SERVICE)


def killed(machine: Machine, before: int) -> bool:
    return (
        machine.property("NRestarts") == str(before + 1)
        and machine.property("SubState") == "running"
    )


def _wait_until_all_send(
    senders: dict[str, Sender], streams: dict[str, Again], connections: int, machine: Machine
) -> None:
    """Until TLS, which comes back last, has made so many connections, and all have sent lines since."""
    wait_for(lambda: len(streams["fw-new"].begun) == connections, machine.manager_said)
    wanted = [(sender, sender.sent + SOME) for sender in senders.values()]
    wait_for(lambda: all(one.sent >= count for one, count in wanted), machine.manager_said)


def under_load(
    machine: Machine, trusted: ssl.SSLContext, strike: Callable[[int], object]
) -> tuple[dict[str, int], dict[str, Again]]:
    """Strike several times while lines come over TLS, TCP and UDP: how many each sent, and the streams."""
    streams = {
        "fw-new": Again(partial(secure, machine, trusted)),
        "fw-tcp": Again(partial(plain, machine)),
    }
    sends: dict[str, Callable[[int], object]] = {**streams, "fw-udp": datagrams(machine)}
    with ExitStack() as stack:
        senders = {name: stack.enter_context(Sender(send)) for name, send in sends.items()}
        for round_ in range(ROUNDS):
            _wait_until_all_send(senders, streams, round_ + 1, machine)
            strike(round_)
        _wait_until_all_send(senders, streams, ROUNDS + 1, machine)
        sent = {name: sender.end() for name, sender in senders.items()}
    stop_when_all_is_read(machine, {name: count - 1 for name, count in sent.items()})
    return sent, streams


def test_a_restart_takes_of_tls_what_was_under_way_and_nothing_of_the_rest(
    machine: Machine, trusted: ssl.SSLContext
) -> None:
    sent, streams = under_load(machine, trusted, lambda _: machine.systemctl("restart", SERVICE))
    for name in ("fw-tcp", "fw-udp"):
        assert numbers(machine, name) == list(range(sent[name]))
    over_tls = numbers(machine, "fw-new")
    assert len(missing(over_tls, streams["fw-new"].begun, sent["fw-new"])) == ROUNDS


def test_a_kill_takes_what_nobody_had_read_and_senders_come_again(
    machine: Machine, trusted: ssl.SSLContext
) -> None:
    def kill(round_: int) -> None:
        machine.systemctl("kill", "--signal", "KILL", SERVICE)
        wait_for(partial(killed, machine, round_), machine.manager_said)

    sent, streams = under_load(machine, trusted, kill)
    found = numbers(machine, "fw-udp")
    assert found == sorted(set(found))
    assert sent["fw-udp"] - len(found) <= ROUNDS * LARGEST_BATCH
    for name, stream in streams.items():
        assert len(missing(numbers(machine, name), stream.begun, sent[name])) == ROUNDS
