"""
Progress of something long: one live line on a terminal, plain lines elsewhere.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from attrs import define, field

from tscm.cli import say
from tscm.cli.progress_text import told
from tscm.model import Progress, Report
from tscm.operations.job_figures import JobFigures

_STALE_SECONDS = 2.0


@contextmanager
def shown_progress(*, aside: bool = False, lasting: bool = True) -> Iterator[Report]:
    """
    A `Report` for the time of a command; *aside* keeps the standard output free for data.

    Where it cannot be written it says nothing: what it reports goes on.

    On a terminal each phase leaves its last line behind, unless *lasting* is no: then the line
    that moves goes when nothing has moved for a while, and leaves no trace.
    """
    stream = sys.stderr if aside else sys.stdout
    if not stream.isatty():
        yield PlainProgress(aside=aside)
        return
    from tscm.cli.live import LiveProgress

    live = LiveProgress(stream, None if lasting else _STALE_SECONDS)
    with live.display:
        yield live
    if lasting:
        for progress in live.phases.values():
            say.info(told(progress), aside=aside)


def waits_told(*, aside: bool = False) -> Callable[[JobFigures], None]:
    """
    Says once for what a call waits, so that the wait is not taken for a fault.
    """
    said: set[str] = set()

    def told_of(job: JobFigures) -> None:
        cause = job.waits_for
        if cause and cause not in said:
            said.add(cause)
            with suppress(OSError, ValueError):
                say.info(f"Waiting: {cause}", aside=aside)

    return told_of


@define(eq=False)
class PlainProgress:
    """
    A line for each new step; of a counted one only the start and the end.
    """

    aside: bool = False
    _last: str = field(default="", init=False)
    _lock: Any = field(factory=threading.Lock, init=False)

    def __call__(self, progress: Progress) -> None:
        """Show *progress*; from any thread."""
        with self._lock:
            step = f"{progress.phase} {progress.text}"
            ended = progress.done is not None and progress.done == progress.total
            if step == self._last and not ended:
                return
            self._last = step
            with suppress(OSError, ValueError):  # the reader is gone, or the disk is full
                say.info(told(progress), aside=self.aside)
