"""
The forwarder on the real spool.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted
from twisted.internet.task import Clock

from tests.forward.receivers import TcpReceiver, reactor, until
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target
from tscm.model import Origin, Run
from tscm.settings.node import SpoolBounds
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
    service.open_device("fw", 20_000)
    yield service
    await service.stopService()


def run(count: int, first: int, sender: str = "192.0.2.1") -> Run:
    data = b"".join(b"<166>%%ASA-6-302013: Built %07d\n" % at for at in range(first, first + count))
    return Run(sender, data, count)


async def one_life(
    spool: SpoolService, threads: Threads, target: Target, siem: TcpReceiver, first: int
) -> None:
    """A forwarder from start to stop: what came before, 2,000 lines, and a reset for every second."""
    reader = spool.reader("fw", "forward")
    service = ForwardService(reactor, threads, reader, target, chance=lambda: 0.0)
    service.startService()
    for at in range(20):
        assert spool.append("fw", [run(100, first + at * 100)], time.time())
    if first % 4000:
        await until(lambda: service.figures().sent > 0)
        siem.reset_all()
    await until(lambda: reader.position.sent == first + 2000)
    assert service.figures().backlog_lines == 0
    stopped = service.stopService()
    assert stopped is not None
    await stopped


@pytest_twisted.ensureDeferred
async def test_lines_cross_segments_restarts_and_resets_without_a_gap(
    spool: SpoolService, threads: Threads
) -> None:
    siem = TcpReceiver()
    target = Target(address="127.0.0.1", port=siem.listen(), protocol="TCP")
    for first in range(0, 8000, 2000):
        await one_life(spool, threads, target, siem, first)
    received = siem.data.splitlines()
    wanted = run(8000, 0).data.splitlines()
    assert set(received) == set(wanted)
    assert list(dict.fromkeys(received)) == wanted, "in order, but for what was repeated"
    ledger = spool.figures("fw").readers["forward"]
    assert (ledger.sent, ledger.waiting_lines, ledger.difference) == (8000, 0, 0)
    await siem.stop()


def test_the_index_tells_who_sent_a_block_before_and_after_it_is_written(
    tmp_path: Path, threads: Threads
) -> None:
    clock = Clock()
    clock.advance(1000)
    spool = SpoolService(tmp_path, SpoolBounds(fsync="off", compress=False), clock, threads)
    spool.open_device("fw", 1 << 20)
    reader = spool.reader("fw", "forward")
    one, two = run(2, 0, "192.0.2.1"), run(3, 2, "192.0.2.2")
    spool.append("fw", [one, two], 1000.5)
    middle, end = len(one.data), len(one.data) + len(two.data)
    wanted = [
        Origin(start=10, end=middle, sender="192.0.2.1", received_at=1000.5),
        Origin(start=middle, end=end - 5, sender="192.0.2.2", received_at=1000.5),
    ]
    assert reader.origins(10, end - 5) == wanted
    spool.seal("fw")
    assert reader.origins(10, end - 5) == wanted
    spool.append("fw", [run(1, 5, "192.0.2.3")], 1007.0)
    assert reader.origins(end, reader.end) == [
        Origin(start=end, end=reader.end, sender="192.0.2.3", received_at=1007.0)
    ]
    index = spool._device("fw").live.folder.index(0)
    spool.close_device("fw")
    index.write_bytes(b"damaged")
    spool.open_device("fw", 1 << 20)
    senders = {one.sender for one in spool.reader("fw", "forward").origins(0, end)}
    assert senders == {None}, "what a damaged index told is not made up"
    spool.close_device("fw")
