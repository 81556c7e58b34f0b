"""
The test of a whole chain: proven where it holds, weak where it does not, and always taken away again.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.doctor.doctor_world import World, quiet
from tests.waiting import PATIENCE_SECONDS
from tscm.doctor import proof
from tscm.doctor.prover import ProofRefused
from tscm.kinds.asa.proving import put_in
from tscm.manager.service import NodeService
from tscm.model import Cidr, Json
from tscm.operations.arguments import Asked, Device, Proven, Push
from tscm.operations.bodies import RequestFaulty
from tscm.operations.table.events import REPORT
from tscm.operations.table.policies import PAUSE, UPDATE
from tscm.operations.table.proof import TEST
from tscm.simulator.matching import Packet
from tscm.update.proofs import DeviceHeld

reactor: Any = installed
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


@pytest_twisted.async_yield_fixture()
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    made.asa.switches.trace_logs = False
    try:
        await made.add()
        await made.push()
        yield made
    finally:
        await made.end()


async def prove(world: World, wait: float = PATIENCE_SECONDS) -> Json:
    found: Json = await world.ask(TEST, Proven(name="fw", wait_seconds=wait))
    return found


def verdicts(found: Json) -> dict[str, str]:
    return {one["link"]: one["verdict"] for one in found["links"]}


def blocked(world: World) -> list[str]:
    """Our groups as they stand in the configuration."""
    return [line.strip() for line in world.asa.device.configuration.object_lines()]


def left_over(world: World) -> str | None:
    found: str | None = world.node.updates.figures("fw").test_entry
    return found


async def under_way(world: World) -> None:
    """Until the entry of a test stands on the firewall."""
    await until(lambda: str(left_over(world)).partition("/")[0] in " ".join(blocked(world)).split())


async def until(holds: Callable[[], bool]) -> None:
    end = reactor.seconds() + PATIENCE_SECONDS
    while not holds() and reactor.seconds() < end:
        await deferLater(reactor, 0.05)
    assert holds()


@pytest_twisted.ensureDeferred
async def test_a_chain_that_holds_is_proven_link_by_link_and_left_as_it_was(world: World) -> None:
    world.asa.switches.trace_logs = True
    before = blocked(world)
    found = await prove(world)
    assert found["proven"], found
    assert list(verdicts(found)) == [
        "pushed",
        "in force",
        "rule matched",
        "line received",
        "counted",
        "forwarded",
        "taken away",
    ]
    assert blocked(world) == before
    assert left_over(world) is None
    report = await world.ask(REPORT, Asked(name="fw", options={"by": "list"}))
    assert [(one["list"], one["hits"]) for one in report["rows"]] == [("tsadmin test", 1)]


@pytest_twisted.ensureDeferred
async def test_a_firewall_that_logs_nothing_for_packet_tracer_proves_no_line(world: World) -> None:
    before = blocked(world)
    found = await prove(world, wait=0.5)
    assert not found["proven"]
    assert verdicts(found) == {
        "pushed": "ok",
        "in force": "ok",
        "rule matched": "ok",
        "line received": "warning",
        "counted": "not checked",
        "forwarded": "not checked",
        "taken away": "ok",
    }
    (line,) = [one for one in found["links"] if one["link"] == "line received"]
    assert "no line about" in line["sentence"]
    assert "behind the firewall" in line["remedy"]
    assert blocked(world) == before


@pytest_twisted.ensureDeferred
async def test_traffic_that_comes_while_it_waits_shows_the_line(world: World) -> None:
    test = ensureDeferred(prove(world))
    await under_way(world)
    address = str(left_over(world))[:-3]
    while not test.called:
        packet = Packet(source="10.0.0.7", destination=address, interface="inside")
        world.asa.passage.send([packet])
        await deferLater(reactor, 0.2)
    assert (await test)["proven"]


@pytest_twisted.ensureDeferred
async def test_groups_that_no_access_list_uses_are_not_in_force(world: World) -> None:
    world.type("no access-group global_access global")
    before = blocked(world)
    found = await prove(world)
    assert verdicts(found)["in force"] == "failed"
    assert verdicts(found)["rule matched"] == verdicts(found)["forwarded"] == "not checked"
    assert verdicts(found)["taken away"] == "ok"
    assert blocked(world) == before


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_away_is_not_sent_the_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "READER_SECONDS", 2.0)
    world.asa.switches.trace_logs = True
    await world.siem.go_away()
    found = await prove(world)
    assert verdicts(found)["line received"] == "ok"
    assert verdicts(found)["forwarded"] == "failed"
    assert verdicts(found)["taken away"] == "ok"


@pytest_twisted.ensureDeferred
async def test_no_siem_no_link(world: World) -> None:
    await world.change(syslog_forward=False)
    world.asa.switches.trace_logs = True
    found = await prove(world)
    assert found["proven"]
    assert "forwarded" not in verdicts(found)


@pytest_twisted.ensureDeferred
async def test_nothing_is_pushed_while_updates_are_paused(world: World) -> None:
    await world.ask(PAUSE, Device(name="fw"))
    before = world.asa.counts.requests
    with pytest.raises(DeviceHeld, match="updates are held by tester"):
        await prove(world)
    assert world.asa.counts.requests == before


@pytest_twisted.ensureDeferred
async def test_groups_that_somebody_edited_are_left_to_an_update(world: World) -> None:
    world.type("object-group network X-Block-1", "network-object host 20.77.0.1")
    before = blocked(world)
    with pytest.raises(ProofRefused, match="`tsadmin update fw` first"):
        await prove(world)
    assert blocked(world) == before
    assert left_over(world) is None


@pytest_twisted.ensureDeferred
async def test_two_tests_of_one_device_take_turns(world: World) -> None:
    world.asa.switches.trace_logs = True
    before = blocked(world)
    first, second = ensureDeferred(prove(world)), ensureDeferred(prove(world))
    found = await first, await second
    assert all(one["proven"] for one in found), found
    assert found[0]["entry"] != found[1]["entry"]  # a flow's later packets are only counted
    assert blocked(world) == before


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_taken_away_is_told_and_goes_with_the_next_update(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "_PAUSES", (0.0,))
    before = blocked(world)
    test = ensureDeferred(prove(world, wait=3.0))
    await under_way(world)
    world.type("no rest-api agent")
    found = await test
    assert verdicts(found)["taken away"] == "failed"
    assert left_over(world) == found["entry"]
    world.asa.revive_agent()
    outcome = await world.ask(UPDATE, Push(name="fw"))
    assert any("interrupted test" in one for one in outcome["notes"]), outcome["notes"]
    assert not any("edited" in one for one in outcome["notes"])
    assert blocked(world) == before
    assert left_over(world) is None


@pytest_twisted.ensureDeferred
async def test_what_a_killed_manager_left_is_taken_out_by_the_next_start(
    world: World,
) -> None:
    before = blocked(world)
    one = world.node.updates._devices["fw"]
    job = world.node.updates._runs.job(one)
    await deferToThread(put_in, job, Cidr("203.0.113.9/32"), None, quiet)
    world.node.updates._records.change_memory("fw", test_entry="203.0.113.9/32")
    assert blocked(world) != before
    await world.stop("node")
    world.node = NodeService.from_files(world.layout, reactor)
    world.node.updates.proofs.first_look_seconds = 0.1
    world.node.privilegedStartService()
    world.node.startService()
    world.running.append("node")
    await until(lambda: left_over(world) is None)
    assert blocked(world) == before


@pytest_twisted.ensureDeferred
async def test_a_manager_that_stops_takes_the_entry_away_first(world: World) -> None:
    before = blocked(world)
    test = ensureDeferred(prove(world))
    await under_way(world)
    await world.stop("node")
    found = await test
    assert not found["proven"]
    assert verdicts(found)["taken away"] == "ok"
    assert blocked(world) == before


@pytest.mark.parametrize("seconds", [-1.0, 601.0])
@pytest_twisted.ensureDeferred
async def test_a_wait_without_bounds_is_refused(world: World, seconds: float) -> None:
    with pytest.raises(RequestFaulty, match="allowed: 0 to 600"):
        await prove(world, wait=seconds)
