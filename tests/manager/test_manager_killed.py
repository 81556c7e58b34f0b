"""
The manager as a process, killed in the middle of a push to a simulated firewall; then started again.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.kinds.asa.rest.asa_device import in_thread
from tests.manager.manager_process import SETTINGS, Manager
from tests.update.update_faults import Faults
from tests.update.update_world import addresses
from tscm.simulator.service import AsaOptions, SimulatedAsa

FEEDS = """
[policy]
retry_seconds = 0
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
"""


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
    service.startService()
    yield service
    await service.stopService()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, SETTINGS + FEEDS.replace("{folder}", str(tmp_path)))
    yield one
    one.stop()


def update(manager: Manager) -> Any:
    try:
        return manager.command("POST", "/v1/devices/fw/update", {})
    except httpx.TransportError as error:
        return error


@pytest.mark.parametrize("at", [4, 7, 9])
@pytest_twisted.ensureDeferred
async def test_a_manager_killed_in_the_middle_of_a_push_finishes_it_after_its_start(
    asa: SimulatedAsa, manager: Manager, tmp_path: Path, at: int
) -> None:
    entries = addresses(1500)
    (tmp_path / "block").write_text("\n".join(entries))
    (tmp_path / "allow").write_text("8.8.8.8\n")
    manager.write_device(
        "fw", rest_url=asa.api_url, fingerprint=asa.fingerprint, object_group_size=400
    )

    def kill() -> None:
        if faults.seen == at and manager.process is not None:
            os.kill(manager.process.pid, signal.SIGKILL)

    faults = Faults(asa, watch=kill)
    await in_thread(manager.start)
    assert isinstance(await in_thread(update, manager), httpx.TransportError)
    await in_thread(manager.stop)
    faults.watch = lambda: None
    await in_thread(manager.start)
    found = await in_thread(update, manager)
    assert found["result"]["verified"], found
    groups = asa.configuration.groups
    children = groups["ThreatSTOP-Block"].children
    assert sum(len(groups[name].members) for name in children) == len(entries)
    used = {*children, *groups["ThreatSTOP-Allow"].children}
    assert {name for name in groups if name.startswith("ThreatSTOP-")} == used | {
        "ThreatSTOP-Block",
        "ThreatSTOP-Allow",
    }
    await in_thread(manager.stop)
