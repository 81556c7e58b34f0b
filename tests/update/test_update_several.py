"""
A block or allow list that is made of several published ones.
"""

import pytest
import pytest_twisted
from attrs import evolve

from tests.kinds.asa.rest.asa_device import in_thread, settings_for
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.risks import Consent, Risk
from tscm.settings import values
from tscm.settings.device import disagreements
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.figures import Result
from tscm.update.inquiry import dropped, explain

OTHER = "other.example"


def several(asa: SimulatedAsa) -> World:
    world = World(asa, changes={"block_list": f"{BLOCK} {OTHER}"})
    world.lists[OTHER] = (1, [*addresses(50, 2000), "0.0.0.0/0", *addresses(10)])
    world.publish(block=addresses(100), allow=addresses(1, 5000))
    return world


@pytest_twisted.ensureDeferred
async def test_both_lists_are_in_force_and_where_each_came_from_is_kept(asa: SimulatedAsa) -> None:
    world = several(asa)
    done = await in_thread(world.run)
    assert done.good, done.error
    assert world.held("Block") == {*addresses(100), *addresses(50, 2000)}
    assert done.block is not None
    assert (done.block.name, done.block.published, done.block.merged) == (
        f"{BLOCK} {OTHER}",
        161,
        150,
    )
    parts = [(one.name, one.published, one.left_out, one.merged) for one in done.block.parts]
    assert parts == [(BLOCK, 100, 0, 100), (OTHER, 61, 1, 60)]
    assert any(one.startswith(f"{OTHER}: 0.0.0.0/0 excluded") for one in done.findings)
    assert done.to_json()["block"]["parts"][1]["name"] == OTHER
    assert (await in_thread(world.run)).result == Result.UNCHANGED


@pytest_twisted.ensureDeferred
async def test_each_list_is_guarded_by_itself(asa: SimulatedAsa) -> None:
    world = several(asa)
    assert (await in_thread(world.run)).good
    world.lists[OTHER] = (2, addresses(5, 2000))  # 105 of 150 would be enough for both together
    refused = await in_thread(world.run)
    assert refused.result == Result.REFUSED
    assert "other.example shrank from 60 to 5 entries" in str(refused.error)
    assert len(world.held("Block")) == 150
    done = await in_thread(world.run, consent=Consent(risks=frozenset({Risk.SHRINK})))
    assert done.good
    assert len(world.held("Block")) == 105


@pytest_twisted.ensureDeferred
async def test_why_and_what_is_not_in_force_name_the_list(asa: SimulatedAsa) -> None:
    world = several(asa)
    world.changes["max_policy_size"] = 120
    world.node = NodeSettings(policy=PolicySettings(allow_special=True))
    done = await in_thread(world.run)
    assert done.good, done.error
    world.protect()
    await in_thread(world.run)
    job = world.job()
    told = explain(job, addresses(1)[0])
    assert told.verdict == "blocked"
    assert [one.list_name for one in told.lists] == [BLOCK, OTHER, ALLOW]
    missing = dropped(job)
    assert missing.block.count == 150 - len(world.held("Block"))
    assert len(world.held("Block")) < 150
    assert missing.block.left_out.count == 1


def test_names_may_stand_in_a_text_or_a_list_and_one_is_valid_as_before() -> None:
    assert values.list_names("Block.Example") == "block.example"
    assert values.list_names(" a.example  b.example a.example") == "a.example b.example"
    assert values.list_names(["a.example", "b.example"]) == "a.example b.example"
    for wrong in (
        "",
        [],
        7,
        "a/b",
        ["a.example", 7],
        "a " * 3 + " ".join(f"x{n}" for n in range(20)),
    ):
        with pytest.raises(ValueError, match="allowed"):
            values.list_names(wrong)


def test_no_list_blocks_and_allows_at_once(asa: SimulatedAsa) -> None:
    settings = settings_for(asa, block_list="a.example b.example", allow_list="c.example")
    assert not disagreements(settings)
    faults = disagreements(evolve(settings, allow_list="c.example b.example"))
    assert [one.where for one in faults] == ["allow_list"]
