"""
Progress of something long: one live line on a terminal, plain lines elsewhere.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from tscm.cli import say
from tscm.model import Progress, Report


@contextmanager
def shown_progress(*, aside: bool = False) -> Iterator[Report]:
    """
    A `Report` for the time of a command; *aside* keeps the standard output free for data.
    """
    stream = sys.stderr if aside else sys.stdout
    if not stream.isatty():
        yield PlainProgress(aside=aside)
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Display

    console = Console(file=stream, highlight=False, markup=False)
    with Display(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[count]}", markup=False),
        console=console,
        transient=True,
    ) as display:
        live = LiveProgress(display, display.add_task("…", total=None, count=""))
        yield live
    live.close(aside=aside)


def told(progress: Progress) -> str:
    """One step as a line."""
    return f"{progress.phase}: {progress.text}{_count(progress)}"


def _count(progress: Progress) -> str:
    if progress.done is None:
        return ""
    if progress.total is None:
        return f" ({progress.done:,})"
    return f" ({progress.done:,} of {progress.total:,})"


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
            say.info(told(progress), aside=self.aside)


@define(eq=False)
class LiveProgress:
    """
    The last step on a line that moves; each phase leaves a line behind when it is over.
    """

    _display: Any
    _task: Any
    _phases: dict[str, Progress] = field(factory=dict, init=False)
    _lock: Any = field(factory=threading.Lock, init=False)

    def __call__(self, progress: Progress) -> None:
        """Show *progress*; from any thread."""
        with self._lock:
            self._phases[progress.phase] = progress
            self._display.update(
                self._task,
                description=say.visible(f"{progress.phase}: {progress.text}"),
                completed=progress.done or 0,
                total=progress.total,
                count=_count(progress).strip(" ()"),
            )

    def close(self, *, aside: bool) -> None:
        """Leave a line for each phase."""
        for progress in self._phases.values():
            say.info(told(progress), aside=aside)
