"""
Names looked up at once: each in a thread of its own, all within one time.

The system's resolver takes as long as it likes and cannot be stopped, so a look-up that is late goes
on by itself; who asks for the same name meanwhile waits for that one.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait

from attrs import define, field

Resolve = Callable[[str], tuple[str, ...]]
"""Addresses of a name; none where it is not known.  May block for minutes."""
LookUp = Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]]
"""The same for many; blocks for a few seconds at most.  A name that is late has no addresses."""

LOOK_UP_SECONDS = 5.0
THREADS_MOST = 32


@define(eq=False)
class LookUps:
    """
    A `LookUp` by way of *resolve*.  From any thread.
    """

    _resolve: Resolve
    _seconds: float = LOOK_UP_SECONDS
    _under_way: dict[str, "Future[tuple[str, ...]]"] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __call__(self, names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Look *names* up; those for which no thread is left come out without addresses, too."""
        asked = {name: self._asked(name) for name in dict.fromkeys(names)}
        wait([one for one in asked.values() if one is not None], self._seconds)
        return {
            name: one.result() if one is not None and one.done() else ()
            for name, one in asked.items()
        }

    def _asked(self, name: str) -> "Future[tuple[str, ...]] | None":
        with self._lock:
            present = self._under_way.get(name)
            if present is not None:
                return present
            if len(self._under_way) >= THREADS_MOST:
                return None
            begun: Future[tuple[str, ...]] = Future()
            self._under_way[name] = begun
        # A daemon: the end of the process waits for no resolver.
        threading.Thread(
            target=self._work, args=(name, begun), name=f"look up {name}", daemon=True
        ).start()
        return begun

    def _work(self, name: str, begun: "Future[tuple[str, ...]]") -> None:
        found: tuple[str, ...] = ()
        try:
            found = self._resolve(name)
        finally:
            with self._lock:
                del self._under_way[name]
            begun.set_result(found)
