"""
Updates over the command line: the same engine as over REST, and protection between any two lines.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, field

from tests.kinds.asa.ssh.command_line import Box
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.window import Window
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.outcome import UpdateOutcome


@define(eq=False)
class Protection:
    """What both versions of a list have must be held at any moment, and nothing that neither has."""

    world: World
    before: dict[str, set[str]] = field(factory=dict)
    lines: int = 0
    armed: bool = False

    def arm(self) -> None:
        self.before = {kind: self.world.held(kind) for kind in ("Block", "Allow")}
        self.armed = True

    def look(self, line: str) -> None:
        self.lines += 1
        if not self.armed:
            return
        for kind, name in (("Block", BLOCK), ("Allow", ALLOW)):
            new, old = set(self.world.lists[name][1]), self.before[kind]
            held = self.world.held(kind)
            assert old & new <= held, f"after {line!r}"
            assert held <= old | new, f"after {line!r}"


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def world(box: Box, asa: SimulatedAsa) -> World:
    """Its settings are those of a device with an agent, which nobody asks here."""
    box.asa = asa
    return World(asa)


def run(world: World, box: Box, **changes: Any) -> UpdateOutcome:
    def opener(
        settings: DeviceSettings,
        node: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        *,
        accept_certificate: str | None,
    ) -> AsaDriver:
        made: SshDriver = box.driver(window=Window.remembered(learnt))
        world.drivers.append(made)
        return made

    return world.run(opener=opener, **changes)


def test_a_first_update_a_change_and_no_change(world: World, box: Box) -> None:
    world.publish(block=[*addresses(300), "2001:db8:5::/48"], allow=addresses(5, 5000))
    first = run(world, box)
    assert (first.result, first.verified, first.saved, first.error) == ("changed", True, True, None)
    assert world.converged()

    unchanged = run(world, box)
    assert unchanged.result == "unchanged"
    assert unchanged.traffic.requests <= 4

    guard = Protection(world)
    box.typed = guard.look
    world.publish(block=addresses(300, 30), allow=addresses(5, 5002))
    guard.arm()
    changed = run(world, box)
    assert changed.good
    assert world.converged()
    assert guard.lines > 60
    assert all(session.closed for session in box.sessions)


@pytest.mark.parametrize("cut", range(120, 3400, 290))
def test_a_session_cut_in_mid_push_keeps_protection_and_the_run_converges(
    world: World, box: Box, cut: int
) -> None:
    world.publish(block=addresses(60), allow=addresses(5, 5000))
    assert run(world, box).good
    guard = Protection(world)
    box.typed = guard.look
    world.publish(block=addresses(60, 30), allow=addresses(5, 5002))
    guard.arm()
    world.asa.set_switches({"ssh_cut_after_bytes": cut})
    world.rested = lambda: world.asa.set_switches({"ssh_cut_after_bytes": 0})
    outcome = run(world, box)
    world.asa.set_switches({"ssh_cut_after_bytes": 0})
    assert outcome.good or run(world, box).good
    assert world.converged()


def test_somebody_who_edits_the_groups_meanwhile_is_put_right(world: World, box: Box) -> None:
    world.publish(block=addresses(60))
    assert run(world, box).good
    done: list[str] = []

    def edit(line: str) -> None:
        if "network-object" in line and not done:
            done.append(line)
            world.asa.type_lines(
                ["object-group network ThreatSTOP-Block-1", "network-object host 20.200.0.2"]
            )

    box.typed = edit
    world.publish(block=addresses(80))
    assert run(world, box).good
    assert done
    assert world.converged()


def test_a_failover_in_mid_push_is_followed(world: World, box: Box) -> None:
    pair = world.asa.make_pair()
    world.publish(block=addresses(60))
    assert run(world, box).good
    done: list[str] = []

    def fail_over(line: str) -> None:
        if "network-object" in line and len(done) < 3:
            done.append(line)
            if len(done) == 3:
                world.asa.fail_over()
                box.sessions[-1].gone.append("failover")

    box.typed = fail_over
    world.publish(block=addresses(100))
    outcome = run(world, box)
    assert outcome.good or run(world, box).good
    assert len(done) == 3
    assert pair.active is world.asa.device
    assert world.converged()


def test_a_standby_unit_is_left_as_it_is(world: World, box: Box) -> None:
    pair = world.asa.make_pair()
    world.asa.device = pair.standby
    world.publish(block=addresses(60))
    outcome = run(world, box)
    assert not outcome.good
    assert "not the active unit" in str(outcome.error)
    assert not [one for one in pair.standby.configuration.groups if one.startswith("ThreatSTOP")]


@pytest.mark.parametrize(
    "switches",
    [
        {"duplicate_message": "warning"},
        {"ssh_unasked": "syslog"},
        {"ssh_unasked": "reporting"},
        {"ssh_line_seconds": 0.01, "ssh_ahead_bytes": 600},
        {"ssh_recompile_seconds": 20},
    ],
    ids=lambda one: "-".join(f"{name}-{value}" for name, value in one.items()),
)
def test_a_bad_day_ends_with_the_lists_in_force(
    world: World, box: Box, switches: dict[str, Any]
) -> None:
    world.asa.type_lines(
        [
            "access-list a extended deny ip object-group ThreatSTOP-Block any",
            "access-group a global",
        ]
    )
    world.asa.set_switches(switches)
    world.publish(block=addresses(150))
    outcomes = [run(world, box)]
    world.publish(block=addresses(150, 40))
    while len(outcomes) < 6 and not (outcomes[-1].good and world.converged()):
        outcomes.append(run(world, box))
    assert world.converged(), [str(one.error) for one in outcomes]


def test_what_the_device_warned_of_is_a_warning_of_the_run(
    world: World, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SshDriver, "told", property(lambda _: ("WARNING: it takes long",)))
    world.publish(block=addresses(30))
    outcome = run(world, box)
    assert outcome.good
    assert outcome.warnings.count("the device warned: WARNING: it takes long") == 1
