"""
Entries by hand in a run: beside the lists, guarded as they are, never cut, and no part of what is compared.
"""

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.model import Cidr
from tscm.policy.by_hand import HandEntry
from tscm.policy.cidr import CidrSet
from tscm.policy.guard import GuardRules, Protected
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.store.generations import BY_HAND
from tscm.update.by_hand import judge, without_effect
from tscm.update.figures import Edits, PlanDiff, Result
from tscm.update.outcome import UpdateOutcome

HAND = "30.0.0.1/32"


def entry(number: int = 1, cidr: str = HAND, action: str = "block") -> HandEntry:
    return HandEntry(id=number, action=action, cidr=Cidr(cidr), who="root", made_at=0.0)


class Unreachable(World):
    """A world whose lists cannot be fetched any more."""

    def job(self, **changes: Any) -> Any:
        return evolve(super().job(**changes), fetch=self.away)

    def away(self, *_: object) -> Any:
        raise AssertionError("a list was asked for")


def cut_off(world: World) -> World:
    """The same world once nobody answers about lists."""
    other = Unreachable(world.asa, node=world.node, changes=world.changes)
    for name in ("known", "applied", "largest", "memory", "known_names", "lists"):
        setattr(other, name, getattr(world, name))
    return other


@pytest_twisted.ensureDeferred
async def test_an_entry_comes_and_goes_without_a_list_being_fetched(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20), allow=addresses(2, 500))
    assert (await in_thread(world.run)).good
    world = cut_off(world)
    pushed = await in_thread(world.run, by_hand=(entry(),), only_entries=True)
    assert (pushed.result, pushed.by_hand, pushed.only_entries) == (Result.CHANGED, (1,), True)
    assert world.held("Block") == {*addresses(20), HAND}
    assert world.held("Allow") == set(addresses(2, 500))
    assert world.memory["by_hand"] == (1,)
    assert world.applied is not None
    assert (world.applied.note, world.applied.block_entries) == (BY_HAND, 21)
    assert world.applied.of_lists.block_entries == 20
    again = await in_thread(world.run, by_hand=(entry(),), only_entries=True)
    assert again.result == Result.UNCHANGED
    gone = await in_thread(world.run, only_entries=True)
    assert gone.good
    assert world.converged()
    assert world.memory["by_hand"] == ()


@pytest_twisted.ensureDeferred
async def test_what_the_lists_hold_too_stays_when_the_entry_ends(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    await in_thread(world.run)
    around = entry(1, "20.0.0.0/24")
    await in_thread(world.run, by_hand=(around,), only_entries=True)
    assert world.held("Block") == {"20.0.0.0/24"}
    world.publish(block=addresses(4))
    await in_thread(world.run, by_hand=(around,))
    assert world.held("Block") == {"20.0.0.0/24"}
    await in_thread(world.run, only_entries=True)
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_an_entry_is_never_cut_and_takes_no_room_from_the_lists(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"max_policy_size": 1000})
    world.publish(block=addresses(1200))
    entries = tuple(entry(n, f"30.0.{n}.1/32") for n in range(1, 6))
    done = await in_thread(world.run, by_hand=entries)
    held = world.held("Block")
    assert {one.cidr for one in entries} <= held
    assert len(held) == 1005
    assert done.block is not None
    assert (done.block.cut, done.block.by_hand, done.block.desired) == (200, 5, 1005)


@pytest_twisted.ensureDeferred
async def test_entries_that_end_are_no_loss_however_many(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    await in_thread(world.run)
    entries = tuple(entry(n, f"30.0.{n}.1/32") for n in range(1, 101))
    assert (await in_thread(world.run, by_hand=entries, only_entries=True)).good
    assert (await in_thread(world.run, by_hand=entries)).good
    assert (await in_thread(world.run)).good, "90 % less is in force, and nobody asks"
    assert world.converged()
    opening = tuple(entry(200 + n, one, "allow") for n, one in enumerate(addresses(10)))
    assert (await in_thread(world.run, by_hand=opening, only_entries=True)).good
    assert (await in_thread(world.run, by_hand=opening)).good, "an operator permits what he likes"


@pytest_twisted.ensureDeferred
async def test_a_list_that_shrinks_is_not_hidden_by_entries(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100))
    entries = tuple(entry(n, f"30.0.{n}.1/32") for n in range(1, 101))
    await in_thread(world.run, by_hand=entries)
    world.publish(block=addresses(40))
    refused = await in_thread(world.run, by_hand=entries)
    assert refused.result == Result.REFUSED
    assert "of 100 block entries in force now 40 would remain" in str(refused.error)


@pytest_twisted.ensureDeferred
async def test_what_the_guard_has_against_an_entry_later_leaves_it_out(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    both = (entry(1), entry(2, "30.0.0.9/32"))
    await in_thread(world.run, by_hand=both)
    world.node = NodeSettings(policy=PolicySettings(allow_special=True, protect=("30.0.0.1",)))
    for changes in ({}, {"only_entries": True}):
        done = await in_thread(world.run, by_hand=both, **changes)
        assert done.good
        assert world.held("Block") == {*addresses(3), "30.0.0.9/32"}
        assert any("would block 30.0.0.1/32" in one for one in done.warnings)
        assert (world.memory["by_hand"], world.memory["by_hand_left"]) == ((2,), (1,))


@pytest_twisted.ensureDeferred
async def test_an_unknown_name_holds_new_entries_and_takes_none_away(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    await in_thread(world.run, by_hand=(entry(1),))
    world.node = NodeSettings(policy=PolicySettings(allow_special=True, protect=("siem.example",)))
    new = (entry(1), entry(2, "30.0.0.9/32"), entry(3, "30.0.0.17/32", "allow"))
    done = await in_thread(world.run, by_hand=new, only_entries=True)
    assert world.held("Block") == {*addresses(3), HAND}
    assert world.held("Allow") == {"30.0.0.17/32"}
    assert any("siem.example" in one for one in done.warnings)
    world.names["siem.example"] = ("50.0.0.1",)
    await in_thread(world.run, by_hand=new)
    assert "30.0.0.9/32" in world.held("Block")


@pytest_twisted.ensureDeferred
async def test_a_rollback_brings_back_lists_and_no_entry_that_ended(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(5))
    await in_thread(world.run, by_hand=(entry(1),))
    old = world.applied
    world.publish(block=addresses(9))
    await in_thread(world.run, by_hand=(entry(2, "30.0.0.9/32"),))
    await in_thread(world.run, by_hand=(entry(2, "30.0.0.9/32"),), rollback=old)
    assert world.held("Block") == {*addresses(5), "30.0.0.9/32"}


@pytest_twisted.ensureDeferred
async def test_an_allow_by_hand_stands_above_and_a_block_under_it_is_told(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(3), allow=["40.0.0.0/24"])
    both = (entry(1, addresses(1)[0], "allow"), entry(2, "40.0.0.7/32"), entry(3, "40.0.0.0/16"))
    done = await in_thread(world.run, by_hand=both)
    assert world.held("Allow") == {"40.0.0.0/24", addresses(1)[0]}
    told = [one for one in done.warnings if "has no effect" in one]
    assert len(told) == 1
    assert "entry 2" in told[0]


@pytest_twisted.ensureDeferred
async def test_a_device_without_a_policy_gets_its_lists_with_the_first_entry(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    done = await in_thread(world.run, by_hand=(entry(),), only_entries=True)
    assert done.good
    assert not done.only_entries, "it is an update like any other"
    assert world.memory["shape"]
    assert world.held("Block") == {*addresses(3), HAND}


@pytest_twisted.ensureDeferred
async def test_a_plan_shows_entries_by_hand(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    await in_thread(world.run)
    plan = await in_thread(world.plan, by_hand=(entry(),))
    assert plan.diff == PlanDiff(block=Edits(added=(HAND,)))
    pushed = await in_thread(world.run, by_hand=(entry(),), plan=plan.plan_id)
    assert pushed.result == Result.CHANGED
    other = await in_thread(world.run, by_hand=(), plan=plan.plan_id)
    assert other.result == Result.REFUSED


@pytest_twisted.ensureDeferred
async def test_another_choice_of_lists_is_still_to_come_after_an_entry(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100))
    await in_thread(world.run)
    world.lists["other.example"] = (1, addresses(2, 900))
    world.changes = {"block_list": "other.example"}
    done = await in_thread(world.run, by_hand=(entry(),), only_entries=True)
    assert not done.rebased
    assert world.held("Block") == {*addresses(100), HAND}
    assert (await in_thread(world.run)).good, "who chose another list is not asked"


SPACE = [f"20.0.{n}.0/{length}" for n in (0, 4, 8) for length in (22, 24, 32)]
MANY = st.lists(
    st.tuples(st.sampled_from(["block", "allow"]), st.sampled_from(SPACE)), max_size=12
).map(lambda pairs: [entry(n, cidr, action) for n, (action, cidr) in enumerate(pairs, 1)])


@given(MANY, st.sampled_from(SPACE))
def test_each_entry_is_kept_or_left_out_for_a_cause(
    entries: list[HandEntry], protected: str
) -> None:
    judged = judge(entries, GuardRules(protected=(Protected(protected, "the SIEM"),), widest_v4=23))
    left = [one for one, _ in judged.left_out]
    assert sorted(one.id for one in (*judged.kept, *left)) == [one.id for one in entries]
    safe = CidrSet.of_texts([protected])
    for one in entries:
        wide = one.cidr.endswith("/22")
        hits = one.action == "block" and CidrSet.of_texts([one.cidr]).overlaps(safe)
        assert (one in left) == (wide or hits)


@given(MANY)
def test_no_effect_means_wholly_permitted(entries: list[HandEntry]) -> None:
    allow = CidrSet.of_texts(one.cidr for one in entries if one.action == "allow")
    dead = list(without_effect(entries, allow))
    assert dead == [one for one in entries if one.action == "block" and allow.covers(one.cidr)]


def short_job(world: World, *entries: HandEntry) -> UpdateOutcome:
    """What the manager does for entries by hand: no pause that an operator would have to wait for."""
    world.pauses.clear()
    return world.run(by_hand=entries, only_entries=True)


async def again_until_good(world: World, *entries: HandEntry) -> UpdateOutcome:
    """As the manager does: each try may learn something, and the agent may need a moment."""
    for _ in range(100):
        done: UpdateOutcome = await in_thread(short_job, world, *entries)
        if done.good:
            return done
        await deferLater(reactor, 0.05)
    raise AssertionError(done.error)


@pytest_twisted.ensureDeferred
async def test_full_groups_and_foreign_names_need_no_pause(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"object_group_size": 10})
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good
    for number in (3, 4, 5):
        asa.type_lines([f"object network ThreatSTOP-Block-{number}", " host 198.51.100.9"])
    done = await in_thread(short_job, world, entry())
    assert done.good, done.error
    assert world.pauses == []
    assert HAND in world.held("Block")


@pytest_twisted.ensureDeferred
async def test_an_agent_that_fails_is_left_alone_and_nobody_waits_for_it(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good
    # Every answer to a body of that size is a failure of the agent.
    asa.switches.update({"crash_body_bytes": 40, "agent_restart_seconds": 0.01})
    done = await in_thread(short_job, world, entry())
    assert (done.result, world.pauses) == (Result.FAILED, [])
    assert not world.memory["broken"]
    assert world.memory["by_hand"] == ()
    asa.switches.update({"crash_body_bytes": 0})
    await again_until_good(world, entry())


@pytest.mark.parametrize(
    ("switch", "octets"), [("max_body_bytes", 4000), ("crash_body_bytes", 16_000)]
)
@pytest_twisted.ensureDeferred
async def test_a_thousand_entries_go_through_an_agent_that_bears_small_bodies(
    asa: SimulatedAsa, switch: str, octets: int
) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good
    asa.switches.update({switch: octets, "agent_restart_seconds": 0.01, "agent_restarts": 1000})
    entries = [entry(n, f"30.{n >> 7}.{n & 127}.1/32") for n in range(1, 1001)]
    await again_until_good(world, *entries)
    assert max(world.pauses, default=0) == 0
    assert len(world.held("Block")) == 1020
