"""
Names that must not be blocked, with a name server that goes away and comes back.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field

from tests.faults.probes import need_faketime, own_resolver, thorough
from tests.faults.protected_world import COUNT, SETTINGS, World, protected_world
from tests.manager.manager_process import Manager, wait_for
from tests.retrieve.name_servers import knot, zone_text
from tests.skipping import lacking

ZONE = "guarded.example"
KNOWN, NEW = f"siem.{ZONE}", f"new.{ZONE}"
COVER, COVER_NEW, LATE = "45.99.1.0/24", "45.99.2.0/24", "198.51.100.201"
DAY = 86400
PROTECT = "allow_special = true\nprotect = "


@define(eq=False)
class NameServer:
    """
    Knot on port 53 of an address of loopback that no other run has; it may go, and come again.
    """

    folder: Path
    address: str = field(init=False)
    _running: contextlib.ExitStack = field(factory=contextlib.ExitStack)

    def __attrs_post_init__(self) -> None:
        process = os.getpid()
        self.address = f"127.{64 + (process >> 16 & 63)}.{process >> 8 & 255}.{process & 255}"

    def come(self) -> None:
        body = "ns A 127.0.0.1\nsiem A 45.99.1.7\nnew A 45.99.2.7\n"
        zones = {ZONE: zone_text(ZONE, 1, body)}
        self._running.enter_context(knot(self.folder, zones, at=(self.address, 53)))

    def go(self) -> None:
        self._running.close()

    def configuration(self) -> Path:
        """A `resolv.conf` that leads here alone."""
        path = self.folder / "resolv.conf"
        path.write_text(f"nameserver {self.address}\noptions timeout:1 attempts:1\n")
        return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    if shutil.which("knotd") is None:
        pytest.skip(lacking("knotd", "knot"))
    folder = tmp_path / "names"
    folder.mkdir()
    one = NameServer(folder)
    try:
        yield one
    finally:
        one.go()


@pytest.fixture
def world(server: NameServer, tmp_path: Path) -> Iterator[World]:
    clock = tmp_path / "clock"
    clock.write_text("+0")

    def prepare(manager: Manager) -> None:
        manager.prefix = own_resolver(server.configuration())
        manager.environment = {
            "LD_PRELOAD": need_faketime(),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    settings = SETTINGS.replace("allow_special = true", f'{PROTECT}["{KNOWN}"]')
    with protected_world(tmp_path, settings, prepare) as one:
        yield one


def update(world: World, block: Path, *more: str) -> str:
    """A good update of a list with *more* in it; all that is told of it."""
    texts = [f"198.51.100.{n}" for n in range(0, 2 * COUNT, 2)]
    block.write_text("".join(f"{one}\n" for one in (*texts, *more)))
    outcome = world.call("POST", "/update")
    assert outcome.get("result", {}).get("good"), outcome
    return json.dumps(outcome["result"])


def holds(world: World, entry: str) -> bool:
    """Is there an entry that begins so?"""
    return f" {entry.partition('/')[0]}" in world.firewall.text()


@thorough
def test_a_name_server_that_goes_away_costs_no_protection_and_is_told(
    world: World, server: NameServer, tmp_path: Path
) -> None:
    block = tmp_path / "block"
    refused = world.device("fw")["error"]["sentence"]
    assert f"{KNOWN}' does not resolve" in refused, "no name server has ever answered"
    server.come()
    assert "result" in world.device("fw")
    update(world, block, COVER)
    assert not holds(world, COVER)

    # It goes: the last good addresses stand, and everybody says so.
    server.go()
    told = update(world, block, COVER, "45.99.1.7")
    assert f"{KNOWN}, protected by the settings, does not resolve" in told
    assert not holds(world, "45.99.1.")
    unknown = f"protected names do not resolve: {KNOWN}"
    assert unknown in world.row()["causes"]
    doctor = json.dumps(world.call("POST", "/doctor"))
    assert (
        f"{KNOWN} does not resolve: the addresses known from earlier updates remain protected"
        in doctor
    )
    alarm = f"{KNOWN}, which must not be blocked, has not resolved for 25 hours"
    assert "must not be blocked" not in world.page("/healthz")

    # One of which no address is known, after a start that cannot look it up either: what is new waits.
    file = world.manager.layout.settings_file
    world.manager.stop()
    file.write_text(file.read_text().replace(f'["{KNOWN}"]', f'["{KNOWN}", "{NEW}"]'))
    world.manager.start()
    told = update(world, block, COVER, COVER_NEW, LATE)
    assert "2 new block entries wait until it resolves" in told
    assert not holds(world, COVER_NEW)
    assert not holds(world, LATE)
    assert not holds(world, COVER)

    # A day later it is an alarm.
    (tmp_path / "clock").write_text(f"+{DAY + 3600}")
    wait_for(lambda: alarm in world.page("/healthz"), lambda: world.page("/healthz"))
    assert f"{NEW}, which must not be blocked" in world.page("/healthz")
    row = world.row()
    assert row["verdict"] == "failed"
    assert f"protected names have not resolved for a day: {KNOWN}, {NEW}" in row["causes"]

    # It is back: what waited is pushed, and nothing is said any more.
    server.come()
    update(world, block, COVER, COVER_NEW, LATE)
    assert holds(world, LATE)
    assert not holds(world, COVER)
    assert not holds(world, COVER_NEW)
    assert not any("has not resolved" in one for one in world.row()["causes"])
    assert ZONE not in world.page("/healthz")
