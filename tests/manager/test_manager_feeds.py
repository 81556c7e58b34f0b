"""
Two firewalls, one manager and a `tsadmin`: a publisher that counts is asked once.
"""

import http.server
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.manager.manager_process import Manager
from tests.retrieve.https_server import https
from tests.update.test_update_process import Node
from tests.update.update_faults import Faults
from tscm.simulator.service import AsaOptions, SimulatedAsa

SETTINGS = """
[listen]
udp = ["127.0.0.1:0"]
[policy]
allow_special = true
[[policy.feeds]]
name = "block.example"
url = "{url}?key=hidden-from-all"
ca_file = "{ca}"
least_interval = {least}
format = "csv"
pick = "1"
also = [{{url = "{url}?key=hidden-from-all", pick = "2"}}]
[[policy.feeds]]
name = "more.example"
url = "file://{folder}/more"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
"""
ENTRIES = b"203.0.113.0/24,192.0.2.1\n198.51.100.7,192.0.2.9\n"


@pytest_twisted.async_yield_fixture()
async def two() -> AsyncIterator[tuple[SimulatedAsa, SimulatedAsa]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            one = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
            one.startService()
            stack.push_async_callback(_stopped, one)
            made.append(one)
        yield made[0], made[1]


async def _stopped(one: SimulatedAsa) -> None:
    await one.stopService()


@pytest_twisted.ensureDeferred
async def test_a_publisher_is_asked_once_for_all_devices_and_all_who_ask(
    two: tuple[SimulatedAsa, SimulatedAsa], tmp_path: Path
) -> None:
    asked: list[str] = []

    def publish(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_response(200)
        request.send_header("Content-Length", str(len(ENTRIES)))
        request.end_headers()
        request.wfile.write(ENTRIES)

    root = tmp_path / "node"
    root.mkdir()
    (root / "allow").write_text("8.8.8.8\n")
    (root / "more").write_text("192.0.2.77\n")
    (root / "password").write_text("secret")
    with https(tmp_path, publish) as url:
        text = SETTINGS.format(url=url, ca=tmp_path / "log-service.crt", folder=root, least=3600)
        manager = Manager(root, text)
        node = Node(root, two[0], Faults(two[0]))

        async def tsadmin(*words: str) -> str:
            status, said = await node.tsadmin(*words)
            assert status == 0, said
            assert "hidden" not in said
            return said

        async def add(name: str, asa: SimulatedAsa, address: str) -> None:
            await tsadmin(
                *("add", "--type=asarest", f"--device_id=tdid_{name}", f"--device={address}"),
                *(f"--rest_url={asa.api_url}", f"--ca_file={asa.certificate_path}"),
                *("--block_list=block.example more.example", "--allow_list=allow.example"),
                "--username=admin",
                *(f"--password_file={root / 'password'}", name),
            )

        try:
            await add("one", two[0], "127.0.0.1")  # without a manager
            await deferToThread(manager.start)
            await add("two", two[1], "127.0.0.2")
            for _ in range(3):
                await tsadmin("update", "one")
                await tsadmin("update", "two")
            plan = await tsadmin("plan", "one")
            assert "is what its publisher served" in plan
            assert "5 block and 1 allow" in plan
            assert "block.example+2" in plan
            why = await tsadmin("why", "192.0.2.77", "one")
            assert "more.example" in why, why
            await tsadmin("configure", "one", "--device=127.0.0.3")
            await node.tsadmin("doctor", "one")  # its lines are missing on the simulator
            await deferToThread(manager.stop)
            await deferToThread(manager.start)
            plan = await tsadmin("plan", "two", "--json")
            assert '"asked_at"' in plan
        finally:
            await deferToThread(manager.stop)
    assert len(asked) == 1, asked
    assert "hidden" not in manager.said()
    assert "Traceback" not in manager.said()
