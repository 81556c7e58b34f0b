"""
What an update costs the device: requests, bytes, and no crash on any platform.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.kinds.asa.rest.link import Bounds
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.update.figures import Result

PATIENT = Bounds(connect_seconds=5, read_seconds=30, write_seconds=30)


@pytest_twisted.async_yield_fixture()
async def platform(request: Any) -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(
        reactor, AsaOptions(username="admin", password="secret", profile=request.param)
    )
    service.startService()
    yield service
    await service.stopService()


@pytest.mark.parametrize(
    ("platform", "entries"), [("ASAv5", 8000), ("ASAv10", 9000)], indirect=["platform"]
)
@pytest_twisted.ensureDeferred
async def test_a_first_load_of_what_the_platform_bears_ends_without_a_fault(
    platform: SimulatedAsa, entries: int
) -> None:
    world = World(platform, changes={"max_policy_size": entries}, bounds=PATIENT)
    # Networks have the longest lines: what the budget is reckoned by.
    world.publish(block=[f"203.{100 + (n >> 7)}.{100 + (n & 127)}.128/25" for n in range(entries)])
    outcome = await in_thread(world.run)
    assert outcome.result == Result.CHANGED, outcome.error
    assert outcome.failures == ()
    assert platform.counts.agent_crashes == 0
    assert platform.counts.in_flight_most == 1


@pytest.mark.parametrize("platform", ["5585"], indirect=True)
@pytest_twisted.ensureDeferred
async def test_a_small_change_costs_little_and_no_change_two_reads(platform: SimulatedAsa) -> None:
    world = World(
        platform, changes={"max_policy_size": 40_000, "object_group_size": 2000}, bounds=PATIENT
    )
    world.publish(block=addresses(20_000))
    await in_thread(world.run)
    full = platform.counts.bytes_in
    world.protect()
    platform.counts.reset()
    old = addresses(20_000)
    world.publish(block=[*(one for n, one in enumerate(old) if n % 200), *addresses(100, 30_000)])
    change = await in_thread(world.run)
    assert change.good
    assert change.plan is not None
    assert (change.plan.added, change.plan.removed) == (100, 100)
    touched = 10
    assert sum(platform.counts.requests.values()) <= 2 * touched + 8
    assert platform.counts.bytes_in < 0.03 * full
    platform.counts.reset()
    assert (await in_thread(world.run)).result == Result.UNCHANGED
    asked = [one for one in platform.counts.requests if "tokenservices" not in one]
    assert len(asked) == 2
    assert all(one.startswith("GET") for one in asked)
