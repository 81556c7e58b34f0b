"""
The bounded pool for calls that block: lists, firewalls, uploads.

Never the reactor's own pool: that one also resolves names, and a few slow firewalls would
stop every look-up.  A call cannot be stopped from outside, so every blocking function that
runs here has time-outs of its own, and its connections can be cut off (`tscm.base.deadline`).  What
does not end then is left behind: its thread does not keep the process.
"""

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, ClassVar, ParamSpec, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from tscm.base.deadline import Scope

P = ParamSpec("P")
T = TypeVar("T")

LEAVE_SECONDS = 10.0
"""How long a stop waits for calls whose connections were cut off."""


class _Abandonable(Thread):
    """A thread that the interpreter does not wait for at its end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "daemon": True})


class _Pool(ThreadPool):
    threadFactory = _Abandonable


@define(eq=False)
class Threads(Service):
    """
    A named thread pool that lives as long as the service does.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _size: int
    _label: str
    leave_seconds: float = LEAVE_SECONDS
    _pool: ThreadPool = field(init=False)
    _scope: Scope = field(factory=Scope, init=False)
    _calls: dict[int, str] = field(factory=dict, init=False)
    """What is in progress or waits for a thread, by a number."""
    _number: int = field(default=0, init=False)
    _stopped: Deferred[None] | None = field(default=None, init=False)
    _leaving: IDelayedCall | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._pool = _Pool(0, self._size, self._label)

    def startService(self) -> None:
        """Start the pool; calls made earlier wait for this."""
        super().startService()
        self._pool.start()

    def hurry(self) -> None:
        """Cut off what loses nothing by it: a stop has begun (`Scope.hurry`)."""
        self._scope.hurry()

    def stopService(self) -> Deferred[None]:
        """
        Cut off every exchange; fires when the calls in progress have ended, or are left behind.
        """
        super().stopService()
        self._scope.cut()
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        if self._calls:
            self._leaving = self._reactor.callLater(self.leave_seconds, self._leave)
        else:
            self._end()
        return stopped

    def _leave(self) -> None:
        self._leaving = None
        self._log.warn(
            "{label} threads: still busy after {seconds:.0f} s and abandoned: {calls}",
            label=self._label,
            seconds=self.leave_seconds,
            calls=", ".join(sorted(self._calls.values())),
        )
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def _end(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self._pool.stop()  # joins threads that have nothing to do
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call in a thread; fires with the result in the reactor thread."""
        self._number += 1
        number = self._number
        self._calls[number] = work_of(call, args)
        inside = partial(self._scope.run, call, *args, **kwargs)
        made: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, inside)
        return made.addBoth(self._ended, number)

    def _ended(self, result: Any, number: int) -> Any:
        del self._calls[number]
        if self._stopped is not None and not self._calls:
            self._reactor.callLater(0, self._ended_all)
        return result

    def _ended_all(self) -> None:
        if self._stopped is not None and not self._calls:
            self._end()


def work_of(call: Any, args: tuple[Any, ...]) -> str:
    """
    What a call does, by its name and the first text that it is given: `tscm.update.ways.resolve fw.example`.
    """
    while True:
        if isinstance(call, partial):
            call, args = call.func, (*call.args, *args)
        elif isinstance(getattr(call, "__self__", None), Scope) and args and callable(args[0]):
            call, args = args[0], args[1:]
        else:
            break
    name = getattr(call, "__qualname__", None) or type(call).__qualname__
    module = getattr(call, "__module__", None) or type(call).__module__
    about = next((one for one in args if isinstance(one, str) and one.isprintable()), "")
    return f"{module}.{name} {about[:60]}".rstrip()
