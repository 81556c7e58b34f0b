"""
The clock of the machine is set an hour forth and back: nothing waits for it, and nothing is lost.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import need_faketime, thorough
from tests.manager.manager_process import Manager, wait_for
from tests.soak.players import Siem

HOUR = 3600


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, LISTEN + "[spool]\nrotate_seconds = 10\n")
    said = tmp_path / "clock"
    said.write_text("+0")
    one.environment = {
        "LD_PRELOAD": need_faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(said),
        "FAKETIME_NO_CACHE": "1",
        # As on a real machine: the time of day can be set, the monotonic clock cannot.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    yield one
    one.stop(signal.SIGKILL)


@thorough
@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forth"])
def test_the_clock_jumps_by_an_hour_and_returns(
    manager: Manager, tmp_path: Path, jump: int
) -> None:
    siem = Siem()
    siem.come()
    world = World(manager)
    world.add("fw-one", siem.port, log_rotate_size=50)
    manager.start()
    try:
        world.send("fw-one", 100)
        world.until(lambda: len(siem.lines) == 100)
        sent = 100
        for now in (jump, 0, jump):
            (tmp_path / "clock").write_text(f"{now:+d}")
            world.send("fw-one", 100)
            sent += 100
            # Forwarding goes on at once, and so do the timers: a file edited by hand is noticed.
            world.until(lambda: len(siem.lines) == sent)  # noqa: B023 - called at once
            size = 50 + sent // 100
            path = manager.layout.device_file("fw-one")
            settings = manager.ask("/v1/devices/fw-one")["settings"]
            old = settings["log_rotate_size"]
            path.write_text(
                path.read_text().replace(f"log_rotate_size = {old}", f"log_rotate_size = {size}")
            )
            world.until(
                lambda: manager.ask("/v1/devices/fw-one")["settings"]["log_rotate_size"] == size  # noqa: B023
            )
            received = world.log_of("fw-one")["last_received_at"]
            assert abs(received - (time.time() + now)) < 30
        segments = len(list(manager.layout.device_log("fw-one").glob("syslog.*")))
        world.until(
            lambda: (
                len(list(manager.layout.device_log("fw-one").glob("syslog.*"))) > segments - 1
                and world.log_of("fw-one")["segments"] > 0
            ),
        )
        assert world.verdict(siem.lines) == ()
        assert world.ledger()["balanced"]
        manager.stop(signal.SIGKILL)
        (tmp_path / "clock").write_text("+0")
        manager.start()
        fresh = world.send("fw-one", 1)
        world.until(lambda: fresh[0] in siem.lines)
        assert world.ledger()["balanced"]
        assert "Traceback" not in manager.said()
    finally:
        siem.away()


@thorough
def test_an_entry_by_hand_keeps_the_time_it_has_left(manager: Manager, tmp_path: Path) -> None:
    manager.write_device("fw-one")
    manager.start()

    def enter(cidr: str, seconds: float) -> None:
        body = {"action": "block", "cidr": cidr, "device": "fw-one", "held": True}
        made = manager.command("POST", "/v1/entries", {**body, "seconds": seconds})
        assert "error" not in made, made

    def standing() -> set[str]:
        found = manager.command("GET", "/v1/entries")["result"]["entries"]
        return {one["cidr"] for one in found if one["stands"]}

    try:
        enter("20.0.0.1", HOUR)
        for now in (2 * HOUR, -2 * HOUR):
            (tmp_path / "clock").write_text(f"{now:+d}")
            assert standing() == {"20.0.0.1/32"}
            enter("20.0.0.2", 10.0)  # the time that it has is its own
            assert standing() == {"20.0.0.1/32", "20.0.0.2/32"}
            (tmp_path / "clock").write_text(f"{-now:+d}")
            wait_for(lambda: standing() == {"20.0.0.1/32"}, manager.said)
    finally:
        manager.stop()
