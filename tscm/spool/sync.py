"""
Forcing lines to the disk, in a thread: `fsync` may block for seconds, and no caller waits for it.
"""

import contextlib
from collections.abc import Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, NamedTuple

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.spool.disk import FOLDER, Disk
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder

_WAITING_MOST = 256
_TOGETHER = 64
"""With more logs that have grown, each volume is synced as a whole: one commit of its journal, not one a file."""


class Job(NamedTuple):
    """
    A descriptor to sync and close, the folder whose names changed with it, and whether all of its volume is meant.
    """

    fd: int
    folder: Path | None = None
    volume: bool = False


def sync_files(disk: Disk, jobs: Sequence[Job]) -> int:
    """Sync and close each; gives how many the disk refused.  Blocks."""
    refused = 0
    done: set[int] = set()
    many = len(jobs) > _TOGETHER and disk.syncs_volumes
    for fd, folder, volume in sorted(jobs, key=attrgetter("volume"), reverse=True):
        try:
            if (volume or many) and (number := disk.volume_of(fd)) not in done:
                disk.sync_volume(fd)
                done.add(number)
            elif not done or disk.volume_of(fd) not in done:
                disk.fsync(fd)
                if folder is not None:
                    _sync_folder(disk, folder)
        except OSError:
            refused += 1
        finally:
            with contextlib.suppress(OSError):
                disk.close(fd)
    return refused


def _sync_folder(disk: Disk, folder: Path) -> None:
    names = disk.open(folder, FOLDER)
    try:
        disk.fsync(names)
    finally:
        disk.close(names)


@define(eq=False)
class Syncer:
    """
    Collects what is to be forced to the disk and has it done, one thread call at a time.
    """

    _log: ClassVar[Logger] = Logger()

    _disk: Disk
    _threads: Threads
    _policy: str
    waiting_most: int = field(default=_WAITING_MOST, init=False)
    """So many descriptors are kept at most for files that wait."""
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
        if self._policy == "off" or len(self._jobs) >= self.waiting_most:
            if self._policy != "off":
                self._add_with_volume(fd)
            with contextlib.suppress(OSError):
                self._disk.close(fd)
            return
        self._jobs.append(Job(fd, folder.path))
        if self._policy == "seal" and self._running is None:
            self._start()

    def add_open(self, live: LiveLog) -> None:
        """Sync a live text that is about to be closed."""
        self._marked.pop(id(live), None)
        try:
            if live.fd >= 0 and len(self._jobs) >= self.waiting_most:
                self._add_with_volume(live.fd)
            elif live.fd >= 0:
                self._jobs.append(Job(self._disk.duplicate(live.fd)))
        except OSError:  # no descriptor is left: it is unknown whether its end is on the disk
            self.refused += 1

    def run(self) -> Deferred[None]:
        """Sync all that waits; fires when it is done."""
        refused = self.refused
        if len(self._marked) > min(_TOGETHER, self.waiting_most) and self._disk.syncs_volumes:
            self._add_volumes()
        room = self.waiting_most - len(
            self._jobs
        )  # of a slow disk; those that find none stay marked
        for live in list(islice(self._marked.values(), max(0, room))):
            self.add_open(live)
        if self.refused > refused:
            self._log.error(
                "{count} files of logs could not be synced: no file descriptor is left; raise the limit "
                "(LimitNOFILE in the unit)",
                count=self.refused - refused,
            )
        if self._running is None and self._jobs:
            self._start()
        return self._wait()

    def _add_with_volume(self, fd: int) -> None:
        """Have a file synced for which no more descriptor is kept: with all of its volume, where that can be."""
        try:
            volume = self._disk.volume_of(fd)
            if not self._disk.syncs_volumes:
                self.refused += 1
            elif not any(
                job.volume and self._disk.volume_of(job.fd) == volume for job in self._jobs
            ):
                self._jobs.append(Job(self._disk.duplicate(fd), volume=True))
        except OSError:
            self.refused += 1

    def _add_volumes(self) -> None:
        """One descriptor of each volume on which logs have grown, in the place of one of each log."""
        known = {self._disk.volume_of(job.fd) for job in self._jobs if job.volume}
        marked, self._marked = self._marked, {}
        for live in marked.values():
            try:
                if live.fd < 0:
                    continue
                volume = self._disk.volume_of(live.fd)
                if volume not in known:
                    self._jobs.append(Job(self._disk.duplicate(live.fd), volume=True))
                    known.add(volume)
            except OSError:
                self.refused += 1

    def finish(self) -> Deferred[None]:
        """Fires when nothing waits any more."""
        return self.run().addCallback(
            lambda _: self.finish() if self._jobs or self._marked else None
        )

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
