"""
Senders that load a machine under systemd, and the numbers of their lines as the manager stored them.
"""

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from tests.manager.systemd_machine import Machine

BURST = 4
FILL = b" x" * 80
MANAGER = ("127.0.0.1", 514)
DEVICES = {"fw-udp": "127.0.0.2", "fw-tcp": "127.0.0.3", "fw-new": "127.0.0.4"}
# One sender makes connections all the time, and those of a whole restart are let in at once.
SETTINGS = "[intake]\nmax_connections_per_sender = 4096\n"


class Sender:
    """
    Calls *send* with 0, 1, 2 and so on in a thread, until it is ended or its test is over.
    """

    def __init__(self, send: Callable[[int], object]) -> None:
        self._send = send
        self._ended = False
        self.sent = 0
        self.faults: list[OSError] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        self._ended = True
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended:
                for _ in range(BURST):
                    self._send(self.sent)
                    self.sent += 1
                # A thousand a second: what comes while a slow machine starts a manager fits the buffers.
                time.sleep(0.004)
        except OSError as fault:
            self.faults.append(fault)

    def end(self) -> int:
        """How many calls there were."""
        self._ended = True
        self._thread.join()
        assert self.faults == []
        return self.sent


def datagrams(machine: Machine) -> Callable[[int], object]:
    out = machine.socket(DEVICES["fw-udp"], socket.SOCK_DGRAM)
    return lambda number: out.sendto(b"udp %d" % number + FILL, MANAGER)


def stream(machine: Machine) -> Callable[[int], object]:
    """Pieces that never end where a line does."""
    out = machine.socket(DEVICES["fw-tcp"], socket.SOCK_STREAM)
    out.connect(MANAGER)
    out.sendall(b"tcp")
    return lambda number: out.sendall(b" %d%b\ntcp" % (number, FILL))


def new_connections(machine: Machine) -> Callable[[int], object]:
    def send(number: int) -> None:
        with machine.socket(DEVICES["fw-new"], socket.SOCK_STREAM) as out:
            out.connect(MANAGER)
            out.sendall(b"new %d\n" % number)
        time.sleep(0.008)  # the backlog of a listener is shorter

    return send


def numbers(machine: Machine, name: str) -> list[int]:
    """The numbers of the lines of one device, each of which must be whole."""
    found = machine.manager.lines(name)
    ends = b"" if name == "fw-new" else FILL
    assert [line for line in found if not line.endswith(ends)] == []
    return [int(line.split()[1]) for line in found]
