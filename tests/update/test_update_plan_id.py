"""
An update that is bound to a plan pushes that plan or nothing.
"""

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.kinds.asa.driver import Group, layout_digest
from tscm.model import Cidr
from tscm.policy.cidr import CidrSet
from tscm.simulator.service import SimulatedAsa
from tscm.update.figures import Result
from tscm.update.plan_id import (
    KEPT_SECONDS,
    PlanFaulty,
    PlanOutdated,
    plan_id,
    refuse_other_plan,
)

NOW = 1_800_000_000.0
BLOCK, ALLOW = CidrSet.of_texts(["192.0.2.0/24"]), CidrSet.of_texts(["198.51.100.1"])
GROUP = Group(name="P-Block-1", members=(Cidr("192.0.2.1/32"), Cidr("192.0.2.9/32")))


def test_the_same_start_and_goal_have_the_same_id_and_any_other_has_another() -> None:
    made = plan_id(layout_digest({"P-Block-1": GROUP}), BLOCK, ALLOW, NOW)
    turned = Group(name="P-Block-1", members=GROUP.members[::-1])
    refuse_other_plan(
        "fw", made, plan_id(layout_digest({"P-Block-1": turned}), BLOCK, ALLOW, NOW + 60), NOW + 60
    )
    for groups, block, allow in (
        ({}, BLOCK, ALLOW),
        ({"P-Block-1": Group(name="P-Block-1", members=GROUP.members[:1])}, BLOCK, ALLOW),
        ({"P-Block-1": GROUP}, ALLOW, BLOCK),
        ({"P-Block-1": GROUP}, BLOCK, CidrSet.of_texts([])),
    ):
        other = plan_id(layout_digest(groups), block, allow, NOW)
        with pytest.raises(PlanOutdated, match=f"have changed .* --plan {other}"):
            refuse_other_plan("fw", made, other, NOW)


@pytest.mark.parametrize("age", [KEPT_SECONDS + 1, -KEPT_SECONDS - 1])
def test_a_plan_is_good_for_a_day(age: float) -> None:
    made = plan_id("", BLOCK, ALLOW, NOW)
    with pytest.raises(PlanOutdated, match="older than a day"):
        refuse_other_plan("fw", made, plan_id("", BLOCK, ALLOW, NOW + age), NOW + age)


@given(st.text(max_size=60))
def test_a_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises((PlanFaulty, PlanOutdated)):
        refuse_other_plan("fw", text, plan_id("", BLOCK, ALLOW, NOW), NOW)


@pytest_twisted.ensureDeferred
async def test_the_plan_that_was_shown_is_pushed_and_no_other(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    shown = (await in_thread(world.plan)).plan_id
    assert shown is not None
    world.publish(block=addresses(4))
    refused = await in_thread(lambda: world.run(plan=shown))
    assert refused.result == Result.REFUSED
    assert "lists or groups have changed" in str(refused.error)
    assert refused.outdated
    assert refused.plan_id is not None
    assert refused.plan_id in str(refused.error)
    assert refused.plan is not None
    assert refused.plan.added == 4
    assert refused.diff is not None
    assert len(refused.diff.block.added) == 4
    assert not [name for name in asa.configuration.groups if name.startswith("ThreatSTOP")]

    shown = (await in_thread(world.plan)).plan_id
    done = await in_thread(lambda: world.run(plan=shown))
    assert (done.result, done.outdated, len(world.held("Block"))) == (Result.CHANGED, False, 4)

    world.publish(block=addresses(5))
    shown = (await in_thread(world.plan)).plan_id
    asa.type_lines(["object-group network ThreatSTOP-Block-1", "network-object host 203.0.113.77"])
    refused = await in_thread(lambda: world.run(plan=shown))
    assert refused.result == Result.REFUSED
    assert len(world.held("Block")) == 5, (
        "the hand-made entry is still there, and nothing else came"
    )


@pytest_twisted.ensureDeferred
async def test_without_changes_there_is_a_plan_too(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    await in_thread(world.run)
    planned = await in_thread(world.plan)
    done = await in_thread(lambda: world.run(plan=planned.plan_id))
    assert (planned.plan is not None and planned.plan.steps, done.result) == (0, Result.UNCHANGED)
