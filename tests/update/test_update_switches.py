"""
Every switch of the simulator in every position, lived through by a manager over real sockets.

One life: a first load, edits and takings away by hand in the middle, a crash, a refused deletion, a reload
and a failover.  After every single request both lists hold at least what old and new have in common and at
most both together, and each stage ends with the firewall as the lists say.  Where a run
gives up it names the two commands; the operator types them, and the next run ends it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field, fields
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_faults import Faults
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.policy.cidr import CidrSet
from tscm.simulator.health import Health
from tscm.simulator.service import SimulatedAsa
from tscm.simulator.switches import Switches
from tscm.update.figures import Result
from tscm.update.outcome import UpdateOutcome

NUMBERS: dict[str, tuple[float, ...]] = {
    "token_lifetime": (0, 0.001),
    "token_maximum": (1,),
    "lockout_after": (3,),
    "max_members": (40,),
    "max_nesting": (2,),
    "max_body_bytes": (1200,),
    "bulk_maximum": (2,),
    "time_scale": (0.001,),
    "concurrent_limit": (0,),
    "crash_body_bytes": (2000,),
    "agent_restart_seconds": (0, 0.05),
    "agent_start_seconds": (0.05,),
    "agent_restarts": (0, 1),
    "agent_stable_seconds": (0,),
    "accepted_late_seconds": (0.02,),
    "slow_body_seconds": (0.02,),
    "reload_seconds": (0.05,),
    "clock_ahead_seconds": (3600.0,),
    "deny_flow_max": (0,),
    "lines_per_second": (0,),
    "stray_space_share": (0,),
    "reconnect_seconds": (0,),
}
"""Positions of the switches that are numbers, beside their defaults."""

_RUNS = 6
"""On a machine that does other things, what is done late may come behind more than one run."""

TAKE_TIME = {
    "agent_restart_seconds",
    "agent_start_seconds",
    "accepted_late_seconds",
    "reload_seconds",
}

TOGETHER: list[dict[str, Any]] = [
    *(
        {"down_status": status, "error_body": body}
        for status in (503, 404)
        for body in ("empty", "json")
    ),
    *(
        {"bulk_failure_status": status, "bulk_entry_form": form}
        for status in (200, 500)
        for form in ("bare", "null")
    ),
    {"user_agent_gate": "all", "user_agent_status": 403},
    {"bulk_atomic": "validation", "request_atomic": False},
    {"member_error_status": 500, "duplicate_status": 500, "in_use_status": 500, "error_code": ""},
    {"success_warning": True, "standby_warns": False, "security_headers": False},
    {"max_body_bytes": 1200, "bulk_failure_status": 500, "error_code": ""},
    {"agent_restarts": 0, "agent_start_seconds": 0.05, "down_status": 503},
]
"""Positions that work on each other."""


def positions() -> Iterator[dict[str, Any]]:
    yield {}
    for item in fields(Switches):
        if item.name.startswith(("ssh_", "http_")):
            continue  # sessions of the other ways, which have tests of their own
        others = item.metadata.get("allowed", NUMBERS.get(item.name))
        assert others, f"{item.name} has no position here"
        yield from ({item.name: one} for one in others if one != item.default)
    yield from TOGETHER


@define(eq=False)
class Life:
    """A firewall with its switches set, and the manager that updates it."""

    asa: SimulatedAsa
    world: World
    faults: Faults = field(init=False)
    least: dict[str, CidrSet] = field(factory=dict)
    most: dict[str, CidrSet] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.faults = Faults(self.asa, watch=self.watch)

    def publish(self, block: Sequence[str], allow: Sequence[str]) -> None:
        self.world.publish(block=block, allow=allow)
        for kind, name in (("Block", BLOCK), ("Allow", ALLOW)):
            old = CidrSet.of_texts(self.world.held(kind))
            new = CidrSet.of_texts(self.world.lists[name][1])
            self.least[kind], self.most[kind] = old.intersection(new), old.union(new)

    def unwatch(self) -> None:
        self.least.clear()
        self.most.clear()

    def watch(self) -> None:
        for kind, least in self.least.items():
            held = CidrSet.of_texts(self.world.held(kind))
            assert held.contains(least), f"{kind} dipped"
            assert self.most[kind].contains(held), f"{kind} holds what nobody asked for"

    async def update(self, stage: str) -> UpdateOutcome:
        """A run, and where it gives up another after the operator did what he was told."""
        outcome = await in_thread(self.world.run)
        assert not self.faults.complaints, f"{stage}: {self.faults.complaints}"
        if not outcome.good:
            assert "fifth failure" in str(outcome.error), f"{stage}: {outcome.error}"
            assert "no rest-api agent" in str(outcome.error), f"{stage}: {outcome.error}"
            assert self.asa.device.health.state in {Health.DEAD, Health.OFF}, stage
            self.asa.revive_agent()
            outcome = await in_thread(self.world.run)
        assert outcome.good, f"{stage}: {outcome.error} after {outcome.failures}"
        return outcome

    async def converge(self, stage: str) -> None:
        for _ in range(_RUNS):
            await self.update(stage)
            if self.world.converged():
                return
            # What was typed after the read back, or is done late, is for the next run.
        raise AssertionError(f"{stage}: not converged after {_RUNS} runs")


def by_hand(*lines: str) -> tuple[str, ...]:
    return ("object-group network ThreatSTOP-Block-1", *(f" {line}" for line in lines))


@pytest.mark.parametrize(
    "switches", list(positions()), ids=lambda one: str(one) if one else "defaults"
)
@pytest_twisted.ensureDeferred
async def test_a_life_with_every_switch_in_every_position_ends_each_stage_converged(
    asa: SimulatedAsa, switches: dict[str, Any]
) -> None:
    asa.set_switches({"agent_restart_seconds": 0.0, **switches})
    pause = 0.06 if TAKE_TIME & switches.keys() else 0.005
    life = Life(asa, World(asa, changes={"object_group_size": 30}, real_pause=pause))
    arm = asa.agent.faults.arm

    life.publish(addresses(100), addresses(5, 5000))
    await life.converge("first load")
    arm(
        "outside-lines",
        5,
        lines=by_hand("network-object host 20.0.0.220", "no network-object host 20.0.0.0"),
    )
    life.publish(addresses(90, 30), addresses(5, 5001))
    life.unwatch()  # somebody else changes them too
    await life.converge("an addition and a removal that somebody makes first")

    arm(
        "outside-lines",
        5,
        lines=(
            "object-group network ThreatSTOP-Block",
            " no group-object ThreatSTOP-Block-2",
            "no object-group network ThreatSTOP-Block-2",
            "object-group network ThreatSTOP-Allow-2",
            " network-object host 20.99.0.1",
        ),
    )
    life.publish(addresses(90, 40), addresses(40, 5001))
    life.unwatch()
    await life.converge("a group taken away and one made by somebody else")

    arm("crash", 5)
    life.publish(addresses(100, 50), addresses(40, 5002))
    await life.converge("a crash in the middle")

    users = [one for one in asa.configuration.groups if "Allow-" in one]
    asa.type_lines(["object-group network OTHER", *(f" group-object {one}" for one in users)])
    life.publish(addresses(100, 50), addresses(25, 5002))
    told = await life.update("a deletion refused")
    assert life.world.held("Allow") == set(addresses(25, 5002))
    assert any("could not be deleted" in note for note in told.notes)
    asa.type_lines(["no object-group network OTHER"])
    life.publish(addresses(99, 50), addresses(25, 5002))
    await life.converge("what could not be deleted")

    # What was accepted is done by then, `write memory` too: else it comes back with what is gone for good here.
    await deferLater(reactor, switches.get("accepted_late_seconds", 0.0) + 0.01)
    life.unwatch()  # a reload may lose groups, and what was not saved
    asa.reload()
    life.publish(addresses(100, 60), addresses(26, 5002))
    life.unwatch()
    await life.converge("a reload")

    arm("failover", 5)
    life.publish(addresses(100, 70), addresses(26, 5003))
    await life.converge("a failover in the middle")

    asa.counts.requests.clear()
    assert (await life.update("nothing to do")).result == Result.UNCHANGED
    written = [one for one in asa.counts.requests if "objects" in one and "GET" not in one]
    assert not written
    assert len(asa.device.tokens) == 0
