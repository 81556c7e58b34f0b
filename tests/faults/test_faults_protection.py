"""
Protection on a firewall in a process of its own: two entries of it, a purge that is told, one that is killed
before it is recorded, and a feed that swells.
"""

import contextlib
import gzip
import json
import signal
import sqlite3
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.probes import thorough
from tests.faults.protected_world import COUNT, GROUPS, World, protected_world
from tests.manager.manager_process import wait_for
from tscm.devices.stored import stored_device
from tscm.kinds.asa.driver import layout_digest
from tscm.kinds.asa.rest.opening import open_driver


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with protected_world(tmp_path) as one:
        yield one


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
        rest_url=there["asarest"]["rest_url"].replace("127.0.0.1", "localhost"),
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
    driver = open_driver(stored_device(layout, "fw"))
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
    doctor = json.dumps(world.manager.command("POST", "/v1/devices/twin/doctor"))
    assert "fw is the same firewall with the same prefix" in doctor

    assert world.call("POST", "/update")["result"]["good"]
    assert ending in world.firewall.text()
    held = json.dumps(world.manager.command("POST", "/v1/devices/twin/update"))
    assert "belong to fw, another device of this manager" in held
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
