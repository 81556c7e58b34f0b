"""
The line that moves while something long goes on, by rich.
"""

import threading
import time
from collections.abc import Iterable
from typing import Any, TextIO

from attrs import define, field
from rich.console import Console, RenderableType
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Display

from tscm.cli.progress_text import counted
from tscm.model import Progress
from tscm.printable import visible


class FadingDisplay(Display):
    """
    A display that shows nothing before the first report, and nothing *stale* seconds after the last.
    """

    stale: float | None = None
    moved_at: float | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is on the screen now."""
        if self.moved_at is None:
            return ()
        if self.stale is not None and time.monotonic() - self.moved_at > self.stale:
            return ()
        return super().get_renderables()


@define(eq=False)
class LiveProgress:
    """
    A `Report` that shows the last step, and remembers the last of each phase.
    """

    _stream: TextIO
    _stale: float | None
    display: FadingDisplay = field(init=False)
    phases: dict[str, Progress] = field(factory=dict, init=False)
    _task: Any = field(init=False)
    _lock: Any = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self.display = FadingDisplay(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}", markup=False),
            console=Console(file=self._stream, highlight=False, markup=False, emoji=False),
            transient=True,
        )
        self.display.stale = self._stale
        self._task = self.display.add_task("", total=None, count="")

    def __call__(self, progress: Progress) -> None:
        """Show *progress*; from any thread."""
        with self._lock:
            self.phases[progress.phase] = progress
            self.display.moved_at = time.monotonic()
            self.display.update(
                self._task,
                description=visible(f"{progress.phase}: {progress.text}"),
                completed=progress.done or 0,
                total=progress.total,
                count=counted(progress).strip(" ()"),
            )
