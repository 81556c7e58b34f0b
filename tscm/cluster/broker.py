"""
The servers of a cluster for the reactor: an event loop in a thread of its own, and one connection for all logs.

Packing blocks and the library's own work take no time of the reactor; waiting for an answer takes no thread.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as Cancelled
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred

from tscm.cluster.connection import Connection

T = TypeVar("T")
_LEAVE_SECONDS = 3.0


@define(eq=False)
class Broker(Service):
    """
    Runs requests of one connection; the thread begins with the first one.
    """

    _reactor: Any
    connection: Connection
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)
    _ended: Deferred[None] | None = field(default=None, init=False)
    _leaving: Any = field(default=None, init=False)

    def run(self, ask: Callable[[Connection], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """What *ask* asks of the connection; cancelled where the manager stops."""
        answered: Deferred[T] = Deferred()
        if self._over:
            answered.errback(CancelledError())
            return answered
        future = asyncio.run_coroutine_threadsafe(ask(self.connection), self._started())
        future.add_done_callback(lambda it: self._reactor.callFromThread(_pass_on, it, answered))
        return answered

    def stopService(self) -> Deferred[None]:
        """End the connection, and what waits for it; fires when the thread has ended, or is left behind."""
        super().stopService()
        self._over = True
        ended: Deferred[None] = Deferred()
        if self._loop is None:
            ended.callback(None)
            return ended
        self._ended = ended
        self._leaving = self._reactor.callLater(_LEAVE_SECONDS, self._leave)
        asyncio.run_coroutine_threadsafe(self._end(self._loop), self._loop)
        return ended

    def _leave(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            if self._leaving.active():
                self._leaving.cancel()
            ended.callback(None)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()
            Thread(target=self._run, args=(loop,), name="tscm-cluster", daemon=True).start()
        return self._loop

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
            task.cancel()
        await self.connection.close()
        loop.call_soon(loop.stop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()
            self._reactor.callFromThread(self._leave)


def _pass_on(future: "Future[T]", answered: Deferred[T]) -> None:
    if answered.called:
        return
    try:
        result = future.result(0)
    except (Cancelled, asyncio.CancelledError):
        answered.errback(CancelledError())
    except Exception as error:  # noqa: BLE001 - a fault of this program: the caller tells it
        answered.errback(error)
    else:
        answered.callback(result)
