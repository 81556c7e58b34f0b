"""
Forcing lines to the disk, in a thread: `fsync` may block for seconds, and nobody waits for it.
"""

import contextlib
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.spool.disk import FOLDER, Disk
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder

_WAITING_MAX = 256

Job = tuple[int, Path | None]
"""A descriptor to sync and close, and the folder whose names changed with it."""


def sync_files(disk: Disk, jobs: list[Job]) -> int:
    """Sync and close each; gives how many the disk refused.  Blocks."""
    refused = 0
    for fd, folder in jobs:
        try:
            disk.fsync(fd)
            if folder is not None:
                names = disk.open(folder, FOLDER)
                try:
                    disk.fsync(names)
                finally:
                    disk.close(names)
        except OSError:
            refused += 1
        finally:
            with contextlib.suppress(OSError):
                disk.close(fd)
    return refused


@define(eq=False)
class Syncer:
    """
    Collects what is to be forced to the disk and has it done, one thread call at a time.
    """

    _log: ClassVar[Logger] = Logger()

    _disk: Disk
    _threads: Threads
    _policy: str
    refused: int = field(default=0, init=False)
    """Files that the disk would not sync, or that were too many to wait for a slow one."""
    _jobs: list[Job] = field(factory=list, init=False)
    _marked: dict[int, LiveLog] = field(factory=dict, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)

    def mark(self, live: LiveLog) -> None:
        """The live text has grown since its last sync."""
        self._marked[id(live)] = live

    def add_sealed(self, fd: int, folder: LogFolder) -> None:
        """Take over the descriptor of a segment that was just sealed."""
        if self._policy == "off" or len(self._jobs) >= _WAITING_MAX:
            self.refused += self._policy != "off"
            with contextlib.suppress(OSError):
                self._disk.close(fd)
            return
        self._jobs.append((fd, folder.path))
        if self._policy == "seal" and self._running is None:
            self._start()

    def add_open(self, live: LiveLog) -> None:
        """Sync a live text that is about to be closed."""
        self._marked.pop(id(live), None)
        if live.fd >= 0 and len(self._jobs) < _WAITING_MAX:
            with contextlib.suppress(OSError):
                self._jobs.append((self._disk.duplicate(live.fd), None))

    def run(self) -> Deferred[None]:
        """Sync all that waits; fires when it is done."""
        marked, self._marked = self._marked, {}
        for live in marked.values():
            self.add_open(live)
        if self._running is None and self._jobs:
            self._start()
        return self._wait()

    def finish(self) -> Deferred[None]:
        """Fires when nothing waits any more."""
        return self.run().addCallback(lambda _: self.finish() if self._jobs else None)

    def _wait(self) -> Deferred[None]:
        running = self._running
        if running is None:
            return succeed(None)
        done: Deferred[None] = Deferred()
        running.addBoth(lambda _: done.callback(None))
        return done

    def _start(self) -> None:
        jobs, self._jobs = self._jobs, []
        running: Deferred[None] = Deferred()
        self._running = running
        self._threads.run(sync_files, self._disk, jobs).addBoth(self._ended)

    def _ended(self, result: int | Failure) -> None:
        running, self._running = self._running, None
        if isinstance(result, Failure):
            self._log.failure("log sync failed", result)
        elif result:
            self.refused += result
            self._log.error("{count} files of logs could not be synced", count=result)
        if self._policy == "seal" and self._jobs:
            self._start()
        if running is not None:
            running.callback(None)
