"""
Looking at files again: in a thread, one look at a time, shared by everybody who waits for one.
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads

T = TypeVar("T")


@define(eq=False)
class Looker(Generic[T]):
    """
    Keeps *state*, what *look* made of it last, and hands every new one to *take*.

    *look* runs in a thread and gives back the state that it was given when nothing has changed.
    """

    _log: ClassVar[Logger] = Logger()

    _threads: Threads
    state: T
    _look: Callable[[T], T]
    _take: Callable[[T], Coroutine[Deferred[Any], Any, None]]
    label: str = "files"
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _looking: Deferred[None] | None = field(default=None, init=False)

    async def again(self) -> None:
        """
        Returns after a look that began later than this call.  A failed look is logged, not raised.
        """
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        if self._looking is None:
            self._looking = Deferred.fromCoroutine(self._look_for_all())
            self._looking.addBoth(self._ended)
        await turn

    async def _look_for_all(self) -> None:
        while self._waiting:
            served, self._waiting = self._waiting, []
            try:
                found = await self._threads.run(self._look, self.state)
                if found is not self.state:
                    self.state = found
                    await self._take(found)
            except OSError as error:
                self._log.error(
                    "cannot check {label}: {cause}; the version read last remains in force",
                    label=self.label,
                    cause=f"{error.filename}: {error.strerror}" if error.filename else str(error),
                )
            except Exception:  # noqa: BLE001 - those who wait must be answered whatever happened
                self._log.failure("cannot check {label}", label=self.label)
            for turn in served:
                turn.callback(None)

    def _ended(self, result: Any) -> None:
        self._looking = None
        if isinstance(result, Failure):
            self._log.failure("stopped checking {label}", result, label=self.label)

    def when_idle(self) -> Deferred[None]:
        """Fires when no look is in progress."""
        idle: Deferred[None] = Deferred()
        if self._looking is None:
            idle.callback(None)
        else:
            self._looking.addCallback(lambda _: idle.callback(None))
        return idle
