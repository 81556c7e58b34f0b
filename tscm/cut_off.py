"""
An end for connections of blocking clients, whatever comes on them.

The limits of requests and httpx count from the last byte: a peer that sends one now and then, in the
middle of its TLS or its headers, would keep a thread of the pool for days.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer

from attrs import define, field


@define(eq=False)
class CutOff:
    """
    Ends the connections that it was shown when the time is over, and those that it is shown then.

    For one thread, which uses it again and again; the cut comes from another.
    """

    _over: Event = field(factory=Event, init=False)
    _twins: list[socket.socket] = field(factory=list, init=False)

    @property
    def over(self) -> bool:
        """Was the last exchange cut off?  Then its error, or the end of its body, was our doing."""
        return self._over.is_set()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is done inside ends after *seconds*."""
        self._over.clear()
        timer = Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            twins, self._twins = self._twins, []
            for one in twins:
                one.close()

    def watch(self, connection: socket.socket) -> None:
        """
        *connection* is used from now on.

        Kept is a twin of it, for TLS takes the socket over, and another may get its number once it is closed.
        """
        self._twins.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.over:
            self._cut()

    def _cut(self) -> None:
        self._over.set()
        for one in tuple(self._twins):
            with suppress(OSError):  # closed at the other end
                one.shutdown(socket.SHUT_RDWR)
