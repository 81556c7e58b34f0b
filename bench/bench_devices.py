"""
A manager with thousands of devices: what it needs while nothing happens, and what questions about all of them cost.

BENCH_DEVICES sets how many devices, BENCH_SECONDS how long the idle manager is watched, and BENCH_ROUNDS
how often each question is asked; the least CPU time of these is shown.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bench.bench_manager import Running, manager, sender

DEVICES = int(os.environ.get("BENCH_DEVICES", "5000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
COMMANDS = ("ledger", "status", "list")


def least(running: Running, call: Callable[[], object]) -> float:
    """CPU seconds of the manager for *call*, the least of the rounds."""
    found = []
    for _ in range(ROUNDS):
        before = running.cpu_seconds()["manager"]
        call()
        found.append(running.cpu_seconds()["manager"] - before)
    return min(found)


def command(running: Running, word: str) -> float:
    """CPU seconds of `tsadmin` itself."""
    program = str(Path(sys.executable).with_name("tsadmin"))
    before = os.times()
    subprocess.run(
        [program, "--root", str(running.root), word], check=False, stdout=subprocess.DEVNULL
    )
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def send_one_line_each(running: Running) -> None:
    """So that each log holds something, as those of devices in use do."""
    for number in range(DEVICES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.bind((sender(number), 0))
            stream.sendto(
                b"<166>Apr 15 2026 09:36:50: %ASA-6-302013: Built", ("127.0.0.1", running.port)
            )
        if not number % 50:
            time.sleep(0.02)


def idle(running: Running) -> dict[str, float]:
    """Share of a core by process."""
    used, began = running.cpu_seconds(), time.monotonic()
    time.sleep(SECONDS)
    took, later = time.monotonic() - began, running.cpu_seconds()
    return {name: (later[name] - used[name]) / took for name in used}


def main() -> None:
    """Start, idle share, and questions about all devices."""
    with manager(DEVICES) as running:
        print(
            f"{DEVICES:,} devices; ready after {running.started_in:.1f} s, "
            f"{running.cpu_seconds()['manager']:.1f} s of CPU",
            flush=True,
        )
        print(f"descriptors: {len(list(Path(f'/proc/{running.pid}/fd').iterdir())):,}")
        print(
            "resident MB: " + ", ".join(f"{n} {mb:.0f}" for n, mb in running.resident_mb().items())
        )
        send_one_line_each(running)
        time.sleep(15)
        print(
            "idle: " + ", ".join(f"{n} {share:.2%}" for n, share in idle(running).items()),
            flush=True,
        )
        url = f"http://127.0.0.1:{running.metrics}"
        for page in ("/metrics", "/healthz"):
            took = least(running, lambda: urllib.request.urlopen(url + page, timeout=60).read())  # noqa: S310,B023
            print(f"{page}: {took:.2f} s", flush=True)
        for word in COMMANDS:
            own: list[float] = []
            took = least(running, lambda: own.append(command(running, word)))  # noqa: B023
            print(f"tsadmin {word}: manager {took:.2f} s, command {min(own):.2f} s", flush=True)


if __name__ == "__main__":
    main()
