"""
The bounded pool for calls that block: lists, firewalls, uploads.

Never the reactor's own pool: that one also resolves names, and a few slow firewalls would
stop every look-up.  A call cannot be stopped from outside, so every blocking function that
runs here has time-outs of its own.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


@define(eq=False)
class Threads(Service):
    """
    A named thread pool that lives as long as the service does.
    """

    _reactor: IReactorFromThreads
    _size: int
    _label: str
    _pool: ThreadPool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pool = ThreadPool(0, self._size, self._label)

    def startService(self) -> None:
        """Start the pool; calls made earlier wait for this."""
        super().startService()
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        """Fires when the calls that are under way have ended."""
        super().stopService()
        stopped: Deferred[None] = Deferred()

        def join() -> None:
            self._pool.stop()
            self._reactor.callFromThread(stopped.callback, None)

        self._reactor.callInThread(join)  # type: ignore[attr-defined]
        return stopped

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call in a thread; fires with the result in the reactor thread."""
        made: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, call, *args, **kwargs)
        return made
