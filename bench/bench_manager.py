"""
The whole manager, all rooms wired, with many devices: start-up, idle CPU, resident memory.

Every device sends its lines from a loopback address of its own.  BENCH_SECONDS sets how long
each load is watched.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from attrs import define, evolve

from bench.intake_receivers import free_port
from bench.manager_root import FIRST, make_node
from tscm.base.host_port import HostPort
from tscm.settings.files import write_device
from tscm.settings.layout import Layout
from tscm.settings.node import Listen, NodeSettings

SECONDS = float(os.environ.get("BENCH_SECONDS", "120"))
LINE = (
    b"<166>Apr 15 2026 09:36:50: %%ASA-6-106100: access-list global_access denied tcp "
    b"outside/198.51.100.7(1024) -> inside/10.0.0.9(443) hit-cnt 1 first hit [0x%08x, 0x0]"
)


def sender(number: int) -> str:
    """The address of one device."""
    return f"127.20.{number // 250}.{number % 250 + 1}"


def make_root(root: Path, port: int, metrics: int, devices: int) -> None:
    """Settings of a manager with so many devices, as `tsadmin add` stores them."""
    place, watched = (HostPort("127.0.0.1", port),), (HostPort("127.0.0.1", metrics),)
    listen = Listen(udp=place, tcp=place, metrics=watched)
    layout, key = make_node(root, NodeSettings(listen=listen))
    for number in range(devices):
        named = evolve(FIRST, name=f"fw{number}", device=sender(number))
        write_device(layout, named, key)


@define
class Running:
    """A manager that is up."""

    pid: int
    root: Path
    port: int
    metrics: int
    started_in: float

    def processes(self) -> dict[str, int]:
        """The manager and its children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        children = [int(one) for one in path.read_text("ascii").split()]
        return {"manager": self.pid} | {f"child {n}": pid for n, pid in enumerate(children, 1)}

    def resident_mb(self) -> dict[str, float]:
        """By process."""
        found = {}
        for name, pid in self.processes().items():
            text = Path(f"/proc/{pid}/status").read_text("ascii")
            found[name] = int(text.split("VmRSS:")[1].split()[0]) / 1024
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """By process."""
        return {name: time.clock_gettime(~pid << 3 | 2) for name, pid in self.processes().items()}

    def stored_lines(self) -> int:
        """In all logs; nothing is sealed within a run."""
        return sum(one.read_bytes().count(b"\n") for one in Layout(self.root).logs.glob("*/syslog"))


@contextmanager
def manager(devices: int) -> Iterator[Running]:
    """`twistd -n tscm` with so many devices, until it says that it is ready."""
    root = Path(tempfile.mkdtemp(prefix="tscm-bench-"))
    port, metrics = free_port(), free_port()
    make_root(root, port, metrics, devices)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(root / "told"))
    told.settimeout(120)
    command = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "tscm"]
    began = time.monotonic()
    with (root / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--root", str(root)],
            env=os.environ | {"NOTIFY_SOCKET": str(root / "told")},
            stdout=output,
            stderr=output,
        )
    try:
        while b"READY=1" not in told.recv(4096):
            pass
        yield Running(process.pid, root, port, metrics, time.monotonic() - began)
    except TimeoutError:
        raise RuntimeError((root / "output").read_text("utf-8")) from None
    finally:
        told.close()
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()
        shutil.rmtree(root, ignore_errors=True)


def trickle(streams: list[socket.socket], seconds: float, each: float) -> int:
    """One line of each in *each* seconds, evenly spread; how many were sent."""
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        due = int(now * len(streams) / each)
        while sent < due:
            stream = streams[sent % len(streams)]
            end = b"\n" if stream.type == socket.SOCK_STREAM else b""
            stream.sendall(LINE % sent + end)
            sent += 1
        time.sleep(0.02)
    return sent


def open_streams(
    running: Running, devices: int, kind: int, stack: ExitStack
) -> list[socket.socket]:
    """A connection (or a UDP socket) of each device."""
    streams = []
    for number in range(devices):
        stream = stack.enter_context(socket.socket(socket.AF_INET, kind))
        stream.bind((sender(number), 0))
        stream.connect(("127.0.0.1", running.port))
        streams.append(stream)
    return streams


def watch(devices: int, kind: int, each: float, words: str) -> None:
    """One row: a manager with so many devices, and a trickle of each."""
    with manager(devices) as running, ExitStack() as stack:
        at_start = running.resident_mb()
        streams = open_streams(running, devices, kind, stack)
        sent = trickle(streams, 10, each)
        used, began = running.cpu_seconds(), time.monotonic()
        sent += trickle(streams, SECONDS, each)
        took = time.monotonic() - began
        later = running.cpu_seconds()
        time.sleep(2)
        resident = running.resident_mb()
        lost = sent - running.stored_lines()
    shares = ", ".join(f"{name} {(later[name] - used[name]) / took:.1%}" for name in used)
    memory = ", ".join(f"{name} {at_start[name]:.0f} → {mb:.0f}" for name, mb in resident.items())
    print(
        f"| {devices:,} devices, {words} | {running.started_in:.1f} | {shares} | {memory} "
        f"| {sent:,} | {lost} |",
        flush=True,
    )


def main() -> None:
    """Start-up, CPU while lines trickle, and resident memory."""
    print("| load | ready after, s | share of a core | resident MB | lines | lost |")
    print("| --- | --- | --- | --- | --- | --- |")
    watch(1, socket.SOCK_DGRAM, 60, "a line a minute over UDP")
    watch(500, socket.SOCK_DGRAM, 60, "a line a minute each over UDP")
    watch(500, socket.SOCK_DGRAM, 10, "a line in 10 s each over UDP")
    watch(1000, socket.SOCK_STREAM, 10, "a TCP connection and a line in 10 s each")
