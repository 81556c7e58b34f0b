"""
The manager's duty for entries by hand: what was entered is pushed, and taken off when its time is up.

One timer, for what comes next.  Times of day are looked at again every few seconds, for the clock may
be set; what is pending is read from the store, so that a manager that was killed goes on with it.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tscm.base.clock import Jumps, wall_seconds
from tscm.base.schedule import backoff, in_slices
from tscm.errors import NoSuchDevice, TscmError
from tscm.model import Report
from tscm.plural import many
from tscm.policy.by_hand import (
    HandEntry,
    after_jump,
    expired,
    is_due,
    next_end,
    standing,
    to_hold,
    unused,
)
from tscm.settings.device import DeviceSettings
from tscm.store.generations import PURGED
from tscm.update.job import UpdateJob
from tscm.update.lookups import LookUp
from tscm.update.memory import DeviceMemory, no_push
from tscm.update.outcome import UpdateOutcome
from tscm.update.records import UpdateRecords
from tscm.update.turns import Asker, Turns, Updated

LOOK_SECONDS = 15.0
"""The timer waits no longer than this, so that a clock that was set is noticed."""
GRACE_SECONDS = 20.0
"""So long the command that entered something has to push it; then the manager does."""
_FIRST_RETRY_SECONDS = 60.0
_LAST_RETRY_SECONDS = 900.0
DUTY = Asker(what="a push of entries by hand", who="the manager")

Run = Callable[[Updated, UpdateJob, Report], Coroutine[Any, Any, UpdateOutcome]]


@define
class _Pending:
    """A device to look at: not before *at*, by the steady clock, after so many failed pushes."""

    at: float
    failures: int = 0


@define(eq=False)
class EntryDuty:
    """
    Carries out entries by hand on all devices, asked for or not.

    *job* makes a device's job, *run* carries one out and keeps its outcome; *told* takes each outcome that
    no user asked for.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _records: UpdateRecords
    _turns: Turns
    _devices: Mapping[str, Updated]
    _job: Callable[[Updated], UpdateJob]
    _run: Run
    _told: Callable[[UpdateOutcome], None]
    look_up: LookUp
    """For names of which nothing is known yet."""
    _jumps: Jumps = field(init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _running: bool = field(default=False, init=False)
    _looking: bool = field(default=False, init=False)
    _pending: dict[str, _Pending] = field(factory=dict, init=False)
    _pushing: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._jumps = Jumps(self._clock)

    # -- life ------------------------------------------------------------------

    def start(self) -> None:
        """Look at all devices: something may have been entered, or ended, while nothing ran."""
        self._running = True
        self.touch(self._devices)
        self._arm(0.0)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._running = False
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def touch(self, names: Iterable[str], grace: float = 0.0) -> None:
        """These devices may hold other entries than they should; look in *grace* seconds."""
        at = self._clock.seconds() + grace
        for name in names:
            self._pending[name] = _Pending(at)
        if self._running and self._timer is not None:
            self._arm(grace)

    def forget(self, name: str) -> None:
        """The device is gone."""
        self._pending.pop(name, None)

    # -- the clock -------------------------------------------------------------

    def time(self) -> float:
        """
        The time of day, once what is left of each entry's time is right for it.

        Setting the clock neither ends an entry nor lengthens it.  Raises where the store cannot be used.
        """
        now = wall_seconds(self._clock)
        jump = self._jumps.since_last()
        if jump:
            moved = after_jump(self._records.by_hand.all(), jump, now - jump)
            if moved:
                self._records.by_hand.set_ends(moved)
                self._log.info(
                    "the clock was set by {jump:+.0f} s: {what} as much time left as before",
                    jump=jump,
                    what=many(len(moved), "entry by hand has", "entries by hand have"),
                )
        return now

    # -- what is due -----------------------------------------------------------

    def _arm(self, delay: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(min(delay, max(0.0, self._timer.getTime() - self._clock.seconds())))
        else:
            self._timer = self._clock.callLater(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if not self._running or self._looking:
            return
        self._looking = True
        looked: Deferred[None] = Deferred.fromCoroutine(self._look())
        looked.addErrback(
            lambda failure: self._log.failure("checking entries by hand failed", failure)
        )
        looked.addBoth(self._looked)

    def _looked(self, _: object) -> None:
        self._looking = False
        if self._running:
            self._timer = None
            self._arm(self._until_next())

    def _until_next(self) -> float:
        """Seconds until something is to be done, or the clock to be looked at."""
        now = self._clock.seconds()
        waits = [one.at - now for name, one in self._pending.items() if name not in self._pushing]
        with suppress(TscmError):
            at = wall_seconds(self._clock)
            end = next_end(self._records.by_hand.all(), at)
            waits += [] if end is None else [end - at]
        return max(0.05, min([LOOK_SECONDS, *waits]))

    async def _look(self) -> None:
        try:
            now = self.time()
            entries = self._records.by_hand.all()
            over = expired(entries, now)
            if over:
                self._records.by_hand.end(over, now, "expired")
                entries = self._records.by_hand.all()
        except TscmError:  # the database cannot be used; looked at again, and told elsewhere
            for pending in self._pending.values():
                pending.at = max(pending.at, self._clock.seconds() + LOOK_SECONDS)
            return
        for one in over:
            self._log.info("{entry} has expired", entry=str(one))
            self.touch(name for name in self._devices if one.concerns(name))
        steady = self._clock.seconds()
        ready = [
            name
            for name, one in self._pending.items()
            if one.at <= steady and name not in self._pushing
        ]
        async for name in in_slices(self._clock, ready):
            if self._running and name in self._devices:
                self._begin(self._devices[name])
            else:
                self._pending.pop(name, None)
        if ready or over:
            self.tidy()

    def due(self, one: Updated) -> bool:
        """Does the device hold other entries than it should, as far as may be pushed unasked?"""
        name = one.settings.name
        entries = self._records.by_hand.all()
        memory = self._records.memory(name)
        if not entries and not memory.by_hand:
            return False
        newest = self._records.newest(name)
        if memory.locked_out or newest is None or newest[0] == PURGED:
            return False  # the first update brings them
        ids = [entry.id for entry in standing(entries, name, wall_seconds(self._clock))]
        less = bool(no_push(one.settings, memory, wall_seconds(self._clock)))
        return is_due(ids, memory.by_hand, memory.by_hand_left, only_less=less)

    def _begin(self, one: Updated) -> None:
        name = one.settings.name
        try:
            if not self.due(one):
                self._settled(name)
                return
        except TscmError:
            self._pending[name].at = self._clock.seconds() + LOOK_SECONDS
            return
        self._pushing.add(name)
        pending = self._pending[name]

        async def work() -> UpdateOutcome | None:
            if self._turns.over(one) or not self.due(one):
                return None
            return await self._run(one, self.shaped(one), lambda _: None)

        def ended(outcome: UpdateOutcome | None) -> None:
            if outcome is None or outcome.good:
                if self._pending.get(name) is pending:
                    del self._pending[name]
            elif name in self._pending:
                failures = pending.failures + 1
                wait = backoff(failures, 0.5, first=_FIRST_RETRY_SECONDS, most=_LAST_RETRY_SECONDS)
                self._pending[name] = _Pending(self._clock.seconds() + wait, failures)
                self._log.warn(
                    (
                        "entries by hand are not in force on {device}: {sentence}; "
                        "retrying in {wait:.0f} s"
                    ),
                    device=name,
                    sentence=outcome.sentence(),
                    wait=wait,
                )
            if outcome is not None:
                self._told(outcome)

        def over(_: object) -> None:
            self._pushing.discard(name)
            if self._running and not self._looking:
                self._arm(self._until_next())

        run = self._turns.take(one, work, DUTY)
        run.addCallback(ended)
        run.addErrback(lambda failure: self._log.failure("push of entries by hand failed", failure))
        run.addBoth(over)

    def _settled(self, name: str) -> None:
        """Nothing is to be done now; where an operator's hold ends by itself, something may be then."""
        hold = self._records.memory(name).operators_hold
        now = wall_seconds(self._clock)
        if hold is None or hold.until is None or hold.over(now):
            self._pending.pop(name, None)
        else:
            wait = min(hold.until - now, _LAST_RETRY_SECONDS)
            self._pending[name] = _Pending(self._clock.seconds() + wait)

    def tidy(self) -> None:
        """Forget entries that ended and that no device holds."""
        with suppress(TscmError):
            entries = self._records.by_hand.all()
            if any(one.ended_at is not None for one in entries):
                self._records.by_hand.forget(unused(entries, self._records.by_hand.held()))

    # -- what is asked for -----------------------------------------------------

    def shaped(self, one: Updated, *, told: bool = False) -> UpdateJob:
        """
        The job that brings a device its entries by hand and nothing else, without long pauses.

        Where updates are held or disabled, entries only go, unless the user *told* so.
        """
        job = evolve(self._job(one), only_entries=True)
        memory = DeviceMemory.from_json(job.memory)
        if told or not no_push(one.settings, memory, wall_seconds(self._clock)):
            return job
        kept = to_hold([entry.id for entry in job.by_hand], memory.by_hand, only_less=True)
        return evolve(job, by_hand=tuple(entry for entry in job.by_hand if entry.id in kept))

    def push(
        self, name: str, report: Report, *, told: bool, asker: Asker
    ) -> "Deferred[UpdateOutcome]":
        """
        Bring the device its entries by hand now, without fetching lists; the outcome is kept whatever it is.

        Raises `NoSuchDevice`.
        """
        one = self.device(name)
        self._records.refuse_fault()
        self._turns.hurry(one)

        async def work() -> UpdateOutcome:
            outcome = await self._run(one, self.shaped(one, told=told), report)
            if outcome.good and not self.due(one):
                self._pending.pop(name, None)
                self.tidy()
            elif not outcome.good:
                self.touch([name], _FIRST_RETRY_SECONDS)
            return outcome

        return self._turns.take(one, work, asker)

    def device(self, name: str) -> Updated:
        """One device.  Raises `NoSuchDevice`."""
        try:
            return self._devices[name]
        except KeyError:
            raise NoSuchDevice(name) from None

    def names(self) -> list[str]:
        """All devices."""
        return sorted(self._devices)

    def settings(self, name: str) -> DeviceSettings:
        """Those of one device.  Raises `NoSuchDevice`."""
        return self.device(name).settings

    @property
    def records(self) -> UpdateRecords:
        """What is kept."""
        return self._records

    def keep(self, new: HandEntry) -> tuple[HandEntry, bool]:
        """Store an entry; the manager pushes it, where no command does within a while."""
        kept, fresh = self._records.by_hand.keep(new)
        self.touch((name for name in self._devices if kept.concerns(name)), GRACE_SECONDS)
        return kept, fresh

    def remove(self, asked: str, how: str) -> list[HandEntry]:
        """End entries by number or network.  Raises `NoSuchEntry`, `EntryFaulty`."""
        gone = self._records.by_hand.remove(asked, self.time(), how)
        self.touch(
            (name for name in self._devices if any(one.concerns(name) for one in gone)),
            GRACE_SECONDS,
        )
        return gone
