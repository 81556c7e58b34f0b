"""
Taking everything off a device, against the simulator.
"""

import contextlib

import pytest
import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_faults import Faults
from tests.update.update_world import World, addresses
from tscm.errors import DeviceFault
from tscm.kinds.asa.owner import OwnedByAnother
from tscm.kinds.asa.purge import lines_using, purge_device
from tscm.kinds.asa.rest.driver import RestDriver
from tscm.kinds.faults import SaveFailed
from tscm.settings.node import NodeSettings
from tscm.simulator.health import AgentHealth
from tscm.simulator.service import SimulatedAsa
from tscm.update.purge import PurgeOutcome

ACCESS_LIST = "access-list outside_in extended deny ip object-group ThreatSTOP-Block any log"


def purge(world: World) -> PurgeOutcome:
    return purge_device(world.job(), world.told.append)


@pytest_twisted.ensureDeferred
async def test_a_purge_takes_all_of_ours_and_nothing_else(asa: SimulatedAsa) -> None:
    asa.type_lines(["object-group network ThreatSTOP-Custom", " network-object host 20.0.0.1"])
    world = World(asa, changes={"object_group_size": 30})
    world.publish(block=addresses(100))
    await in_thread(world.run)
    before = set(asa.configuration.groups)
    done = await in_thread(purge, world)
    assert done.complete
    assert done.saved
    assert set(asa.configuration.groups) == {"ThreatSTOP-Custom"}
    assert set(done.deleted) == before - {"ThreatSTOP-Custom"}
    assert f"{len(before) - 1} groups were removed from" in done.sentence()
    told = [(one.done, one.total) for one in world.told if one.text.startswith("all groups")]
    assert told == [(len(before) - 1, len(before) - 1)]
    again = await in_thread(purge, world)
    assert (again.deleted, again.saved, again.complete) == ((), False, True)


@pytest.mark.parametrize(
    ("deleted", "said"), [((), "0 groups were"), (("A",), "1 group was"), (("A", "B"), "2 groups")]
)
def test_a_purge_counts_in_words(deleted: tuple[str, ...], said: str) -> None:
    done = PurgeOutcome(device="fw", deleted=deleted, obstacles=(), saved=True)
    assert done.sentence().startswith(said)


@pytest.mark.parametrize("status", [400, 409, 500])
@pytest_twisted.ensureDeferred
async def test_what_an_access_list_uses_stays_and_its_lines_are_named(
    asa: SimulatedAsa, status: int
) -> None:
    asa.set_switches({"in_use_status": status})
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)
    asa.type_lines([ACCESS_LIST])
    done = await in_thread(purge, world)
    assert not done.complete
    assert sorted(done.deleted) == ["ThreatSTOP-Allow", "ThreatSTOP-Allow-1"]
    assert [one.group for one in done.obstacles] == ["ThreatSTOP-Block"]
    assert done.obstacles[0].lines == (ACCESS_LIST,)
    assert done.sentence().endswith(
        "not deleted: ThreatSTOP-Block and its child ThreatSTOP-Block-1"
    )
    assert world.held("Block") == set(addresses(10))
    assert done.left is not None
    assert (done.left.block_entries, done.left.allow_entries) == (10, 0)
    asa.type_lines([f"no {ACCESS_LIST}"])
    done = await in_thread(purge, world)
    assert done.complete
    assert done.left is not None
    assert done.left.block_entries == 0


@pytest_twisted.ensureDeferred
async def test_the_children_that_stay_with_their_parent_are_counted(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"object_group_size": 5})
    world.publish(block=addresses(15), allow=addresses(3, 5000))
    await in_thread(world.run)
    asa.type_lines([ACCESS_LIST])
    asa.type_lines(["object-group network Others", " group-object ThreatSTOP-Allow-1"])
    done = await in_thread(purge, world)
    assert done.deleted == ("ThreatSTOP-Allow",)
    assert done.sentence().endswith(
        "not deleted: ThreatSTOP-Block and its 3 children, ThreatSTOP-Allow-1"
    )
    assert done.obstacles[0].children == tuple(f"ThreatSTOP-Block-{n}" for n in (1, 2, 3))


@pytest_twisted.ensureDeferred
async def test_what_is_taken_and_done_later_is_looked_at_and_not_believed(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)
    asa.set_switches({"accepted_late_seconds": 3600})
    done = await in_thread(purge, world)
    assert not done.complete
    assert (done.deleted, done.saved) == ((), False)
    assert {one.cause for one in done.obstacles} == {
        "the device accepted the deletion but did not perform it"
    }


@pytest_twisted.ensureDeferred
async def test_a_purge_that_is_not_saved_says_so(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)

    def save(_: RestDriver) -> None:
        raise SaveFailed("fw", "it did not confirm that its configuration was saved")

    monkeypatch.setattr(RestDriver, "save", save)
    done = await in_thread(purge, world)
    assert done.complete
    assert not done.saved
    assert "a reload would undo" in done.sentence()
    assert "write memory" in done.sentence()


@pytest.mark.parametrize("kind", ["500", "reset-before", "reset-after", "crash", "dead"])
@pytest_twisted.ensureDeferred
async def test_a_purge_that_breaks_off_at_any_request_is_finished_by_the_next(
    asa: SimulatedAsa, kind: str
) -> None:
    asa.set_switches({"agent_restart_seconds": 0.0})
    world = World(asa, changes={"object_group_size": 5})
    faults = Faults(asa)
    for at in range(1, 30):
        world.publish(block=addresses(10), allow=addresses(3, 5000))
        world.memory, world.known, world.applied = {}, {}, None
        faults.arm("", 0)
        assert (await in_thread(world.run)).good
        faults.arm(kind, at)
        with contextlib.suppress(DeviceFault):
            await in_thread(purge, world)
        asa.agent.faults.clear()
        if faults.seen < at:
            break
        asa.device.health = AgentHealth(asa.switches)
        faults.arm("", 0)
        assert (await in_thread(purge, world)).complete, f"{kind} at {at}"
        assert not [name for name in asa.configuration.groups if name.startswith("ThreatSTOP")]
    assert 10 < at < 29


@pytest_twisted.ensureDeferred
async def test_groups_of_another_manager_are_not_purged(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)
    rival = World(asa, node=NodeSettings(node_id="rival"))
    with pytest.raises(OwnedByAnother):
        await in_thread(purge, rival)
    assert world.held("Block") == set(addresses(10))


def test_lines_that_use_a_group_are_told_from_those_of_a_longer_name() -> None:
    config = """\
object-group network P-Block
 group-object P-Block-1
object-group network OTHER
 group-object P-Block
access-list a extended deny ip object-group P-Block any
access-list a extended deny ip any object-group P-Block-1
"""
    assert lines_using(config, "P-Block") == [
        "object-group network OTHER / group-object P-Block",
        "access-list a extended deny ip object-group P-Block any",
    ]
