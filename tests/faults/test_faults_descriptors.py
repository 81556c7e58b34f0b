"""
No descriptor left: what is open goes on, and connections are let in again when some come free.
"""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, World
from tests.manager.manager_process import Manager, wait_for
from tests.soak.players import Siem, line

DESCRIPTORS = 96


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, LISTEN + "[intake]\nmax_connections_per_sender = 1000\n")
    one.prefix = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "limited"]
    yield one
    one.stop()


def test_known_devices_are_untouched_while_no_descriptor_is_left(manager: Manager) -> None:
    siem = Siem()
    siem.come()
    world = World(manager)
    for name in ("fw-one", "fw-two"):
        world.add(name, siem.port)
    manager.start()
    world.send("fw-one", 10)
    world.until(lambda: len(siem.lines) == 10)
    udp, tcp = manager.port("udp"), manager.port("tcp")
    assert manager.process is not None
    descriptors = Path(f"/proc/{manager.process.pid}/fd")
    try:
        with world.connect("fw-one") as stays, ExitStack() as taken:
            first = line("fw-one", 10)
            world.issued["fw-one"].append(first)
            stays.sendall(first + b"\n")
            manager.when_lines("fw-one", 11)
            for _ in range(DESCRIPTORS):
                one = taken.enter_context(socket.socket())
                one.settimeout(60)
                one.bind(("127.0.0.3", 0))
                one.connect(("127.0.0.1", tcp))
            more = [line("fw-one", n) for n in range(11, 511)]
            world.issued["fw-one"] += more
            stays.sendall(b"".join(one + b"\n" for one in more))
            manager.when_lines("fw-one", 511)
            datagrams = [line("fw-two", n) for n in range(100)]
            world.issued["fw-two"] += datagrams
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.bind(("127.0.0.3", 0))
                for datagram in datagrams:
                    out.sendto(datagram, ("127.0.0.1", udp))
            manager.when_lines("fw-two", 100)
            wait_for(lambda: len(siem.lines) >= 511 + 100, manager.said)
            assert len(list(descriptors.iterdir())) >= DESCRIPTORS - 2
        world.until(lambda: bool(manager.answers()))
        with world.connect("fw-two") as again:
            fresh = line("fw-two", 100)
            world.issued["fw-two"].append(fresh)
            again.sendall(fresh + b"\n")
            manager.when_lines("fw-two", 101)
        world.settle()
        world.until(lambda: len(siem.lines) >= 612)
        assert world.verdict(siem.lines, siem.broken) == ()
        assert world.ledger()["balanced"]
        world.until(lambda: world.log_of("fw-two")["fault"] is None)
        manager.stop(signal.SIGTERM)
    finally:
        siem.away()
