"""
Protection on a firewall in a process of its own: two entries of it, a purge that is told, one that is killed
before it is recorded, and a feed that swells.
"""

import contextlib
import gzip
import json
import signal
import sqlite3
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define

from tests.faults.probes import thorough
from tests.manager.manager_process import TWISTD, Manager, wait_for
from tscm.asa.driver import open_driver
from tscm.devices import stored_device
from tscm.settings.files import read_node
from tscm.update.memory import layout_digest

COUNT = 40
SETTINGS = """
[listen]
udp = ["127.0.0.1:0"]
tcp = []
metrics = ["127.0.0.1:0"]
[policy]
allow_special = true
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
[[policy.feeds]]
name = "bomb.example"
url = "file://{folder}/bomb"
"""
GROUPS = ("ThreatSTOP-Block", "ThreatSTOP-Allow")


@define(eq=False)
class Firewall:
    """The simulator as its users start it."""

    process: "subprocess.Popen[bytes]"
    told: dict[str, Any]

    def groups(self) -> int:
        """How many of ours it has."""
        return self.text().count("object-group network ThreatSTOP-")

    def text(self) -> str:
        """Its running configuration."""
        url = f"{self.told['control_url']}/running-config"
        return httpx.get(url, timeout=60, trust_env=False).text

    def type(self, *lines: str) -> None:
        """An outside change."""
        url = f"{self.told['control_url']}/lines"
        body = {"lines": lines}
        httpx.post(url, json=body, timeout=60, trust_env=False).raise_for_status()


@define(eq=False)
class World:
    manager: Manager
    firewall: Firewall

    def device(self, name: str, **changes: Any) -> Any:
        """Add a device as `tsadmin` does."""
        settings = {
            "name": name,
            "device_id": f"tdid_{name}",
            "device": "127.0.0.1",
            "rest_url": self.firewall.told["api_url"],
            "allow_self_signed": True,
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": "admin",
            "password": "secret",
            **changes,
        }
        return self.manager.command("POST", "/v1/devices", {"settings": settings})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.manager.command(method, f"/v1/devices/fw{path}", body)

    def page(self, path: str) -> str:
        place = self.manager.ask("/v1/status")["metrics"][0]
        return httpx.get(f"http://{place}{path}", timeout=60, trust_env=False).text

    def row(self) -> Any:
        (row,) = self.manager.command("GET", "/v1/fleet")["result"]
        return row


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "block").write_text("".join(f"198.51.100.{n}\n" for n in range(0, 2 * COUNT, 2)))
    (tmp_path / "allow").write_text("")
    (tmp_path / "password").write_text("secret\n")
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [
            *TWISTD, "tscm-asa", "--https", "127.0.0.1:0", "--control", "127.0.0.1:0",
            "--password-file", str(tmp_path / "password"), "--ready", str(ready),
        ],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    manager = Manager(tmp_path / "node", SETTINGS.replace("{folder}", str(tmp_path)))
    try:
        wait_for(ready.exists, lambda: f"no simulator: {process.poll()}")
        manager.start()
        yield World(manager, Firewall(process, json.loads(ready.read_text())))
    finally:
        manager.stop()
        process.terminate()
        process.wait(60)


@thorough
def test_a_second_entry_of_one_firewall_is_refused_and_costs_the_first_nothing(
    world: World,
) -> None:
    assert "result" in world.device("fw")
    assert world.call("POST", "/update")["result"]["good"]
    before = world.firewall.groups()
    url = world.firewall.told["api_url"]
    for other, why in (
        ({"device": "127.0.0.9"}, "REST API at"),
        (
            {"device": "127.0.0.9", "rest_url": url.replace("127.0.0.1", "localhost")},
            "serial number",
        ),
    ):
        sentence = world.device("twin", **other)["error"]["sentence"]
        assert "is the same firewall as device 'fw'" in sentence
        assert why in sentence
    assert world.firewall.groups() == before
    assert [row["name"] for row in world.manager.ask("/v1/devices")] == ["fw"]


@thorough
def test_of_two_entries_of_one_firewall_under_marks_of_an_earlier_version_the_second_is_held(
    world: World,
) -> None:
    assert "result" in world.device("fw")
    assert world.call("POST", "/update")["result"]["good"]
    layout = world.manager.layout
    there = tomllib.loads(layout.device_file("fw").read_text())
    world.manager.stop()
    world.manager.write_device(
        "twin",
        device="127.0.0.9",
        rest_url=there["rest_url"].replace("127.0.0.1", "localhost"),
        allow_self_signed=True,
    )
    ending = f"/{there['entry']}"
    marked = [one for one in world.firewall.text().splitlines() if one.endswith(ending)]
    assert len(marked) == len(GROUPS)
    for group in GROUPS:
        world.firewall.type(f"object-group network {group}", marked[0].removesuffix(ending))
    before = world.firewall.text()
    assert ending not in before
    # What that version knew: no serial number, and groups as this device left them.
    driver = open_driver(stored_device(layout, "fw"), read_node(layout))
    left = layout_digest(driver.read_groups("ThreatSTOP"))
    driver.close()
    with contextlib.closing(sqlite3.connect(layout.database)) as kept, kept:
        kept.execute(
            "UPDATE devices SET memory = json_set(json_remove(memory, '$.serials'), '$.layout', ?)",
            (left,),
        )

    world.manager.start()
    held = json.dumps(world.manager.command("POST", "/v1/devices/twin/update"))
    assert "fw is the same firewall with the same prefix" in held
    assert "--take_over" in held
    assert world.firewall.text() == before

    assert world.call("POST", "/update")["result"]["good"]
    assert ending in world.firewall.text()
    held = json.dumps(world.manager.command("POST", "/v1/devices/twin/update"))
    assert "are those of fw, another device of this manager" in held
    assert world.firewall.groups() == before.count("object-group network ThreatSTOP-")


@thorough
def test_after_a_purge_every_face_says_that_nothing_is_in_force(world: World) -> None:
    assert "result" in world.device("fw")
    assert world.call("POST", "/update")["result"]["good"]
    assert f'tscm_policy_entries{{device="fw",list="block"}} {COUNT}.0' in world.page("/metrics")

    assert world.call("POST", "/purge")["result"]["complete"]
    assert world.firewall.groups() == 0
    off = "the policy is not in force since"
    assert off in world.page("/healthz")
    assert off in " ".join(world.row()["causes"])
    assert 'tscm_policy_entries{device="fw",list="block"} 0.0' in world.page("/metrics")
    why = world.call("POST", "/policy/why", {"address": "198.51.100.2"})["result"]
    assert "not in force" in json.dumps(why)
    assert "purge" in json.dumps(world.manager.ask("/v1/devices/fw/policy/history"))


@thorough
def test_a_purge_that_is_killed_before_its_record_leaves_a_device_that_the_next_update_protects(
    world: World,
) -> None:
    assert "result" in world.device("fw", object_group_size=5)
    assert world.call("POST", "/update")["result"]["good"]
    held = world.firewall.groups()
    url = f"{world.firewall.told['control_url']}/switches"
    httpx.put(url, json={"slow_body_seconds": 0.5}, timeout=60, trust_env=False).raise_for_status()
    purge = threading.Thread(target=_unanswered, args=(world,), daemon=True)
    purge.start()
    wait_for(lambda: world.firewall.groups() < held, world.manager.said)
    kept = sqlite3.connect(world.manager.layout.database, timeout=60, isolation_level=None)
    kept.execute("BEGIN IMMEDIATE")  # no process records anything now
    wait_for(lambda: world.firewall.groups() == 0, world.manager.said)
    world.manager.stop(signal.SIGKILL)
    kept.execute("ROLLBACK")
    kept.close()
    purge.join(60)

    world.manager.start()
    outcome = world.call("POST", "/update")
    assert outcome["result"]["good"], outcome
    assert world.firewall.groups() == held
    assert world.row()["entries"] == COUNT


def _unanswered(world: World) -> None:
    with contextlib.suppress(httpx.TransportError):
        world.call("POST", "/purge")


@thorough
def test_a_feed_that_swells_costs_the_manager_neither_its_life_nor_its_memory(
    world: World, tmp_path: Path
) -> None:
    assert "result" in world.device("fw")
    assert world.call("POST", "/update")["result"]["good"]
    (tmp_path / "bomb").write_bytes(gzip.compress(b"1.\n" * (62 << 20 // 3)))
    process = world.manager.process
    assert process is not None
    before = _most_memory(process.pid)
    sentence = world.device("other", device="127.0.0.9", block_list="bomb.example", prefix="Other")
    assert "bomb.example" in sentence["error"]["sentence"]
    assert _most_memory(process.pid) - before < 200 << 20
    assert world.manager.ask("/v1/status")["pid"] == process.pid


def _most_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")
