"""
Streams that can be lost without harm: once an operation that changes something has begun, output that
cannot be written is given up, and the operation comes to its end.
"""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class Losable:
    """
    A stream of text.  After `outlast` an error of writing is kept as *lost*, and what is written goes nowhere.
    """

    def __init__(self, stream: TextIO) -> None:  # without attrs: every start would pay for it
        self.stream = stream
        self.lost: OSError | None = None
        self._outlasted = False

    def outlast(self) -> None:
        """From now on nothing ends because this cannot be written."""
        self._outlasted = True

    def write(self, text: str) -> int:
        """As of a file."""
        with self._kept():
            self.stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """As of a file."""
        with self._kept():
            self.stream.writelines(lines)

    def flush(self) -> None:
        """As of a file."""
        with self._kept():
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._outlasted:
                raise
            self.lost = self.lost or error
            lead_nowhere(self.stream)  # what is buffered still would fail again, also at the end


_LOSABLE: list[Losable] = []
"""Those of this run.  A live display puts its own in the place of `sys.stdout` meanwhile."""


def lead_nowhere(stream: TextIO) -> None:
    """Let what is written to *stream* go nowhere; a stream without a file of the system is left as it is."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextmanager
def losable_streams() -> Iterator[Losable]:
    """Standard output and error that `outlast` works on; gives the output, and puts both back as they were."""
    streams = sys.stdout, sys.stderr
    out, err = map(Losable, streams)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    _LOSABLE[:] = out, err
    try:
        yield out
    finally:
        _LOSABLE.clear()
        sys.stdout, sys.stderr = streams


def outlast() -> None:
    """From now on nothing ends because standard output or error cannot be written."""
    for stream in _LOSABLE:
        stream.outlast()


def is_full(error: OSError | None) -> bool:
    """Was output lost that a reader waits for?  Who closed a pipe does not."""
    return error is not None and error.errno != errno.EPIPE
