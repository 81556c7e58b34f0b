"""
How long one turn of the loop may read from stream connections: those left over are read in the next.

A turn reads every connection that has something.  Usually that is quick; a read of a stream that is made to be
slow (a count for each octet) takes some milliseconds, and a hundred such connections would take
the turn that datagrams wait for.
"""

import time
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.tcp import Port, Server

TURN_SECONDS = 0.008
READ_BYTES = 128 << 10
"""One read of a connection: large enough for the kernel's work to dominate, small enough for others."""
FIRST_BYTES = 8 << 10
_FEWEST_BYTES = 4096
_ACCEPTS = 8
_PAUSE = 0.001
_SLOW_READ, _QUICK_READ = 0.003, 0.001


@define(eq=False)
class Turn:
    """
    What the connections of all listeners have spent in the turn of the loop that is in progress.

    A pause between two reads is taken for the begin of another turn; where the time is used up there is
    none, and what is due at once is called before the next turn reads.
    """

    _clock: IReactorTime
    measure: Callable[[], float] = time.perf_counter
    _spent: float = field(default=0.0, init=False)
    _last: float = field(default=0.0, init=False)
    _over: bool = field(default=False, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)

    def is_over(self) -> bool:
        """Whether the time of this turn is used up."""
        return self._over

    def spend(self, began: float) -> float:
        """A read that began then is over; gives how long it took."""
        now = self.measure()
        if began - self._last > _PAUSE:
            self._spent = 0.0
        self._spent += now - began
        self._last = now
        if self._spent >= TURN_SECONDS and not self._over:
            self._over = True
            self._next = self._clock.callLater(0, self._begin)
        return now - began

    def close(self) -> None:
        """Nothing is read any more: no further turn begins."""
        if self._next is not None:
            self._next.cancel()
            self._begin()

    def _begin(self) -> None:
        self._spent, self._over, self._next = 0.0, False, None


def next_size(size: int, seconds: float) -> int:
    """How much the next read may take, after one of *size* bytes that took so long."""
    if seconds > _SLOW_READ:
        return max(_FEWEST_BYTES, size // 2)
    if seconds < _QUICK_READ:
        return min(READ_BYTES, size * 2)
    return size


def connection_paced_by(turn: Turn) -> type[Server]:
    """
    Connections for which *turn* holds.

    A read that finds the turn over takes nothing: the reactor tells of the connection again.
    """

    class PacedConnection(Server):
        bufferSize = FIRST_BYTES

        def doRead(self) -> Any:
            return None if turn.is_over() else self.read_now()

        def read_now(self) -> Any:
            began = turn.measure()
            try:
                return super().doRead()
            finally:
                self.bufferSize = next_size(self.bufferSize, turn.spend(began))

    return PacedConnection


def port_paced_by(turn: Turn) -> type[Port]:
    """A port whose connections come a few a turn, and are paced by *turn* themselves."""

    class PacedPort(Port):
        transport = connection_paced_by(turn)

        def doRead(self) -> None:
            if turn.is_over():
                return
            self.numberAccepts = min(self.numberAccepts, _ACCEPTS)
            began = turn.measure()
            super().doRead()
            turn.spend(began)

    return PacedPort


def read_now(connection: Any) -> Any:
    """One read, whatever the turn has spent; what `doRead` gives."""
    read = getattr(connection, "read_now", connection.doRead)
    return read()
