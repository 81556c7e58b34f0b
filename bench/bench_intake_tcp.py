"""
TCP: CPU a line and lines a second of tscm against rsyslog and syslog-ng, in turns.
"""

import os
import statistics
import time

from attrs import frozen

from bench.intake_receivers import Receiver, large_buffers, peers, running, send

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "6"))
LINES = 400_000


@frozen
class Run:
    """One run: CPU seconds and wall seconds a million lines, resident memory behind it."""

    cpu: float
    wall: float
    resident_mb: float


def flat_out(receiver: Receiver, connections: int, senders: int) -> Run | None:
    """All connections send as fast as they are taken."""
    before = receiver.stored_bytes()
    used = receiver.cpu_seconds()
    began = time.monotonic()
    sent = send("tcp", receiver.port, LINES, senders=senders, connections=connections)
    if not receiver.wait_stored(before + sent.bytes):
        return None
    wall = time.monotonic() - began
    cpu = receiver.cpu_seconds() - used
    return Run(cpu / LINES * 1e6, wall / LINES * 1e6, receiver.resident_mb())


def main() -> None:
    """All TCP tables."""
    ours = "tscm compiled"
    labels = [ours, *peers()]
    with large_buffers():
        for connections, senders in ((1, 1), (10, 10), (1000, 1000)):
            found: dict[str, list[Run]] = {label: [] for label in labels}
            for _ in range(ROUNDS):
                for label in labels:
                    with running(label, senders) as receiver:
                        twice = [flat_out(receiver, connections, senders) for _ in range(2)]
                        found[label] += [run for run in twice if run is not None]
            print(f"\nTCP, {connections} connections flat out")
            print("| Receiver | CPU s/M minimum | median | lines/s best | resident MB | runs |")
            print("| --- | --- | --- | --- | --- | --- |")
            for label, runs in found.items():
                if not runs:
                    print(f"| {label} | lines missing in every run | | | | 0 |")
                    continue
                cpu = [run.cpu for run in runs]
                best = 1e6 / min(run.wall for run in runs)
                memory = max(run.resident_mb for run in runs)
                print(
                    f"| {label} | {min(cpu):.2f} | {statistics.median(cpu):.2f} | {best:,.0f} "
                    f"| {memory:.0f} | {len(runs)} |",
                    flush=True,
                )
            for label, runs in found.items():
                if label != ours and runs and found[ours]:
                    ratio = min(run.cpu for run in found[ours]) / min(run.cpu for run in runs)
                    print(f"{ours} / {label}: {ratio:.2f}", flush=True)
