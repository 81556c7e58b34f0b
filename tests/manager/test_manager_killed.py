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
from twisted.internet.threads import deferToThread

from tests.manager.manager_process import SETTINGS, Manager
from tests.update.update_faults import Faults, Typed
from tests.update.update_world import addresses
from tscm.base.secrets import Secret
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
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
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


def way_to(asa: SimulatedAsa, way: str) -> dict[str, Any]:
    """Settings by which *asa* is reached."""
    if way == "asa":
        assert asa._ssh is not None
        pin = asa._ssh.fingerprint("modern")
        return {"ssh_port": asa.ssh_port, "host_key": [pin], "enable_password": Secret("secret")}
    to = {"rest_url": asa.api_url} if way == "asarest" else {"http_port": asa.port}
    return {**to, "fingerprint": asa.fingerprint}


@pytest.mark.parametrize(
    ("way", "at"),
    [
        ("asarest", 4),
        ("asarest", 9),
        ("asahttp", 7),
        pytest.param("asa", 700, marks=pytest.mark.peer("ssh")),  # lines
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_manager_killed_in_the_middle_of_a_push_finishes_it_after_its_start(
    asa: SimulatedAsa, manager: Manager, tmp_path: Path, way: str, at: int
) -> None:
    entries = addresses(1500)
    (tmp_path / "block").write_text("\n".join(entries))
    (tmp_path / "allow").write_text("8.8.8.8\n")
    manager.write_device("fw", type=way, **way_to(asa, way), object_group_size=400)

    def kill() -> None:
        if faults.seen == at and manager.process is not None:
            os.kill(manager.process.pid, signal.SIGKILL)

    faults = (Typed if way == "asa" else Faults)(asa, watch=kill)
    await deferToThread(manager.start)
    assert isinstance(await deferToThread(update, manager), httpx.TransportError)
    await deferToThread(manager.stop)
    faults.watch = lambda: None
    await deferToThread(manager.start)
    found = await deferToThread(update, manager)
    assert found["result"]["verified"], found
    groups = asa.configuration.groups
    children = groups["ThreatSTOP-Block"].children
    assert sum(len(groups[name].members) for name in children) == len(entries)
    used = {*children, *groups["ThreatSTOP-Allow"].children}
    assert {name for name in groups if name.startswith("ThreatSTOP-")} == used | {
        "ThreatSTOP-Block",
        "ThreatSTOP-Allow",
    }
    await deferToThread(manager.stop)
