"""
When the user of a reader is woken: a little after something came, until it is stopped.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from tscm.consumers.lag import LagTrace
from tscm.model import LogReader


def _nothing() -> None:
    pass


@define(eq=False)
class ReaderLoop:
    """
    Waits for more in one reader's log.

    What comes within *linger_seconds* is one waking; *heard* is called at once.  A notice is asked for
    with `watch`, once, and is due once: who was woken and has read all watches again.
    """

    _clock: Any
    _reader: LogReader
    _linger_seconds: float
    _wake: Callable[[], None]
    _heard: Callable[[], None] = _nothing
    lag: LagTrace = field(factory=LagTrace, init=False)
    """How long the oldest byte has waited."""
    _running: bool = field(default=False, init=False)
    _watching: bool = field(default=False, init=False)
    _waking: IDelayedCall | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to wait."""
        self._running = True
        self.watch()

    def stop(self) -> None:
        """Wake nobody any more."""
        self._running = False
        waking, self._waking = self._waking, None
        if waking is not None:
            waking.cancel()

    def watch(self) -> None:
        """Ask for a notice of what comes next."""
        if not self._watching:
            self._watching = True
            self._reader.when_more(self._noticed)

    def lag_seconds(self) -> float:
        """How long the oldest byte behind the reader's position has waited; 0 when nothing waits."""
        return round(self.lag.lag(self._reader.position.offset, self._clock.seconds()), 3)

    def _noticed(self) -> None:
        self._watching = False
        if not self._running:
            return
        self._note_end()
        self._heard()
        if self._waking is None:
            self._waking = self._clock.callLater(self._linger_seconds, self._due)

    def _due(self) -> None:
        self._waking = None
        self._note_end()
        self._wake()

    def _note_end(self) -> None:
        self.lag.note(self._reader.end, self._clock.seconds())
