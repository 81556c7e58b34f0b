"""
The entry of a test: what it does to the groups, and what is said of one that a killed manager left.
"""

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import BLOCK, World, addresses
from tscm.doctor.prover import ProofRefused
from tscm.kinds.asa.proving import prepare, put_in, take_out
from tscm.kinds.asa.rest.link import RestLink
from tscm.model import Cidr, Progress
from tscm.simulator.service import SimulatedAsa
from tscm.store.generations import PURGED

ENTRY = Cidr("203.0.113.9/32")


def quiet(_: Progress) -> None:
    pass


class Killed(BaseException):
    """Goes through everything that waits for faults, as the end of a process does."""


async def loaded(asa: SimulatedAsa, count: int = 8, **changes: Any) -> World:
    world = World(asa)
    world.changes.update(changes)
    world.publish(addresses(count), ["20.200.0.0/24"])
    assert (await in_thread(world.run)).good
    return world


def held(world: World) -> list[str]:
    return list(world.asa.device.configuration.object_lines())


@pytest.mark.parametrize("count", [1, 4, 8])
@pytest_twisted.ensureDeferred
async def test_in_and_out_leaves_the_groups_as_they_were(asa: SimulatedAsa, count: int) -> None:
    """Also where every child is full and one has to be made."""
    world = await loaded(asa, count, object_group_size=4)
    before = held(world)
    pushed = await in_thread(put_in, world.job(), ENTRY, "show version", quiet)
    assert pushed.said is not None
    assert any("203.0.113.9" in line for line in held(world))
    await in_thread(take_out, world.job(), quiet)
    await in_thread(take_out, world.job(), quiet)
    assert held(world) == before


@pytest_twisted.ensureDeferred
async def test_killed_between_any_two_requests_the_next_update_takes_it_out_and_blames_nobody(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await loaded(asa, object_group_size=4)
    before, send = held(world), RestLink._send

    def put_in_until_killed(requests: int) -> bool:
        left = [requests]

        def send_or_die(link: RestLink, *args: Any, **kwargs: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return send(link, *args, **kwargs)

        monkeypatch.setattr(RestLink, "_send", send_or_die)
        try:
            put_in(world.job(), ENTRY, None, quiet)
        except Killed:
            return True
        finally:
            monkeypatch.setattr(RestLink, "_send", send)
        return False

    found = 0
    for requests in range(40):
        killed = await in_thread(put_in_until_killed, requests)
        world.memory["test_entry"] = ENTRY
        there = any("203.0.113.9" in line for line in held(world))
        outcome = await in_thread(world.run)
        assert outcome.good
        assert held(world) == before, requests
        assert world.memory["test_entry"] is None
        assert not any("edited" in note for note in outcome.notes), outcome.notes
        told = any("interrupted test" in note for note in outcome.notes)
        found += told
        assert told or not there or "Block-" in str(outcome.plan), outcome.notes
        if not killed:
            break
    else:
        raise AssertionError("it takes more than 40 requests")
    assert found


@pytest_twisted.ensureDeferred
async def test_the_next_test_takes_out_what_the_last_one_left(asa: SimulatedAsa) -> None:
    world = await loaded(asa)
    before = held(world)
    await in_thread(put_in, world.job(), ENTRY, None, quiet)
    world.memory["test_entry"] = ENTRY
    prepared = await in_thread(prepare, world.job(), 9, quiet)
    assert held(world) == before
    assert str(prepared.entry).startswith("203.0.113.")


@pytest_twisted.ensureDeferred
async def test_no_address_of_the_lists_of_what_is_protected_or_of_the_device_is_blocked(
    asa: SimulatedAsa,
) -> None:
    world = await loaded(asa)
    world.publish([*addresses(8), "203.0.113.0/24"], ["20.200.0.0/24"])
    assert (await in_thread(world.run)).good
    policy = evolve(world.node.policy, protect=("192.0.2.9",))
    world.node = evolve(world.node, policy=policy, address="192.0.2.77")
    # 198.51.100.0/24 is the network of the firewall's own outside interface.
    for number in (0, 7, 8, 74, 75, 76, 253):
        prepared = await in_thread(prepare, world.job(), number, quiet)
        assert str(prepared.entry).startswith("192.0.2.")
        assert prepared.entry not in {f"192.0.2.{one}/32" for one in (1, 8, 9, 76, 77)}


@pytest_twisted.ensureDeferred
async def test_where_all_of_documentation_space_is_blocked_nothing_is_pushed(
    asa: SimulatedAsa,
) -> None:
    world = await loaded(asa)
    taken = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
    world.publish([*addresses(8), *taken], ["20.200.0.0/24"])
    assert (await in_thread(world.run)).good
    before = held(world)
    with pytest.raises(ProofRefused, match="RFC 5737"):
        await in_thread(prepare, world.job(), 0, quiet)
    assert held(world) == before


@pytest_twisted.ensureDeferred
async def test_a_published_list_of_bogons_that_the_guard_left_out_is_no_reason_to_refuse(
    asa: SimulatedAsa,
) -> None:
    world = await loaded(asa)
    world.node = evolve(world.node, policy=evolve(world.node.policy, allow_special=False))
    taken = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
    world.publish([*addresses(8), *taken], ["20.200.0.0/24"])
    assert (await in_thread(world.run)).good
    assert world.known[BLOCK].count == 11
    assert (await in_thread(prepare, world.job(), 0, quiet)).entry == "203.0.113.1/32"


@pytest_twisted.ensureDeferred
async def test_a_device_without_a_policy_in_force_is_refused(asa: SimulatedAsa) -> None:
    world = await loaded(asa)
    assert world.applied is not None
    for applied in (None, evolve(world.applied, note=PURGED)):
        with pytest.raises(ProofRefused, match="no policy in force"):
            await in_thread(prepare, world.job(applied=applied), 0, quiet)
