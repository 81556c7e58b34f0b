"""
Logs that are being opened in threads, since much of them has to be read.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.errors import LogOpening
from tscm.model import Run
from tscm.spool.disk import Disk
from tscm.spool.early import adopt, clear, open_early
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder
from tscm.spool.recovery import open_log

_AGAIN_SECONDS = 60.0


@define(eq=False)
class Opening:
    """
    One log on its way: *early* takes its lines, *before* of which an earlier start had taken.
    """

    folder: LogFolder
    most_unknown: int
    size: int
    early: LiveLog
    before: int
    over: bool = False
    fault: OSError | None = None
    again_at: float = 0.0


Opened = Callable[[str, LiveLog, int, int], None]
"""Told the log's name, the open log, its lines without the early ones of this process, and a sealed text or -1."""


@define(eq=False)
class Openings:
    """
    All of them; *share* has an early log share descriptors with the others, and *opened* is told of each log that is open.
    """

    _log: ClassVar[Logger] = Logger()

    _disk: Disk
    _threads: Threads
    _clock: IReactorTime
    _share: Callable[[LiveLog], None]
    _opened: Opened
    _all: dict[str, Opening] = field(factory=dict, init=False)

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def begin(self, name: str, folder: LogFolder, most_unknown: int) -> None:
        """Open a log in a thread, and take its lines until it is open.  Raises `OSError`."""
        early = open_early(self._disk, folder, wall_seconds(self._clock))
        self._share(early)
        size = self._disk.size_of(folder.live) or 0
        self._all[name] = Opening(folder, most_unknown, size, early, early.lines)
        self._log.info("{sentence}", sentence=str(LogOpening(name, size)))
        self._start(name, self._all[name])

    def look(self, name: str) -> None:
        """
        Raise why a log is not open yet: `LogOpening`, or the `OSError` that broke its opening off, which is tried
        again after a minute.
        """
        one = self._all[name]
        if one.fault is not None:
            if self._clock.seconds() < one.again_at:
                raise one.fault
            one.fault = None
            self._start(name, one)
        raise LogOpening(name, one.size)

    def _start(self, name: str, one: Opening) -> None:
        self._threads.run(
            open_log, self._disk, one.folder, wall_seconds(self._clock), one.most_unknown
        ).addBoth(self._ended, name, one).addErrback(self._broke, name)

    def _ended(self, result: LiveLog | Failure, name: str, one: Opening) -> None:
        if isinstance(result, Failure):
            error = result.value
            result.trap(OSError)
            assert isinstance(error, OSError)
            self._failed(one, error)
            return
        if one.over:
            result.close(clean=True)
            return
        early, lines = one.early, one.early.lines
        try:
            sealed = adopt(result, early)
        except OSError as error:
            result.close(clean=True)
            self._failed(one, error)
            return
        del self._all[name]
        early.release()
        clear(self._disk, one.folder)
        self._opened(name, result, result.lines - (lines - one.before), sealed)

    def _failed(self, one: Opening, error: OSError) -> None:
        one.fault, one.again_at = error, self._clock.seconds() + _AGAIN_SECONDS

    def _broke(self, failure: Failure, name: str) -> None:
        self._log.failure("the log of {device} cannot be opened", failure, device=name)

    def append(self, name: str, runs: Sequence[Run], received_at: float) -> bool | None:
        """Store lines that are early; None where no such log is being opened."""
        one = self._all.get(name)
        return None if one is None else one.early.append(runs, received_at)

    def live(self) -> list[LiveLog]:
        """The early logs, for their upkeep."""
        return [one.early for one in self._all.values()]

    def lines(self) -> dict[str, int]:
        """Early lines of this process, by log."""
        return {name: one.early.lines - one.before for name, one in self._all.items()}

    def leave(self, name: str) -> None:
        """The log is not wanted any more: its early lines are put behind it at the next opening."""
        one = self._all.pop(name, None)
        if one is not None:
            one.over = True
            one.early.close(clean=True)
