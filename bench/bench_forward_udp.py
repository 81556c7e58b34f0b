"""
Forwarding over UDP: CPU time a line from a block of the log to the kernel, in batches and one by one.

Both ways send the same blocks of 64 KB in turns over loopback, without a rate, into a socket
that a process of its own reads.  BENCH_ROUNDS (40) sets the turns; the minimum counts, since noise
only adds.
"""

import os
import socket
import statistics
import subprocess
import sys
import time

from bench.forwarder import blocks
from tscm.forward.content import shape_of
from tscm.forward.outgoing import Lines, Sending, best_sender, send_singly
from tscm.forward.target import Target
from tscm.model import Block

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
SENDER_CPU, SINK_CPU = 1, 0
_BLOCK_BYTES = 64 << 10
_BURST = 256  # as tscm.forward.datagram
SINK = """
import socket
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
sink.bind(("127.0.0.1", 0))
print(sink.getsockname()[1], flush=True)
while True:
    sink.recv(65536)
"""


def cut(megabytes: int) -> list[Block]:
    """Blocks as a reader of the log gives them."""
    data, found = b"".join(data for data, _ in blocks(megabytes)), []
    at = 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + _BLOCK_BYTES) + 1
        part = data[at:end]
        found.append(
            Block(
                device="fw",
                start=at,
                end=end,
                data=part,
                lines=part.count(b"\n"),
                escaped=False,
            )
        )
        at = end
    return found


def turn(them: list[Block], out: socket.socket, way: Sending) -> float:
    """CPU seconds to send *them*."""
    shape = shape_of(Target(address="127.0.0.1", port=9))
    began = time.process_time()
    for block in them:
        outgoing = way(shape(block, lambda _start, _end: ()))
        while outgoing:
            _, error = outgoing.send(out, _BURST)
            if error:
                raise OSError(error, os.strerror(error))
    return time.process_time() - began


def main() -> None:
    """The table, and the ratio."""
    ways = {"sendmmsg, lines of a block": best_sender(), "send, line by line": send_singly}
    them = cut(4)
    lines = sum(block.lines for block in them)
    if not isinstance(
        best_sender()(shape_of(Target(address="x", port=9))(them[0], lambda _start, _end: ())),
        Lines,
    ):
        sys.exit("the compiled helper was not built")
    os.sched_setaffinity(0, {SENDER_CPU})
    with subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True) as sink:
        try:
            os.sched_setaffinity(sink.pid, {SINK_CPU})
            assert sink.stdout is not None
            port = int(sink.stdout.readline())
            found: dict[str, list[float]] = {label: [] for label in ways}
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                out.connect(("127.0.0.1", port))
                for _ in range(ROUNDS):
                    for label, way in ways.items():
                        found[label].append(turn(them, out, way))
        finally:
            sink.kill()
    print("| Way | microseconds of CPU a line: minimum / lower quartile |")
    print("| --- | --- |")
    for label, runs in found.items():
        quartile = statistics.quantiles(runs, n=4)[0]
        print(f"| {label} | {min(runs) / lines * 1e6:.2f} / {quartile / lines * 1e6:.2f} |")
    batches, one = (min(runs) for runs in found.values())
    print(f"in batches a line costs {batches / one:.2f} of what it costs one by one")


if __name__ == "__main__":
    main()
