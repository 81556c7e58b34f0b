"""
A device that had our groups and has them no more is not protected by making them anew.
"""

import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.cli.state import state_pairs
from tscm.kinds.asa.lines import access_list_lines
from tscm.simulator.service import SimulatedAsa
from tscm.state import DeviceState
from tscm.update.figures import Result, UpdateFigures
from tscm.update.inquiry import explain
from tscm.update.memory import DeviceMemory

LINES = access_list_lines("ThreatSTOP-Block", "ThreatSTOP-Allow")


def unused(world: World) -> tuple[str, ...]:
    return DeviceMemory.from_json(world.memory).unused


@pytest_twisted.ensureDeferred
async def test_parents_made_anew_are_told_until_an_access_list_uses_them(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    assert (await in_thread(world.plan)).warnings == (), "they come with the first update"
    first = await in_thread(world.run)
    (warning,) = first.warnings
    assert warning.startswith("no access-list uses ThreatSTOP-Block and ThreatSTOP-Allow yet, so")
    assert all(line in warning for line in LINES)
    why = explain(world.job(), "20.0.0.0").verdict
    assert (
        why
        == "not blocked: ThreatSTOP-Block contains it, and no access-list used it at the last update"
    )
    world.protect()
    assert (await in_thread(world.run)).warnings == ()
    assert (unused(world), explain(world.job(), "20.0.0.0").verdict) == ((), "blocked")
    asa.type_lines([f"no {line}" for line in LINES])
    for name in list(asa.configuration.groups):  # another device in its place
        del asa.configuration.groups[name]
    planned = await in_thread(world.plan)
    assert any("no access-list uses what was missing" in one for one in planned.warnings)
    again = await in_thread(world.run)
    assert again.good
    (warning,) = again.warnings
    assert "ThreatSTOP-Block and ThreatSTOP-Allow were no longer on the device and" in warning
    assert "nothing is blocked" in warning
    assert all(line in warning for line in LINES)
    quiet = await in_thread(world.run)
    assert (quiet.result, quiet.warnings) == (Result.UNCHANGED, again.warnings)

    asa.type_lines([LINES[2]])
    bound = LINES[2].split()[1]
    assert (await in_thread(world.run)).warnings == again.warnings, "it is bound nowhere"
    asa.type_lines([f"access-group {bound} global"])
    (left,) = (await in_thread(world.run)).warnings
    assert left.startswith("ThreatSTOP-Allow was no longer on the device and")
    assert LINES[0] in left
    assert LINES[2] not in left
    asa.type_lines([LINES[0]])
    done = await in_thread(world.run)
    assert (done.warnings, unused(world)) == ((), ())
    requests = (await in_thread(world.run)).traffic.requests
    assert requests == 4, "the configuration is read no more"


def test_it_stands_where_the_operator_looks() -> None:
    state = DeviceState(policy=UpdateFigures(unused_groups=("ThreatSTOP-Block",)))
    words = dict(state_pairs({"name": "fw", "policy_updates": True}, state))
    assert "ThreatSTOP-Block" in words["attention"]
    assert "`tsadmin show fw --lines`" in words["attention"]
