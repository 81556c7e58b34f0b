"""
A disk that is full, read-only or forbidden to one device: the others go on, and all is counted.
"""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, Disk, World
from tests.faults.probes import bound_by_modes, need_mounts, thorough
from tests.manager.manager_process import Manager, wait_for
from tests.soak.players import Siem


@pytest.fixture
def siem() -> Iterator[Siem]:
    one = Siem()
    one.come()
    yield one
    one.away()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path / "node", LISTEN + "[spool]\nmin_free_mb = 0\nfsync_ms = 100\n")
    yield one
    one.stop()


@pytest.fixture
def disk(manager: Manager) -> Iterator[Disk]:
    """The first device's log has a small disk of its own."""
    need_mounts()
    one = Disk(manager.layout.device_log("fw-one"))
    one.mount()
    yield one
    one.unmount()  # first: whatever else fails, nothing stays mounted
    manager.stop(signal.SIGKILL)


def refused(world: World) -> int:
    return int(world.ledger()["dropped"])


def goes_on(world: World, name: str, lines: int) -> None:
    """The device *name* and the control interface are as ever."""
    before = len(world.manager.lines(name))
    world.send(name, lines)
    world.manager.when_lines(name, before + lines)
    world.manager.ask("/v1/devices")


def ends_well(world: World, siem: Siem) -> None:
    """A fresh line gets through, the fault is over, everything stored was sent, the ledger balances."""
    for name in world.issued:
        fresh = world.send(name, 1)
        wait_for(lambda: world.manager.lines(name)[-1:] == fresh, world.manager.said)  # noqa: B023
    world.settle()
    world.until(lambda: world.log_of("fw-one")["fault"] is None)
    world.until(lambda: len(siem.lines) >= sum(len(world.manager.lines(one)) for one in SOURCES))
    assert world.verdict(siem.lines, siem.broken) == ()
    found = world.ledger()
    assert found["balanced"]
    for name in world.issued:
        assert found["devices"][name]["stored"] == len(world.manager.lines(name))
    assert "Traceback" not in world.manager.said()


SOURCES = ("fw-one", "fw-two")


@thorough
def test_a_full_disk_costs_its_own_device_alone_and_is_over_when_there_is_room(
    manager: Manager, disk: Disk, siem: Siem
) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port)
    manager.start()
    with world.connect("fw-one") as stays:
        for name in SOURCES:
            world.send(name, 500)
            manager.when_lines(name, 500)
        for _ in range(3):
            disk.fill()
            before = refused(world)
            world.send("fw-one", 500)
            world.until(lambda: refused(world) > before + 400)  # noqa: B023 - called at once
            goes_on(world, "fw-two", 200)
            found = world.ledger()
            assert found["balanced"], found
            shown = world.log_of("fw-one")
            assert "No space left" in (shown["fault"] or ""), shown
            (listener,) = [one for one in found["listeners"].values() if one["dropped"]]
            assert listener["dropped_by_cause"] == {"log unavailable": found["dropped"]}
            assert found["devices"]["fw-one"]["refused"] == found["dropped"]
            disk.give_back()
            stored = len(manager.lines("fw-one"))
            world.send("fw-one", 300)
            manager.when_lines("fw-one", stored + 300)
        stays.setblocking(False)
        with pytest.raises(BlockingIOError):
            stays.recv(1)
    ends_well(world, siem)


@thorough
def test_the_whole_logs_disk_full_over_a_restart_and_a_kill(tmp_path: Path, siem: Siem) -> None:
    need_mounts()
    manager = Manager(tmp_path / "node", LISTEN + "[spool]\nmin_free_mb = 1\nrotate_seconds = 10\n")
    disk = Disk(manager.layout.logs, 8)
    disk.mount()
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port)
    try:
        manager.start()
        for name in SOURCES:
            world.send(name, 500)
            manager.when_lines(name, 500)
        world.settle()
        disk.fill()
        world.send("fw-one", 500)
        world.until(lambda: refused(world) > 400)
        manager.stop(signal.SIGKILL)
        manager.start()  # nothing can be written, and it comes up all the same
        faults = manager.ask("/v1/status")["faults"]
        manager.stop()
        manager.start()
        disk.give_back()
        for name in SOURCES:
            before = len(manager.lines(name))
            deadline = time.monotonic() + 60
            while len(manager.lines(name)) == before:
                assert time.monotonic() < deadline, (faults, manager.ask("/v1/status")["faults"])
                world.send(name, 1)
                time.sleep(0.5)
        ends_well(world, siem)
    finally:
        disk.unmount()
        manager.stop(signal.SIGKILL)


@thorough
def test_a_disk_that_turns_read_only_and_back(manager: Manager, disk: Disk, siem: Siem) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port)
    manager.start()
    for name in SOURCES:
        world.send(name, 300)
        manager.when_lines(name, 300)
    manager.stop()
    disk.remount("ro")
    manager.start()
    world.send("fw-one", 300)
    goes_on(world, "fw-two", 300)
    world.until(lambda: refused(world) >= 300)
    assert "Read-only" in manager.ask("/v1/status")["faults"]["fw-one"]
    disk.remount("rw")
    deadline = time.monotonic() + 60
    while len(manager.lines("fw-one")) <= 300:
        assert time.monotonic() < deadline, manager.ask("/v1/status")["faults"]
        world.send("fw-one", 1)
        time.sleep(0.5)
    ends_well(world, siem)


def test_a_folder_that_may_not_be_written_costs_its_own_device_alone(
    manager: Manager, siem: Siem
) -> None:
    manager.prefix = bound_by_modes()
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port)
    log = manager.layout.device_log("fw-one")
    log.mkdir(parents=True)
    log.chmod(0o500)
    try:
        manager.start()
        goes_on(world, "fw-two", 100)
        world.send("fw-one", 100)
        world.until(lambda: refused(world) >= 100)
        assert "ermission denied" in manager.ask("/v1/status")["faults"]["fw-one"]
        assert manager.ask("/v1/ledger")["balanced"]
    finally:
        log.chmod(0o700)
    deadline = time.monotonic() + 60
    while not manager.lines("fw-one"):
        assert time.monotonic() < deadline, manager.ask("/v1/status")["faults"]
        world.send("fw-one", 1)
        time.sleep(0.5)
    ends_well(world, siem)


@thorough
def test_a_folder_that_is_moved_away_is_made_anew_is_told_and_loses_nothing(
    manager: Manager, siem: Siem
) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port, log_rotate_size=50)
    manager.start()
    log = manager.layout.device_log("fw-one")
    for name in SOURCES:
        world.send(name, 100)
        manager.when_lines(name, 100)
    log.rename(log.with_name("elsewhere"))
    world.send("fw-one", 1000)  # beyond the rotate size: a seal that comes first has nowhere to go
    goes_on(world, "fw-two", 300)
    world.until(
        lambda: "another process moved or deleted the directory of the log of" in manager.said()
    )
    assert world.ledger()["balanced"]
    ends_well(world, siem)
    assert world.ledger()["devices"]["fw-one"]["stored"] == 1101


@thorough
def test_a_folder_that_is_deleted_costs_its_own_device_alone_and_is_told(
    manager: Manager, siem: Siem
) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, siem.port, log_rotate_size=50)
    manager.start()
    for name in SOURCES:
        world.send(name, 100)
        manager.when_lines(name, 100)
    world.settle()
    shutil.rmtree(manager.layout.device_log("fw-one"))
    world.send("fw-one", 1000)
    goes_on(world, "fw-two", 300)
    world.until(
        lambda: "another process moved or deleted the directory of the log of" in manager.said()
    )
    world.until(lambda: len(siem.lines) >= 1500)  # what came after is sent on all the same
    manager.stop()
    manager.start()
    fresh = world.send("fw-one", 1)
    world.until(lambda: manager.lines("fw-one")[-1:] == fresh)
    world.until(lambda: fresh[0] in siem.lines)
    assert world.ledger()["balanced"]
    assert "Traceback" not in manager.said()
