"""
What policy updates cost a firewall: requests, bytes and the agent's time, by platform.

The simulator runs with zero added latency and counts; the agent's seconds are those of its cost
model (tscm/simulator/cost.py), so read them as ratios.  Lists come from memory: fetching is measured by
`bench_retrieve`.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field

from tscm.asa.driver import open_driver
from tscm.asa.link import Bounds
from tscm.model import AsaDriver
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.secrets import Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.update.job import UpdateJob
from tscm.update.outcome import UpdateOutcome
from tscm.update.run import run_update

PLATFORMS = {"ASAv5": 8_000, "ASAv10": 9_000, "5516": 9_000, "ASAv30": 19_000, "5585": 40_000}
CHILDREN = 10
PASSWORD = "simulated"  # noqa: S105 - of a firewall that lives as long as the benchmark


def addresses(count: int, first: int = 0) -> list[str]:
    """Hosts that cannot be merged."""
    return [
        f"{20 + (n >> 22)}.{n >> 14 & 255}.{n >> 7 & 127}.{(n & 127) * 2}"
        for n in range(first, first + count)
    ]


@define(eq=False)
class Bench:
    """One simulated firewall, and what is known of it between runs."""

    asa: SimulatedAsa
    size: int
    entries: list[str] = field(factory=list)
    job: UpdateJob = field(init=False)
    serial: int = 0

    def __attrs_post_init__(self) -> None:
        self.job = UpdateJob(
            settings=DeviceSettings(
                name="bench",
                device_id="tdid_bench",
                device="127.0.0.1",
                block_list="block.example",
                allow_list="allow.example",
                username="admin",
                password=Secret(PASSWORD),
                rest_url=self.asa.api_url,
                fingerprint=self.asa.fingerprint,
                max_policy_size=self.size,
                object_group_size=-(-self.size // CHILDREN),
            ),
            node=NodeSettings(),
            fetch=self.fetch,
            opener=self.open,
            resolve=lambda _: (),
            now=time.time,
            pause=lambda _: False,
        )

    def fetch(self, source: ListSource, known: PolicyList | None, _: float, /) -> PolicyList | None:
        if known is not None and known.serial == self.serial:
            return None
        texts = self.entries if source.name == "block.example" else []
        return PolicyList(name=source.name, entries=Entries.of(texts), serial=self.serial)

    def open(
        self, settings: DeviceSettings, node: NodeSettings, learnt: Mapping[str, Any], /, **_: bool
    ) -> AsaDriver:
        return open_driver(settings, node, learnt, bounds=Bounds(read_seconds=120))

    def publish(self, entries: list[str]) -> None:
        self.entries, self.serial = entries, self.serial + 1

    def run(self) -> tuple[UpdateOutcome, float]:
        """One update; the process's CPU seconds include the simulator's."""
        self.asa.counts.reset()
        began = time.process_time()
        outcome = run_update(self.job, lambda _: None)
        seconds = time.process_time() - began
        self.job = evolve(
            self.job,
            known={**self.job.known, **{one.name: one for one in outcome.good_lists}},
            applied=outcome.generation or self.job.applied,
            memory=outcome.memory or {},
        )
        if not outcome.good or outcome.failures:
            raise SystemExit(f"{outcome.error} {outcome.failures}")
        return outcome, seconds


def main() -> None:
    """Print the table."""
    from twisted.internet import reactor

    loop = threading.Thread(target=reactor.run, args=(False,), daemon=True)
    loop.start()
    print(
        f"{'platform':9} {'update':10} {'entries':>8} {'requests':>8} {'bytes sent':>10} {'agent s':>8} {'CPU s':>6} crashes"
    )
    for name, size in PLATFORMS.items():
        asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD, profile=name))
        _in_reactor(reactor, asa.startService)
        bench = Bench(asa, size)
        whole, step = addresses(size), max(1, size // 100)
        changed = [*(one for n, one in enumerate(whole) if n % 100), *addresses(step, 2_000_000)]
        for label, entries in (("full load", whole), ("1 % change", changed), ("no change", None)):
            if entries is not None:
                bench.publish(entries)
            _, seconds = bench.run()
            counts = asa.counts
            print(
                f"{name:9} {label:10} {size:8,} {sum(counts.requests.values()):8} "
                f"{counts.bytes_in:10,} {counts.device_seconds:8.1f} {seconds:6.2f} {counts.agent_crashes:7}",
                flush=True,
            )
        _in_reactor(reactor, asa.stopService)
    _in_reactor(reactor, reactor.stop)
    loop.join(10)


def _in_reactor(reactor: Any, call: Callable[[], Any]) -> None:
    from twisted.internet.threads import blockingCallFromThread

    blockingCallFromThread(reactor, call)


if __name__ == "__main__":
    main()
