"""
Blocks that the kernel sends from the log's file: the same bytes, the same counts.
"""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.forward.receivers import TcpReceiver, reactor, until
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target
from tscm.model import Extent, Run
from tscm.settings.node import SpoolBounds
from tscm.spool.extents import plain_stretch
from tscm.spool.index import IndexedRun
from tscm.spool.reader import DeviceReader
from tscm.spool.service import SpoolService


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


@pytest_twisted.async_yield_fixture()
async def spool(tmp_path: Path, threads: Threads) -> AsyncIterator[SpoolService]:
    service = SpoolService(tmp_path, SpoolBounds(fsync="off", compress=False), reactor, threads)
    service.startService()
    service.open_device("fw", 1 << 20)
    yield service
    await service.stopService()


def run(count: int, first: int, *, escaped: bool = False) -> Run:
    tail = b" two\x10nlines" if escaped else b""
    lines = [
        b"<166>%%ASA-6-302013: Built %07d%b\n" % (at, tail) for at in range(first, first + count)
    ]
    return Run("192.0.2.1", b"".join(lines), count, escaped)


def fill(spool: SpoolService) -> bytes:
    """Segments with and without escapes; what a stream in LF framing makes of them."""
    wanted, at = b"", 0
    for segment in range(6):
        for part in range(4):
            one = run(500, at, escaped=segment == 3 and part == 2)
            spool.append("fw", [one], time.time())
            wanted += one.data.replace(b"\x10n", b" ")
            at += 500
        if segment < 5:
            spool.seal("fw")
    return wanted


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest_twisted.ensureDeferred
async def test_sealed_segments_go_from_file_to_socket(
    spool: SpoolService, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = spool.reader("fw", "forward")
    extents: list[Extent] = []
    real = DeviceReader.extent

    def extent(self: DeviceReader, offset: int, most: int) -> Extent | None:
        found = real(self, offset, most)
        if found is not None:
            extents.append(found)
        return found

    monkeypatch.setattr(DeviceReader, "extent", extent)
    wanted = fill(spool)
    siem = TcpReceiver()
    target = Target(address="127.0.0.1", port=siem.listen(), protocol="TCP")
    service = ForwardService(reactor, threads, reader, target, chance=lambda: 0.0)
    files = open_files()
    service.startService()
    await until(lambda: reader.position.sent == 12_000)
    assert siem.data == wanted
    assert len(extents) >= 4, "up to the first escape at least"
    assert service.figures().altered == 500
    stopped = service.stopService()
    assert stopped is not None
    await stopped
    await until(lambda: not siem.connections)
    assert open_files() <= files + 2, "the reader's own, and nothing for what was sent"
    ledger = spool.figures("fw").readers["forward"]
    assert (ledger.sent, ledger.waiting_lines, ledger.difference) == (12_000, 0, 0)
    await siem.stop()


@pytest_twisted.ensureDeferred
async def test_a_kernel_that_does_not_send_files_costs_a_reconnection(
    spool: SpoolService, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: int) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", unable)
    wanted = fill(spool)
    reader = spool.reader("fw", "forward")
    siem = TcpReceiver()
    target = Target(address="127.0.0.1", port=siem.listen(), protocol="TCP")
    service = ForwardService(reactor, threads, reader, target, chance=lambda: 0.0)
    service.startService()
    await until(lambda: reader.position.sent == 12_000)
    assert siem.data == wanted
    assert service.figures().connections == 2
    stopped = service.stopService()
    assert stopped is not None
    await stopped
    await siem.stop()


def indexed(*sizes: int, escaped: int = -1) -> list[IndexedRun]:
    runs, at = [], 0
    for number, size in enumerate(sizes):
        runs.append(IndexedRun(at, size, number + 1, 0.0, None, number == escaped))
        at += size
    return runs


@pytest.mark.parametrize(
    ("runs", "start", "most", "wanted"),
    [
        (indexed(10, 20, 30), 0, 1000, (60, 6)),
        (indexed(10, 20, 30), 10, 1000, (60, 5)),
        (indexed(10, 20, 30), 0, 30, (30, 3)),
        (indexed(10, 20, 30), 0, 29, (10, 1)),
        (indexed(10, 20, 30), 0, 9, None),
        (indexed(10, 20, 30), 5, 1000, None),
        (indexed(10, 20, 30, escaped=1), 0, 1000, (10, 1)),
        (indexed(10, 20, 30, escaped=1), 10, 1000, None),
        (indexed(10, 20), 30, 1000, None),
        ([], 0, 1000, None),
    ],
)
def test_a_stretch_is_of_whole_runs_without_escapes(
    runs: list[IndexedRun], start: int, most: int, wanted: tuple[int, int] | None
) -> None:
    assert plain_stretch(runs, start, most) == wanted
