"""
A manager whose predecessor left a large live file: others are collected at once, and its own lines come behind.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.task import Clock

from tests.faults.fault_world import LISTEN, World
from tests.manager.manager_process import Manager, wait_for
from tests.spool.spool_room import AtOnce
from tscm.base.threads import Threads
from tscm.model import Run
from tscm.settings.node import SpoolBounds
from tscm.spool.service import SpoolService

LINES = 150_000
ROTATE_KB = 100_000


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, LISTEN)
    yield one
    one.stop()


def left_behind(manager: Manager) -> None:
    """The log of `fw-one` as a crash leaves it, with 30 MB in its live file."""
    bounds = SpoolBounds(fsync="off", min_free_mb=0)
    spool = SpoolService(manager.layout.logs, bounds, Clock(), cast(Threads, AtOnce()))
    spool.open_device("fw-one", ROTATE_KB * 1024)
    for first in range(0, LINES, 1000):
        data = b"".join(b"<166>old %0190d\n" % n for n in range(first, first + 1000))
        assert spool.append("fw-one", [Run("127.0.0.2", data, 1000, escaped=False)], 1.0)
    live = spool._devices["fw-one"].live
    live.flush_index()
    live.release()


def test_no_line_of_any_device_is_lost_while_a_large_log_is_put_in_order(manager: Manager) -> None:
    left_behind(manager)
    world = World(manager)
    world.add("fw-one", None, log_rotate_size=ROTATE_KB)
    world.add("fw-two", None)
    manager.start()
    for _ in range(10):
        world.send("fw-two", 100)
        world.send("fw-one", 100)
    wait_for(lambda: set(world.ledger()["devices"]) == {"fw-one", "fw-two"}, manager.said)
    world.send("fw-one", 100)
    world.when_received(2100)
    assert manager.ask("/v1/status")["faults"] == {}
    found = manager.lines("fw-one")
    assert found[LINES:] == world.issued["fw-one"]
    assert [int(line[9:]) for line in found[:LINES]] == list(range(LINES))
    assert manager.lines("fw-two") == world.issued["fw-two"]
    ledger = world.ledger()
    assert ledger["balanced"], ledger
    assert ledger["devices"]["fw-one"]["stored"] == LINES + 1100
    assert not (manager.layout.device_log("fw-one") / ".spool/early").exists()
    assert "is being repaired after the last stop" in manager.said()
