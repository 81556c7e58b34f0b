"""
UDP: CPU a line of tscm against rsyslog and syslog-ng, in turns.
"""

import os
import statistics
import time

from bench.intake_receivers import Receiver, large_buffers, peers, running, send

SMALL_BUFFER = 16 << 20
LOSS_TRIES = 5
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))


def drained(receiver: Receiver, lines: int) -> float | None:
    """
    CPU seconds a million lines: stop it, fill its socket, let it go on until all is in the files.
    """
    before = receiver.stored_bytes()
    receiver.stop_reading()
    sent = send("udp", receiver.port, lines)
    used = receiver.cpu_seconds()
    receiver.go_on()
    if not receiver.wait_stored(before + sent.bytes):
        return None
    return (receiver.cpu_seconds() - used) / lines * 1e6


def trickled(receiver: Receiver, rate: int, seconds: float = 2) -> float | None:
    """CPU seconds a million lines at a paced rate."""
    before = receiver.stored_bytes()
    used = receiver.cpu_seconds()
    sent = send("udp", receiver.port, int(rate * seconds), rate=rate)
    if not receiver.wait_stored(before + sent.bytes):
        return None
    return (receiver.cpu_seconds() - used) / sent.lines * 1e6


def loss_free(receiver: Receiver, rates: list[int]) -> int:
    """
    The highest of *rates* at which a second of lines came whole in one of several tries.

    What else runs on the machine can only lose lines, never save them; so one whole second
    counts, and two rates in a row without one end the search.
    """
    best = failed = 0
    for rate in rates:
        if any(_whole(receiver, rate) for _ in range(LOSS_TRIES)):
            best, failed = rate, 0
        else:
            failed += 1
            if failed == 2:
                break
    return best


def _whole(receiver: Receiver, rate: int) -> bool:
    before = receiver.stored_bytes()
    sent = send("udp", receiver.port, rate, rate=rate)
    whole = receiver.wait_stored(before + sent.bytes, 1)
    return whole and sent.seconds < 1.1  # else the sender gave out


def compare(title: str, labels: list[str], measure: object, rounds: int) -> dict[str, list[float]]:
    """Run *measure* for each receiver in turns and print the table."""
    found: dict[str, list[float]] = {label: [] for label in labels}
    for _ in range(rounds):
        for label in labels:
            with running(label) as receiver:
                for _ in range(3):
                    value = measure(receiver)  # type: ignore[operator]
                    if value is not None:
                        found[label].append(value)
    print(
        f"\n{title}\n| Receiver | minimum | lower quartile | median | runs |\n| --- | --- | --- | --- | --- |"
    )
    for label, values in found.items():
        if not values:
            print(f"| {label} | lost lines in every run | | | 0 |")
            continue
        quartile = statistics.quantiles(values, n=4)[0] if len(values) > 1 else values[0]
        print(
            f"| {label} | {min(values):.2f} | {quartile:.2f} | {statistics.median(values):.2f} "
            f"| {len(values)} |",
            flush=True,
        )
    return found


def ratios(found: dict[str, list[float]], ours: list[str], others: list[str]) -> None:
    """The minima against each other."""
    for label in ours:
        for other in others:
            if found.get(label) and found.get(other):
                print(f"{label} / {other}: {min(found[label]) / min(found[other]):.2f}", flush=True)


def main() -> None:
    """All UDP tables."""
    ours = ["tscm compiled", "tscm numpy", "tscm plain"]
    others = peers()
    labels = [*ours, *others]
    began = time.monotonic()
    with large_buffers():
        for lines in (20_000, 5_000):
            found = compare(
                f"UDP, {lines} lines waiting: CPU seconds a million lines",
                labels,
                lambda receiver, lines=lines: drained(receiver, lines),
                ROUNDS,
            )
            ratios(found, ours, others)
        some = ["tscm compiled", "tscm numpy", *others]
        found = compare(
            "UDP, 20,000 lines a second from 10 senders: CPU seconds a million lines",
            some,
            lambda receiver: trickled(receiver, 20_000),
            max(2, ROUNDS // 3),
        )
        ratios(found, some[:2], others)
        print("\nUDP, highest paced rate without a loss, lines a second")
        rates = list(range(50_000, 800_000, 25_000))
        for label in some:
            with running(label, buffer=SMALL_BUFFER) as receiver:
                print(f"{label}: {loss_free(receiver, rates)}", flush=True)
    print(f"took {time.monotonic() - began:.0f} s")
