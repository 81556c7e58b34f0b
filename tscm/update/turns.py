"""
Whose turn it is: one run of a device at a time, a few devices at once, pauses that hold nothing.

A run that waits for its device does no work that the bound on runs is for.  So it lends its place
to the next one, and a few firewalls that answer slowly or never delay no other device.
"""

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from attrs import define, field, frozen
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredSemaphore,
)
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.model import Progress, Report
from tscm.settings.device import DeviceSettings
from tscm.update.outcome import RetryDelay, UpdateOutcome
from tscm.update.tally import UpdateTotals

if TYPE_CHECKING:
    from tscm.update.run import UpdateRun

T = TypeVar("T")

SILENT_SECONDS = 5.0
"""A run that got no further for so long waits for another party."""
MAX_LENT = 32
"""Threads for runs that lent their place: each holds its lists in memory while it waits."""


QUICK_PLACES = 16
"""Threads for pushes of entries by hand, for which a user waits: not behind updates, nor 4 at a time."""


def _nothing(*_: object) -> None:
    """No caller to tell."""


@frozen(kw_only=True)
class Asker:
    """
    Who asks for work on a device: *what* and *who* for sentences, and two calls in the reactor thread.

    *wait* takes the sentence that says for what the work waits; *begin* is called when its turn has
    come, and raises where it is not wanted any more.
    """

    what: str
    who: str
    wait: Callable[[str], None] = _nothing
    begin: Callable[[], None] = _nothing


SCHEDULE = Asker(what="a scheduled update", who="the schedule")
MANAGER = Asker(what="a call", who="the manager")
CHECK = Asker(what="an unscheduled check", who="the event reader")
EXAMINATION = Asker(what="a check of the device", who="the doctor")


@frozen
class Activity:
    """
    What is in progress for a device, since when, and who asked for it.
    """

    what: str
    who: str
    since: float

    def sentence(self, device: str, progress: Progress | None) -> str:
        """For who must wait for it."""
        at = datetime.fromtimestamp(self.since).astimezone().isoformat(" ", "seconds")
        step = ""
        if progress is not None:
            step = f", {progress.text}"
            if progress.done is not None and progress.total is not None:
                step += f", {progress.done:,} of {progress.total:,}"
        return (
            f"{self.what} of {device} has been in progress since {at}, requested by "
            f"{self.who}{step}"
        )


@define(eq=False)
class Updated:
    """
    One device under update: its settings, its timer, and what is in progress.
    """

    settings: DeviceSettings
    gone: bool = False
    timer: PeriodicService | None = None
    running_since: float | None = None
    waiting_until: float | None = None
    progress: Progress | None = None
    activity: Activity | None = None
    """What is in progress."""
    tally: UpdateTotals = field(factory=UpdateTotals)
    stopped_by: str = ""
    """Who wants what is in progress to end at the next safe point."""
    _pause: Deferred[None] | None = None
    _hurried: bool = False

    def hurry(self) -> None:
        """End a pause now: a user asks for an update, or the run is to end."""
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
class Turn:
    """
    The right to speak with one firewall, and who has it.
    """

    lock: DeferredLock = field(factory=DeferredLock)
    holder: Updated | None = None


@define(eq=False)
class Place:
    """
    One of the few places, for one call in a thread.

    It is lent for good: to wait for it again in the middle of a push would leave a device alone
    half-way.  So for a moment more runs than the setting says may get on, when silent devices come back.
    """

    _turns: "Turns"
    _one: Updated
    _seen: Progress | None = field(default=None, init=False)
    _lent: bool = field(default=False, init=False)
    _look: IDelayedCall | None = field(default=None, init=False)

    def watch(self) -> None:
        """Look again and again whether the run said something new, until it is silent."""
        self._seen = self._one.progress
        self._look = self._turns.later(self._looked)

    def _looked(self) -> None:
        self._look = None
        # Each report is an object of its own, so that the same one means none since.
        self._lent = self._one.progress is self._seen and self._turns.yield_slot()
        if not self._lent:
            self.watch()

    def leave(self) -> None:
        """The call is over."""
        if self._look is not None:
            self._look.cancel()
        self._turns.leave(lent=self._lent)


@define(eq=False)
class Turns:
    """
    Lets work on devices run: in turn for each firewall, at most *parallel* that get on in threads.

    Two entries may lead to one firewall, whose agent bears one asker.  So a turn belongs to what tells
    firewalls apart: the management endpoint, and the *serials* that are known of a device.  *threads* need room for `MAX_LENT` more, which have lent their place, and for `QUICK_PLACES`.
    """

    _clock: IReactorTime
    _threads: Threads
    _parallel: int
    _serials: Callable[[str], Iterable[str]] = lambda _: ()
    """Given a device's name, the serial numbers that it was seen to have."""
    stopping: bool = field(default=False, init=False)
    _slots: DeferredSemaphore = field(init=False)
    _quick: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(QUICK_PLACES), init=False)
    _runs: set[Deferred[Any]] = field(factory=set, init=False)
    _lent: int = field(default=0, init=False)
    _turns: "WeakValueDictionary[str, Turn]" = field(factory=WeakValueDictionary, init=False)
    """Kept by those who have one or wait for it, so that also a forgotten device's run is waited for."""

    def __attrs_post_init__(self) -> None:
        self._slots = DeferredSemaphore(self._parallel)

    def over(self, one: Updated) -> bool:
        """Whether what is in progress for this device is to end at the next safe point."""
        return self.stopping or one.gone or bool(one.stopped_by)

    def take(
        self,
        one: Updated,
        work: Callable[[], Coroutine[Any, Any, T]],
        asker: Asker = SCHEDULE,
    ) -> Deferred[T]:
        """
        Do *work* when nothing else is in progress for the device.

        The *asker* is told for what it waits, and when its turn has come: it may refuse it then, and
        nothing is done.
        """
        turns = self._turns_of(one)
        for busy in self._holders(turns):
            if busy.activity is not None:
                asker.wait(busy.activity.sentence(busy.settings.name, busy.progress))
                break

        async def in_turn() -> T:
            taken: list[Turn] = []
            try:
                for turn in turns:  # in one order, so that no two wait for each other
                    await turn.lock.acquire()
                    turn.holder = one
                    taken.append(turn)
                one.stopped_by = ""
                asker.begin()
                one.running_since = wall_seconds(self._clock)
                one.activity = Activity(asker.what, asker.who, one.running_since)
                try:
                    return await work()
                finally:
                    one.running_since = one.progress = one.activity = None
                    one.stopped_by = ""
            finally:
                for turn in reversed(taken):
                    turn.holder = None
                    turn.lock.release()

        run: Deferred[T] = Deferred.fromCoroutine(in_turn())
        self._runs.add(run)
        return run.addBoth(self._ended, run)

    def _turns_of(self, one: Updated) -> list[Turn]:
        """All that this device's firewall is told by, in an order that is the same for everybody."""
        return [self._turns.setdefault(key, Turn()) for key in sorted(self._marks(one))]

    def _marks(self, one: Updated) -> set[str]:
        """What tells this device's firewall from others."""
        serials = (f"serial number {serial}" for serial in self._serials(one.settings.name))
        return {one.settings.endpoint, *serials}

    def same_firewall(self, one: Updated, others: Iterable[Updated]) -> list[Updated]:
        """Those of *others* that are entries for the firewall of *one*."""
        marks = self._marks(one)
        return [other for other in others if marks & self._marks(other)]

    @staticmethod
    def _holders(turns: Iterable[Turn]) -> list[Updated]:
        return [turn.holder for turn in turns if turn.holder is not None]

    def hurry(self, one: Updated) -> None:
        """End the pause of the run that has the turn of this device's firewall."""
        one.hurry()
        for holder in self._holders(self._turns_of(one)):
            holder.hurry()

    def _ended(self, result: Any, run: Deferred[Any]) -> Any:
        self._runs.discard(run)
        return result

    def stop(self, one: Updated, by: str) -> None:
        """End what is in progress for the device after the request in progress; *by* is told."""
        if one.running_since is not None:
            one.stopped_by = by
            one.hurry()

    async def in_thread(
        self, one: Updated, call: Callable[..., T], *args: Any, quick: bool = False
    ) -> T:
        """
        Call in a thread, holding one of the few places as long as the device lets it get on.

        What is *quick* has places of its own.
        """
        if quick:
            done: T = await self._quick.run(self._threads.run, call, *args)
            return done
        await self._slots.acquire()
        place = Place(self, one)
        place.watch()
        try:
            return await self._threads.run(call, *args)
        finally:
            place.leave()

    def later(self, call: Callable[[], None]) -> IDelayedCall:
        """Look again after `SILENT_SECONDS`."""
        return self._clock.callLater(SILENT_SECONDS, call)

    def yield_slot(self) -> bool:
        """Let the next one have the place; False where too many have lent theirs."""
        if self._lent >= MAX_LENT:
            return False
        self._lent += 1
        self._slots.release()
        return True

    def leave(self, *, lent: bool) -> None:
        """The call is over: its place is free, or was."""
        if lent:
            self._lent -= 1
        else:
            self._slots.release()

    async def carry(self, one: Updated, run: "UpdateRun", told: Report) -> UpdateOutcome:
        """A run to its end, attempt by attempt; between two of them nothing is held."""
        quick = run.job.only_entries and run.job.keeps_lists
        while True:
            done = await self.in_thread(one, run.attempt, quick=quick)
            if isinstance(done, UpdateOutcome):
                return done
            if not await self._rested(one, done, told):
                return run.stopped()

    async def _rested(self, one: Updated, pause: RetryDelay, told: Report) -> bool:
        if self.over(one):
            return False
        told(pause.progress)
        await one.rest(self._clock, pause.seconds)
        return not self.over(one)

    def when_idle(self) -> Deferred[Any]:
        """Fires when nothing is in progress any more; failures are their askers' to tell."""
        return DeferredList([witness(run) for run in self._runs], consumeErrors=True)


def witness(run: Deferred[T], *, take: bool = False) -> Deferred[T]:
    """
    A Deferred that fires as *run* does and can be cancelled without harm to it.

    With *take* no other caller waits for *run*, and its failure is the witness's to tell.
    """
    seen: Deferred[T] = Deferred()

    def tell(result: Any) -> Any:
        if seen.called:
            return result
        seen.callback(result)
        return None if take else result

    run.addBoth(tell)
    return seen
