"""
Receivers that take turns: tscm, rsyslog and syslog-ng, each set up to do the same work.

The work: receive, sort by sender, append to one file per sender.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, field

BUFFER = 256 << 20
RECEIVER_CPU, SENDER_CPU = 1, 0
_NG_PACKAGES = [
    "syslog-ng-core",
    "libivykis0",
    "libjson-c5",
    "libnet1",
    "libwrap0",
    "libglib2.0-0",
    "libpcre3",
]

RSYSLOG = """\
global(workDirectory="{root}" net.enableDNS="off" maxMessageSize="64k")
module(load="imudp" batchSize="1024" timeRequery="8")
module(load="imptcp" threads="1")
template(name="file" type="string" string="{root}/%fromhost-ip%")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="all" queue.type="{queue}" {queue_more}) {{
    action(type="omfile" dynaFile="file" template="raw" dynaFileCacheSize="2000"
           ioBufferSize="64k" flushOnTXEnd="{flush}" flushInterval="1")
}}
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="all" rcvbufSize="{buffer}")
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="all")
"""

SYSLOG_NG = """\
@version: 3.38
@module afsocket
@module affile
options {{ use-dns(no); stats-freq(0); log-msg-size(65536); flush-lines(1000); threaded(yes); }};
source all {{
    network(transport("udp") ip("127.0.0.1") port({port}) so-rcvbuf({buffer}) flags(no-parse)
            log-fetch-limit(1000) log-iw-size(100000));
    network(transport("tcp") ip("127.0.0.1") port({port}) flags(no-parse) max-connections(2000)
            log-fetch-limit(1000) log-iw-size(200000));
}};
destination files {{ file("{root}/$SOURCEIP" template("$MSG\\n") log-fifo-size(1000000)); }};
log {{ source(all); destination(files); }};
"""


def syslog_ng_root() -> Path | None:
    """Debian's syslog-ng, unpacked aside: it cannot be installed beside rsyslog."""
    kept = Path(tempfile.gettempdir()) / "tscm-bench-syslog-ng"
    program = kept / "root/usr/sbin/syslog-ng"
    if not program.exists():
        kept.mkdir(exist_ok=True)
        fetched = subprocess.run(
            ["apt-get", "download", *_NG_PACKAGES], cwd=kept, check=False, capture_output=True
        )
        if fetched.returncode:
            return None
        for package in kept.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, kept / "root"], check=True)
    return kept / "root"


def free_port() -> int:
    """A port that UDP and TCP both have free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@define
class Receiver:
    """A running receiver."""

    label: str
    process: "subprocess.Popen[bytes]"
    port: int
    root: Path
    pid: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pid = self.process.pid

    def cpu_seconds(self) -> float:
        """CPU time of all its threads by now, in the scheduler's nanoseconds."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def stored_bytes(self) -> int:
        """Bytes in its files."""
        if self.label.startswith("tscm"):
            return sum(one.stat().st_size for one in self.root.glob("logs/*/syslog*"))
        return sum(one.stat().st_size for one in self.root.glob("127.*"))

    def resident_mb(self) -> float:
        """Resident memory by now."""
        text = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def wait_stored(self, wanted: int, seconds: float = 60) -> bool:
        """Until that many bytes are in the files; False when they stop growing before."""
        last, since = -1, time.monotonic()
        while (found := self.stored_bytes()) < wanted:
            if found != last:
                last, since = found, time.monotonic()
            if time.monotonic() - since > min(seconds, 5):
                return False
            time.sleep(0.002)
        return True

    def stop_reading(self) -> None:
        """Hold it, so that its socket fills."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        os.kill(self.pid, signal.SIGCONT)


def commands(
    label: str, root: Path, port: int, senders: int, buffer: int
) -> tuple[list[str], dict[str, str]]:
    """How a receiver is started, and what it needs in its environment."""
    name, _, variant = label.partition(" ")
    if name == "tscm":
        program = Path(__file__).with_name("tscm_receiver.py")
        return [
            sys.executable,
            str(program),
            str(root),
            str(port),
            variant,
            str(senders),
            str(buffer),
        ], {}
    config = root / "config"
    if name == "rsyslog":
        direct = variant == "direct"
        config.write_text(
            RSYSLOG.format(
                root=root,
                port=port,
                buffer=buffer,
                queue="Direct" if direct else "FixedArray",
                queue_more=""
                if direct
                else 'queue.size="2000000" queue.dequeueBatchSize="1024" queue.workerThreads="1"',
                flush="on",
            )
        )
        return rsyslog_command(root, config), {}
    unpacked = syslog_ng_root()
    assert unpacked is not None
    config.write_text(SYSLOG_NG.format(root=root, port=port, buffer=buffer))
    return syslog_ng_command(unpacked, root, config)


def rsyslog_command(root: Path, config: Path) -> list[str]:
    """How rsyslog is started on *config*, with its files below *root*."""
    return ["/usr/sbin/rsyslogd", "-n", "-x", "-f", str(config), "-i", str(root / "pid")]


def syslog_ng_command(unpacked: Path, root: Path, config: Path) -> tuple[list[str], dict[str, str]]:
    """The same for syslog-ng, and what its environment needs."""
    libraries = unpacked / "usr/lib"
    paths = [
        libraries / "x86_64-linux-gnu",
        libraries / "syslog-ng",
        unpacked / "lib/x86_64-linux-gnu",
    ]
    command = [
        str(unpacked / "usr/sbin/syslog-ng"),
        *("-F", "--no-caps", "-f", str(config), "-R", str(root / "persist")),
        *("-p", str(root / "pid"), "-c", str(root / "control")),
        f"--module-path={libraries / 'syslog-ng/3.38'}",
    ]
    return command, {"LD_LIBRARY_PATH": ":".join(map(str, paths))}


def on_one_cpu(
    command: list[str], more: Mapping[str, str], output: Path
) -> "subprocess.Popen[bytes]":
    """*command*, with *more* in its environment, on the receivers' CPU alone."""
    with output.open("wb") as file:
        return subprocess.Popen(
            command,
            env=os.environ | dict(more),
            stdout=file,
            stderr=file,
            preexec_fn=lambda: os.sched_setaffinity(0, {RECEIVER_CPU % (os.cpu_count() or 1)}),  # noqa: PLW1509
        )


@contextmanager
def running(label: str, senders: int = 10, buffer: int = BUFFER) -> Iterator[Receiver]:
    """A receiver, ready to take lines on a port of its own; on one CPU alone."""
    root = Path(tempfile.mkdtemp(prefix="tscm-bench-"))
    port = free_port()
    command, more = commands(label, root, port, senders, buffer)
    process = on_one_cpu(command, more, root / "output")
    try:
        for _ in range(400):
            if process.poll() is not None:
                raise RuntimeError(f"{label} ended: {(root / 'output').read_text('utf-8')}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        time.sleep(0.5)
        yield Receiver(label, process, port, root)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def peers() -> list[str]:
    """The peers that are here."""
    found = ["rsyslog direct", "rsyslog queue"] if Path("/usr/sbin/rsyslogd").exists() else []
    return [*found, "syslog-ng"] if syslog_ng_root() else found


def generator() -> Path:
    """The load generator, compiled when its source is newer."""
    source = Path(__file__).with_name("syslog_load.c")
    built = Path(tempfile.gettempdir()) / f"tscm-bench-load-{os.getuid()}"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-w", "-o", built, source], check=True)
    return built


@define
class Sent:
    """What the generator says that it sent."""

    lines: int
    bytes: int
    seconds: float


def send(
    kind: str, port: int, lines: int, *, senders: int = 10, rate: float = 0, connections: int = 1
) -> Sent:
    """Run the generator on its own CPU to its end."""
    words = [kind, "127.0.0.1", port, lines, senders, rate, connections]
    done = subprocess.run(
        [generator(), *map(str, words)],
        check=True,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SENDER_CPU}),
    )
    count, size, seconds = done.stdout.split()
    return Sent(int(count), int(size), float(seconds))


@contextmanager
def large_buffers() -> Iterator[None]:
    """
    Let every receiver have the same large socket buffer; syslog-ng can only ask within the bound.
    """
    bound = Path("/proc/sys/net/core/rmem_max")
    before = bound.read_text("ascii")
    try:
        bound.write_text(str(BUFFER), "ascii")
    except OSError:
        print("not root: socket buffers stay as they are, and the figures say less")
    try:
        yield
    finally:
        with suppress(OSError):
            bound.write_text(before, "ascii")
