"""
Erasing lines of a whole log, segment by segment: beside a manager that goes on, or of a log that no process has open.
"""

from collections.abc import Callable
from pathlib import Path

from attrs import define, frozen

from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.spool.disk import Disk
from tscm.spool.erasing import Rewritten, kept_aside, replace, rewrite, sealed, sync_folder
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder
from tscm.spool.recovery import open_log
from tscm.syslog.mentions import Mentions

Report = Callable[[int, int], None]
"""Called with the segments that are done, and those that there are."""


@frozen(kw_only=True)
class Erased:
    """
    Lines that were erased, in how many segments; *missing* tells what could not be looked at, *aside* files that were not.
    """

    lines: int = 0
    segments: int = 0
    missing: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


@define(eq=False)
class NotSealed(TscmError):
    """
    The newest lines of a log cannot be erased now: its live segment cannot be rotated.
    """

    device: str
    cause: str

    def __str__(self) -> str:
        return f"no line of {self.device} is erased: its log cannot be rotated ({self.cause}); try again later"


@define(eq=False)
class _Work:
    """What is done of one log."""

    log: DeviceLog
    lines: int = 0
    segments: int = 0
    missing: tuple[str, ...] = ()

    def take(self, made: Rewritten | None) -> None:
        """Put a segment into its place.  Raises `OSError`."""
        if made is None:
            return
        lines = replace(self.log, made)
        self.lines += lines
        self.segments += lines > 0

    def miss(self, start: int, error: OSError) -> None:
        """A segment that could not be read or written."""
        cause = error.strerror or str(error)
        self.missing += (f"segment {start} of {self.log.name}: {cause}",)

    def ended(self) -> Erased:
        """What came of it."""
        live = self.log.live
        if self.log.closed:
            self.missing += (f"{self.log.name}: its log was closed meanwhile",)
        return Erased(
            lines=self.lines,
            segments=self.segments,
            missing=self.missing,
            aside=kept_aside(live.disk, live.folder),
        )


async def erase_open(threads: Threads, log: DeviceLog, about: Mentions, report: Report) -> Erased:
    """
    Erase the lines *about* something in the sealed segments of an open log; texts are read and written in a thread.

    Nothing may compress segments meanwhile.  Raises `OSError` where the list of segments cannot be read.
    """
    live, work = log.live, _Work(log)
    segments = sealed(log)
    for done, one in enumerate(segments):
        report(done, len(segments))
        if log.closed:
            break
        try:
            work.take(await threads.run(rewrite, live.disk, live.folder, one, about))
        except OSError as error:
            work.miss(one.start, error)
    if work.segments:
        await threads.run(sync_folder, live.disk, live.folder)
    return work.ended()


def erase_closed(disk: Disk, logs: Path, name: str, about: Mentions, now: float) -> Erased:
    """
    The same of a log that no process has open; its live segment is sealed first.  Blocks.  Raises `OSError`.
    """
    folder = LogFolder(logs / name)
    live = open_log(disk, folder, now)
    log = DeviceLog(name, live)
    try:
        if live.end > live.base:
            disk.close(live.seal())
        work = _Work(log)
        for one in sealed(log):
            try:
                work.take(rewrite(disk, folder, one, about))
            except OSError as error:
                work.miss(one.start, error)
        if work.segments:
            sync_folder(disk, folder)
        return work.ended()
    finally:
        log.close(clean=True)
