"""
Large policies: what the engine is bought for.  Times are in bench/bench_policy.py; here it is counted.
"""

import random

from attrs import evolve

from tests.kinds.asa.planned_device import StrictDevice, in_force
from tscm.kinds.asa.driver import AddMembers, CreateGroup, RemoveMembers
from tscm.kinds.asa.plan import Desired, make_plan
from tscm.policy.cidr import CidrSet, Entries

COUNT = 30_000


def hosts(seed: int, count: int) -> list[str]:
    chosen = random.Random(seed)
    return [
        f"{chosen.randrange(11, 100)}.{chosen.randrange(256)}.{chosen.randrange(256)}.{2 * n % 256}"
        for n in range(count)
    ]


def desire(texts: list[str]) -> Desired:
    return Desired(
        prefix="P",
        block=CidrSet.of(Entries.of(texts)),
        allow=CidrSet.of_texts(["8.8.8.8"]),
        size=3000,
        mark="m",
    )


def test_an_hourly_change_of_one_percent_is_small_and_a_calm_hour_costs_nothing() -> None:
    texts = hosts(1, COUNT)
    first = desire(texts)
    device = StrictDevice({})
    load = make_plan({}, first)
    for step in load.steps:
        device.apply(step)
    assert len(device.groups["P-Block"].children) == 10
    assert make_plan(device.groups, first).steps == ()

    for hour in range(3):
        gone = set(random.Random(hour).sample(texts, COUNT // 100))
        texts = [text for text in texts if text not in gone] + hosts(100 + hour, COUNT // 100)
        desired = desire(texts)
        plan = make_plan(device.groups, desired)
        touched = {step.group for step in plan.steps if step.group.startswith("P-Block-")}
        assert len(plan.steps) <= 2 * len(touched) + 4
        moved = sum(
            len(step.members)
            for step in plan.steps
            if isinstance(step, CreateGroup | AddMembers | RemoveMembers)
        )
        assert moved < 0.03 * COUNT
        for step in plan.steps:
            device.apply(step)
        assert in_force(device.groups, "Block") == set(desired.block.cidrs())
        assert len(device.groups["P-Block"].children) <= 11


def test_going_back_sends_only_the_way_back() -> None:
    texts = hosts(1, 6000)
    one, two = desire(texts), desire(texts[60:] + hosts(2, 60))
    device = StrictDevice({})
    for desired in (one, two):
        for step in make_plan(device.groups, desired).steps:
            device.apply(step)
    back = make_plan(device.groups, one)
    assert set(back.block.added) == set(one.block.cidrs()) - set(two.block.cidrs())
    assert back.estimate.sent + back.estimate.removed <= 4 * 60


def test_a_smaller_maximum_takes_out_what_is_over() -> None:
    desired = desire(hosts(1, 9000))
    device = StrictDevice({})
    for step in make_plan({}, desired).steps:
        device.apply(step)
    kept = desired.block.entries.head(4000)
    plan = make_plan(device.groups, evolve(desired, block=CidrSet(kept)))
    assert plan.block.added == ()
    assert len(plan.block.removed) == len(desired.block) - 4000
    for step in plan.steps:
        device.apply(step)
    assert in_force(device.groups, "Block") == set(kept.cidrs())
