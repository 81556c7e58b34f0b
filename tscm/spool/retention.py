"""
What retention takes: decided purely, written down at once, deleted aside.

A segment is first marked in the list as deleted, with the cause; from then on nobody looks for its
text, and readers that had not passed it count it as expired.  Files go in a thread, since
unlinking a large one may block.  Those that a crash leaves behind are swept at the first pass.
"""

from collections.abc import Mapping
from heapq import heappop, heappush
from pathlib import Path

from attrs import define, field, frozen

from tscm.spool.catalogue import Segment
from tscm.spool.cursor import AGE, SIZE, SPACE
from tscm.spool.disk import Disk
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder, index_starts, packing_starts, segment_starts
from tscm.threads import Threads

_DAY = 86400.0
_MB = 1 << 20
_TAKEN_AT_ONCE = 256


@frozen(kw_only=True)
class RetentionRules:
    """
    The bounds of one device's log.
    """

    max_age_days: float
    max_mb: float

    def cause(self, oldest: Segment, kept_bytes: int, now: float) -> int | None:
        """
        Why *oldest* has to go, of a log that keeps *kept_bytes*; None when it may stay.

        A segment without a time (a crash took it) goes by size alone.
        """
        if oldest.gone or kept_bytes > self.max_mb * _MB:
            return SIZE
        if oldest.last_at and now - oldest.last_at > self.max_age_days * _DAY:
            return AGE
        return None


def files_of(folder: LogFolder, start: int) -> list[Path]:
    """Every file that the segment at *start* may have; the text goes last."""
    return [
        folder.packing(start),
        folder.index(start),
        folder.compressed(start),
        folder.segment(start),
    ]


def stale_files(disk: Disk, folder: LogFolder, first_offset: int) -> list[Path]:
    """
    What was deleted by the list and is there all the same.  Blocks; only names that are ours.
    """
    spool = disk.names(folder.spool)
    starts = {
        *segment_starts(disk.names(folder.path)),
        *index_starts(spool),
        *packing_starts(spool),
    }
    return [
        path for start in sorted(starts) if start < first_offset for path in files_of(folder, start)
    ]


def unlink_all(disk: Disk, paths: list[Path]) -> tuple[list[Path], str]:
    """Delete files; gives those that the disk would not delete, and why.  Blocks."""
    left, cause = [], ""
    for path in paths:
        try:
            disk.unlink(path)
        except OSError as error:
            left.append(path)
            cause = error.strerror or str(error)
    return left, cause


@define(eq=False)
class Retention:
    """
    Carries the rules out over all logs.
    """

    _disk: Disk
    _threads: Threads
    _rules: RetentionRules
    _min_free_bytes: int
    fault: str = field(default="", init=False)
    """Why files that should be gone are still there."""
    _doomed: list[Path] = field(factory=list, init=False)
    _changed: dict[str, DeviceLog] = field(factory=dict, init=False)

    async def run(self, root: Path, logs: Mapping[str, DeviceLog], now: float) -> None:
        """One pass; at most some hundred segments, so that the reactor is not held up."""
        for log in list(logs.values()):
            if not log.swept:
                await self._sweep(log)
        left = _TAKEN_AT_ONCE
        for log in list(logs.values()):
            left -= self._by_rules(log, left, now)
        if self._min_free_bytes and logs:
            self._for_space(root, logs, left)
        for log in self._changed.values():
            if log.closed:
                continue
            try:
                log.live.publish_state(clean=False)
            except OSError as error:
                log.trouble(error, "has a state that cannot be written")
        self._changed.clear()
        if self._doomed:
            doomed, self._doomed = self._doomed, []
            failed, self.fault = await self._threads.run(unlink_all, self._disk, doomed)
            self._doomed += failed

    async def _sweep(self, log: DeviceLog) -> None:
        """Once for each log; one whose folder cannot be read must not keep the others waiting."""
        try:
            self._doomed += await self._threads.run(
                stale_files, self._disk, log.live.folder, log.first_offset
            )
        except OSError as error:
            log.trouble(error, "has a folder that cannot be read")
        else:
            log.swept = True

    def _by_rules(self, log: DeviceLog, left: int, now: float) -> int:
        taken = 0
        try:
            while taken < left and (oldest := log.oldest) is not None:
                cause = self._rules.cause(oldest, log.live.end - oldest.start, now)
                if cause is None:
                    break
                self._take(log, cause)
                taken += 1
        except OSError as error:
            log.trouble(error, "has an old segment that cannot be deleted")
        return taken

    def _for_space(self, root: Path, logs: Mapping[str, DeviceLog], left: int) -> None:
        """Below the watermark of free disk, the oldest segments of all devices go first."""
        missing = self._min_free_bytes - self._disk.free_bytes(root)
        if missing <= 0:
            return
        queue: list[tuple[float, str]] = []
        for name, log in logs.items():
            self._queue(queue, name, log)
        while missing > 0 and left > 0 and queue:
            _, name = heappop(queue)
            log = logs[name]
            try:
                if log.oldest is not None:
                    missing -= self._size_on_disk(log.live.folder, log.oldest.start)
                    self._take(log, SPACE)
            except OSError as error:
                log.trouble(error, "has an old segment that cannot be deleted")
                continue
            self._queue(queue, name, log)
            left -= 1

    def _queue(self, queue: list[tuple[float, str]], name: str, log: DeviceLog) -> None:
        try:
            oldest = log.oldest
        except OSError as error:
            log.trouble(error, "has a list of segments that cannot be read")
            return
        if oldest is not None:
            heappush(queue, (oldest.last_at, name))

    def _size_on_disk(self, folder: LogFolder, start: int) -> int:
        return sum(self._disk.size_of(path) or 0 for path in files_of(folder, start))

    def _take(self, log: DeviceLog, cause: int) -> None:
        self._doomed += files_of(log.live.folder, log.take_oldest(cause).start)
        self._changed[log.name] = log
