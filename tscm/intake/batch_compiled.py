"""
The compiled helper as a `Drain`, and its scan over stored lines.

Importing this module fails with `ImportError` where the helper was not built.
"""

import os
import socket
from typing import Any

from tscm.intake import _batch  # type: ignore[attr-defined]
from tscm.intake.batch import MAX_SENDERS, Batch, SenderLines
from tscm.syslog.framing import Lines, Look

_ffi: Any = _batch.ffi
_lib: Any = _batch.lib
_MOST_NS = 16_000_000
"""How long a drain and what its caller does with it may take, for other work to get its turn."""
if "escaped" not in dict(_ffi.typeof("struct group").fields):
    raise ImportError("the compiled UDP helper was built from a different version of its source")


class CompiledDrain:
    """`recvmmsg` and grouping in C; Python sees one chunk per sender."""

    name = "compiled"
    max_messages = 16384
    max_bytes = 4 << 20

    def __init__(self, max_message: int, most_ns: int = _MOST_NS) -> None:
        self._most_ns = most_ns
        made = _lib.batch_new(max_message, MAX_SENDERS)
        if not made:
            raise MemoryError("out of memory for the UDP helper")
        self._batch = _ffi.gc(made, _lib.batch_free)

    def __call__(self, taken: socket.socket, max_messages: int, max_bytes: int) -> Batch:
        """See `Drain`."""
        batch = self._batch
        datagrams = _lib.batch_drain(batch, taken.fileno(), max_messages, max_bytes, self._most_ns)
        error = batch.error
        if error and not datagrams and error not in (socket.EAGAIN, socket.EWOULDBLOCK):
            raise OSError(error, os.strerror(error))
        buffer = _ffi.buffer
        groups = batch.groups
        senders = []
        for index in range(batch.group_count):
            group = groups[index]
            count = group.lines
            if not count:  # there was no memory for its first one
                continue
            lines = Lines(buffer(group.data, group.length)[:], count, bool(group.escaped))
            senders.append(SenderLines(buffer(group.key, group.key_length)[:], lines))
        _lib.batch_release(batch)
        return Batch(senders, datagrams, batch.empty, batch.cut, error == 0, batch.lost)

    def kept_bytes(self) -> int:
        """Memory that the helper holds for lines between two drains."""
        return int(_lib.batch_kept(self._batch))


_longest: Any = _ffi.new("size_t *")
_odd: Any = _ffi.new("int *")


def look_over(chunk: bytes) -> Look:
    """`tscm.syslog.framing.look_over`, a tenth of its cost; for one thread."""
    count = _lib.scan_lines(_ffi.from_buffer(chunk), len(chunk), _longest, _odd)
    return Look(count, _longest[0], bool(_odd[0]))
