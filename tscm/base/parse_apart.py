"""
The manager's side of parsing apart: a child process for one input of a stranger.

A limit of memory, of the processor's time, and an end at any moment: a thread can have none of them, and what
it parses at length keeps the interpreter from everybody else.  The child is a program of its own, started
without a copy of the manager's memory; it ends by itself when the manager does (`tscm.base.parse_child`).
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from threading import BoundedSemaphore
from typing import Self

from attrs import define, field

from tscm.base.deadline import CutOff
from tscm.base.parse_child import LENGTH, OUT_OF_MEMORY
from tscm.base.same_version import OTHER_VERSION, child_environment

AT_ONCE = 2
"""Children of the whole process: what strangers can make them take together is twice the limit of one."""
_SLOTS = BoundedSemaphore(AT_ONCE)
_LOOK_SECONDS = 0.2
_GONE_SECONDS = 10.0


class ParseFailed(Exception):
    """
    There is no answer of the child; its text says why.
    """


class OutOfMemory(ParseFailed):
    """
    The input takes more than the limit.
    """


class OutOfTime(ParseFailed):
    """
    It took longer than it may.
    """


class Stopped(ParseFailed):
    """
    The manager stops.
    """


@define(eq=False)
class ParserProcess:
    """
    One child that runs *module*: fed piece by piece, then asked once.  Blocking, for one thread.

    As a context it starts the child, waiting for one of `AT_ONCE`, and ends it.  All of it takes *seconds* at
    most, and is cut off at once by a `Scope` that the thread works in.
    """

    module: str
    arguments: Sequence[str]
    seconds: float
    _cut: CutOff = field(factory=CutOff, init=False)
    _ends: ExitStack = field(factory=ExitStack, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _socket: socket.socket | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        with self._ends:
            self._ends.enter_context(self._cut.within(self.seconds))
            self._take_slot()
            self._ends.callback(_SLOTS.release)
            self._start()
            self._ends = self._ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def feed(self, piece: bytes | bytearray) -> None:
        """Hand *piece* over.  Raises `ParseFailed`."""
        assert self._socket is not None
        try:
            self._socket.sendall(piece)
        except OSError:
            raise self._why() from None

    def answer(self, most: int) -> bytearray:
        """What the child makes of all that it was fed, *most* bytes of it at most.  Raises `ParseFailed`."""
        assert self._socket is not None
        try:
            self._socket.shutdown(socket.SHUT_WR)
            (length,) = LENGTH.unpack(self._read(LENGTH.size))
            if length > most:
                raise OutOfMemory(f"more than {most:,} bytes of it would have to be kept")
            return self._read(length)
        except OSError:
            raise self._why() from None

    def _take_slot(self) -> None:
        while not _SLOTS.acquire(timeout=_LOOK_SECONDS):
            if self._cut.over:
                raise self._cut_off()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._ends.enter_context(ours)
        with theirs:
            self._cut.watch(ours)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", self.module, *self.arguments],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env=child_environment(),
                    cwd="/",  # `-m` looks for modules there first
                )
            except OSError as error:
                raise ParseFailed(f"cannot start a process: {error.strerror}") from None
        self._ends.callback(self._end)
        self._socket = ours

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _read(self, length: int) -> bytearray:
        assert self._socket is not None
        found = bytearray(length)
        rest = memoryview(found)
        while rest:
            count = self._socket.recv_into(rest)
            if not count:
                raise self._why()
            rest = rest[count:]
        return found

    def _cut_off(self) -> ParseFailed:
        return Stopped() if self._cut.stopped else OutOfTime()

    def _why(self) -> ParseFailed:
        """Why the socket has ended."""
        if self._cut.over:
            return self._cut_off()
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GONE_SECONDS)
        match self._process.returncode:
            case status if status == OUT_OF_MEMORY:
                return OutOfMemory()
            case status if status == OTHER_VERSION:
                return ParseFailed(
                    "the installed files are of another version than the manager; restart it "
                    "with `systemctl restart tscm.service`"
                )
            case None:
                return ParseFailed("its process stopped responding")
            case status if status < 0:
                return _killed(-status)
            case status:
                return ParseFailed(f"its process ended with status {status}")


def _killed(number: int) -> ParseFailed:
    if number == signal.SIGXCPU:
        return OutOfTime()
    return ParseFailed(f"its process was terminated by signal {number}")
