"""
A link that goes dead without a word: two network namespaces with a wire that can be cut.

Needs the right to make namespaces; skipped where that is missing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define

from tests.forward.receivers import reactor, until
from tests.memory_log import MemoryLog
from tests.skipping import lacking
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target

# A file for each connection: what two of them carry at the same time is not mixed.
SINK = """
import itertools, os, socket, sys, threading
listener = socket.create_server((sys.argv[2], 5140))
print("ready", flush=True)
def take(connection, path):
    with open(path, "wb", buffering=0) as out:
        while data := connection.recv(65536):
            out.write(data)
for number in itertools.count():
    path = os.path.join(sys.argv[1], str(number))
    threading.Thread(target=take, args=(listener.accept()[0], path), daemon=True).start()
"""


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@define
class Far:
    """A SIEM behind a wire."""

    name: str
    address: str
    received: Path

    def cut(self) -> None:
        assert ip("-n", self.name, "link", "set", "far", "down")

    def mend(self) -> None:
        assert ip("-n", self.name, "link", "set", "far", "up")

    def connections(self) -> list[bytes]:
        """What each connection carried."""
        return [path.read_bytes() for path in self.received.iterdir()]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    name, near = f"tscm-{os.getpid()}", f"ts{os.getpid()}"
    if shutil.which("ip") is None:
        pytest.skip(lacking("ip", "iproute2"))
    if not ip("netns", "add", name):
        pytest.skip("needs the right to make network namespaces (root)")
    # A wire of its own for each process: two runs on one machine do not meet.
    wire = int(ip_address("198.18.0.0")) + os.getpid() % 32768 * 4
    here, there = str(ip_address(wire + 1)), str(ip_address(wire + 2))
    received = tmp_path / "received"
    received.mkdir()
    sink = None
    try:
        made = (
            ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", name)
            and ip("addr", "add", f"{here}/30", "dev", near)
            and ip("link", "set", near, "up")
            and ip("-n", name, "addr", "add", f"{there}/30", "dev", "far")
            and ip("-n", name, "link", "set", "far", "up")
        )
        if not made:
            pytest.skip("needs the right to make veth pairs (root)")
        command = ["ip", "netns", "exec", name, sys.executable, "-c", SINK, str(received), there]
        sink = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert sink.stdout is not None
        assert sink.stdout.readline() == b"ready\n"
        yield Far(name, there, received)
    finally:
        if sink is not None:
            sink.kill()
            sink.communicate()
        ip("link", "del", near)
        ip("netns", "del", name)


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d\n" % at for at in range(first, first + count)]


@pytest_twisted.ensureDeferred
async def test_a_half_open_link_is_noticed_and_nothing_is_missing(
    threads: Threads, far: Far
) -> None:
    log = MemoryLog()
    target = Target(
        address=far.address, port=5140, protocol="TCP", silence_seconds=1.5, connect_seconds=1.0
    )
    service = ForwardService(reactor, threads, log, target, chance=lambda: 0.0)
    service.startService()
    log.append(*lines(500))
    await until(lambda: log.position.sent == 500)
    far.cut()
    log.append(*lines(500, 500))
    await until(lambda: service.figures().last_error is not None)
    assert log.position.sent == 500, "what nobody acknowledged is not sent"
    said = service.figures().last_error
    assert "acknowledged nothing" in str(said) or "cannot be reached" in str(said)
    far.mend()
    await until(lambda: log.position.sent == 1000)
    stopped = service.stopService()
    assert stopped is not None
    await stopped
    await until(lambda: any(lines(1000)[-1] in data for data in far.connections()))
    whole: set[bytes] = set()
    for data in far.connections():
        carried = data.splitlines(keepends=True)
        if carried and not carried[-1].endswith(b"\n"):
            del carried[-1]  # The piece at which the link went dead.
        whole.update(carried)
    assert whole == set(lines(1000))
