"""
An end for connections of blocking clients, whatever comes on them.

The limits of requests and httpx count from the last byte: a peer that sends one now and then, in the
middle of its TLS or its headers, would keep a thread of the pool for days.  And a thread cannot be
stopped from outside: what ends at once when the manager stops is the connection that it waits for.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Lock, RLock, Timer
from typing import ParamSpec, TypeVar

from attrs import define, field

P = ParamSpec("P")
T = TypeVar("T")


@define(eq=False)
class Scope:
    """
    Ends, from any thread, the exchanges of all calls that run in it, now and later.

    `hurry` ends those that lose nothing by it: what fetches, looks or can be sent again.  `cut` ends the
    patient ones too, such as a write to a firewall.
    """

    _lock: Lock = field(factory=Lock, init=False)
    _open: "set[CutOff]" = field(factory=set, init=False)
    _hurried: bool = field(default=False, init=False)
    _over: bool = field(default=False, init=False)

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call inside; scopes lie one in another, and each of them ends what is innermost."""
        token = _SCOPES.set((*_SCOPES.get(), self))
        try:
            return call(*args, **kwargs)
        finally:
            _SCOPES.reset(token)

    def hurry(self) -> None:
        """End every exchange that is not patient."""
        with self._lock:
            self._hurried = True
            found = [one for one in self._open if not one.patient]
        for one in found:
            one.stop()

    def cut(self) -> None:
        """End every exchange."""
        with self._lock:
            self._hurried = self._over = True
            found = list(self._open)
        for one in found:
            one.stop()

    def take(self, one: "CutOff") -> None:
        """An exchange begins."""
        with self._lock:
            self._open.add(one)
            late = self._over or (self._hurried and not one.patient)
        if late:
            one.stop()

    def leave(self, one: "CutOff") -> None:
        """It has ended."""
        with self._lock:
            self._open.discard(one)


_SCOPES: ContextVar[tuple[Scope, ...]] = ContextVar("scopes", default=())


@define(eq=False)
class CutOff:
    """
    Ends the connections that it was shown when the time is over, and those that it is shown then.

    For one thread, which uses it again and again; the cut comes from another, or from a `Scope` that the
    thread works in.  A *patient* one is given time by a scope before it is cut.
    """

    patient: bool = False
    _over: Event = field(factory=Event, init=False)
    _stopped: bool = field(default=False, init=False)
    _lock: RLock = field(factory=RLock, init=False)
    _twins: list[socket.socket] = field(factory=list, init=False)

    @property
    def over(self) -> bool:
        """Was the last exchange cut off?  Then its error, or the end of its body, was our doing."""
        return self._over.is_set()

    @property
    def stopped(self) -> bool:
        """Was it cut off because its scope ends, and not because its time was over?"""
        return self._stopped

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is done inside ends after *seconds*."""
        self._over.clear()
        self._stopped = False
        timer = Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        scopes = _SCOPES.get()
        for scope in scopes:
            scope.take(self)
        try:
            yield
        finally:
            for scope in scopes:
                scope.leave(self)
            timer.cancel()
            timer.join()
            with self._lock:
                twins, self._twins = self._twins, []
                for one in twins:
                    one.close()

    def watch(self, connection: socket.socket) -> None:
        """
        *connection* is used from now on.

        Kept is a twin of it, for TLS takes the socket over, and another may get its number once it is closed.
        """
        with self._lock:
            self._twins.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.over:
            self._cut()

    def connect(self, host: str, port: int, seconds: float | None) -> socket.socket:
        """
        A TCP connection, watched from before it stands; *seconds* for each address.  Raises `OSError`.

        The look-up of a name alone has no limit but the system's resolver's.
        """
        fault: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _name, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            if self.over:
                break
            one = socket.socket(family, kind, protocol)
            try:
                one.settimeout(seconds)
                self.watch(one)
                one.connect(address)
                if not self.over:
                    return one
            except OSError as error:
                fault = error
            one.close()
        raise TimeoutError("the time limit has passed") if self.over else fault

    def stop(self) -> None:
        """End what goes on, from any thread."""
        self._stopped = True
        self._cut()

    def _cut(self) -> None:
        self._over.set()
        with self._lock:
            for one in self._twins:
                with suppress(OSError):  # closed at the other end, or not connected yet
                    one.shutdown(socket.SHUT_RDWR)
