"""
A policy source, a memory and a clock for updates in tests; the firewall is the simulator's.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from tests.kinds.asa.rest.asa_device import settings_for
from tscm.errors import ListUnavailable
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.lines import access_list_lines
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.opening import open_driver
from tscm.model import Json, Progress
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.members import LENGTH_OF
from tscm.simulator.service import SimulatedAsa
from tscm.store.generations import Generation, StoredList
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.lookups import LookUps
from tscm.update.outcome import UpdateOutcome
from tscm.update.run import plan_update, run_update

BLOCK = "block.example"
ALLOW = "allow.example"
SHORT = Bounds(connect_seconds=5, read_seconds=5, write_seconds=5)


def addresses(count: int, first: int = 0) -> list[str]:
    """So many hosts that cannot be merged, out of public space."""
    return [
        f"20.{n >> 15 & 255}.{n >> 7 & 255}.{(n & 127) * 2}/32" for n in range(first, first + count)
    ]


@define(eq=False, repr=False)
class World:
    """
    Everything around a run: what the lists hold, and what is kept between runs.
    """

    asa: SimulatedAsa
    node: NodeSettings = field(
        factory=lambda: NodeSettings(policy=PolicySettings(allow_special=True))
    )
    lists: dict[str, tuple[int, list[str]]] = field(
        factory=lambda: {BLOCK: (1, []), ALLOW: (1, [])}
    )
    known: dict[str, StoredList] = field(factory=dict)
    applied: Generation | None = None
    largest: Generation | None = None
    names: dict[str, tuple[str, ...]] = field(factory=dict)
    """What the resolver knows."""
    known_names: dict[str, KnownName] = field(factory=dict)
    memory: Json = field(factory=dict)
    pauses: list[float] = field(factory=list)
    told: list[Progress] = field(factory=list)
    stop_after: int | None = None
    changes: dict[str, Any] = field(factory=dict)
    bounds: Bounds = SHORT
    drivers: list[AsaDriver] = field(factory=list)
    looks: int = 0
    real_pause: float = 0.0
    rested: Callable[[], None] = lambda: None
    """What happens while the device is left alone."""

    def publish(
        self, block: Sequence[str] | None = None, allow: Sequence[str] | None = None
    ) -> None:
        """New content of one list or both."""
        for name, texts in ((BLOCK, block), (ALLOW, allow)):
            if texts is not None:
                self.lists[name] = (self.lists[name][0] + 1, list(texts))

    def protect(self) -> None:
        """Enter the access-lists that `tsadmin add` prints, and bind them."""
        lines = access_list_lines("ThreatSTOP-Block", "ThreatSTOP-Allow")
        said = self.asa.type_lines([*lines, f"access-group {lines[0].split()[1]} global"])
        assert not any(said), said

    def settings(self) -> DeviceSettings:
        return settings_for(self.asa, **self.changes)

    def fetch(
        self, source: ListSource, known: PolicyList | None, now: float, /
    ) -> PolicyList | None:
        if source.name not in self.lists:
            raise ListUnavailable(source.name, "no such name", "wait 15 minutes")
        serial, texts = self.lists[source.name]
        if known is not None and known.serial == serial:
            return None
        return PolicyList(
            name=source.name, entries=Entries.of(texts), serial=serial, fetched_at=now
        )

    def open(
        self,
        settings: DeviceSettings,
        node: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        *,
        accept_certificate: str | None,
    ) -> AsaDriver:
        driver = open_driver(
            settings, learnt, bounds=self.bounds, accept_certificate=accept_certificate
        )
        self.drivers.append(driver)
        return driver

    def pause(self, seconds: float) -> bool:
        self.looks += 1
        if seconds:
            self.pauses.append(seconds)
            time.sleep(self.real_pause)
            self.rested()
        return self.stop_after is not None and self.looks > self.stop_after

    def job(self, **changes: Any) -> UpdateJob:
        job = UpdateJob(
            settings=self.settings(),
            node=self.node,
            known=dict(self.known),
            applied=self.applied,
            largest=self.largest,
            memory=dict(self.memory),
            fetch=self.fetch,
            opener=self.open,
            look_up=LookUps(lambda name: self.names.get(name, ())),
            names=dict(self.known_names),
            now=time.time,
            pause=self.pause,
        )
        return evolve(job, **changes)

    def run(self, **changes: Any) -> UpdateOutcome:
        """One update, what it brought kept as the service does.  Blocking."""
        outcome = run_update(self.job(**changes), self.told.append)
        if outcome.names is not None:
            self.known_names = {one.name: one for one in outcome.names}
        self.known.update({one.name: one for one in outcome.good_lists})
        measures = [outcome.generation]
        if not outcome.rebased:
            measures += [self.applied, self.largest]
        self.largest = max(
            (one for one in measures if one is not None),
            key=lambda one: one.block_entries,
            default=None,
        )
        self.applied = outcome.generation or self.applied
        self.memory = outcome.memory or self.memory
        return outcome

    def plan(self, **changes: Any) -> UpdateOutcome:
        """A dry run.  Blocking."""
        return plan_update(self.job(**changes), self.told.append)

    # -- what the firewall holds -------------------------------------------------

    def held(self, kind: str) -> set[str]:
        """Members in force below a parent on the simulator."""
        groups = self.asa.configuration.groups
        parent = groups.get(f"{self.settings().own_names}-{kind}")
        if parent is None:
            return set()
        found: set[str] = set()
        for child in parent.children:
            found |= {_cidr(member) for member in groups[child].members}
        return found - {"192.0.2.1/32"}

    def converged(self) -> bool:
        """Does the firewall hold just what the lists say, and nothing of ours beside it?"""
        groups, prefix = self.asa.configuration.groups, self.settings().own_names
        ours = {name for name in groups if name.startswith(f"{prefix}-")}
        nested = {
            child for kind in ("Block", "Allow") for child in groups[f"{prefix}-{kind}"].children
        }
        return (
            self.held("Block") == set(self.lists[BLOCK][1])
            and self.held("Allow") == set(self.lists[ALLOW][1])
            and ours == nested | {f"{prefix}-Block", f"{prefix}-Allow"}
        )


def _cidr(member: str) -> str:
    words = member.split()[1:]
    if words[0] == "host":
        return f"{words[1]}/{128 if ':' in words[1] else 32}"
    return words[0] if "/" in words[0] else f"{words[0]}/{LENGTH_OF[words[1]]}"
