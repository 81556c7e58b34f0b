"""
The child's side of parsing apart: limits first, then one input, one answer, and the end.

Nothing is imported here that the child would have to wait for.
"""

import fcntl
import os
import resource
import select
import signal
import struct
import sys
from collections.abc import Callable

from tscm.base.memory_bound import bound_memory
from tscm.base.same_version import OTHER_VERSION, other_version
from tscm.base.stray_signals import ignore_in_child

OUT_OF_MEMORY = 3
"""The exit status that says so."""
LENGTH = struct.Struct("!Q")
"""Stands before the answer."""
_PIECE = 1 << 16
_SOCKET = 0


def begin(memory_bytes: int, processor_seconds: int | None = None) -> None:
    """
    Make this process one that parses: *memory_bytes* more than it has, so much of the processor, and no core.

    Ends it with `OTHER_VERSION` where its parent is of another version.
    """
    refusal = other_version()
    if refusal is not None:
        sys.stderr.write(refusal)
        sys.stderr.flush()
        os._exit(OTHER_VERSION)
    ignore_in_child()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold what a stranger sent
    if processor_seconds is not None:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # that is how it ends
        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 1))
    bound_memory(memory_bytes)


def answer_once(answer: Callable[[bytearray], bytes]) -> None:
    """
    Read the socket that is standard input to its end, and write what *answer* makes of it.

    Ends the process with `OUT_OF_MEMORY` where its limit does not suffice.
    """
    try:
        content = _read_all()
        _end_with_parent()
        found = answer(content)
        _set_async(on=False)  # room for more to write would be a SIGIO too
        _write_all(found)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _read_all() -> bytearray:
    content = bytearray()
    while piece := os.read(_SOCKET, _PIECE):
        content += piece
    return content


def _end_with_parent() -> None:
    """
    Have the kernel end this process when the other end of the socket is closed, by kill -9 of the manager too.

    By SIGIO (fcntl(2), `O_ASYNC`), whose default is to end the process: a signal for the parent's death
    (prctl(2)) would already come when the thread that started this process ends.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(_SOCKET, fcntl.F_SETOWN, os.getpid())
    _set_async(on=True)
    look = select.poll()
    look.register(_SOCKET, select.POLLHUP)
    if look.poll(0):  # it was closed before the kernel was asked
        os._exit(1)


def _set_async(*, on: bool) -> None:
    flags = fcntl.fcntl(_SOCKET, fcntl.F_GETFL)
    fcntl.fcntl(_SOCKET, fcntl.F_SETFL, flags | os.O_ASYNC if on else flags & ~os.O_ASYNC)


def _write_all(answer: bytes) -> None:
    for piece in (LENGTH.pack(len(answer)), answer):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(_SOCKET, rest) :]
