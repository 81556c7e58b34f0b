"""
A process that holds a backlog in a spool of tscm and forwards it when it is told to.

`python -m bench.forwarder FOLDER PORT MEGABYTES MODE`: fills the spool, prints `ready`, waits for a
line on its input, forwards until all is confirmed, prints what it used, and waits again.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor as twisted_reactor

from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target
from tscm.model import Run
from tscm.settings.node import SpoolBounds
from tscm.spool.service import SpoolService

reactor: Any = twisted_reactor
_SEGMENT = 100 << 20


def resident_mb(pid: int) -> float:
    """The most that a process had resident since it was last asked to forget."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    return 0.0


def line(at: int) -> bytes:
    """A line as an ASA sends it, about 180 bytes."""
    return (
        b"<166>Nov 23 2026 17:40:%02d: %%ASA-6-302013: Built outbound TCP connection %d for "
        b"outside:198.51.100.%d/443 (198.51.100.%d/443) to inside:10.20.%d.%d/%d "
        b"(203.0.113.5/%d)\n"
        % (at % 60, at, at % 250, at % 250, at % 40, at % 250, at % 60000, at % 60000)
    )


def blocks(megabytes: int) -> Iterator[tuple[bytes, int]]:
    """So many megabytes of lines in batches, each with its count of lines."""
    size, at = megabytes << 20, 0
    while size > 0:
        lines = [line(one) for one in range(at, at + 1000)]
        data = b"".join(lines)
        yield data, len(lines)
        at += 1000
        size -= len(data)


@define(eq=False, slots=False)
class Drain:
    """The run: watch the position until nothing waits."""

    spool: SpoolService
    threads: Threads
    port: int
    mode: str
    cpu: float = field(default=0.0, init=False)
    began: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """Start the forwarder."""
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
        self.cpu, self.began = time.process_time(), time.monotonic()
        self.reader = self.spool.reader("fw", "forward")
        target = Target(address="127.0.0.1", port=self.port, protocol="TCP", mode=self.mode)
        self.service = ForwardService(reactor, self.threads, self.reader, target)
        self.service.startService()
        self.watch()

    def watch(self) -> None:
        """Look every 20 ms whether all is confirmed."""
        if self.reader.position.offset < self.reader.end:
            reactor.callLater(0.02, self.watch)
            return
        used = {
            "cpu": time.process_time() - self.cpu,
            "wall": time.monotonic() - self.began,
            "resident_mb": resident_mb(os.getpid()),
            "lines": self.reader.position.sent,
        }
        print(json.dumps(used), flush=True)
        os._exit(0)  # nothing here is worth an orderly end


def main() -> None:
    """See above."""
    folder, port, megabytes, mode = sys.argv[1:5]
    threads = Threads(reactor, 2, "bench")
    spool = SpoolService(Path(folder), SpoolBounds(fsync="off", compress=False), reactor, threads)
    spool.open_device("fw", _SEGMENT)
    spool.reader("fw", "forward")
    received_at = time.time() - 86400
    for data, lines in blocks(int(megabytes)):
        received_at += 0.2  # 5,000 lines a second: what the index joins depends on it
        spool.append("fw", [Run("192.0.2.1", data, lines)], received_at)
    print("ready", flush=True)
    drain = Drain(spool, threads, int(port), mode)

    def wait() -> None:
        sys.stdin.readline()
        reactor.callFromThread(drain.begin)

    threading.Thread(target=wait, daemon=True).start()
    threads.startService()
    spool.startService()
    reactor.run()


if __name__ == "__main__":
    main()
