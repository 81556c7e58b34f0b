"""
Streams that can be lost without harm: once an operation that changes something has begun, output that
cannot be written is given up, and the operation comes to its end.
"""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast

from attrs import define, field

from tscm.faces.backend import Backend, Told, silent
from tscm.model import Report
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation

Args = TypeVar("Args")
Answer = TypeVar("Answer")


@define(eq=False)
class Losable:
    """
    A stream of text.  After `outlast` an error of writing is kept as *lost*, and what is written goes nowhere.
    """

    stream: TextIO
    lost: OSError | None = field(default=None, init=False)
    _outlasted: bool = field(default=False, init=False)

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
    """Was output lost that somebody waits for?  Who closed a pipe does not."""
    return error is not None and error.errno != errno.EPIPE


@define(eq=False)
class OutlastingBackend:
    """
    A `Backend` whose operations come to their end, and tell it by the exit status, whether or not anybody reads.
    """

    _backend: Backend
    running: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.running = self._backend.running

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """See `Backend`."""
        if operation.changes:
            outlast()
        return self._backend.call(operation, args, report, told)

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """See `Backend`."""
        if operation.changes:
            outlast()
        return self._backend.detach(operation, args)
