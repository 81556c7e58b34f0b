"""
One fault at an exchange of an update, whatever the driver is, and what must hold then.

Between any two exchanges both lists hold at least what old and new have in common and at most both together; foreign
objects stay; the run, or else the next one, ends with the lists in force and saved.
"""

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import define, field

from tests.faults.driver_ways import Act, Row, Seam, Way
from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.kinds.asa.driver import AsaDriver
from tscm.policy.cidr import CidrSet
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.outcome import UpdateOutcome

OLD = {BLOCK: [*addresses(40), "30.0.0.0/25", "30.0.1.0/24"], ALLOW: addresses(4, 5000)}
NEW = {
    BLOCK: [*addresses(20, 25), *addresses(6, 9000), "30.0.0.0/24", "30.0.1.0/25"],
    ALLOW: addresses(16, 5002),
}
"""One block child goes, one allow child comes, the others change; one network widens, one narrows."""
LATER = {BLOCK: [*NEW[BLOCK], "30.0.9.9/32"], ALLOW: NEW[ALLOW]}
"""A change after that: what could not be deleted is tried again with it."""
SIZE = 15
RIVAL = "20.200.0.2"
FOREIGN = (
    "object network FOREIGN-HOST",
    "host 198.51.100.77",
    "object-group network FOREIGN",
    "network-object host 198.51.100.78",
    "object-group service FOREIGN-PORTS tcp",
    "port-object eq 8443",
    "access-list outside_in extended permit tcp any object-group FOREIGN eq https",
    "access-list outside_in extended deny ip object-group ThreatSTOP-Block any log",
    "access-group outside_in in interface outside",
    "write memory",
)


class Killed(BaseException):
    """Goes through all that waits for faults, as the end of a process does."""


@define(eq=False)
class Matrix:
    """
    A firewall that holds the old lists, put back to that before each case.
    """

    asa: SimulatedAsa
    row: Row
    seam: Seam = field(factory=Seam)
    world: World = field(init=False)
    way: Way = field(init=False)
    count: int = 0
    at: int = 0
    strike: Callable[[], Act] = lambda: Act.PASS
    """What happens at exchange *at*."""
    dead: bool = False
    rival: bool = False
    complaints: list[str] = field(factory=list)
    log: list[str] = field(factory=list)
    _least: dict[str, CidrSet] = field(factory=dict)
    _most: dict[str, CidrSet] = field(factory=dict)
    _seen: tuple[int, int] | None = None
    _foreign: list[str] = field(factory=list)
    _home: Any = None
    _kept: Any = None
    _memory: Any = None

    def __attrs_post_init__(self) -> None:
        self.world = World(self.asa, changes={"object_group_size": SIZE}, real_pause=0.0)
        self.world.rested = self._rested
        self.way = self.row.make(self.asa, self.seam)
        self.seam.before, self.seam.after = self._before, self._after
        self.asa.set_switches(
            {"agent_restart_seconds": 0, "agent_stable_seconds": 0, "reload_lines": False}
        )

    # -- what the seam asks ------------------------------------------------------

    def _before(self, text: str) -> Act:
        if self.dead:
            return Act.CUT_BEFORE
        self.count += 1
        self.log.append(text)
        return self.strike() if self.count == self.at else Act.PASS

    def _after(self) -> None:
        running = self.asa.configuration
        if not self._least or self._seen == (id(running), running.generation):
            return
        self._seen = id(running), running.generation
        for kind, least in self._least.items():
            held = CidrSet.of_texts(self.world.held(kind) - {f"{RIVAL}/32"})
            where = f"after exchange {self.count}, {self.log[-1][:60]!r}"
            if not held.contains(least):
                self.complaints.append(f"{kind} dipped {where}")
            if not self._most[kind].contains(held):
                self.complaints.append(f"{kind} holds what no list has {where}")
        if self.foreign() != self._foreign:
            self.complaints.append(f"a foreign object changed after exchange {self.count}")

    def _rested(self) -> None:
        self.seam.refusing = False
        self.asa.agent.booting_until = 0.0

    def foreign(self) -> list[str]:
        """All that is not ours and that a careless push could touch."""
        configuration = self.asa.configuration
        ours, found = False, list[str]()
        for line in configuration.object_lines():
            if not line.startswith(" "):
                ours = line.startswith("object-group network ThreatSTOP-")
            if not ours:
                found.append(line)
        return [*found, *configuration.access_list_lines()]

    def saved(self) -> bool:
        """Would the active unit come back with what it holds?  Units of a pair have serial numbers of their own."""
        device = self.asa.device
        running, startup = (
            [one for one in text.splitlines() if not one.startswith((":", "Cryptochecksum"))]
            for text in (device.running_config(), device.startup)
        )
        return running == startup

    # -- running -----------------------------------------------------------------

    def _open(
        self,
        settings: DeviceSettings,
        node: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        *,
        accept_certificate: str | None,
    ) -> AsaDriver:
        del settings, node, accept_certificate
        return self.way.open(learnt)

    def _pause(self, seconds: float) -> bool:
        if self.dead:
            raise Killed
        return self.world.pause(seconds)

    def _run(self) -> UpdateOutcome | None:
        world = self.world
        kept = (dict(world.known), world.applied, world.largest, dict(world.memory))
        outcome: UpdateOutcome | None = None
        with suppress(Killed):
            outcome = world.run(opener=self._open, pause=self._pause)
        if self.dead:  # what a process has in memory goes with it
            world.known, world.applied, world.largest, world.memory = kept
            return None
        return outcome

    async def run(self) -> UpdateOutcome | None:
        """One update; None of one that was killed."""
        if self.way.in_process:
            return self._run()
        return await in_thread(self._run)

    def _publish(self, lists: Mapping[str, list[str]]) -> None:
        self.world.publish(block=lists[BLOCK], allow=lists[ALLOW])

    async def prepare(self) -> None:
        """Have the firewall hold the old lists, in use beside what is not ours."""
        self._publish(OLD)
        outcome = await self.run()
        assert outcome is not None
        assert outcome.good, outcome.error
        assert not [one for one in self.asa.type_lines(FOREIGN[:-1]) if one]
        assert "[OK]" in self.asa.type_lines(FOREIGN[-1:])[0]
        self._foreign = self.foreign()
        self._publish(NEW)
        self._home: Any = self.asa.device
        self._kept: Any = (copy.deepcopy(self.asa.configuration), self._home.startup)
        world = self.world
        self._memory: Any = (world.known, world.applied, world.largest, world.memory)
        for kind, name in (("Block", BLOCK), ("Allow", ALLOW)):
            old, new = CidrSet.of_texts(world.held(kind)), CidrSet.of_texts(NEW[name])
            self._least[kind] = old.intersection(new)
            self._most[kind] = old.union(CidrSet.of_texts(LATER[name]))

    def rewind(self) -> None:
        """As it was before the update."""
        asa, device = self.asa, self._home
        asa.pair, asa.device = None, device
        asa.agent.serve(device)
        asa.passage.serve(device)
        device.configuration, device.startup = copy.deepcopy(self._kept[0]), self._kept[1]
        device.role, device.unit = None, "Primary"
        device.diverged = device.resync = False
        device.sync_until = 0.0
        device.tokens.lose_all()
        device.health = type(device.health)(asa.switches)
        known, self.world.applied, self.world.largest, memory = self._memory
        self.world.known, self.world.memory = dict(known), dict(memory)
        self._publish(NEW)
        self.world.pauses.clear()
        self.count = self.at = 0
        self._seen = None
        self.dead = self.rival = False
        self._rested()
        self.complaints.clear()
        self.log.clear()

    async def total(self) -> int:
        """Exchanges of an update without a fault."""
        self.rewind()
        outcome = await self.run()
        assert outcome is not None
        assert outcome.good, outcome.error
        self._judge("without a fault")
        return self.count

    async def case(self, kind: str, at: int) -> None:
        """The fault *kind* at exchange *at*, and what comes of it."""
        self.rewind()
        if kind == "failover":
            self.asa.make_pair()
            self.asa.type_lines(["write memory"])
        self.at, self.strike = at, lambda: FAULTS[kind](self)
        outcome = await self.run()
        said = "killed" if outcome is None else str(outcome.error or outcome.failures)
        where = f"{kind} at {at}, {self.log[min(at, len(self.log)) - 1][:60]!r}: {said}"
        if kind == "slow":
            assert outcome is not None, where
            assert outcome.good, where
            # Over HTTPS a machine under load may add enough for a time-out.
            assert not (self.way.in_process and outcome.failures), where
        self.dead, self.at = False, 0
        self._rested()
        # Nothing tells of a reload behind the last exchange: the next run finds it.
        unseen = kind == "reload" and not self.world.converged()
        if outcome is None or not outcome.good or not self.saved() or self.rival or unseen:
            outcome = await self.run()
            assert outcome is not None, where
            assert outcome.good, f"{where}; then {outcome.error}"
        if any("could not be deleted" in note for note in outcome.notes):
            self._publish(LATER)
            outcome = await self.run()
            assert outcome is not None
            assert outcome.good, f"{where}; later {outcome.error}"
        self._judge(where)

    def _judge(self, where: str) -> None:
        assert not self.complaints, f"{where}: {self.complaints}"
        assert self.world.converged(), f"{where}: not converged"
        assert self.foreign() == self._foreign, f"{where}: a foreign object changed"
        assert self.saved(), f"{where}: not saved"


# -- faults --------------------------------------------------------------------------


def _refused(matrix: Matrix) -> Act:
    matrix.seam.refusing = True
    return Act.CUT_BEFORE


def _killed(matrix: Matrix) -> Act:
    matrix.dead = True
    return Act.CUT_AFTER if matrix.at % 2 else Act.CUT_BEFORE


def _edited(matrix: Matrix) -> Act:
    matrix.rival = True
    matrix.asa.type_lines(
        [
            "object-group network ThreatSTOP-Block-1",
            f"network-object host {RIVAL}",
            "no network-object host 20.0.0.0",  # of the old list alone
        ]
    )
    return Act.PASS


def _failover(matrix: Matrix) -> Act:
    matrix.asa.fail_over()
    return _ended(matrix)


def _reload(matrix: Matrix) -> Act:
    """Whatever has no session of its own meets a firewall that starts, which takes minutes."""
    matrix.asa.reload()
    matrix.asa.agent.booting_until = math.inf
    return _ended(matrix)


def _ended(matrix: Matrix) -> Act:
    matrix.way.end_connections()
    return Act.CUT_BEFORE if matrix.way.in_process else Act.PASS


FAULTS: Mapping[str, Callable[[Matrix], Act]] = {
    "cut-before": lambda _: Act.CUT_BEFORE,
    "cut-after": lambda _: Act.CUT_AFTER,
    "error": lambda _: Act.NO,
    "silence": lambda _: Act.SILENCE,
    "slow": lambda _: Act.SLOW,
    "refused": _refused,
    "killed": _killed,
    "edited": _edited,
    "failover": _failover,
    "reload": _reload,
}
