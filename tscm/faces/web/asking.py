"""
The manager as the page asks it: over the control socket, in threads, and with the last answer where it does not answer.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from tscm.base.threads import Threads
from tscm.errors import ControlUnavailable, TscmError
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation

Args = TypeVar("Args")
Answer = TypeVar("Answer")
Value = TypeVar("Value")

MOST_WAITING = 64
"""Questions that wait for a thread or are asked; with more the page says that it is busy."""
MOST_KEPT = 200
"""Answers that are kept for a while."""


@define(eq=False)
class PageBusy(TscmError):
    """
    Too many questions to the manager are open.
    """

    def __str__(self) -> str:
        return "too many questions to the manager are open; try again in some seconds"


@frozen(kw_only=True)
class Latest(Generic[Value]):
    """
    The newest answer that there is: *at* is when it was given, *fault* why there is no newer one.
    """

    value: Value | None
    at: float = 0.0
    fault: str | None = None


@define(eq=False)
class Asking:
    """
    Asks in the name of the page's users; *now* tells the time of day.
    """

    _threads: Threads
    _backend: Callable[[str | None], Any]
    """The manager in the name of a user of the page, or of the page itself: `detach` besides what a `Backend` has."""
    _now: Callable[[], float]
    _open: int = field(default=0, init=False)
    _kept: dict[Any, Latest[Any]] = field(factory=dict, init=False)
    _under_way: dict[Any, list[Deferred[Any]]] = field(factory=dict, init=False)

    @property
    def is_idle(self) -> bool:
        """Is no question open?"""
        return not self._open

    def now(self) -> float:
        """The time of day."""
        return self._now()

    def ask(
        self, operation: Operation[Args, Answer], args: Args, user: str | None = None
    ) -> Deferred[Answer]:
        """The answer to *user*, or to the page itself.  Fails with `TscmError`."""
        return self._run(self._backend(user).call, operation, args)

    def start(self, operation: Operation[Args, Any], args: Args, user: str) -> Deferred[JobFigures]:
        """A job that goes on in the manager.  Fails with `TscmError`."""
        return self._run(self._backend(user).detach, operation, args)

    def with_backend(self, call: Callable[..., Value], user: str, *args: Any) -> Deferred[Value]:
        """
        *call* with a backend of *user*'s in a thread: steps that must all be made, even if the visitor goes away meanwhile.
        """
        return self._run(call, self._backend(user), *args)

    async def latest(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        *,
        fresh: float = 1.0,
        key: object = None,
    ) -> Latest[Answer]:
        """
        The answer, *fresh* seconds old at most; where the manager does not answer, the last one that it gave.

        Many browsers that ask the same make one question.  *key* stands for arguments that cannot be hashed.
        """
        name = (operation.name, args if key is None else key)
        kept = self._kept.get(name)
        if kept is not None and 0 <= self._now() - kept.at < fresh:
            return kept
        told: Deferred[Latest[Answer]] = Deferred()
        waiting = self._under_way.get(name)
        if waiting is not None:
            waiting.append(told)
        else:
            self._under_way[name] = [told]
            # Not the visitor's own: a visitor who goes away must not take the answer from the others.
            asked = Deferred.fromCoroutine(self._asked(operation, args, kept))
            asked.addBoth(self._tell, name)
        return await told

    def _tell(self, result: Any, name: Any) -> None:
        if isinstance(result, Latest) and result.fault is None:
            self._kept.pop(name, None)
            self._kept[name] = result
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        for one in self._under_way.pop(name):
            if not one.called:  # its browser may have gone away
                one.callback(result)  # a failure fails it

    async def _asked(
        self, operation: Operation[Args, Answer], args: Args, kept: Latest[Answer] | None
    ) -> Latest[Answer]:
        try:
            answer: Answer = await self.ask(operation, args)
            return Latest(value=answer, at=self._now())
        except (ControlUnavailable, PageBusy) as error:
            if kept is None:
                return Latest(value=None, fault=str(error))
            return Latest(value=kept.value, at=kept.at, fault=str(error))

    def _run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self._open >= MOST_WAITING:
            raise PageBusy
        self._open += 1
        return self._threads.run(call, *args).addBoth(self._answered)

    def _answered(self, result: Any) -> Any:
        self._open -= 1
        return result
