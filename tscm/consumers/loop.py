"""
What every user of a reader does beside its own work: wait for more, note trouble, rest, try again.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IDelayedCall

from tscm.base.clock import wall_seconds
from tscm.base.schedule import backoff
from tscm.consumers.trouble import Trouble
from tscm.model import LogReader


def _nothing() -> None:
    pass


def _whole() -> float:
    return 1.0


@frozen
class Backoff:
    """
    How long to rest after failures: see `base.schedule.backoff`.
    """

    first_seconds: float = 1.0
    most_seconds: float = 60.0
    chance: Callable[[], float] = _whole


@define(eq=False)
class ReaderLoop:
    """
    Waits for more in one reader's log, and knows what hinders its user.

    What comes within *linger_seconds* is one waking; *heard* is called at once.  A notice is asked for
    with `watch`, once, and is due once: a user that was woken and has read all watches again.  After a rest
    *retry* is called; a user with a schedule of its own gives none, and looks at `trouble.retry_at`.
    """

    _clock: Any
    _reader: LogReader
    _linger_seconds: float
    _wake: Callable[[], None]
    _heard: Callable[[], None] = _nothing
    _backoff: Backoff = Backoff()
    _retry: Callable[[], None] | None = None
    trouble: Trouble = field(factory=Trouble, init=False)
    _running: bool = field(default=False, init=False)
    _watching: bool = field(default=False, init=False)
    _waking: IDelayedCall | None = field(default=None, init=False)
    _resting: IDelayedCall | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to wait."""
        self._running = True
        self.watch()

    def stop(self) -> None:
        """Wake no reader any more."""
        self._running = False
        waking, self._waking = self._waking, None
        if waking is not None:
            waking.cancel()
        self.go_on()

    # -- waiting for more -------------------------------------------------------

    def watch(self) -> None:
        """Ask for a notice of what comes next."""
        if not self._watching:
            self._watching = True
            self._reader.when_more(self._noticed)

    def _noticed(self) -> None:
        self._watching = False
        if not self._running:
            return
        self._heard()
        if not self._linger_seconds:
            self._wake()
        elif self._waking is None:
            self._waking = self._clock.callLater(self._linger_seconds, self._due)

    def _due(self) -> None:
        self._waking = None
        self._wake()

    # -- what hinders -----------------------------------------------------------

    def failed(self, error: str) -> None:
        """Note one more failure in a row."""
        self.trouble = self.trouble.failed(error, wall_seconds(self._clock))

    def noted(self, error: str) -> None:
        """Note an error that is no failure."""
        self.trouble = self.trouble.noted(error, wall_seconds(self._clock))

    def rest(self, *, least_seconds: float = 0.0) -> None:
        """Rest for longer after each failure in a row, and for *least_seconds*."""
        self.go_on()
        limits = self._backoff
        seconds = backoff(
            self.trouble.failures,
            limits.chance(),
            first=limits.first_seconds,
            most=limits.most_seconds,
        )
        seconds = max(seconds, least_seconds)
        self.trouble = self.trouble.retried(self._clock.seconds() + seconds)
        if self._retry is not None:
            self._resting = self._clock.callLater(seconds, self._rested)

    @property
    def resting(self) -> bool:
        """Is a next try planned?"""
        return self.trouble.retry_at is not None

    def go_on(self) -> None:
        """End the rest; the caller tries now, or not at all."""
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()
        self.trouble = self.trouble.retried(None)

    def hurry(self) -> None:
        """Try now, where a rest is in progress."""
        if self._resting is not None:
            self.go_on()
            self._call_retry()

    def _rested(self) -> None:
        self._resting = None
        self.trouble = self.trouble.retried(None)
        self._call_retry()

    def _call_retry(self) -> None:
        assert self._retry is not None
        self._retry()
