"""
A firewall that loses groups at a reload, and a manager that hears of it: both whole, over sockets.
"""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_twisted
from attrs import define
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.kinds.asa.rest.asa_device import settings_for
from tests.manager.manager_process import LIMIT_SECONDS, Manager
from tests.update.update_world import addresses
from tscm.base.secrets import load_key
from tscm.settings.files import write_device
from tscm.simulator.outlets import Target
from tscm.simulator.service import AsaOptions, SimulatedAsa

SETTINGS = """
[listen]
udp = ["127.0.0.1:0"]
tcp = []
[policy]
allow_special = true
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
"""
COUNT = 300


@define(eq=False)
class Whole:
    manager: Manager
    asa: SimulatedAsa

    def held(self) -> int:
        groups = self.asa.configuration.groups
        parent = groups.get("ThreatSTOP-Block")
        return sum(len(groups[one].members) for one in (parent.children if parent else ()))

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        return await deferToThread(self.manager.command, method, f"/v1/devices/fw{path}", body)

    async def until(self, good: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not good():
            assert time.monotonic() < deadline, (self.held(), self.manager.said())
            await deferToThread(time.sleep, 0.1)

    async def last_with_cause(self) -> Any:
        """The latest update, once the firewall was the cause of it."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            found = await deferToThread(self.manager.ask, "/v1/devices/fw")
            last = found["state"]["policy"]["last_update"]
            if last["cause"]:
                return last
            assert time.monotonic() < deadline, (last, self.manager.said())
            await deferToThread(time.sleep, 0.1)

    async def known(self) -> None:
        """Until the file that was written is in force."""
        await self.until(lambda: self.manager.layout.device_log("fw").exists())


@pytest_twisted.async_yield_fixture()
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    manager = Manager(tmp_path, SETTINGS.replace("{folder}", str(tmp_path)))
    asa, stop = None, []
    try:
        (tmp_path / "block").write_text("".join(f"{one}\n" for one in addresses(100)))
        (tmp_path / "allow").write_text("")
        asa = await _firewall(manager)
        stop.append(asa)
        yield Whole(manager, asa)
    finally:
        await deferToThread(manager.stop)
        for one in stop:
            await one.stopService()


async def _firewall(manager: Manager) -> SimulatedAsa:
    # The manager first, for its port of syslog; then the firewall, and then its file.
    await deferToThread(manager.start)
    port = await deferToThread(manager.port, "udp")
    options = AsaOptions(
        username="admin", password="secret", syslog=(Target("udp", "127.0.0.1", port),)
    )
    asa = SimulatedAsa(reactor, options)
    asa.startService()
    return asa


@pytest_twisted.ensureDeferred
async def test_what_a_reload_lost_is_put_back_before_the_schedule_comes(
    whole: Whole, tmp_path: Path
) -> None:
    settings = settings_for(whole.asa, object_group_size=30)
    write_device(whole.manager.layout, settings, load_key(whole.manager.layout.key, create=True))
    await whole.known()
    outcome = await whole.call("POST", "/update")
    assert outcome["result"]["good"], outcome
    (tmp_path / "block").write_text("".join(f"{one}\n" for one in addresses(COUNT)))
    outcome = await whole.call("POST", "/update")
    assert outcome["result"]["good"], outcome
    assert whole.held() == COUNT
    whole.asa.set_switches({"reload_hazard": True, "reload_seconds": 1.0})
    whole.asa.reload()
    lost = COUNT - whole.held()
    assert lost > 0
    await whole.until(lambda: whole.held() == COUNT)
    last = await whole.last_with_cause()
    assert "it has started (199002 at " in last["cause"]
    assert last["good"]
    assert last["plan"]["added"] == lost
