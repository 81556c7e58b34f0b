"""
A device's folder on a volume that turns read-only or fails with EIO while the manager runs.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import World
from tests.faults.probes import need_volumes, thorough
from tests.faults.test_faults_disk import SOURCES, ends_well, goes_on, manager, refused, siem
from tests.faults.volume import Volume
from tests.manager.manager_process import Manager
from tests.soak.players import Siem

__all__ = ["manager", "siem"]


@pytest.fixture
def volume(manager: Manager, tmp_path: Path) -> Iterator[Volume]:
    """The first device's log lies on a volume of its own."""
    need_volumes()
    one = Volume(tmp_path, manager.layout.device_log("fw-one"))
    one.mount()
    yield one
    one.unmount()  # first: whatever else fails, nothing stays mounted
    manager.stop(signal.SIGKILL)


@pytest.fixture
def world(manager: Manager, volume: Volume, siem: Siem) -> World:
    """Two devices with lines on their logs and at the SIEM."""
    assert volume
    made = World(manager)
    for name in SOURCES:
        made.add(name, siem.port, log_rotate_size=50)
    manager.start()
    for name in SOURCES:
        made.send(name, 600)
        manager.when_lines(name, 600)
    made.settle()
    return made


@thorough
@pytest.mark.parametrize(
    ("how", "words"), [("turn_read_only", "Read-only"), ("fail", "Input/output error")]
)
def test_a_volume_that_fails_under_a_running_manager_costs_its_own_device_alone(
    world: World,
    volume: Volume,
    siem: Siem,
    how: str,
    words: str,
) -> None:
    getattr(volume, how)()
    world.send("fw-one", 300)
    goes_on(world, "fw-two", 300)
    world.until(lambda: refused(world) >= 300)
    found = world.ledger()
    assert found["balanced"], found
    assert found["devices"]["fw-one"]["refused"] == 300
    assert words in world.log_of("fw-one")["fault"]
    volume.exchange()
    goes_on(world, "fw-one", 300)
    ends_well(world, siem)
    assert world.ledger()["devices"]["fw-one"]["stored"] == 901


@thorough
def test_a_log_whose_end_a_failing_volume_took_is_not_written_on_behind_a_hole(
    world: World,
    volume: Volume,
    manager: Manager,
) -> None:
    world.send("fw-one", 300)  # at the SIEM, and only in the kernel's memory
    manager.when_lines("fw-one", 900)
    volume.fail(synced=False)
    world.send("fw-one", 100)
    world.until(lambda: refused(world) >= 100)
    volume.exchange()
    world.send("fw-one", 100)
    world.until(lambda: refused(world) >= 200)
    fault = world.log_of("fw-one")["fault"]
    assert "lost its " in fault  # the live file or the list, by what was asked for last
    assert "restart the manager" in fault
    assert world.ledger()["balanced"]
    manager.stop()
    manager.start()
    fresh = world.send("fw-one", 1)
    world.until(lambda: manager.lines("fw-one")[-1:] == fresh)
    stored = manager.lines("fw-one")
    assert set(stored) <= set(world.issued["fw-one"])
    assert 0 < len(stored) < 901
    world.settle()
    found = world.ledger()
    assert found["balanced"], found
    lost = sum(gap["lost"] for gap in found["book"]["gaps"])
    assert len(stored) + lost == 901, found
    assert found["devices"]["fw-one"]["deleted"].get("lost", 0) <= lost
