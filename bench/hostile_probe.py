"""
`python hostile_probe.py SOCKET [twistd's words]`: `twistd` with a probe in its reactor.

Whoever connects to SOCKET is told, as JSON, the longest turn of the loop since the last who did: from the moment
that epoll gives events until the loop waits again, in seconds.  `own` is without the time in which the thread, or another
of the process that may have held the interpreter lock meanwhile, was ready to run and the kernel had no core for
it; it is never less than what the thread computed.  Waits for the lock itself and for the disk are in it.  `cpu` is
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
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet import epollreactor

LONG = 0.05


class Probe:
    """Stands in the place of the reactor's epoll object."""

    def __init__(self, epoll: Any) -> None:
        self._epoll = epoll
        self._schedules: dict[str, int] = {}
        self._look_at = 0.0
        self.began: tuple[float, dict[str, float], float] | None = None
        self.turns = 0
        self.wall = self.own = self.cpu = self.garbage = self._collecting = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)

    def _look_for_threads(self) -> None:
        self._look_at = time.monotonic() + 1
        present = {one.name for one in Path("/proc/self/task").iterdir()}
        for gone in self._schedules.keys() - present:
            os.close(self._schedules.pop(gone))
        for new in present - self._schedules.keys():
            with suppress(OSError):
                self._schedules[new] = os.open(f"/proc/self/task/{new}/schedstat", os.O_RDONLY)

    def _without_core(self) -> dict[str, float]:
        """Seconds in which each thread was ready to run and had no core."""
        found = {}
        for thread, schedule in self._schedules.items():
            with suppress(OSError):  # it has ended
                found[thread] = int(os.pread(schedule, 100, 0).split()[1]) / 1e9
        return found

    def poll(self, *words: Any) -> Any:
        """A turn ends, and the next begins."""
        if self.began is not None:
            wall = time.monotonic() - self.began[0]
            cpu = time.thread_time() - self.began[2]
            if wall > self.own:
                before = self.began[1]
                lacked = sum(
                    now - before.get(thread, now) for thread, now in self._without_core().items()
                )
                self.own = max(self.own, wall - lacked, cpu)
            self.wall = max(self.wall, wall)
            self.cpu = max(self.cpu, cpu)
            self.turns += 1
        self.began = None
        if time.monotonic() > self._look_at:
            self._look_for_threads()
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
