"""
Contestants of `bench_whole`: the whole manager, its peers, and the limit, each up and held still until its turn.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, evolve, field

from bench.intake_receivers import (
    BUFFER,
    RSYSLOG,
    SYSLOG_NG,
    free_port,
    on_one_cpu,
    rsyslog_command,
    syslog_ng_command,
    syslog_ng_root,
)
from bench.manager_root import FIRST, make_node
from tscm.base.host_port import HostPort
from tscm.policy.entries import Entries
from tscm.settings.files import write_device
from tscm.settings.forward_target import READER, ForwardTarget
from tscm.settings.layout import Layout
from tscm.settings.node import Intake, Listen, NodeSettings
from tscm.store.database import Store
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies

ENTRIES = 100_000
POLICIES = 100
"""So many devices at most have the list in force: each keeps a copy in the database."""

_FORWARD_RSYSLOG = """\
    action(type="omfwd" target="127.0.0.1" port="{sink}" protocol="tcp" template="raw"
           action.resumeRetryCount="-1" queue.type="LinkedList" queue.size="2000000" queue.dequeueBatchSize="1024")
}}
input("""
_FORWARD_NG = """\
destination siem {{ network("127.0.0.1" transport("tcp") port({sink}) template("$MSG\\n") log-fifo-size(1000000)); }};
log {{ source(all); destination(siem); }};
"""


def address(number: int) -> str:
    """The address that a sender of `syslog_load` has."""
    value = 0x7F00000B + number
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def block_list() -> list[str]:
    """Half of the outside addresses of `syslog_load` stand on it; a tenth is IPv6."""
    v4 = ENTRIES - ENTRIES // 10
    numbers = [0x2D000000 + 41 * place for place in range(v4)]
    hosts = [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32" for n in numbers]
    return [*hosts, *(f"2a00:{place:x}::/32" for place in range(ENTRIES - v4))]


def make_root(root: Path, port: int, devices: int, sink: int, buffer: int) -> None:
    """Settings and policies of a manager, as `tsadmin add` and an update leave them; all else is the default."""
    place = (HostPort("127.0.0.1", port),)
    bounds = Intake(receive_buffer_bytes=buffer)
    layout, key = make_node(root, NodeSettings(listen=Listen(udp=place, tcp=place), intake=bounds))
    first = evolve(
        FIRST,
        syslog_forward=bool(sink),
        forward=(
            ForwardTarget(
                reader=READER,
                address="127.0.0.1" if sink else None,
                port=sink or 514,
                protocol="TCP",
            ),
        ),
    )
    store = Store(layout.database)
    store.open()
    packed, nothing = pack(Entries.of(block_list())), pack(Entries())
    for number in range(devices):
        named = evolve(first, name=f"fw{number}", device=address(number))
        write_device(layout, named, key)
        if number < POLICIES:
            generation = Generation(
                applied_at=time.time() - 3600,
                block_entries=ENTRIES,
                allow_entries=0,
                block=packed,
                allow=nothing,
            )
            Policies(store).save_generation(named.name, generation)
    store.close()


@define
class Contestant:
    """One that is up, with all its children."""

    label: str
    process: "subprocess.Popen[bytes]"
    port: int
    root: Path
    devices: int
    idle: float = field(default=0.0, init=False)
    """CPU seconds a second with nothing to do."""

    def pids(self) -> list[int]:
        """The process and its children."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, path.read_text("ascii").split())]

    def cpu_seconds(self) -> float:
        """Of all of them by now, in the scheduler's nanoseconds."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids())

    def shares(self) -> list[float]:
        """The same, one by one."""
        return [time.clock_gettime(~pid << 3 | 2) for pid in self.pids()]

    def resident_mb(self) -> float:
        """Of all of them."""
        texts = (Path(f"/proc/{pid}/status").read_text("ascii") for pid in self.pids())
        return sum(int(text.split("VmRSS:")[1].split()[0]) for text in texts) / 1024

    def stored_bytes(self) -> int:
        """Bytes of lines in its files since it began."""
        if self.label.startswith("tscm"):
            return sum(map(log_end, Layout(self.root).logs.glob("*/.spool")))
        return sum(one.stat().st_size for one in self.root.glob("127.*"))

    def hold(self) -> None:
        """Let none of it run."""
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let all of it run."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def held_back(self) -> int:
        """Bytes that may wait in its buffers until more comes: 64 KB a sender of rsyslog at its best."""
        return self.devices * (64 << 10) if self.label == "rsyslog" else 0

    def kernel_drops(self) -> int:
        """Datagrams that its socket had no room for."""
        rows = [row.split() for row in Path("/proc/net/udp").read_text("ascii").splitlines()[1:]]
        return sum(int(row[-1]) for row in rows if row[1].endswith(f":{self.port:04X}"))

    def settle(self, wanted: int, least: float) -> bool:
        """Until so many bytes are stored and nothing is done any more; whether they were."""
        wanted -= self.held_back()
        began = grew = time.monotonic()
        last, quiet, used = -1, 0, self.cpu_seconds()
        while quiet < 4:
            time.sleep(0.25)
            now = time.monotonic()
            stored = self.stored_bytes()
            if stored != last:
                last, grew = stored, now
            before, used = used, self.cpu_seconds()
            still = used - before < 0.25 * (self.idle + 0.04) and now - began >= least
            quiet = quiet + 1 if still and (stored >= wanted or now - grew > 5) else 0
        return last >= wanted


def log_end(spool: Path) -> int:
    """Bytes of one device's log since it began: what is sealed, by its list, and the live file."""
    try:
        with (spool / "segments").open("rb") as listed:
            size = listed.seek(0, os.SEEK_END)
            listed.seek(max(0, size // 64 * 64 - 64))
            start, length = struct.unpack("<QQ", listed.read(16).ljust(16, b"\0"))
        return int(start + length + (spool.parent / "syslog").stat().st_size)
    except FileNotFoundError:
        return 0


def _command(  # noqa: PLR0917 - what differs between runs
    label: str, root: Path, port: int, devices: int, sink: int, buffer: int
) -> tuple[list[str], Mapping[str, str]]:
    if label == "C sink":
        return [str(compiled("syslog_sink")), str(root), str(port), str(buffer)], {}
    if label.startswith("tscm"):
        make_root(root, port, devices, sink, buffer)
        twistd = str(Path(sys.executable).with_name("twistd"))
        return [twistd, "-n", "--pidfile=", "tscm", "--root", str(root)], {}
    config = root / "config"
    if label.startswith("rsyslog"):
        text = RSYSLOG.format(
            root=root,
            port=port,
            buffer=buffer,
            queue="FixedArray",
            queue_more='queue.size="2000000" queue.dequeueBatchSize="1024" queue.workerThreads="1"',
            flush="on" if label.endswith("prompt") else "off",
        ).replace('dynaFileCacheSize="2000"', 'dynaFileCacheSize="4000"')
        config.write_text(
            text.replace("}\ninput(", _FORWARD_RSYSLOG.format(sink=sink), 1) if sink else text
        )
        return rsyslog_command(root, config), {}
    unpacked = syslog_ng_root()
    assert unpacked is not None
    text = SYSLOG_NG.format(root=root, port=port, buffer=buffer)
    config.write_text(text + _FORWARD_NG.format(sink=sink) if sink else text)
    return syslog_ng_command(unpacked, root, config)


@contextmanager
def contestant(
    label: str, devices: int, sink: int = 0, buffer: int = BUFFER
) -> Iterator[Contestant]:
    """One of them, ready to take lines on a port of its own, on one CPU alone."""
    root = Path(tempfile.mkdtemp(prefix="tscm-bench-"))
    port = free_port()
    command, more = _command(label, root, port, devices, sink, buffer)
    process = on_one_cpu(command, more, root / "output")
    one = Contestant(label, process, port, root, devices)
    try:
        deadline = time.monotonic() + 120
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{label} did not start: {(root / 'output').read_text('utf-8')}")
            time.sleep(0.1)
        one.settle(0, 3)
        yield one
    finally:
        with suppress(ProcessLookupError, FileNotFoundError):
            one.go_on()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def compiled(name: str) -> Path:
    """A program of this folder, compiled when its source is newer."""
    source = Path(__file__).with_name(f"{name}.c")
    built = Path(tempfile.gettempdir()) / f"tscm-bench-{name}-{os.getuid()}"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-w", "-o", built, source], check=True)
    return built
