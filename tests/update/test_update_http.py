"""
Updates over the HTTP interface: the same engine as over REST and SSH, and protection between any two lines.
"""

import time
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field

from tests.kinds.asa.http.http_device import SHORT, http_settings, in_thread
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.doctor.firewall import Collector
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.http import doctor
from tscm.kinds.asa.http.kind import LINKS
from tscm.kinds.asa.http.opening import open_driver
from tscm.kinds.asa.proving import put_in, take_out
from tscm.kinds.asa.purge import purge_device
from tscm.model import Cidr
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.simulator.service import SimulatedAsa
from tscm.standing import Verdict
from tscm.update.outcome import UpdateOutcome


@define(eq=False)
class HttpWorld(World):
    """A device behind its HTTP interface, and what each posted line may leave."""

    before: dict[str, set[str]] = field(factory=dict)
    broken: list[str] = field(factory=list)
    lines: int = 0

    def settings(self) -> DeviceSettings:
        return http_settings(self.asa, **self.changes)

    def open(
        self,
        settings: DeviceSettings,
        node: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        *,
        accept_certificate: str | None,
    ) -> AsaDriver:
        driver = open_driver(settings, learnt, bounds=SHORT, accept_certificate=accept_certificate)
        self.drivers.append(driver)
        return driver

    def guard(self) -> None:
        """From now on: what both versions of a list have is held at any moment, and nothing that neither has."""
        self.before = {kind: self.held(kind) for kind in ("Block", "Allow")}
        self.asa.agent.interface.typed = self.look

    def look(self, line: str) -> None:
        self.lines += 1
        for kind, name in (("Block", BLOCK), ("Allow", ALLOW)):
            new, old = set(self.lists[name][1]), self.before[kind]
            held = self.held(kind)
            if not (old & new <= held <= old | new):
                self.broken.append(line)


@pytest.fixture
def world(asa: SimulatedAsa) -> HttpWorld:
    return HttpWorld(asa)


async def run(world: HttpWorld, **changes: Any) -> UpdateOutcome:
    return await in_thread(world.run, **changes)


@pytest_twisted.ensureDeferred
async def test_a_first_update_a_change_and_no_change(world: HttpWorld) -> None:
    world.publish(block=[*addresses(3000), "2001:db8:5::/48"], allow=addresses(5, 5000))
    first = await run(world)
    assert (first.result, first.verified, first.saved, first.error) == ("changed", True, True, None)
    assert world.converged()
    assert not world.asa.device.unsaved

    unchanged = await run(world)
    assert unchanged.result == "unchanged"
    assert unchanged.traffic.requests <= 4

    world.guard()
    world.publish(block=addresses(3000, 30), allow=addresses(5, 5002))
    changed = await run(world)
    assert changed.good
    assert world.converged()
    assert world.lines > 60
    assert not world.broken
    assert changed.traffic.sent < first.traffic.sent * 0.05


SPOILT = ["200-html", "200-empty", "half-body", "garbled", "cut-body", "500", "500-after",
          "reset-before", "reset-after", "endless"]  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
@pytest_twisted.ensureDeferred
async def test_a_spoilt_answer_to_a_change_keeps_protection_and_the_run_converges(
    world: HttpWorld, kind: str
) -> None:
    world.publish(block=addresses(60), allow=addresses(5, 5000))
    assert (await run(world)).good
    world.guard()
    for at in (1, 2):
        world.publish(block=addresses(60, 30 * at), allow=addresses(5, 5000 + at))
        world.before = {one: world.held(one) for one in ("Block", "Allow")}
        world.asa.agent.faults.arm(kind, at, only="POST /admin/config")
        outcome = await run(world)
        world.asa.agent.faults.clear()
        if not outcome.good:
            assert outcome.error is not None
            assert (await run(world)).good
        assert world.converged()
    assert not world.broken


@pytest.mark.parametrize("form", ["accepted", "refused", "text"])
@pytest_twisted.ensureDeferred
async def test_a_device_that_gives_up_in_mid_post_keeps_protection_and_the_run_converges(
    world: HttpWorld, form: str
) -> None:
    world.asa.set_switches({"http_xml": form})
    world.publish(block=addresses(300), allow=addresses(5, 5000))
    assert (await run(world)).good
    world.guard()
    world.asa.set_switches({"http_line_seconds": 0.001, "http_timeout_seconds": 0.15})
    world.publish(block=addresses(300, 150), allow=addresses(5, 5002))
    outcome = await run(world)
    for _ in range(3):
        if outcome.good:
            break
        outcome = await run(world)
    assert outcome.good, outcome.error
    assert world.converged()
    assert not world.broken
    assert world.memory["driver"]["post_lines"] < 300


@pytest_twisted.ensureDeferred
async def test_somebody_who_edits_the_groups_meanwhile_is_put_right(world: HttpWorld) -> None:
    world.publish(block=addresses(60))
    assert (await run(world)).good
    world.asa.agent.faults.arm(
        "outside-lines",
        only="POST /admin/config",
        lines=("object-group network ThreatSTOP-Block-1", "network-object host 20.200.0.2"),
    )
    world.publish(block=addresses(80))
    assert (await run(world)).good
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_a_failover_and_a_reload_in_mid_push_are_followed(world: HttpWorld) -> None:
    pair = world.asa.make_pair()
    world.publish(block=addresses(60))
    assert (await run(world)).good
    world.asa.agent.faults.arm("failover", 2, only="POST /admin/config")
    world.publish(block=addresses(100, 10))
    outcome = await run(world)
    assert outcome.good or (await run(world)).good
    assert pair.active is world.asa.device
    assert world.converged()
    world.asa.agent.faults.arm("reload", 1, only="POST /admin/config")
    world.publish(block=addresses(100, 20))
    outcome = await run(world)
    assert outcome.good or (await run(world)).good
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_a_standby_unit_is_left_as_it_is(world: HttpWorld) -> None:
    pair = world.asa.make_pair()
    world.asa.agent.serve(pair.standby)
    world.publish(block=addresses(60))
    outcome = await run(world)
    assert not outcome.good
    assert "not the active unit" in str(outcome.error)
    assert not [one for one in pair.standby.configuration.groups if one.startswith("ThreatSTOP")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user_agent": "tscm"}, "http server basic-auth-client tscm"),
        ({"username": "nobody"}, "wrong username or password"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_is_not_let_in_says_why_in_one_sentence(
    world: HttpWorld, changes: dict[str, Any], words: str
) -> None:
    world.asa.set_switches({"http_form_login": False})
    world.changes = changes
    world.publish(block=addresses(60))
    outcome = await run(world)
    assert words in str(outcome.error)
    assert outcome.traffic.requests <= 2


@pytest_twisted.ensureDeferred
async def test_an_entry_for_a_test_goes_in_and_out_the_doctor_sees_all_and_a_purge_takes_all_off(
    world: HttpWorld,
) -> None:
    world.publish(block=addresses(60), allow=addresses(5, 5000))
    assert (await run(world)).good
    before = world.held("Block")
    pushed = await in_thread(
        put_in, world.job(), Cidr("203.0.113.9/32"), "show version", lambda _: None
    )
    assert "Software Version" in str(pushed.said)
    assert world.held("Block") == before | {"203.0.113.9/32"}
    await in_thread(take_out, world.job(), lambda _: None)
    assert world.held("Block") == before

    settings = world.settings()
    seen = await in_thread(
        doctor.look, settings, lambda: open_driver(settings), time.time, lambda _: None
    )
    found = seen.judge(Collector(addresses=frozenset({"192.0.2.1"}), ports={}))
    verdicts = {one.link: one.verdict for one in found}
    assert [verdicts[link] for link in (*LINKS, "version", "groups")] == [Verdict.OK] * 6
    assert "free budget" not in verdicts

    done = await in_thread(purge_device, world.job(), world.told.append)
    assert not done.obstacles
    assert not [one for one in world.asa.configuration.groups if one.startswith("ThreatSTOP")]
