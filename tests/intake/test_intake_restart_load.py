"""A manager that is replaced while lines come in."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.intake.intake_parts import from_loopback
from tests.intake.notify_socket import Systemd, held

SECONDS = 3.0
PROCESS = Path(__file__).with_name("intake_process.py")


class Held:
    """Sockets that outlive the managers, and the managers that use them."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.udp, self.tcp = held(socket.SOCK_DGRAM), held(socket.SOCK_STREAM)
        self.systemd = Systemd(folder / "notify")

    def start(self) -> "subprocess.Popen[bytes]":
        kept = self.systemd.kept()
        named = [(self.udp.fileno(), "u"), (self.tcp.fileno(), "t")]
        named += [(one.fd, one.name) for one in kept]
        ports = [str(one.getsockname()[1]) for one in (self.udp, self.tcp)]
        self.systemd.words.clear()
        process = subprocess.Popen(
            [
                *(sys.executable, str(PROCESS), str(self.log), *ports),
                *(self.systemd.notifier.address, *(f"{fd}:{name}" for fd, name in named)),
            ],
            pass_fds=[fd for fd, _ in named],
        )
        for one in kept:
            os.close(one.fd)
        while "READY=1" not in self.systemd.words:
            assert process.poll() is None
            time.sleep(0.01)
            self.systemd.hear()
        return process

    def lines(self, kind: bytes) -> list[int]:
        found = self.log.read_bytes().split(b"\n") if self.log.exists() else []
        return [int(line.split()[1]) for line in found if line.startswith(kind)]


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[Held]:
    made = Held(tmp_path)
    yield made
    made.systemd.close()
    made.udp.close()
    made.tcp.close()


def sending(send: Callable[[int], object], counted: list[int]) -> threading.Thread:
    def run() -> None:
        ends = time.monotonic() + SECONDS
        number = 0
        while time.monotonic() < ends:
            send(number)
            number += 1
            # A thousand a second: what comes while a slow machine starts a manager fits the buffer.
            if number % 4 == 0:
                time.sleep(0.004)
        counted.append(number)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_restart_under_load_loses_no_line_and_repeats_none(sockets: Held) -> None:
    manager = sockets.start()
    with from_loopback(2) as datagrams, from_loopback(2, socket.SOCK_STREAM) as stream:
        place = sockets.udp.getsockname()
        stream.connect(sockets.tcp.getsockname())
        sent_udp: list[int] = []
        sent_tcp: list[int] = []
        rest = b" x" * 80
        threads = [
            sending(lambda n: datagrams.sendto(b"udp %d" % n + rest, place), sent_udp),
            # Pieces that never end where a line does.
            sending(
                lambda n: stream.sendall(b"%b\ntcp %d" % (rest, n) if n else b"tcp 0"), sent_tcp
            ),
        ]
        for _ in range(2):
            time.sleep(SECONDS / 4)
            manager.send_signal(signal.SIGTERM)
            manager.wait(60)
            manager = sockets.start()
        for thread in threads:
            thread.join()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(sockets.lines(b"tcp")) < sent_tcp[0]:
        time.sleep(0.05)
    manager.send_signal(signal.SIGTERM)
    assert manager.wait(60) in (0, -signal.SIGTERM)
    assert sockets.lines(b"tcp") == list(range(sent_tcp[0]))
    assert sockets.lines(b"udp") == list(range(sent_udp[0]))


def test_a_kill_loses_no_more_than_the_batch_under_way(sockets: Held) -> None:
    manager = sockets.start()
    with from_loopback(2) as datagrams:
        place = sockets.udp.getsockname()
        sent: list[int] = []
        thread = sending(lambda n: datagrams.sendto(b"udp %d" % n, place), sent)
        for _ in range(2):
            time.sleep(SECONDS / 4)
            manager.kill()
            manager.wait(60)
            manager = sockets.start()
        thread.join()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and sockets.lines(b"udp")[-1:] != [sent[0] - 1]:
        time.sleep(0.05)
    manager.send_signal(signal.SIGTERM)
    manager.wait(60)
    found = sockets.lines(b"udp")
    assert found == sorted(set(found))
    assert sent[0] - len(found) <= 2 * 500  # a batch is what came while nobody read
