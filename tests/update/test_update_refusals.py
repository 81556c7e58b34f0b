"""
What a device refuses, and what a run learns from it.
"""

from typing import cast

import pytest
import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.kinds.asa.driver import AddMembers, AsaDriver, Group
from tscm.kinds.asa.refusals import Lessons, taken_names
from tscm.kinds.faults import Overloaded, Refused
from tscm.model import Cidr
from tscm.simulator.service import SimulatedAsa
from tscm.update.memory import DeviceMemory


def cidrs(count: int) -> tuple[Cidr, ...]:
    return tuple(Cidr(one) for one in addresses(count))


@pytest.fixture
def world(asa: SimulatedAsa) -> World:
    made = World(asa, changes={"object_group_size": 30})
    made.publish(block=addresses(100), allow=addresses(3, 900))
    return made


@pytest_twisted.ensureDeferred
async def test_names_that_foreign_objects_have_are_left_out(world: World) -> None:
    foreign = [
        "object network ThreatSTOP-Block-1",
        " host 198.51.100.9",
        "object-group service ThreatSTOP-Block-3 tcp",
        " port-object eq www",
    ]
    world.asa.type_lines(foreign)
    held = world.asa.configuration
    before = dict(held.objects), dict(held.other_groups)
    assert all(before)
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()
    made = {name for name in world.asa.configuration.groups if "-Block-" in name}
    assert made == {f"ThreatSTOP-Block-{number}" for number in (2, 4, 5, 6)}
    assert any("ThreatSTOP-Block-1 is skipped" in one for one in done.notes), done.notes
    assert (world.asa.configuration.objects, world.asa.configuration.other_groups) == before
    assert (await in_thread(world.run)).result == "unchanged"


@pytest_twisted.ensureDeferred
async def test_a_block_parent_that_was_deleted_comes_back_beside_a_foreign_child(
    world: World,
) -> None:
    await in_thread(world.run)
    groups = world.asa.configuration.groups
    for name in [one for one in groups if one.startswith("ThreatSTOP-Block")]:
        del groups[name]
    world.asa.type_lines(["object network ThreatSTOP-Block-1", " host 198.51.100.9"])
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_what_is_in_the_way_of_a_parent_is_named(world: World) -> None:
    world.asa.type_lines(["object network ThreatSTOP-Block", " host 198.51.100.9"])
    done = await in_thread(world.run)
    assert not done.good
    assert done.error is not None
    assert "cannot create group ThreatSTOP-Block" in done.error
    assert "`object network ThreatSTOP-Block`" in done.error
    assert "agent" not in done.error
    assert not any("is excluded" in one for one in done.notes), "nothing goes on without a parent"
    assert world.held("Allow") == set(addresses(3, 900)), "the other list is in force"


@pytest_twisted.ensureDeferred
async def test_references_that_forward_reference_leaves_behind_are_taken_away(
    world: World,
) -> None:
    await in_thread(world.run)
    world.protect()
    world.asa.type_lines(["forward-reference enable", "no object-group network ThreatSTOP-Block-2"])
    assert "ThreatSTOP-Block-2" in world.asa.configuration.groups["ThreatSTOP-Block"].children
    done = await in_thread(world.run)
    assert done.good, done.error
    assert done.warnings == ()
    assert world.converged()
    assert "ThreatSTOP-Block-2" not in world.asa.configuration.groups["ThreatSTOP-Block"].children
    assert (await in_thread(world.run)).result == "unchanged"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("form", ["messages", "bare", "null"])
@pytest_twisted.ensureDeferred
async def test_a_refusal_in_a_bulk_answer_is_told_with_its_reason(
    world: World, status: int, form: str
) -> None:
    world.asa.switches.update({"bulk_failure_status": status, "bulk_entry_form": form})
    world.asa.type_lines(["object network ThreatSTOP-Allow-1", " host 198.51.100.9"])
    done = await in_thread(world.run)
    assert done.failures
    assert "no reason given" not in done.failures[0]
    assert "entry 1: " in done.failures[0]
    assert "ThreatSTOP-Allow-1" in done.failures[0]
    assert done.good, done.error


@pytest.mark.parametrize("fault", ["max_body_bytes", "crash_body_bytes"])
@pytest_twisted.ensureDeferred
async def test_an_agent_that_bears_small_bodies_gets_its_parent_and_all_children(
    world: World, fault: str
) -> None:
    world.changes["object_group_size"] = 10
    world.publish(block=addresses(1000))
    world.asa.switches.update({fault: 4000, "agent_restart_seconds": 0.0})
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()
    assert len(world.asa.configuration.groups["ThreatSTOP-Block"].children) == 100
    names = "".join(world.asa.configuration.groups["ThreatSTOP-Block"].children)
    assert len(names) + 50 * 100 > 4000, "all of them are too much for one request"


@pytest.mark.parametrize("octets", [2000, 8000, 16_000, 30_000])
@pytest_twisted.ensureDeferred
async def test_an_agent_that_begins_to_bear_small_bodies_alone_gets_many_members_of_one_group(
    world: World, octets: int
) -> None:
    world.changes["object_group_size"] = 10_000
    world.publish(block=addresses(500))
    assert (await in_thread(world.run)).good
    world.asa.switches.update({"max_body_bytes": octets})
    world.publish(block=addresses(1500))
    done = await in_thread(world.run)
    assert done.good, done.failures
    assert world.converged()


@pytest.mark.parametrize("atomic", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_limit_of_members_is_learnt_and_told_as_object_group_size(
    world: World, atomic: bool
) -> None:
    world.changes["object_group_size"] = 10_000
    world.publish(block=addresses(900))
    world.asa.set_switches({"max_members": 300, "request_atomic": atomic})
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()
    limit = DeviceMemory.from_json(world.memory).group_limit
    assert limit is not None
    assert 200 <= limit <= 300
    told = f"`tsadmin configure fw --object_group_size {limit}`"
    assert any(told in one and "Object-Group Size is 10,000" in one for one in done.notes)
    assert not any("rest-api agent" in one for one in (*done.notes, *done.warnings))
    world.publish(block=addresses(1300))
    more = await in_thread(world.run)
    assert (more.good, more.failures) == (True, ()), "it is known by now"
    assert world.converged()
    world.changes["object_group_size"] = 250
    done = await in_thread(world.run)
    assert not any("object_group_size" in one for one in done.notes)


@pytest.mark.parametrize(
    ("size", "count", "limit"), [(10, 1000, 60), (3, 1000, 300), (2, 700, 120)]
)
@pytest_twisted.ensureDeferred
async def test_a_parent_that_is_full_gets_fewer_and_larger_children(
    world: World, size: int, count: int, limit: int
) -> None:
    world.changes["object_group_size"] = size
    world.publish(block=addresses(count))
    world.asa.set_switches({"max_members": limit})
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()
    told = [one for one in done.notes if "object_group_size" in one]
    assert len(told) == 1
    assert f"children of {size} would be more than the device takes in ThreatSTOP-Block" in told[0]
    assert not any("rest-api agent" in one for one in (*done.notes, *done.warnings))
    world.publish(block=addresses(count, 5))
    again = await in_thread(world.run)
    assert (again.good, again.failures) == (True, ()), "it is known by now"
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_where_it_takes_more_than_five_tries_no_new_agent_is_asked_for(world: World) -> None:
    world.changes["object_group_size"] = 1
    world.publish(block=addresses(700))
    world.asa.set_switches({"max_members": 50})
    done = await in_thread(world.run)
    assert not done.good
    assert done.error is not None
    assert "rest-api agent" not in done.error
    assert "`tsadmin plan fw`" in done.error
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_what_no_groups_can_hold_is_refused_before_anything_is_sent(world: World) -> None:
    world.changes["object_group_size"] = 30
    world.changes["max_policy_size"] = 2000
    assert (await in_thread(world.run)).good
    world.memory = {**world.memory, "group_limit": 30}
    world.publish(block=addresses(950))
    held = world.held("Block")
    for done in (await in_thread(world.plan), await in_thread(world.run)):
        assert done.result == "refused"
        assert done.error is not None
        assert "ThreatSTOP-Block would hold 32 members" in done.error
        assert "no more than 30 in a group" in done.error
        assert "`tsadmin configure fw --max_policy_size 870`" in done.error
        assert "agent" not in done.error
    assert world.held("Block") == held
    assert world.held("Allow") == set(addresses(3, 900))


@pytest.mark.parametrize("known", [True, False])
@pytest_twisted.ensureDeferred
async def test_entries_are_exchanged_in_groups_that_are_full(world: World, known: bool) -> None:
    world.changes["object_group_size"] = 60
    world.asa.set_switches({"max_members": 60})
    world.publish(block=addresses(300))
    assert (await in_thread(world.run)).good
    if known:
        world.memory = {**world.memory, "group_limit": 60}
    world.publish(block=addresses(300, 10))
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.converged()
    assert bool(done.failures) is not known
    assert DeviceMemory.from_json(world.memory).group_limit == 60
    world.publish(block=addresses(300, 20))
    again = await in_thread(world.run)
    assert (again.good, again.failures) == (True, ())
    assert world.converged()


def test_other_refusals_teach_no_limit() -> None:
    def lessons() -> Lessons:
        made = Lessons("fw", "P", 1000, None)
        made.saw({"P-Block-1": Group(name="P-Block-1", members=cidrs(100))})
        made.did([AddMembers(group="P-Block-2", members=cidrs(30))])
        return made

    def refused(code: str = "") -> Refused:
        return Refused("fw", "no", may_be_size=code != "DUPLICATE")

    driver = cast(AsaDriver, None)
    full = AddMembers(group="P-Block-1", members=cidrs(30))
    for portion, fault in (
        ([full, full], refused()),
        ([full], refused("DUPLICATE")),
        ([full], Overloaded("fw", "500")),
        ([AddMembers(group="P-Block-1", members=cidrs(31))], refused()),
        ([AddMembers(group="P-Block-9", members=cidrs(3))], refused()),
    ):
        made = lessons()
        made.learn(driver, portion, fault)
        assert (made.limit, made.notes) == (None, [])
    made = lessons()
    made.learn(driver, [full], refused())
    assert made.limit == 100
    made.learn(driver, [AddMembers(group="P-Block-9", members=cidrs(3))], refused())
    assert made.limit is None, "one that holds nothing refuses the same"
    assert Lessons("fw", "P", 1000, 0).limit is None, "nonsense out of a database"


def test_only_other_things_of_our_names_are_in_the_way() -> None:
    text = """\
object network P-Block-1
 host 192.0.2.1
object network P-Block-1-x
object-group network P-Block-2
 description object network P-Block-9
object-group service P-Allow-7 tcp
object service P-Allow
"""
    assert taken_names(text, "P") == {
        "P-Block-1": "object network P-Block-1",
        "P-Allow-7": "object-group service P-Allow-7",
        "P-Allow": "object service P-Allow",
    }
