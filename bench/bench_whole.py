"""
The whole manager with all its children against rsyslog and syslog-ng, each in its best set-up, and a C sink as the limit.

Defaults, a list of 100,000 entries in force, 5 % of the lines about the policy, ICMP and users among them.  CPU seconds
for a million lines of a process and its children, what it does later for these lines included and what it needs
with nothing to do taken off; contestants in turns, minima.  The table shows the ratio to rsyslog's best beside it.

BENCH_WAYS names tables, separated by commas: `udp`, `tcp`, `forward`, `paced`, `trickle`.  BENCH_SENDERS and
BENCH_CONNECTIONS say how many; BENCH_ONLY names contestants; BENCH_ROUNDS and BENCH_LINES set turns and
lines of a turn.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.intake_receivers import SENDER_CPU, Sent, large_buffers, syslog_ng_root
from bench.whole_contestants import Contestant, compiled, contestant

WAYS = os.environ.get("BENCH_WAYS", "udp,tcp,forward,paced,trickle").split(",")
SENDERS = tuple(map(int, os.environ.get("BENCH_SENDERS", "10,100,1000,2000").split(",")))
CONNECTIONS = tuple(map(int, os.environ.get("BENCH_CONNECTIONS", "1,10,100,1000").split(",")))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
LINES = int(os.environ.get("BENCH_LINES", "400000"))
ALL = ("C sink", "tscm", "rsyslog", "rsyslog prompt", "syslog-ng")
ONLY = tuple(os.environ.get("BENCH_ONLY", ",".join(ALL)).split(","))
PERCENT = 5
PACED = 100_000
SMALL_BUFFER = 32 << 20
"""The default of `receive_buffer_bytes`, for all."""

_FILL = 100_000  # waiting lines of a drain, which the socket's buffer holds
_ASIDE_SECONDS = 6.0  # checksums and compression have had their turn by then

Measure = Callable[[Contestant], float | None]


def labels(*besides: str) -> list[str]:
    """Contestants that are here and were asked for."""
    here = [one for one in ALL if one != "syslog-ng" or syslog_ng_root() is not None]
    return [one for one in here if one in ONLY and one not in besides]


def send(  # noqa: PLR0917 - the generator's words
    kind: str, port: int, lines: int, senders: int, rate: float = 0, connections: int = 1
) -> Sent:
    """Run the generator on its own CPU to its end."""
    words = [kind, "127.0.0.1", port, lines, senders, rate, connections, PERCENT]
    done = subprocess.run(
        [compiled("syslog_load"), *map(str, words)],
        check=True,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SENDER_CPU}),
    )
    count, size, seconds = done.stdout.split()
    return Sent(int(count), int(size), float(seconds))


def used_for(one: Contestant, sent: Callable[[], Sequence[Sent]]) -> float | None:
    """CPU seconds for a million of the lines that *sent* sends; None where some were lost."""
    one.go_on()
    least = _ASIDE_SECONDS if one.label.startswith("tscm") else 1.5
    before, used, began = one.stored_bytes(), one.shares(), time.monotonic()
    some = sent()
    whole = one.settle(before + sum(each.bytes for each in some), least)
    shares, took = one.shares(), time.monotonic() - began
    used += [0.0] * (len(shares) - len(used))
    lines = sum(each.lines for each in some)
    if os.environ.get("BENCH_SHARES"):
        parts = [f"{(b - a) / lines * 1e6:.2f}" for a, b in zip(used, shares, strict=True)]
        print(
            f"  {one.label}: {' + '.join(parts)}, idle {one.idle * took / lines * 1e6:.2f}",
            flush=True,
        )
    one.hold()
    if not whole:
        return None
    return (sum(shares) - sum(used) - one.idle * took) / lines * 1e6


def drained(senders: int) -> Measure:
    """The process held, its socket filled, the process let go on; several times."""

    def sends(one: Contestant) -> Iterator[Sent]:
        for left in range(LINES, 0, -_FILL):
            stored = one.stored_bytes()
            one.hold()
            some = send("udp", one.port, min(_FILL, left), senders)
            one.go_on()
            wanted = stored + max(0, some.bytes - one.held_back())
            deadline = time.monotonic() + 20
            while one.stored_bytes() < wanted and time.monotonic() < deadline:
                time.sleep(0.02)
            if one.held_back():  # what it buffers does not tell that its socket is empty
                time.sleep(1.5)
            yield some

    return lambda one: used_for(one, lambda: list(sends(one)))


def flat_out(connections: int) -> Measure:
    """All connections as fast as they go."""
    senders = min(10, connections) if connections <= 10 else connections
    return lambda one: used_for(
        one, lambda: [send("tcp", one.port, LINES, senders, connections=connections)]
    )


def trickled(rate: int, senders: int) -> Measure:
    """Some seconds of a paced rate."""
    return lambda one: used_for(one, lambda: [send("udp", one.port, rate * 5, senders, rate)])


def idle_of(one: Contestant) -> float:
    """CPU seconds a second with nothing to do."""
    used, began = one.cpu_seconds(), time.monotonic()
    time.sleep(6)
    return (one.cpu_seconds() - used) / (time.monotonic() - began)


def table(
    title: str, wanted: Sequence[str], measure: Measure, devices: int, *, sink: int = 0
) -> None:
    """All of *wanted* in turns, and a row for each."""
    found: dict[str, list[float]] = {label: [] for label in wanted}
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        up = [stack.enter_context(contestant(label, devices, sink)) for label in wanted]
        for one in up:
            one.hold()
        for one in up:
            one.go_on()
            measure(one)  # files, connections and children are made
            one.go_on()
            one.idle = idle_of(one) if one.label.startswith("tscm") else 0.0
            one.hold()
        for _ in range(ROUNDS):
            for one in up:
                value = measure(one)
                if value is not None:
                    found[one.label].append(value)
                memory[one.label] = max(memory.get(one.label, 0), one.resident_mb())
    print(
        f"\n{title}\n| Receiver | CPU s a million lines, minimum | median | to rsyslog | resident MB |"
    )
    print("| --- | --- | --- | --- | --- |")
    best = min(found.get("rsyslog") or [float("nan")])
    for label, values in found.items():
        if values:
            least, middle = min(values), sorted(values)[len(values) // 2]
            print(
                f"| {label} | {least:.2f} | {middle:.2f} | {least / best:.2f} | {memory[label]:.0f} |"
            )
        else:
            print(f"| {label} | lost lines in every run | | | {memory[label]:.0f} |")
    sys.stdout.flush()


def losses(senders: int) -> None:
    """What is lost at a paced rate, with the default buffer; the best of the turns."""
    rows: dict[str, tuple[int, str]] = {}
    for _ in range(ROUNDS):
        for label in labels("C sink", "rsyslog prompt"):
            with contestant(label, senders, buffer=SMALL_BUFFER) as one:
                before = one.stored_bytes()
                some = send("udp", one.port, PACED * 5, senders, PACED)
                one.settle(before + some.bytes, 1.5)
                late = "" if some.seconds < 5.5 else f" (the sender took {some.seconds:.1f} s)"
                rows[label] = min(rows.get(label, (1 << 60, "")), (one.kernel_drops(), late))
    print(
        f"\nUDP, {PACED:,} lines a second of {senders:,} senders for 5 s: lines lost, best of {ROUNDS}"
    )
    for label, (count, late) in rows.items():
        print(f"| {label} | {count:,}{late} |", flush=True)


@contextmanager
def siem() -> Iterator[int]:
    """A receiver of what is forwarded, on the sender's CPU; gives its port."""
    program = (
        "import os, socket, sys, threading\n"
        f"os.sched_setaffinity(0, {{{SENDER_CPU}}})\n"
        "door = socket.create_server(('127.0.0.1', 0), backlog=4096)\n"
        "print(door.getsockname()[1], flush=True)\n"
        "def take(peer):\n"
        "    buffer = bytearray(1 << 18)\n"
        "    while peer.recv_into(buffer): pass\n"
        "while True: threading.Thread(target=take, args=(door.accept()[0],), daemon=True).start()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """The tables that were asked for."""
    with large_buffers():
        if "udp" in WAYS:
            for count in SENDERS:
                table(f"UDP drained, {count:,} senders", labels(), drained(count), count)
        if "tcp" in WAYS:
            for count in CONNECTIONS:
                title = f"TCP flat out, {count:,} connections"
                table(title, labels(), flat_out(count), max(10, count))
        if "forward" in WAYS:
            with siem() as port:
                wanted = labels("C sink", "rsyslog prompt")
                table(
                    "UDP drained, 10 senders, forwarded over TCP",
                    wanted,
                    drained(10),
                    10,
                    sink=port,
                )
        if "trickle" in WAYS:
            wanted = labels("C sink", "rsyslog prompt")
            table("UDP, 11,000 lines a second of 10 senders", wanted, trickled(11_000, 10), 10)
        if "paced" in WAYS:
            for count in SENDERS:
                if count >= 1000:
                    losses(count)
