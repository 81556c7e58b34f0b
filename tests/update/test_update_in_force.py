"""
What goes into force is judged, and not only what was fetched.
"""

import pytest
import pytest_twisted
from attrs import evolve

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.policy.cidr import CidrSet
from tscm.policy.in_force import Force, ForceRules, judge_allow, judge_loss
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.risks import Consent, Risk
from tscm.settings.feed import Feed
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.figures import Result
from tscm.update.outcome import UpdateOutcome

SHRINK = Consent(risks=frozenset({Risk.SHRINK}))
OPEN = NodeSettings(
    policy=PolicySettings(allow_special=True, max_allow_growth_percent=None, max_allow_percent=100)
)


def words(outcome: UpdateOutcome) -> set[str]:
    return {str(one.risk) for one in outcome.risks}


@pytest_twisted.ensureDeferred
async def test_an_allow_list_that_takes_the_room_of_the_block_list_is_refused(
    asa: SimulatedAsa,
) -> None:
    world = World(asa, changes={"max_policy_size": 1000})
    world.publish(block=addresses(900), allow=addresses(1, 5000))
    assert (await in_thread(world.run)).good
    world.publish(allow=addresses(999, 5000))
    refused = await in_thread(world.run)
    assert refused.result == Result.REFUSED
    assert words(refused) == {"accept_shrink", "accept_allow"}
    for part in (
        "the allow list would grow from 1 to 999 entries",
        "999 of 1,000 entries that the device may hold",
        "of 900 block entries in force now 1 would remain",
        "`tsadmin update fw --accept_allow --accept_shrink`",
    ):
        assert part in str(refused.error)
    assert len(world.held("Block")) == 900
    both = Consent(risks=frozenset({Risk.SHRINK, Risk.ALLOW}))
    for half in (SHRINK, Consent(risks=frozenset({Risk.ALLOW}))):
        refused = await in_thread(world.run, consent=half)
        assert refused.result == Result.REFUSED
        # Both words: whoever follows the sentence must not lose the one that was given.
        (given,) = half.words
        other = "accept_allow" if given == "accept_shrink" else "accept_shrink"
        assert f"`tsadmin update fw --{given} --{other}`" in str(refused.error)
    done = await in_thread(world.run, consent=both)
    assert (done.good, set(done.accepted)) == (True, {"accept_shrink", "accept_allow"})
    assert (await in_thread(world.run)).result == Result.UNCHANGED


@pytest_twisted.ensureDeferred
async def test_an_allow_list_that_covers_what_is_blocked_is_refused(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100))
    await in_thread(world.run)
    world.publish(allow=["20.0.0.0/9"])
    refused = await in_thread(world.run)
    assert words(refused) == {"accept_shrink"}
    assert "of 100 block entries in force now 0 would remain" in str(refused.error)


@pytest_twisted.ensureDeferred
async def test_small_losses_one_after_the_other_are_refused_together(asa: SimulatedAsa) -> None:
    world = World(asa)
    count, turns = 200, 0
    world.publish(block=addresses(count))
    await in_thread(world.run)
    while count > 10:
        count = count * 9 // 10
        world.publish(block=addresses(count))
        outcome = await in_thread(world.run)
        turns += 1
        if not outcome.good:
            break
    assert outcome.result == Result.REFUSED
    assert "of 200 block entries in force within 7 days" in str(outcome.error)
    assert len(world.held("Block")) >= 100
    assert turns > 3
    assert (await in_thread(world.run, consent=SHRINK)).good
    world.publish(block=addresses(count * 9 // 10))
    assert (await in_thread(world.run)).good, "what was accepted is the measure from then on"


@pytest_twisted.ensureDeferred
async def test_what_the_operator_chose_starts_no_alarm(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100), allow=addresses(4, 5000))
    await in_thread(world.run)
    world.changes["max_policy_size"] = 24
    smaller = await in_thread(world.run)
    assert (smaller.good, smaller.accepted) == (True, ())
    assert len(world.held("Block")) == 20
    world.lists["other.example"] = (1, addresses(5, 9000))
    world.changes["block_list"] = "other.example"
    other = await in_thread(world.run)
    assert (other.good, other.accepted) == (True, ())
    assert world.held("Block") == set(addresses(5, 9000))
    world.lists["other.example"] = (2, addresses(1, 9000))
    assert not (await in_thread(world.run)).good, "but only once"


@pytest_twisted.ensureDeferred
async def test_what_is_in_force_already_is_accepted_as_it_is(asa: SimulatedAsa) -> None:
    world = World(asa, node=OPEN, changes={"max_policy_size": 1000})
    world.publish(block=addresses(200), allow=addresses(800, 5000))
    assert (await in_thread(world.run)).good
    world.node = NodeSettings(policy=PolicySettings(allow_special=True))
    world.memory.pop("shape")  # an earlier version noted neither
    world.largest = None
    world.publish(block=addresses(190), allow=addresses(790, 5000))
    assert (await in_thread(world.run)).good
    world.publish(allow=addresses(810, 5000))
    assert words(await in_thread(world.run)) == {"accept_allow"}


@pytest_twisted.ensureDeferred
async def test_a_rollback_is_a_decision(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(30))
    await in_thread(world.run)
    small = world.applied
    world.publish(block=addresses(300))
    await in_thread(world.run)
    assert (await in_thread(world.run, rollback=small)).good
    assert world.largest is not None
    assert world.largest.block_entries == 30
    assert {BLOCK, ALLOW} <= set(world.lists)


def force(block: list[str], allow: list[str]) -> Force:
    return Force(block=CidrSet.of_texts(block), allow=CidrSet.of_texts(allow))


RULES = ForceRules(maximum=1000)


def test_other_entries_and_wider_ones_are_no_loss() -> None:
    before = force(addresses(100), [])
    for after in (force(addresses(100, 500), []), force(["20.0.0.0/16"], [])):
        assert not list(judge_loss(before, after, RULES, "now"))
    holed = force(["20.0.0.0/16"], ["20.0.0.0/32"])
    assert not list(judge_loss(force(["20.0.0.0/16"], []), holed, RULES, "now"))


@pytest.mark.parametrize(
    ("held", "wanted", "refused"), [(0, 50, 0), (0, 51, 1), (100, 200, 0), (100, 201, 1)]
)
def test_a_small_allow_list_may_grow_faster_than_a_large_one(
    held: int, wanted: int, refused: int
) -> None:
    before, after = force([], addresses(held)), force([], addresses(wanted))
    assert len(list(judge_allow(before, after, RULES))) == refused
    assert not list(judge_allow(None, after, RULES)), "the first one has no measure"


@pytest_twisted.ensureDeferred
async def test_what_a_feed_says_of_its_size_is_judged_by(asa: SimulatedAsa) -> None:
    def node(**bounds: int | bool) -> NodeSettings:
        feed = Feed(name=BLOCK, url="file:///nowhere", **bounds)  # type: ignore[arg-type]
        return NodeSettings(policy=PolicySettings(allow_special=True, feeds=(feed,)))

    world = World(asa, node=node())
    world.publish(block=addresses(100), allow=addresses(1, 5000))
    assert (await in_thread(world.run)).good
    for bounds, count, word in (
        ({"min_entries": 90}, 80, "accept_shrink"),
        ({"max_shrink_percent": 10}, 80, "accept_shrink"),
        ({"max_entries": 110}, 120, "accept_growth"),
        ({"max_growth_percent": 10}, 120, "accept_growth"),
        ({}, 0, "accept_shrink"),
    ):
        world.node = node(**bounds)
        world.publish(block=addresses(count))
        refused = await in_thread(world.run)
        assert (refused.result, words(refused)) == (Result.REFUSED, {word}), bounds
    world.node = node(max_shrink_percent=90)
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good
    world.node = node(may_be_empty=True)
    world.publish(block=[])
    assert (await in_thread(world.run)).good
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good


@pytest_twisted.ensureDeferred
async def test_a_list_that_could_hardly_be_read_is_refused(asa: SimulatedAsa) -> None:
    world = World(asa, node=OPEN)
    world.publish(block=addresses(100), allow=addresses(1, 5000))
    assert (await in_thread(world.run)).good
    fetch = world.fetch
    unreadable = 100

    def half(source: ListSource, known: PolicyList | None, now: float, /) -> PolicyList | None:
        found = fetch(source, known, now)
        return found and evolve(found, refused_count=unreadable if source.name == BLOCK else 0)

    world.publish(block=addresses(101))
    refused = await in_thread(world.run, fetch=half)
    assert (refused.result, words(refused)) == (Result.REFUSED, {"accept_shrink"})
    assert "100 of 201 entries of block.example could not be read, more than 5%" in str(
        refused.error
    )
    unreadable = 5
    assert (await in_thread(world.run, fetch=half)).good
