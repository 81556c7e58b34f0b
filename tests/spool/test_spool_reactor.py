"""
The spool on a real reactor with real threads, and what its start costs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from tests.spool.spool_room import make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, closed, drain
from tscm.base.threads import Threads
from tscm.settings.node import SpoolBounds
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService


@pytest.fixture
def threads() -> Iterator[Threads]:
    pool = Threads(cast(Any, reactor), 2, "spool-test")
    pool.startService()
    yield pool
    pytest_twisted.blockon(pool.stopService())


@pytest_twisted.ensureDeferred
async def test_lines_go_from_append_to_a_reader_while_they_are_synced_and_compressed(
    tmp_path: Path, threads: Threads
) -> None:
    bounds = SpoolBounds(fsync="interval", fsync_ms=10, min_free_mb=0)
    spool = SpoolService(tmp_path, bounds, cast(Any, reactor), threads, seal_seconds=0)
    spool.startService()
    spool.open_device("asa", 2000)
    reader = spool.reader("asa", "forward")
    found = b""
    for number in range(20):
        told: Deferred[None] = Deferred()
        reader.when_more(lambda told=told: told.callback(None))  # type: ignore[misc]
        assert spool.append("asa", [run_of(*numbered(number * 10, 10))], 1.0)
        await told.addTimeout(5, cast(Any, reactor))
        found += drain(reader)
        await deferLater(cast(Any, reactor), 0.01, lambda: None)
    assert found == b"\n".join(numbered(0, 200)) + b"\n"
    await spool._compactor.run(list(spool._devices.values()))
    assert len(list((tmp_path / "asa").glob("*.zst"))) == 2
    await spool.stopService()
    again = make_spool(tmp_path)
    again.open_device("asa", BIG)
    assert drain(again.reader("asa", "late")) == found
    assert again.figures("asa").gaps_total == 0
    closed(again)


def test_a_start_looks_at_no_sealed_text_however_many_there_are(tmp_path: Path) -> None:
    class Watching(Disk):
        def __init__(self) -> None:
            self.opened: list[str] = []
            self.reads = 0

        def open(self, path: Path, flags: int) -> int:
            self.opened.append(path.name)
            return super().open(path, flags)

        def read_at(self, fd: int, size: int, at: int) -> bytes:
            self.reads += 1
            return super().read_at(fd, size, at)

    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    for number in range(200):
        spool.append("asa", [run_of(*numbered(number, 1))], 1.0)
        spool.seal("asa")
    closed(spool)
    disk = Watching()
    spool = make_spool(tmp_path, Clock(), disk)
    spool.open_device("asa", BIG)
    assert not [name for name in disk.opened if name.startswith("syslog.")]
    assert disk.reads < 30
    closed(spool)
