"""
Whose turn it is: one run of a device at a time, a few devices at once, pauses that hold nothing.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredSemaphore,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tscm.clock import wall_seconds
from tscm.model import Progress, Report
from tscm.schedule import PeriodicService
from tscm.settings.device import DeviceSettings
from tscm.threads import Threads
from tscm.update.outcome import Pause, UpdateOutcome
from tscm.update.tally import Tally

if TYPE_CHECKING:
    from tscm.update.run import UpdateRun

T = TypeVar("T")


@define(eq=False)
class Updated:
    """
    One device under update: its settings, its turn, its timer, and what is under way.
    """

    settings: DeviceSettings
    gone: bool = False
    turn: DeferredLock = field(factory=DeferredLock)
    timer: PeriodicService | None = None
    running_since: float | None = None
    waiting_until: float | None = None
    progress: Progress | None = None
    tally: Tally = field(factory=Tally)
    _pause: Deferred[None] | None = None
    _hurried: bool = False

    def hurry(self) -> None:
        """End a pause now: someone asks for an update, or the run is to end."""
        if self._pause is not None:
            self._hurried = True
            self._pause.cancel()

    async def rest(self, clock: IReactorTime, seconds: float) -> None:
        """Leave the device alone for so long, or until `hurry`."""
        self.waiting_until = wall_seconds(clock) + seconds
        self._pause = deferLater(clock, seconds)
        self._hurried = False
        try:
            await self._pause
        except CancelledError:
            if not self._hurried:
                raise
        finally:
            self._pause = self.waiting_until = None


@define(eq=False)
class Turns:
    """
    Lets work on devices run: in turn for each device, at most *parallel* of them in a thread.
    """

    _clock: IReactorTime
    _threads: Threads
    _parallel: int
    stopping: bool = field(default=False, init=False)
    _slots: DeferredSemaphore = field(init=False)
    _runs: set[Deferred[Any]] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._slots = DeferredSemaphore(self._parallel)

    def over(self, one: Updated) -> bool:
        """Shall what is under way for this device end at the next safe point?"""
        return self.stopping or one.gone

    def take(self, one: Updated, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Do *work* when nothing else is under way for the device."""

        async def in_turn() -> T:
            await one.turn.acquire()
            try:
                one.running_since = wall_seconds(self._clock)
                return await work()
            finally:
                one.running_since = one.progress = None
                one.turn.release()

        run: Deferred[T] = Deferred.fromCoroutine(in_turn())
        self._runs.add(run)
        return run.addBoth(self._ended, run)

    def _ended(self, result: Any, run: Deferred[Any]) -> Any:
        self._runs.discard(run)
        return result

    async def in_thread(self, call: Callable[..., T], *args: Any) -> T:
        """Call in a thread, holding one of the few places meanwhile."""
        await self._slots.acquire()
        try:
            return await self._threads.run(call, *args)
        finally:
            self._slots.release()

    async def carry(self, one: Updated, run: "UpdateRun", told: Report) -> UpdateOutcome:
        """A run to its end, attempt by attempt; between two of them nothing is held."""
        while True:
            done = await self.in_thread(run.attempt)
            if isinstance(done, UpdateOutcome):
                return done
            if not await self._rested(one, done, told):
                return run.stopped()

    async def _rested(self, one: Updated, pause: Pause, told: Report) -> bool:
        if self.over(one):
            return False
        told(pause.progress)
        await one.rest(self._clock, pause.seconds)
        return not self.over(one)

    def when_idle(self) -> Deferred[Any]:
        """Fires when nothing is under way any more; failures are their askers' to tell."""
        return DeferredList([witness(run) for run in self._runs], consumeErrors=True)


def witness(run: Deferred[T], *, take: bool = False) -> Deferred[T]:
    """
    A Deferred that fires as *run* does and can be cancelled without harm to it.

    With *take* nobody else waits for *run*, and its failure is the witness's to tell.
    """
    seen: Deferred[T] = Deferred()

    def tell(result: Any) -> Any:
        if seen.called:
            return result
        seen.callback(result)
        return None if take else result

    run.addBoth(tell)
    return seen
