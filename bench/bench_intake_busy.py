"""
UDP while the manager's threads are busy: a policy of 100,000 entries and compression, both over
and over, and an upload of every log to a log service.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from bench.intake_receivers import SENDER_CPU, large_buffers, running, send
from tscm.portal.entries import add_entry
from tscm.settings.layout import Layout

RATES = (25_000, 50_000, 100_000, 175_000)
"""The last is half the highest rate at which nothing was lost at rest."""

TRIES = 5
SECONDS = 10
DEVICES = 10
BUFFER = 32 << 20
"""The default of `receive_buffer_bytes`."""


@define
class LogServiceAside:
    """A log service in a process of its own, on the sender's CPU."""

    root: Path
    told: str
    """What `tscm_receiver` needs to know of it."""

    def uploaded_lines(self) -> int:
        """In all batches that it took."""
        stored = Layout(self.root).portal.glob("uploads/*/*.log*")
        return sum(int(one.name.split("~")[1]) for one in stored)


@contextmanager
def log_service() -> Iterator[LogServiceAside]:
    """A log service that knows the benchmark's devices."""
    root = Path(tempfile.mkdtemp(prefix="tscm-bench-logs-"))
    portal, ready = Layout(root).portal, root / "ready"
    devices = {}
    for number in range(DEVICES):
        entry = add_entry(portal, nickname=f"fw{number}", address=f"192.0.2.{number + 1}")
        assert entry.device_key is not None
        devices[f"fw{number}"] = (entry.device_id, entry.device_key.reveal())
    twistd = str(Path(sys.executable).with_name("twistd"))
    words = ["--root", str(root), "--logs", "127.0.0.1:0", "--ready", str(ready)]
    process = subprocess.Popen(
        [twistd, "-n", "--pidfile=", "tscm-portal", *words],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {SENDER_CPU}),  # noqa: PLW1509
    )
    try:
        for _ in range(300):
            if ready.exists():
                break
            time.sleep(0.1)
        found = json.loads(ready.read_text("utf-8"))
        told = {
            "url": f"https://{found['logs'][0]}",
            "ca_file": found["certificate"],
            "devices": devices,
        }
        yield LogServiceAside(root, json.dumps(told))
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def lost(rate: int) -> float:
    """The fewest lines lost at *rate* in some tries: a shared host withholds time now and then."""
    found = once(rate)
    for _ in range(TRIES - 1):
        if found == 0:
            break
        found = min(found, once(rate))
    return found


def once(rate: int) -> float:
    """How many of the lines sent at *rate* are not in the logs."""
    with running("tscm compiled", DEVICES, buffer=BUFFER) as receiver:
        sent = send("udp", receiver.port, rate * SECONDS, senders=DEVICES, rate=rate)
        receiver.wait_stored(sent.bytes, 5)
        missing = sent.bytes - receiver.stored_bytes()
        return missing * sent.lines / sent.bytes


def main() -> None:
    """Lines sent, and lines lost, at paced rates."""
    print("| lines a second | sent | lost, at rest | lost, busy | uploaded meanwhile |")
    print("| --- | --- | --- | --- | --- |")
    with large_buffers():
        for rate in RATES:
            at_rest = lost(rate)
            with log_service() as aside:
                os.environ |= {"TSCM_BENCH_BUSY": "1", "TSCM_BENCH_UPLOAD": aside.told}
                try:
                    busy = lost(rate)
                finally:
                    del os.environ["TSCM_BENCH_BUSY"], os.environ["TSCM_BENCH_UPLOAD"]
                uploaded = aside.uploaded_lines()
            print(
                f"| {rate:,} | {rate * SECONDS:,} | {at_rest:,.0f} | {busy:,.0f} | {uploaded:,} |",
                flush=True,
            )
