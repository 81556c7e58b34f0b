"""
Work that comes round: a `LoopingCall` that no failure ends.
"""

import errno
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

SLICE_SECONDS = 0.003
"""How long work that goes over all devices may keep everything else waiting."""

Item = TypeVar("Item")
Job = Callable[[], Coroutine[Deferred[Any], Any, None]]


@define(eq=False)
class PeriodicService(Service):
    """
    Run *job* every *interval* seconds until stopped, first after *delay* seconds.

    Runs never overlap, for the loop waits for the run's Deferred.  A run that
    fails is logged under *label* and the next one still comes: bare, the loop would stop.
    Runs that lack a file descriptor say so once, until one succeeds: this is no fault of the
    job's, and it comes to all of them, every second.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _interval: float
    _job: Job
    label: str = "periodic job"
    _delay: float = 0.0
    last_success_at: float | None = field(default=None, init=False)
    _descriptors_lacked: bool = field(default=False, init=False)
    _loop: LoopingCall = field(init=False)
    _starting: IDelayedCall | None = field(default=None, init=False)
    _run: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._once)
        self._loop.clock = self._clock

    def startService(self) -> None:
        """Begin; the first run comes after the delay."""
        super().startService()
        if self._delay:
            self._starting = self._clock.callLater(self._delay, self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        self._starting = None
        self._loop.start(self._interval)

    def run_soon(self) -> None:
        """Bring the next run forward to now; a run in progress stays the only one."""
        if self._starting is not None:
            self._starting.reset(0)
        elif self._loop.running and self._run is None:
            self._loop.stop()
            self._begin()

    def stopService(self) -> Deferred[None] | None:
        """No further run; fires when the one in progress has ended."""
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if self._loop.running:
            self._loop.stop()
        run = self._run
        if run is not None:
            run.cancel()
        return run

    def _once(self) -> Deferred[None]:
        run = Deferred.fromCoroutine(self._job())
        self._run = run
        run.addCallbacks(self._succeeded, self._failed)
        return run.addBoth(self._ended)

    def _succeeded(self, _: None) -> None:
        self.last_success_at = self._clock.seconds()
        self._descriptors_lacked = False

    def _failed(self, failure: Failure) -> None:
        if getattr(failure.value, "errno", None) in (errno.EMFILE, errno.ENFILE):
            if not self._descriptors_lacked:
                self._log.error(
                    "{label} failed: no free file descriptors; raise LimitNOFILE, or "
                    "lower max_connections; retrying",
                    label=self.label,
                )
            self._descriptors_lacked = True
        elif self.running or not failure.check(CancelledError):
            self._log.failure("{label} failed", failure, label=self.label)

    def _ended(self, _: Any) -> None:
        self._run = None


async def in_slices(clock: Any, items: Iterable[Item]) -> AsyncIterator[Item]:
    """
    *items* one after the other, with a turn for everything else every few milliseconds.

    For work in the reactor thread that grows with the number of devices: lines go on coming in.  What
    is looked at may change between two items.
    """
    until = clock.seconds() + SLICE_SECONDS
    for item in items:
        if clock.seconds() >= until:
            await deferLater(clock, 0)
            until = clock.seconds() + SLICE_SECONDS
        yield item


def spread(name: str, interval: float) -> float:
    """
    Seconds from 0 to *interval* at which the job called *name* has its own time.

    Derived from the name, so that a restart does not move every device to the same minute.
    """
    from zlib import crc32

    return crc32(name.encode()) / 2**32 * interval


def backoff(failures: int, chance: float, *, first: float = 1.0, most: float = 60.0) -> float:
    """
    Seconds to wait after so many *failures* in a row: doubled each time, up to *most*.

    *chance*, from 0 to 1, spreads the wait over its upper half, so that peers that lost the same
    target do not return to it in step.
    """
    full = min(most, first * 2.0 ** min(max(failures, 1) - 1, 32))
    return full * (0.5 + 0.5 * chance)
