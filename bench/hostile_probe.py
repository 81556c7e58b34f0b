"""
`python hostile_probe.py SOCKET [twistd's words]`: `twistd` with a probe in its reactor.

Whoever connects to SOCKET is told, as JSON, the longest turn of the loop since the last who did: from the moment
that epoll gives events until the loop waits again, in seconds.  `own` is without the time in which the thread was
ready to run and the kernel had no core for it; waits for the interpreter lock and for the disk are in it.  `cpu` is
what the thread itself computed in the turn in which it computed most, `garbage` the longest collection.
With BENCH_WHERE set the output has, once for each turn over 50 ms, where the thread was in it.
"""

import gc
import json
import os
import socket
import sys
import threading
import time
import traceback
from typing import Any

from twisted.internet import epollreactor

LONG = 0.05


class Probe:
    """Stands in the place of the reactor's epoll object."""

    def __init__(self, epoll: Any) -> None:
        self._epoll = epoll
        self._schedule = os.open(
            f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY
        )
        self.began: tuple[float, float, float] | None = None
        self.turns = 0
        self.wall = self.own = self.cpu = self.garbage = self._collecting = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)

    def _without_core(self) -> float:
        return int(os.pread(self._schedule, 100, 0).split()[1]) / 1e9

    def poll(self, *words: Any) -> Any:
        """A turn ends, and the next begins."""
        if self.began is not None:
            wall = time.monotonic() - self.began[0]
            if wall > self.own:
                self.own = max(self.own, wall - (self._without_core() - self.began[1]))
            self.wall = max(self.wall, wall)
            self.cpu = max(self.cpu, time.thread_time() - self.began[2])
            self.turns += 1
        self.began = None
        found = self._epoll.poll(*words)
        self.began = time.monotonic(), self._without_core(), time.thread_time()
        return found

    def collected(self, phase: str, _: object) -> None:
        """The garbage collector begins, or has ended."""
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.garbage = max(self.garbage, time.thread_time() - self._collecting)

    def take(self) -> dict[str, float]:
        """The longest since the last call."""
        names = ("turns", "wall", "own", "cpu", "garbage")
        told = {name: getattr(self, name) for name in names}
        for name in names:
            setattr(self, name, 0)
        return told


def tell(listener: socket.socket, probe: Probe) -> None:
    """To everybody who asks."""
    while True:
        one, _ = listener.accept()
        with one:
            one.sendall(json.dumps(probe.take()).encode())


def watch(probe: Probe, thread: int) -> None:
    """Say where long turns are."""
    told = None
    while True:
        time.sleep(0.025)
        began = probe.began
        if began is None or began == told or time.monotonic() - began[0] < LONG:
            continue
        told = began
        lines = traceback.format_stack(sys._current_frames()[thread])  # noqa: SLF001
        sys.stderr.write("LONG TURN\n" + "".join(lines[-8:]))


def main() -> None:
    """Install the reactor with its probe, and go on as `twistd`."""
    path = sys.argv.pop(1)
    epollreactor.install()
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    made: Any = reactor
    probe = made._poller = Probe(made._poller)  # noqa: SLF001 - there is no other way to it
    gc.callbacks.append(probe.collected)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    threading.Thread(target=tell, args=(listener, probe), daemon=True).start()
    if os.environ.get("BENCH_WHERE"):
        threading.Thread(target=watch, args=(probe, threading.get_ident()), daemon=True).start()
    sys.exit(run())


if __name__ == "__main__":
    main()
