"""
Checks out of turn: a firewall told of an upheaval, so its groups are read and repaired now.

In the reactor thread.  When a check comes is for `tscm.update.alert` to say; what a check does is the
update service's.  Between two checks nothing is held: an update that is asked for has its turn.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import ClassVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.update.alert import AT_ONCE, Alert


class Seen(Enum):
    """How a check ended."""

    REACHED = auto()
    """The device answered, whatever came of it."""
    UNREACHED = auto()
    """It does not answer yet."""
    HELD = auto()
    """Updates are held or paused, or the password was refused: what is pending waits until that ends."""
    LEFT = auto()
    """No check is to be: nothing is pending, or the manager stops."""


HELD_SECONDS = 5.0
"""Between two looks whether updates are still held, in whatever way a hold ends."""


@define(eq=False)
class _Watched:
    alert: Alert = field(factory=lambda: Alert(pending={}))
    timer: IDelayedCall | None = None
    due_at: float = 0.0
    checking: bool = False
    held: bool = False
    """What is pending waits for updates to be allowed again."""
    reached: tuple[float, ...] = ()
    """When the last checks that reached the device ended."""


@define(eq=False)
class Lookout:
    """
    Keeps what is pending for each device, and has it checked when it is due.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _check: Callable[[str, str], Deferred[Seen]]
    """By device, and by what it said: read the groups again and repair them."""
    _held: Callable[[str], bool]
    """By device: may nothing be pushed unasked now?  Called often, so it must be cheap."""
    _watched: dict[str, _Watched] = field(factory=dict, init=False)

    def hear(self, name: str, messages: Mapping[str, float]) -> Mapping[str, float]:
        """A device told of upheavals; all that is pending, where one of them was not: else nothing."""
        one = self._watched.setdefault(name, _Watched())
        new = not messages.keys() <= one.alert.pending.keys()
        one.alert = one.alert.hear(messages)
        self._arm(name, one)
        return one.alert.pending if new else {}

    def hear_again(self, name: str, messages: Mapping[str, float]) -> None:
        """What was told before a stop: not checked until now."""
        one = self._watched.setdefault(name, _Watched())
        one.alert = one.alert.freed(self._now())
        self.hear(name, messages)

    def checked(self, name: str, started_at: float, finished_at: float) -> None:
        """An update of a device was good, however it was started."""
        one = self._watched.get(name)
        if one is None:
            return
        one.alert = one.alert.covered(started_at, finished_at)
        if not one.checking:
            self._arm(name, one)

    def pending(self, name: str) -> bool:
        """Is there anything that no check has answered?"""
        one = self._watched.get(name)
        return one is not None and bool(one.alert.pending)

    def free(self, name: str) -> None:
        """Updates may run again: what waits for that is due, with all the patience of a new message."""
        one = self._watched.get(name)
        if one is None or not one.held:
            return
        one.held = False
        one.alert = one.alert.freed(self._now())
        self._disarm(one)
        self._arm(name, one)

    def forget(self, name: str) -> None:
        """Nothing of a device is pending any more."""
        one = self._watched.pop(name, None)
        if one is not None:
            self._disarm(one)

    def stop(self) -> None:
        """No further check."""
        for name in list(self._watched):
            self.forget(name)

    def _now(self) -> float:
        return wall_seconds(self._clock)

    def _arm(self, name: str, one: _Watched) -> None:
        """Have the next check come when it is due; an earlier one that is armed stays."""
        if one.checking:
            return
        if not one.alert.pending:
            self._disarm(one)
            return
        now = self._now()
        due = now + HELD_SECONDS if one.held else one.alert.due_at(now, one.reached)
        if one.timer is not None and one.due_at <= due:
            return
        self._disarm(one)
        one.due_at = due
        one.timer = self._clock.callLater(max(0.0, due - now), self._begin, name, one)

    def _disarm(self, one: _Watched) -> None:
        timer, one.timer = one.timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _begin(self, name: str, one: _Watched) -> None:
        one.timer = None
        if one.held:
            self._look_whether_held(name, one)
            return
        one.checking = True
        begun = _Begun(dict(one.alert.pending), self._now())
        self._check(name, one.alert.sentence()).addErrback(self._failed, name).addCallback(
            self._ended, name, one, begun
        )

    def _look_whether_held(self, name: str, one: _Watched) -> None:
        if self._held(name):
            self._arm(name, one)
        else:
            self.free(name)

    def _failed(self, failure: Failure, name: str) -> Seen:
        self._log.failure("the check of {device}", failure, device=name)
        return Seen.LEFT

    def _ended(self, seen: Seen, name: str, one: _Watched, begun: "_Begun") -> None:
        one.checking = False
        if self._watched.get(name) is not one:
            return
        now = self._now()
        if seen is Seen.UNREACHED:
            one.alert = one.alert.unreached()
            if one.alert.pending and one.alert.given_up(now):
                self._log.warn(
                    "{device} has not responded since it logged: {said}; the next "
                    "scheduled update checks it",
                    device=name,
                    said=one.alert.sentence(),
                )
                one.alert = Alert(pending={})
        elif seen is Seen.HELD:
            one.held = True
        elif seen is Seen.LEFT:
            one.alert = Alert(pending=begun.later(one.alert.pending))
        else:
            one.reached = (*one.reached, now)[-AT_ONCE:]
            # What a good update answers is gone already; of the rest only a reload to come waits.
            one.alert = one.alert.after_check(begun.pending, begun.at)
        self._arm(name, one)


@frozen
class _Begun:
    """What was pending when a check began, and when that was."""

    pending: Mapping[str, float]
    at: float

    def later(self, pending: Mapping[str, float]) -> dict[str, float]:
        """What was said since."""
        return {one: at for one, at in pending.items() if self.pending.get(one) != at}
