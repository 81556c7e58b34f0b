"""
The life of a service that empties a log round by round: work, let more come together, rest after a failure.
"""

import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from tscm.consumers.loop import Backoff, ReaderLoop
from tscm.model import LogReader

Answer = TypeVar("Answer")


@define(eq=False)
class Rounds:
    """
    Runs *work* as long as anything waits in the log of *reader*.

    *work* is one round: True to go on, False to rest first, None where nothing waits.  While *few* says that a round
    would carry little, the next one waits for *linger_seconds*.  Nothing of *work* is cancelled at a stop but what
    it waits for in `awaited`.
    """

    _clock: Any
    _reader: LogReader
    _linger_seconds: float
    _work: Callable[[], Coroutine[Any, Any, bool | None]]
    _few: Callable[[], bool]
    _chance: Callable[[], float] = random.random
    reading: ReaderLoop = field(init=False)
    least_rest_seconds: float = field(default=0.0, init=False)
    """How long the other end asked to be left alone."""
    running: bool = field(default=False, init=False)
    _pause: Deferred[None] | None = field(default=None, init=False)
    _asked: Deferred[Any] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.reading = ReaderLoop(
            self._clock,
            self._reader,
            self._linger_seconds,
            self._go_on,
            backoff=Backoff(chance=self._chance),
            retry=self._go_on,
        )

    def start(self) -> Deferred[None]:
        """Begin with what waits; fires when no round is in progress after `stop`."""
        self.running = True
        self.reading.start()
        return Deferred.fromCoroutine(self._loop())

    def stop(self) -> None:
        """Begin no further round."""
        self.running = False
        self.reading.stop()
        for one in (self._pause, self._asked):
            if one is not None:
                one.cancel()

    async def awaited(self, asked: Deferred[Answer]) -> Answer:
        """What *asked* gives; `CancelledError` at a stop."""
        self._asked = asked
        try:
            return await asked
        finally:
            self._asked = None

    @property
    def backlog(self) -> int:
        """Bytes of the log that wait."""
        return max(0, self._reader.end - self._reader.position.offset)

    async def _loop(self) -> None:
        with suppress(CancelledError):
            while self.running:
                done = await self._work()
                if not self.running:
                    break
                if done is None:
                    self.reading.watch()
                    await self._wait()
                elif not done:
                    await self._rest()
                elif self._few():
                    await self._linger()

    def _go_on(self) -> None:
        if self._pause is not None:
            self._pause.callback(None)

    async def _wait(self) -> None:
        self._pause = Deferred()
        try:
            await self._pause
        finally:
            self._pause = None

    async def _rest(self) -> None:
        self.reading.rest(least_seconds=self.least_rest_seconds)
        await self._wait()
        self.reading.go_on()

    async def _linger(self) -> None:
        """A round a second costs less than one for each line."""
        if not self._linger_seconds:
            return
        timer = self._clock.callLater(self._linger_seconds, self._go_on)
        try:
            await self._wait()
        finally:
            if timer.active():
                timer.cancel()
