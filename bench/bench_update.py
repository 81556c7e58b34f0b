"""
What policy updates cost a firewall: requests, bytes and the agent's time, by platform.

The simulator runs with zero added latency and counts; the agent's seconds are those of its cost
model (tscm/simulator/cost.py), so read them as ratios.  Lists come from memory: fetching is measured by
`bench_retrieve`.

For each platform that can be simulated and has an agent three updates of the Max policy size that `tsadmin add` proposes, then a first load of as
many entries as the budget bears, and one list over it, which must be refused before anything is written.  Last
comes a list of 100,000, in a process of its own for its peak memory, on a simulated device without a budget.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from tscm.base.secrets import Secret
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.platforms import budget_bytes, entries_within
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.opening import open_driver
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.asa.settings import asa as asa_settings
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.risks import Consent, Risk
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.simulator.profiles import PROFILES
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.update.figures import Result
from tscm.update.job import UpdateJob
from tscm.update.outcome import UpdateOutcome
from tscm.update.run import plan_update, run_update

CHILDREN = 10
LARGE = 100_000
_STEP = 0.005
"""Of the entries that fit: how far apart the largest load and the one refused lie."""
PASSWORD = "simulated"  # noqa: S105 - of a firewall that lives as long as the benchmark


def platforms() -> dict[str, int]:
    """Every profile of the simulator that has an agent, and the Max policy size proposed for it."""
    sizes = {}
    for profile in PROFILES.values():
        if profile.agent_version is not None:
            model = profile.hardware.partition(",")[0]
            budget = budget_bytes(model, profile.memory_mb)
            if budget is None:
                raise SystemExit(f"{profile.name}: nothing is known of what {model} bears")
            sizes[profile.name] = entries_within(budget)
    return sizes


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
            settings=AsaRestSettings(
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
            look_up=lambda _: {},
            now=time.time,
            pause=lambda _: False,
        )

    def fetch(self, source: ListSource, known: PolicyList | None, _: float, /) -> PolicyList | None:
        if known is not None and known.serial == self.serial:
            return None
        texts = self.entries if source.name == "block.example" else []
        return PolicyList(name=source.name, entries=Entries.of(texts), serial=self.serial)

    def open(
        self,
        settings: DeviceSettings,
        _: NodeSettings,
        learnt: Mapping[str, Any],
        /,
        **__: str | None,
    ) -> AsaDriver:
        return open_driver(settings, learnt, bounds=Bounds(read_seconds=120))

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
    """Print the tables; end with status 1 where a bar is broken."""
    from twisted.internet import reactor

    loop = threading.Thread(target=reactor.run, args=(False,), daemon=True)
    loop.start()
    large = bool(os.environ.get("BENCH_UPDATE_MEMORY"))
    if not large:
        print(
            f"{'platform':9} {'update':10} {'entries':>8} {'requests':>8} {'bytes sent':>10} {'agent s':>8} {'CPU s':>6} crashes"
        )
    bars: list[tuple[str, bool]] = []
    for name, size in {"5585": LARGE}.items() if large else platforms().items():
        bars += _three_updates(reactor, name, size, large=large)
        if not large:
            bars += _to_the_budget(reactor, name, size)
    if large:
        status = Path("/proc/self/status").read_text("ascii")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        bars.append(
            (
                f"100,000 entries: peak memory under 200 MB, simulator included: {peak:.0f}",
                peak < 200,
            )
        )
        print(json.dumps(bars))
    _in_reactor(reactor, reactor.stop)
    loop.join(10)
    if large:
        return
    bars += _large_in_a_process()
    for text, held in bars:
        print(f"{'held  ' if held else 'BROKEN'} {text}")
    if not all(held for _, held in bars):
        raise SystemExit(1)


def _three_updates(
    reactor: Any, name: str, size: int, *, large: bool = False
) -> list[tuple[str, bool]]:
    asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD, profile=name))
    _in_reactor(reactor, asa.startService)
    bench = Bench(asa, size)
    if large:  # no device that is sold bears it
        asa.switches.update({"enforce_budget": False})
        bench.job = evolve(bench.job, consent=Consent(risks=frozenset(Risk)))
    whole, step = addresses(size), max(1, size // 100)
    changed = [*(one for n, one in enumerate(whole) if n % 100), *addresses(step, 2_000_000)]
    sent, requests, crashes = [], [], 0
    out = sys.stderr if large else sys.stdout
    for label, entries in (("full load", whole), ("1 % change", changed), ("no change", None)):
        if entries is not None:
            bench.publish(entries)
        _, seconds = bench.run()
        counts = asa.counts
        sent.append(counts.bytes_in)
        requests.append(sum(counts.requests.values()))
        crashes += counts.agent_crashes
        print(
            f"{name:9} {label:10} {size:8,} {requests[-1]:8} "
            f"{counts.bytes_in:10,} {counts.device_seconds:8.1f} {seconds:6.2f} {counts.agent_crashes:7}",
            flush=True,
            file=out,
        )
    writes = counts.writes
    _in_reactor(reactor, asa.stopService)
    return [
        (f"{name}: 1 % change sends under 3 %: {sent[1] / sent[0]:.1%}", sent[1] < 0.03 * sent[0]),
        (
            f"{name}: at most 2 requests for a child and 10 more: {requests[1]} for {CHILDREN}",
            requests[1] <= 2 * CHILDREN + 10,
        ),
        (f"{name}: no change, nothing written: {requests[2]} requests", writes == 0),
        (f"{name}: no agent died", crashes == 0),
    ]


def _to_the_budget(reactor: Any, name: str, size: int) -> list[tuple[str, bool]]:
    """A first load of all that fits, and a list that does not."""
    asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD, profile=name))
    _in_reactor(reactor, asa.startService)
    others = asa.configuration.size
    bench = Bench(asa, 1_000_000)
    bench.job = evolve(
        bench.job, settings=evolve(asa_settings(bench.job.settings), object_group_size=2000)
    )
    bench.publish(addresses(size))
    figures = plan_update(bench.job, lambda _: None).plan
    if figures is None or figures.budget is None:
        raise SystemExit(f"{name}: the driver does not know the budget")
    fits = int((figures.budget - others) / figures.bytes_after * size)
    bench.publish(addresses(fits))
    while plan_update(bench.job, lambda _: None).result == Result.REFUSED:
        fits -= int(fits * _STEP)
        bench.publish(addresses(fits))
    bench.publish(addresses(fits + 3 * int(fits * _STEP)))
    refused = run_update(bench.job, lambda _: None)
    untouched = not any(one.startswith("ThreatSTOP") for one in asa.configuration.groups)
    bench.publish(addresses(fits))
    outcome, seconds = bench.run()
    counts = asa.counts
    print(
        f"{name:9} {'to budget':10} {fits:8,} {sum(counts.requests.values()):8} "
        f"{counts.bytes_in:10,} {counts.device_seconds:8.1f} {seconds:6.2f} {counts.agent_crashes:7}",
        flush=True,
    )
    good = outcome.verified and not counts.agent_crashes and not outcome.failures
    _in_reactor(reactor, asa.stopService)
    return [
        (f"{name}: a first load of {fits:,} entries without one fault", good),
        (
            f"{name}: more is refused before a write: {refused.error}",
            refused.result == Result.REFUSED
            and untouched
            and f"{figures.budget:,}" in str(refused.error),
        ),
    ]


def _large_in_a_process() -> list[tuple[str, bool]]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.bench_update"],
        env={**os.environ, "BENCH_UPDATE_MEMORY": "1"},
        check=True,
        stdout=subprocess.PIPE,
    )
    return [(str(text), bool(held)) for text, held in json.loads(done.stdout)]


def _in_reactor(reactor: Any, call: Callable[[], Any]) -> None:
    from twisted.internet.threads import blockingCallFromThread

    blockingCallFromThread(reactor, call)


if __name__ == "__main__":
    main()
