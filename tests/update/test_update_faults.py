"""
The fault matrix: something goes wrong at every request of an update in turn.

Held in each case, after every single request: both lists hold at least what old and new have in common
and at most both together; and the run, or else the next one, ends with the device as it should be.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_faults import Faults
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.kinds.asa.rest.link import Bounds
from tscm.policy.cidr import CidrSet
from tscm.simulator.service import SimulatedAsa
from tscm.update.figures import Result

reactor: Any = global_reactor
OLD = {BLOCK: [*addresses(90), "30.0.0.0/25", "30.0.1.0/24"], ALLOW: addresses(6, 5000)}
NEW = {
    BLOCK: [*addresses(40, 50), *addresses(10, 9000), "30.0.0.0/24", "30.0.1.0/25"],
    ALLOW: addresses(40, 5003),
}
"""One block child goes, one allow child comes, the others change; one network widens, one narrows."""
SINGLY = {"singles": 100, "batch": 40}
IMPATIENT = Bounds(connect_seconds=2, read_seconds=0.3, write_seconds=0.3)
TRANSIENT = [
    "500",
    "500-after",
    "503",
    "404-html",
    "200-html",
    "reset-before",
    "reset-after",
    "cut-body",
    "crash",
    "crash-after",
    "lose-tokens",
    "failover",
]


class Matrix:
    """A device that holds the old policy, put back to that before each case."""

    def __init__(
        self, asa: SimulatedAsa, *, first: bool = False, driver: dict[str, int] | None = None
    ) -> None:
        self.asa, self.driver = asa, driver or {}
        self.world = World(asa, changes={"object_group_size": 30}, real_pause=0.02)
        asa.switches.update({"agent_restart_seconds": 0.01, "agent_stable_seconds": 0})
        self.faults = Faults(asa, watch=self.watch)
        self.first = first
        self.looked_at: tuple[int, int] | None = None

    async def prepare(self) -> None:
        if not self.first:
            self.publish(OLD)
            await in_thread(self.world.run)
            self.world.protect()
            await in_thread(self.world.run)
        self.before: Any = copy.deepcopy(self.asa.device.configuration)
        self.kept = (dict(self.world.known), self.world.applied, dict(self.world.memory))
        self.publish(NEW)
        self.least: dict[str, CidrSet] = {}
        self.most: dict[str, CidrSet] = {}
        for kind, name in (("Block", BLOCK), ("Allow", ALLOW)):
            old, new = CidrSet.of_texts(self.world.held(kind)), CidrSet.of_texts(NEW[name])
            self.least[kind], self.most[kind] = old.intersection(new), old.union(new)

    def publish(self, lists: dict[str, list[str]]) -> None:
        self.world.publish(block=lists[BLOCK], allow=lists[ALLOW])

    def rewind(self) -> None:
        device = self.asa.device
        device.configuration = copy.deepcopy(self.before)
        device.tokens.lose_all()
        device.health = type(device.health)(self.asa.switches)
        self.asa.pair = device.role = None
        self.looked_at = None
        self.world.known, self.world.applied, memory = (dict(self.kept[0]), *self.kept[1:])
        self.world.memory = {**memory, "driver": dict(self.driver)}
        self.world.pauses.clear()

    def watch(self) -> None:
        running = self.asa.configuration
        if not hasattr(self, "most") or self.looked_at == (id(running), running.generation):
            return
        self.looked_at = id(running), running.generation
        for kind in ("Block", "Allow"):
            held = CidrSet.of_texts(self.world.held(kind))
            assert held.contains(self.least[kind]), f"{kind} dipped"
            assert self.most[kind].contains(held), f"{kind} holds what nobody asked for"

    async def count(self) -> int:
        """Requests of an update without a fault."""
        self.rewind()
        self.faults.arm("", 0)
        assert (await in_thread(self.world.run)).result == Result.CHANGED
        assert self.world.converged()
        return self.faults.seen

    async def each(
        self,
        kind: str,
        judge: Callable[[Any, int], None],
        *,
        forever: bool = False,
        again: bool = False,
    ) -> None:
        total = await self.count()
        for at in range(1, total + 1):
            self.rewind()
            self.faults.arm(kind, at, forever=forever)
            outcome = await in_thread(self.world.run)
            where = f"{kind} at {at} of {total}: {self.faults.requests[at - 1]}: {outcome.failures}"
            try:
                judge(outcome, at)
                if again or not outcome.good:
                    self.faults.arm("", 0)
                    outcome = await in_thread(self.world.run)
                    assert outcome.good
                assert self.world.converged(), "not converged"
                assert not self.faults.complaints
            except AssertionError as error:
                raise AssertionError(f"{where}: {error} {self.faults.complaints}") from error


@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest.mark.parametrize("kind", TRANSIENT)
@pytest_twisted.ensureDeferred
async def test_one_fault_at_any_request_is_overcome_in_the_same_run(
    asa: SimulatedAsa, kind: str, driver: dict[str, int]
) -> None:
    matrix = Matrix(asa, driver=driver)
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        assert outcome.good, outcome.error
        assert len(matrix.world.pauses) <= 1
        assert asa.agent.faults.struck == at

    asa.agent.faults.struck = 0
    await matrix.each(kind, judge)


@pytest.mark.parametrize("kind", ["500", "503", "reset-before", "reset-after", "crash-after"])
@pytest_twisted.ensureDeferred
async def test_one_fault_at_any_request_of_a_first_load_is_overcome(
    asa: SimulatedAsa, kind: str
) -> None:
    matrix = Matrix(asa, first=True, driver=SINGLY)
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        assert outcome.good, outcome.error

    await matrix.each(kind, judge)


@pytest.mark.parametrize("kind", ["500-after", "404-html", "reset-before", "reset-after", "dead"])
@pytest_twisted.ensureDeferred
async def test_an_agent_that_dies_for_good_leaves_a_protected_device_that_the_next_run_finishes(
    asa: SimulatedAsa, kind: str
) -> None:
    matrix = Matrix(asa, driver=SINGLY)
    matrix.world.real_pause = 0.0  # nothing comes back by itself
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        matrix.asa.device.health = type(asa.device.health)(asa.switches)  # someone revives it
        if outcome.good:
            assert "tokenservices" in matrix.faults.requests[at - 1]  # only the giving back failed
            return
        assert "fifth failure" in outcome.error
        assert "no rest-api agent" in outcome.error
        assert matrix.world.pauses == [60, 120, 240, 480]
        matrix.world.memory = {}  # as after a manager that was killed: nothing is remembered
        matrix.world.known, matrix.world.applied = {}, None

    await matrix.each(kind, judge, forever=True)


@pytest.mark.parametrize("kind", ["silence-before", "silence-after"])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_never_comes_ends_in_time_and_is_overcome(
    asa: SimulatedAsa, kind: str
) -> None:
    matrix = Matrix(asa)
    matrix.world.bounds = IMPATIENT
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        assert outcome.good, outcome.error
        if len(outcome.failures):
            assert "within the time limit" in outcome.failures[0]

    await matrix.each(kind, judge)


@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest_twisted.ensureDeferred
async def test_a_reload_at_any_request_loses_no_protection_and_is_put_right(
    asa: SimulatedAsa, driver: dict[str, int]
) -> None:
    matrix = Matrix(asa, driver=driver)
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        assert outcome.good, outcome.error
        assert matrix.world.pauses == []
        if not matrix.world.converged():  # it came after the read back
            assert at > matrix.faults.seen - 3
            return

    await matrix.each("reload", judge, again=True)


@pytest_twisted.ensureDeferred
async def test_a_unit_on_standby_stops_the_push_at_once(asa: SimulatedAsa) -> None:
    matrix = Matrix(asa, driver=SINGLY)
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        matrix.asa.device.role = None  # for the next run somebody set the right address
        if not outcome.good:
            assert "standby" in outcome.error or "not the active unit" in outcome.error
            assert matrix.world.pauses == []
            assert not [one for one in matrix.faults.requests[at:] if "PATCH" in one]
            return
        writes = [n for n, one in enumerate(matrix.faults.requests, 1) if "objects" in one]
        assert at >= writes[-1]  # what was pushed had gone to the active unit

    await matrix.each("standby", judge)


@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest.mark.parametrize("warns", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_bulk_synchronisation_stops_the_push_until_it_is_over(
    asa: SimulatedAsa, driver: dict[str, int], warns: bool
) -> None:
    matrix = Matrix(asa, driver=driver)
    asa.set_switches({"sync_warns": warns})
    await matrix.prepare()

    def end() -> None:
        if asa.device.sync_until:
            asa.device.sync_until = 1.0

    matrix.world.real_pause, matrix.world.rested = 0.0, end

    def judge(outcome: Any, at: int) -> None:
        end()
        assert outcome.good, outcome.error
        assert asa.pair is not None
        assert len(matrix.world.pauses) <= 1
        if outcome.failures:
            assert "replicating its configuration" in outcome.failures[0]
        if not asa.pair.in_step(reactor.seconds()) and warns:
            assert any("write standby" in note for note in outcome.notes)

    await matrix.each("sync", judge)


@pytest_twisted.ensureDeferred
async def test_nothing_is_written_while_the_mate_takes_the_configuration(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(5))
    await in_thread(world.run)
    world.publish(block=addresses(6))
    asa.begin_sync(3600)
    asa.counts.requests.clear()
    outcome = await in_thread(world.run)
    assert not outcome.good
    assert "Standby Ready" in str(outcome.error)
    assert "rest-api" not in str(outcome.error)
    assert world.pauses == [60, 120, 240, 480]
    assert not any("PATCH" in one or one.endswith("/api") for one in asa.counts.requests)
    assert world.memory["driver"]["batch"] == 500
    asa.device.sync_until = 0.0
    assert (await in_thread(world.run)).good
    assert world.converged()


@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest_twisted.ensureDeferred
async def test_a_privilege_taken_away_ends_the_run_with_the_line_to_type_and_locks_nobody_out(
    asa: SimulatedAsa, driver: dict[str, int]
) -> None:
    matrix = Matrix(asa, driver=driver)
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        matrix.faults.set_privilege(15)
        assert matrix.world.pauses == []
        assert matrix.world.memory["login_failures"] == 0
        assert len(asa.device.tokens) == 0
        if outcome.good:
            writes = [n for n, one in enumerate(matrix.faults.requests, 1) if "objects" in one]
            assert at >= writes[-1]
            return
        assert "lacks the privilege" in outcome.error
        assert "enter its `username` line on the device again" in outcome.error
        tried = [
            one
            for one in matrix.faults.requests[at - 1 :]
            if one == "POST /api" or ("objects" in one and not one.startswith("GET"))
        ]
        assert len(tried) <= 1

    await matrix.each("privilege", judge, again=True)


@pytest.mark.parametrize("level", [3, 5])
@pytest_twisted.ensureDeferred
async def test_an_account_that_may_only_look_writes_nothing_until_it_is_raised(
    asa: SimulatedAsa, level: int
) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    faults = Faults(asa)
    faults.set_privilege(level)
    for _ in range(3):
        outcome = await in_thread(world.run)
        assert outcome.result == Result.FAILED
        assert "privilege 15" in str(outcome.error)
    assert world.pauses == []
    assert world.memory["login_failures"] == 0
    assert not [one for one in faults.requests if "objects" in one and "GET" not in one]
    assert not [name for name in asa.configuration.groups if name.startswith("ThreatSTOP")]
    faults.set_privilege(15)
    assert (await in_thread(world.run)).good
    assert world.converged()


@pytest.mark.parametrize("pinned", [True, False])
@pytest_twisted.ensureDeferred
async def test_another_certificate_at_any_request_ends_the_run_before_the_password_is_sent(
    asa: SimulatedAsa, pinned: bool
) -> None:
    matrix = Matrix(asa)
    if not pinned:
        matrix.world.changes |= {"fingerprint": None, "allow_self_signed": True}
    await matrix.prepare()

    def judge(outcome: Any, at: int) -> None:
        heard = matrix.faults.requests
        if outcome.good:
            assert heard[at - 1].startswith("DELETE /api/tokenservices")
        else:
            assert "so no password was sent" in outcome.error
            assert len(outcome.failures) == 2  # the connection broke, and then it was another
            assert len(heard) == at  # nothing more was said to whoever shows it
        if not pinned:  # somebody looked, and says that it is the right one
            matrix.world.memory["driver"]["certificate"] = asa.fingerprint

    def rewind() -> None:
        Matrix.rewind(matrix)
        if not pinned:
            matrix.world.memory["driver"]["certificate"] = asa.fingerprint

    matrix.rewind = rewind  # type: ignore[method-assign]
    await matrix.each("certificate", judge)


MARK_OF_A_RIVAL = (
    "object-group network ThreatSTOP-Block-1",
    " network-object host 40.0.0.1",
    "object-group network ThreatSTOP-Block",
    " description managed by tscm rival",
    " group-object ThreatSTOP-Block-1",
)


@pytest.mark.parametrize("driver", [{}, SINGLY], ids=["joined", "singly"])
@pytest_twisted.ensureDeferred
async def test_two_managers_that_begin_at_once_do_not_both_go_on(
    asa: SimulatedAsa, driver: dict[str, int]
) -> None:
    matrix = Matrix(asa, first=True, driver=driver)
    await matrix.prepare()
    matrix.least.clear()
    matrix.most.clear()
    matrix.faults.lines = MARK_OF_A_RIVAL
    matrix.faults.watch = lambda: None

    def judge(outcome: Any, at: int) -> None:
        groups = asa.configuration.groups
        if not outcome.good:
            assert "managed by another tscm, 'rival'" in outcome.error
        assert groups["ThreatSTOP-Block"].description == "managed by tscm rival"
        assert "network-object host 40.0.0.1" in groups["ThreatSTOP-Block-1"].members
        matrix.rewind()  # the rival is taken away again

    await matrix.each("rival", judge, again=True)
