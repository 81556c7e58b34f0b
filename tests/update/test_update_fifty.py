"""
Fifty firewalls over real sockets, of which one takes its time over every answer.

It answers when the others are done, or after so many seconds as `TSCM_SLOW_ANSWER_SECONDS` says:

    TSCM_SLOW_ANSWER_SECONDS=30 pytest --timeout=1200 tests/update/test_update_fifty.py
"""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults

from tests.kinds.asa.rest.asa_device import settings_for
from tests.update.update_world import World, addresses
from tscm.base.threads import Threads
from tscm.kinds.asa.rest.link import Bounds
from tscm.model import Progress
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.web import AsaHttpRequest
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.outcome import UpdateOutcome
from tscm.update.service import UpdateService
from tscm.update.turns import MAX_LENT
from tscm.update.ways import Gateways

reactor: Any = global_reactor
DEVICES = 50
SLOW = "fw0"
SECONDS = float(os.environ.get("TSCM_SLOW_ANSWER_SECONDS", "0"))
LIMIT = 150 + 40 * SECONDS
ENTRIES = addresses(30)


@define(eq=False)
class Watched:
    """
    A simulated firewall that holds back its answers while *slow*, and sees whether two runs overlap.
    """

    asa: SimulatedAsa
    slow: bool = False
    overlaps: list[str] = field(factory=list)
    asked: Deferred[None] = field(factory=Deferred)
    held: list[AsaHttpRequest] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.asa._doors.https.taker = self.take

    def take(self, http: AsaHttpRequest) -> None:
        what = f"{http.method.decode()} {http.uri.decode()}"
        if what == "POST /api/tokenservices" and (len(self.asa.device.tokens) or self.held):
            self.overlaps.append(what)  # a run logs in while another one holds a token
        if not self.slow:
            self.asa.agent.take(http)
            return
        self.held.append(http)
        if SECONDS:
            reactor.callLater(SECONDS, self.answer)
        if not self.asked.called:
            self.asked.callback(None)

    def answer(self) -> None:
        self.asa.agent.take(self.held.pop(0))

    def let_go(self) -> None:
        if not SECONDS:
            self.slow = False
            while self.held:
                self.answer()


@define(eq=False)
class Fifty:
    """All of them under one service."""

    updates: UpdateService
    world: World
    firewalls: dict[str, Watched]

    def ask(self, name: str) -> "Deferred[UpdateOutcome]":
        run = self.updates.update_now(name, _ignore)
        return run.addTimeout(LIMIT, reactor)

    def holds(self, name: str) -> set[str]:
        groups = self.firewalls[name].asa.configuration.groups
        parent = groups.get("ThreatSTOP-Block")
        children = parent.children if parent else ()
        return {f"{one.split()[-1]}/32" for child in children for one in groups[child].members}


def _ignore(_: Progress) -> None:
    pass


@pytest_twisted.async_yield_fixture()
async def fifty(tmp_path: Path) -> AsyncIterator[Fifty]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    firewalls = {}
    for number in range(DEVICES):
        asa = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
        asa.startService()
        firewalls[f"fw{number}"] = Watched(asa)
    world = World(firewalls[SLOW].asa, bounds=Bounds())  # whose patience outlasts the others' runs
    world.publish(block=ENTRIES)
    threads = Threads(reactor, world.node.policy.parallel_updates + MAX_LENT, "tscm-test")
    threads.startService()
    ways = Gateways(fetch=world.fetch, opener=world.open, resolve=lambda _: (), now=reactor.seconds)
    updates = UpdateService(reactor, threads, world.node, Policies(store), ways)
    for name, one in firewalls.items():
        updates.set_device(settings_for(one.asa, name=name))
    updates.startService()
    yield Fifty(updates, world, firewalls)
    await updates.stopService()
    await threads.stopService()
    await gatherResults([one.asa.stopService() for one in firewalls.values()])
    store.close()


@pytest_twisted.ensureDeferred
async def test_forty_nine_converge_while_one_waits_for_its_answer_and_then_that_one_does(
    fifty: Fifty, record: Callable[[str], None]
) -> None:
    slow = fifty.firewalls[SLOW]
    slow.slow = True
    began = reactor.seconds()
    waiting = [fifty.ask(SLOW), fifty.ask(SLOW)]
    await slow.asked.addTimeout(LIMIT, reactor)

    others = [name for name in fifty.firewalls if name != SLOW]
    outcomes = await gatherResults([fifty.ask(name) for name in others * 2])
    record(f"{len(others)} twice after {reactor.seconds() - began:.1f} s")
    assert [one.result for one in outcomes] == ["changed"] * 49 + ["unchanged"] * 49
    assert all(fifty.holds(name) == set(ENTRIES) for name in others)
    assert not any(run.called for run in waiting)
    assert fifty.holds(SLOW) == set()
    assert fifty.updates.figures(SLOW).running_since is not None

    slow.let_go()
    last = await gatherResults(waiting)
    record(f"the slow one twice after {reactor.seconds() - began:.1f} s")
    assert [one.result for one in last] == ["changed", "unchanged"]
    assert fifty.holds(SLOW) == set(ENTRIES)
    for name, one in fifty.firewalls.items():
        assert not one.overlaps, name
        assert one.asa.counts.in_flight_most == 1, name
        assert len(one.asa.device.tokens) == 0, name


@pytest_twisted.ensureDeferred
async def test_more_silent_devices_than_are_updated_at_a_time_do_not_delay_the_others(
    fifty: Fifty,
) -> None:
    names = list(fifty.firewalls)
    silent, others = names[:6], names[6:]
    assert len(silent) > fifty.world.node.policy.parallel_updates
    for name in silent:
        fifty.firewalls[name].slow = True
    waiting = [fifty.ask(name) for name in silent]

    outcomes = await gatherResults([fifty.ask(name) for name in others])
    assert [one.result for one in outcomes] == ["changed"] * len(others)
    assert not any(run.called for run in waiting)

    for name in silent:
        fifty.firewalls[name].let_go()
    last = await gatherResults(waiting)
    assert [one.result for one in last] == ["changed"] * len(silent)
    assert all(fifty.holds(name) == set(ENTRIES) for name in names)


@pytest.fixture
def record(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say it where the delay was asked for by hand."""

    def say(text: str) -> None:
        if SECONDS:
            with capsys.disabled():
                print(f"\n{text}", flush=True)

    return say
