"""
Forwarding: a backlog on disk drained into one TCP sink, by tscm, rsyslog and syslog-ng, in turns.

rsyslog's backlog lies in its disk-assisted queue, syslog-ng's in its disk buffer, both filled while
the sink was away.  What counts is bytes for each CPU second of the forwarder, from the sink's
coming up until its last byte.  BENCH_MB (200) sets the backlog, BENCH_ROUNDS (3) the turns.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field, frozen

from bench.forwarder import blocks, resident_mb
from bench.intake_receivers import free_port, syslog_ng_root

MEGABYTES = int(os.environ.get("BENCH_MB", "200"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
FORWARDER_CPU, SINK_CPU = 1, 0
_LIMIT_SECONDS = 600

RSYSLOG = """\
global(workDirectory="{root}" net.enableDNS="off" maxMessageSize="64k")
module(load="imptcp" threads="1")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="all" queue.type="Direct") {{
    action(type="omfwd" target="127.0.0.1" port="{sink}" protocol="tcp" template="raw"
           action.resumeRetryCount="-1" action.resumeInterval="1"
           queue.type="LinkedList" queue.filename="backlog" queue.size="20000"
           queue.highWatermark="10000" queue.lowWatermark="2000" queue.maxDiskSpace="20g"
           queue.maxFileSize="100m" queue.dequeueBatchSize="1024" queue.timeoutEnqueue="600000"
           queue.checkpointInterval="100000" queue.saveOnShutdown="on"
           queue.timeoutShutdown="500"
           queue.timeoutActionCompletion="500")
}}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="all")
"""

SYSLOG_NG = """\
@version: 3.38
@module afsocket
@module disk-buffer
options {{ use-dns(no); stats-freq(0); log-msg-size(65536); flush-lines(1000); time-reopen(1); }};
source all {{
    network(transport("tcp") ip("127.0.0.1") port({port}) flags(no-parse)
            log-fetch-limit(1000) log-iw-size(100000));
}};
destination sink {{
    network("127.0.0.1" transport("tcp") port({sink}) template("$MSG\\n")
            disk-buffer(reliable(no) disk-buf-size(20G) mem-buf-length(10000) dir("{root}")));
}};
log {{ source(all); destination(sink); flags(flow-control); }};
"""


@frozen
class Run:
    """One drain: CPU and wall seconds, resident memory at its end."""

    cpu: float
    wall: float
    resident_mb: float


@define
class Sink:
    """Takes everything on one port and counts it."""

    port: int
    taken: int = field(default=0, init=False)
    first_at: float = field(default=0.0, init=False)
    _listener: socket.socket | None = field(default=None, init=False)

    def open(self) -> None:
        """Begin to listen."""
        listener = self._listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        threading.Thread(target=self._take, args=(listener,), daemon=True).start()

    def _take(self, listener: socket.socket) -> None:
        os.sched_setaffinity(threading.get_native_id(), {SINK_CPU})
        buffer = bytearray(1 << 20)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.first_at = self.first_at or time.monotonic()
            while count := connection.recv_into(buffer):
                self.taken += count
            connection.close()

    def wait(self, size: int) -> bool:
        """Until so many bytes have come."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while self.taken < size:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def close(self) -> None:
        """No longer."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()


def cpu_seconds(pid: int) -> float:
    """CPU time of another process, all threads, by its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def drain_tscm(root: Path, batches: list[tuple[bytes, int]], mode: str = "as-received") -> Run:
    """One turn of tscm."""
    size = sum(len(data) for data, _ in batches)
    sink = Sink(free_port())
    with subprocess.Popen(
        [sys.executable, "-m", "bench.forwarder", root, str(sink.port), str(MEGABYTES), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.sched_setaffinity(process.pid, {FORWARDER_CPU})
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        sink.open()
        process.stdin.write("go\n")
        process.stdin.flush()
        used = json.loads(process.stdout.readline())
        process.wait()
    assert sink.taken >= size, f"{sink.taken} of {size} bytes came"
    sink.close()
    return Run(used["cpu"], used["wall"], used["resident_mb"])


def drain_peer(
    command: list[str],
    port: int,
    sink: Sink,
    batches: list[tuple[bytes, int]],
    root: Path,
    **environment: str,
) -> Run | None:
    """
    Fill a peer's queue while the sink is away and stop it; then start it and let it drain.
    """
    size = sum(len(data) for data, _ in batches)
    filling = _start(command, environment)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if filling.poll() is not None or time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", port)) as feed:
            for data, _ in batches:
                feed.sendall(data)
        if not _settled(filling.pid, root):
            return None
    finally:
        _stop(filling)
    sink.open()
    draining = _start(command, environment)
    try:
        if not sink.wait(size):
            return None
        wall = time.monotonic() - sink.first_at
        return Run(cpu_seconds(draining.pid), wall, resident_mb(draining.pid))
    finally:
        _stop(draining)
        sink.close()


def _start(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    os.sched_setaffinity(process.pid, {FORWARDER_CPU})
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _settled(pid: int, root: Path) -> bool:
    """Wait until the peer has put away all that it was fed: neither disk nor CPU moves."""
    deadline, quiet = time.monotonic() + _LIMIT_SECONDS, 0
    last = (-1, -1.0)
    while quiet < 6:
        time.sleep(0.25)
        now = (_size(root), round(cpu_seconds(pid), 2))
        quiet = quiet + 1 if now[0] == last[0] and now[1] - last[1] < 0.02 else 0
        last = now
        if time.monotonic() > deadline:
            return False
    return True


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def drain_rsyslog(root: Path, batches: list[tuple[bytes, int]]) -> Run | None:
    """One turn of rsyslog."""
    port, sink = free_port(), Sink(free_port())
    settings = root / "rsyslog.conf"
    settings.write_text(RSYSLOG.format(root=root, port=port, sink=sink.port))
    command = ["rsyslogd", "-n", "-f", str(settings), "-i", str(root / "pid")]
    return drain_peer(command, port, sink, batches, root)


def drain_syslog_ng(root: Path, batches: list[tuple[bytes, int]]) -> Run | None:
    """One turn of syslog-ng."""
    unpacked = syslog_ng_root()
    assert unpacked is not None
    libraries = unpacked / "usr/lib"
    port, sink = free_port(), Sink(free_port())
    settings = root / "syslog-ng.conf"
    settings.write_text(SYSLOG_NG.format(root=root, port=port, sink=sink.port))
    command = [
        str(unpacked / "usr/sbin/syslog-ng"),
        "-F",
        "--no-caps",
        f"--cfgfile={settings}",
        f"--persist-file={root / 'persist'}",
        f"--pidfile={root / 'pid'}",
        f"--control={root / 'ctl'}",
        f"--module-path={libraries / 'syslog-ng/3.38'}",
    ]
    machine = "x86_64-linux-gnu"
    paths = f"{libraries / machine}:{libraries / 'syslog-ng'}:{unpacked / 'lib' / machine}"
    return drain_peer(command, port, sink, batches, root, LD_LIBRARY_PATH=paths)


def main() -> None:
    """The table, and the ratios."""
    batches = list(blocks(MEGABYTES))
    size, lines = sum(len(data) for data, _ in batches), sum(count for _, count in batches)
    turns: dict[str, Callable[[Path, list[tuple[bytes, int]]], Run | None]] = {
        "tscm, as received": drain_tscm,
        "tscm, RFC 5424": lambda root, them: drain_tscm(root, them, "rfc5424"),
    }
    if shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin"):
        turns["rsyslog, disk-assisted queue"] = drain_rsyslog
    if syslog_ng_root() is not None:
        turns["syslog-ng, disk buffer"] = drain_syslog_ng
    found: dict[str, list[Run]] = {label: [] for label in turns}
    for _ in range(ROUNDS):
        for label, turn in turns.items():
            with tempfile.TemporaryDirectory(prefix="bench-forward-") as folder:
                run = turn(Path(folder), batches)
                if run is not None:
                    found[label].append(run)
    print(f"Backlog of {size / 2**20:.0f} MB, {lines:,} lines, over loopback into one sink")
    print(
        "| Forwarder | MB a CPU second, best | lines a CPU second | wall s | resident MB | runs |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    best: dict[str, float] = {}
    for label, runs in found.items():
        if not runs:
            print(f"| {label} | did not drain | | | | 0 |")
            continue
        cpu = best[label] = min(run.cpu for run in runs)
        wall, memory = min(run.wall for run in runs), max(run.resident_mb for run in runs)
        print(
            f"| {label} | {size / 2**20 / cpu:,.0f} | {lines / cpu:,.0f} | {wall:.2f} "
            f"| {memory:.0f} | {len(runs)} |"
        )
    ours = best.get("tscm, as received")
    for label, cpu in best.items():
        if ours and not label.startswith("tscm"):
            print(f"tscm drains {cpu / ours:.1f} times as much a CPU second as {label}")
