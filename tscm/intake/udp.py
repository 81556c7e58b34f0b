"""
Syslog over UDP: a socket drained in batches, never a datagram at a time.
"""

import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.memory import give_back, prepare
from tscm.intake import sockets
from tscm.intake.account import Account, Cause
from tscm.intake.batch import Batch, Drain, address_from_key
from tscm.intake.figures import SocketFigures
from tscm.intake.senders import normal_address
from tscm.syslog.framing import Lines

_WORTH_WAITING = 8
_MANY, _MOST_TIMES = 100, 10.0
"""With so many senders a drain the wait begins to grow with them, up to so many times."""
_WINDOW_SECONDS = 0.05
_FAULT_SECONDS = 0.01  # a drain that fails at once must not be all that the reactor does
_MANY_BYTES, _MANY_SENDERS = 1 << 20, 256
_TRIM_SECONDS = 1.0
"""So long after a drain of many bytes or senders the memory that it took is given back."""
_BYTES_A_DATAGRAM = 1280  # of socket buffer, for a line of usual length, with the kernel's own

Deliver = Callable[[Account, Sequence[tuple[str, Lines]], float], None]


@define
class Pace:
    """
    How long to let datagrams gather before the next drain.

    A system call and a wake-up a datagram is what UDP costs; a busy socket is left alone
    for *wait* seconds, so that one drain takes many.  Never longer than it takes to fill a
    quarter of the socket's buffer at the present rate.  A chunk a sender is what costs, too: with many
    senders in a drain the wait is longer, so that each brings more than a line.
    """

    wait: float
    buffer_bytes: int
    rate: float = field(default=0.0, init=False)
    _since: float = field(default=0.0, init=False)
    _count: int = field(default=0, init=False)

    def after(self, datagrams: int, *, more: bool, now: float, senders: int = 1) -> float | None:
        """
        Seconds until the next drain, after one of so many *datagrams* and *senders*; None: as soon as
        the socket has something.
        """
        self._count += datagrams
        elapsed = now - self._since
        if not 0 <= elapsed < _WINDOW_SECONDS:
            self.rate = self._count / elapsed if 0 < elapsed < 1 else 0.0
            self._since, self._count = now, 0
        if more:
            return 0.0
        if self.rate * self.wait < _WORTH_WAITING:
            return None
        room = self.buffer_bytes / 4 / _BYTES_A_DATAGRAM
        wait = self.wait * min(_MOST_TIMES, max(1.0, senders / _MANY))
        return min(wait, room / self.rate)


@lru_cache(maxsize=1 << 14)
def _address(key: bytes) -> str:
    return normal_address(address_from_key(key))


def _is_large(batch: Batch) -> bool:
    if len(batch.senders) >= _MANY_SENDERS:
        return True
    return sum([len(one.lines.data) for one in batch.senders]) >= _MANY_BYTES


class UdpListener(FileDescriptor):
    """
    One bound UDP socket on the reactor.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        reactor: Any,
        bound: socket.socket,
        drain: Drain,
        *,
        deliver: Deliver,
        account: Account,
        pace: Pace,
    ) -> None:
        super().__init__(reactor)
        self._clock = reactor
        self._socket = bound
        self._drain = drain
        self._bounds = drain.max_messages, drain.max_bytes
        self._deliver = deliver
        self._account = account
        self.pace = pace
        self._next: IDelayedCall | None = None
        self._trim: IDelayedCall | None = None
        self._errors = 0
        self._kernel_drops = sockets.KernelDrops(bound)
        self.drains = 0

    @property
    def listener(self) -> str:
        """The listener's name in the figures; several sockets may share it."""
        return self._account.listener

    def fileno(self) -> int:
        """The socket's descriptor, for the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """As Twisted names it in its log."""
        return self._account.listener

    def start(self) -> None:
        """Begin to take datagrams."""
        prepare()
        self.connected = 1
        self.startReading()

    def stop(self) -> None:
        """Take what waits, then close the socket."""
        if not self.connected:
            self._socket.close()
            return
        self.connected = 0
        self.stopReading()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for _ in range(256):
            if not self._take().more:
                break
        if self._trim is not None:
            self._trim.cancel()
            self._trim = None
        self._kernel_drops.close()
        self._socket.close()

    def doRead(self) -> None:
        """The reactor says that there is something."""
        wait = self._paced()
        if wait:
            self.stopReading()
            self._next = self._clock.callLater(wait, self._again)

    def figures(self) -> SocketFigures:
        """How this socket does."""
        return SocketFigures(
            kernel_drops=self._kernel_drops.count(),
            drains=self.drains,
            datagrams_per_second=round(self.pace.rate),
        )

    def connectionLost(self, reason: Any) -> None:
        """The reactor found the descriptor unusable."""
        super().connectionLost(reason)
        self._log.error("{listener}: socket lost", listener=self._account.listener)

    def _again(self) -> None:
        self._next = None
        wait = self._paced()
        if wait is None:
            self.startReading()
        else:
            self._next = self._clock.callLater(wait, self._again)

    def _paced(self) -> float | None:
        errors = self._errors
        batch = self._take()
        wait = self.pace.after(
            batch.datagrams,
            more=batch.more,
            now=self._clock.seconds(),
            senders=len(batch.senders),
        )
        return wait if self._errors == errors else max(wait or 0.0, _FAULT_SECONDS)

    def _take(self) -> Batch:
        """One drain.  Raises nothing: for an exception the reactor gives the socket up for good."""
        try:
            batch = self._drain(self._socket, *self._bounds)
            self._account_for(batch)
        except OSError as error:
            self._failed(f"cannot read: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the listener goes on
            self._failed(f"internal error: {error!r}", Failure())
        else:
            return batch
        return Batch()

    def _account_for(self, batch: Batch) -> None:
        self.drains += 1
        self._account.empty += batch.empty
        self._account.cut += batch.cut
        if batch.lost:
            self._account.received += batch.lost
            self._account.drop(Cause.NO_MEMORY, batch.lost)
        if self._trim is None and _is_large(batch):
            self._trim = self._clock.callLater(_TRIM_SECONDS, self._give_back)
        if batch.senders:
            self._deliver(
                self._account,
                [(_address(key), lines) for key, lines in batch.senders],
                wall_seconds(self._clock),
            )

    def _give_back(self) -> None:
        self._trim = None
        give_back()

    def _failed(self, cause: str, failure: Failure | None = None) -> None:
        self._errors += 1
        if self._errors != 1 and self._errors % 1000:
            return
        words: dict[str, Any] = {
            "listener": self._account.listener,
            "cause": cause,
            "errors": self._errors,
        }
        if failure is None:
            self._log.error("{listener}: {cause} ({errors} times)", **words)
        else:
            self._log.failure("{listener}: {cause} ({errors} times)", failure, **words)
