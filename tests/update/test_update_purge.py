"""
Taking everything off a device, against the simulator.
"""

import pytest
import pytest_twisted

from tests.asa.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.settings.node import NodeSettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.planning import OwnedByAnother
from tscm.update.purge import PurgeOutcome, lines_using, purge_device

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
    assert "taken off" in done.sentence()
    again = await in_thread(purge, world)
    assert (again.deleted, again.saved, again.complete) == ((), False, True)


@pytest_twisted.ensureDeferred
async def test_what_an_access_list_uses_stays_and_its_lines_are_named(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)
    asa.type_lines([ACCESS_LIST])
    done = await in_thread(purge, world)
    assert not done.complete
    assert sorted(done.deleted) == ["ThreatSTOP-Allow", "ThreatSTOP-Allow-1"]
    assert [one.group for one in done.obstacles] == ["ThreatSTOP-Block"]
    assert done.obstacles[0].lines == (ACCESS_LIST,)
    assert world.held("Block") == set(addresses(10))
    asa.type_lines([f"no {ACCESS_LIST}"])
    assert (await in_thread(purge, world)).complete


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
