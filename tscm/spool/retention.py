"""
What retention takes: decided purely, written down at once, deleted aside.

A segment is first marked in the list as deleted, with the cause; from then on no reader looks for its
text, and readers that had not passed it count it as expired.  Files go in a thread, since
unlinking a large one may block.  Those that a crash leaves behind are swept at the first pass.

A pass has no number of segments at which it ends: lines that come faster than old ones go fill
the disk.  It works in slices of a few milliseconds with the deletion of files between them, and
one that has not ended after some seconds is followed by the next at once.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from pathlib import Path

from attrs import define, field, frozen

from tscm.base.clock import Clock
from tscm.base.schedule import SLICE_SECONDS
from tscm.base.threads import Threads
from tscm.settings.node import SpoolBounds
from tscm.spool.catalogue import Segment
from tscm.spool.cursor import AGE, SIZE, SPACE
from tscm.spool.disk import Disk
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder, index_starts, packing_starts, segment_starts

_DAY = 86400.0
_MB = 1 << 20
_PASS_SECONDS = 5.0
_SLICE_SEGMENTS = 128
_SEGMENT_FILES = 2  # the text and its index
_LEAST_FILES = 1024

Doomed = tuple[LogFolder, int]
"""A segment that is marked as deleted and whose files are still there."""


@frozen(kw_only=True)
class RetentionRules:
    """
    The bounds of one device's log, and of the disk under all of them.
    """

    max_age_days: float
    max_mb: float
    min_free_mb: int = 0

    @classmethod
    def of(cls, bounds: SpoolBounds) -> "RetentionRules":
        """What the settings say."""
        return cls(
            max_age_days=bounds.max_age_days,
            max_mb=bounds.max_mb_per_device,
            min_free_mb=bounds.min_free_mb,
        )

    def cause(self, oldest: Segment, kept_bytes: int, now: float) -> int | None:
        """
        Why *oldest* has to go, of a log that keeps *kept_bytes*; None when it may stay.

        A segment without a time (a crash took it) goes by size alone.
        """
        if oldest.gone or self.is_over(kept_bytes):
            return SIZE
        if oldest.last_at and now - oldest.last_at > self.max_age_days * _DAY:
            return AGE
        return None

    def is_over(self, kept_bytes: int) -> bool:
        """Whether a log keeps more than it may."""
        return kept_bytes > self.max_mb * _MB

    def missing(self, free_bytes: int, free_files: int, all_files: int) -> "Missing":
        """
        How much has to be freed on a disk with so much room.

        A disk that has no more inodes takes no file, whatever is free on it: 1,024 of them are kept
        free, and a tenth where it has only a few.  A file system without a fixed number of them
        tells 0.
        """
        files = min(_LEAST_FILES, all_files // 10) - free_files if all_files else 0
        return Missing(self.min_free_mb * _MB - free_bytes, files)


@frozen
class Missing:
    """
    What the disk lacks; numbers up to 0 say that nothing is missing.
    """

    size: int
    files: int

    def __bool__(self) -> bool:
        """Whether anything has to go."""
        return self.size > 0 or self.files > 0

    def without(self, size: int) -> "Missing":
        """What is missing once a segment of *size* bytes on the disk is gone."""
        return Missing(self.size - size, self.files - _SEGMENT_FILES)


def files_of(folder: LogFolder, start: int) -> list[Path]:
    """Every file that the segment at *start* may have; the text goes last."""
    return [
        folder.packing(start),
        folder.index(start),
        folder.compressed(start),
        folder.segment(start),
    ]


def stale_segments(disk: Disk, folder: LogFolder, first_offset: int) -> list[Doomed]:
    """
    What was deleted by the list and is there all the same.  Blocks; only names that are ours.
    """
    spool = disk.names(folder.spool)
    starts = {
        *segment_starts(disk.names(folder.path)),
        *index_starts(spool),
        *packing_starts(spool),
    }
    return [(folder, start) for start in sorted(starts) if start < first_offset]


def unlink_all(disk: Disk, doomed: list[Doomed]) -> tuple[list[Doomed], str]:
    """Delete files; gives the segments that the disk would not delete, and why.  Blocks."""
    left, cause = [], ""
    for folder, start in doomed:
        try:
            for path in files_of(folder, start):
                disk.unlink(path)
        except OSError as error:
            left.append((folder, start))
            cause = error.strerror or str(error)
    return left, cause


@define(eq=False)
class Retention:
    """
    Carries the rules out over all logs.
    """

    _disk: Disk
    _threads: Threads
    _clock: Clock
    rules: RetentionRules
    fault: str = field(default="", init=False)
    """Why files that should be gone are still there."""
    _doomed: list[Doomed] = field(factory=list, init=False)
    _changed: dict[str, DeviceLog] = field(factory=dict, init=False)

    def over(self, log: DeviceLog) -> bool:
        """
        Whether *log* is larger than it may be; touches the disk rarely.  Age has time for a minute.
        """
        try:
            oldest = log.oldest
        except OSError:  # the next pass meets it too, and tells
            return False
        return oldest is not None and self.rules.is_over(log.live.end - oldest.start)

    def lacks_room(self, root: Path) -> bool:
        """Whether the disk under *root* has less room than is to be kept free."""
        try:
            return bool(self._missing(root))
        except OSError:
            return False

    async def run(self, root: Path, logs: Mapping[str, DeviceLog], now: float) -> bool:
        """
        One pass; True when its time was over before all was within the bounds.
        """
        until = self._clock.seconds() + _PASS_SECONDS
        for taking in (self._by_rules(logs, now), self._for_space(root, logs)):
            while self._slice(taking):
                await self._delete()
                if self._clock.seconds() >= until:
                    return True
            await self._delete()
        for log in list(logs.values()):
            if not log.swept and not log.closed:
                await self._sweep(log)
        await self._delete()
        return False

    def _slice(self, taking: Iterator[DeviceLog | None]) -> bool:
        """
        Mark as many as a moment allows, and move readers past them; whether there may be more.

        Nothing else runs meanwhile, so that no reader sees a log between the two.
        """
        until = self._clock.seconds() + SLICE_SECONDS
        left = _SLICE_SEGMENTS
        touched: dict[str, DeviceLog] = {}
        for log in taking:
            if log is not None:
                touched[log.name] = log
                left -= 1
            if not left or self._clock.seconds() >= until:
                break
        else:
            left = -1
        for log in touched.values():
            try:
                log.pass_readers()
                log.live.catalogue.forget_deleted()
            except OSError as error:
                log.trouble(error, "has a position or a list that cannot be written")
        self._changed.update(touched)
        return left >= 0

    def _by_rules(self, logs: Mapping[str, DeviceLog], now: float) -> Iterator[DeviceLog | None]:
        """Mark what is too old, or too much; gives the log of each, and None behind each log."""
        for log in list(logs.values()):
            try:
                while not log.closed and (oldest := log.oldest) is not None:
                    cause = self.rules.cause(oldest, log.live.end - oldest.start, now)
                    if cause is None:
                        break
                    yield self._take(log, cause)
            except OSError as error:
                log.trouble(error, "has an old segment that cannot be deleted")
            yield None

    def _for_space(self, root: Path, logs: Mapping[str, DeviceLog]) -> Iterator[DeviceLog | None]:
        """While the disk lacks room, mark the oldest segments of all devices; gives the log of each."""
        missing = self._missing(root) if logs else Missing(0, 0)
        if not missing:
            return
        queue: list[tuple[float, str]] = []
        for name, log in list(logs.items()):
            self._queue(queue, name, log)
        while missing and queue:
            log = logs[heappop(queue)[1]]
            try:
                oldest = log.oldest
                if oldest is None:
                    continue
                size = self._size_on_disk(log.live.folder, oldest.start)
                yield self._take(log, SPACE)
            except OSError as error:
                log.trouble(error, "has an old segment that cannot be deleted")
                continue
            missing = missing.without(size)
            self._queue(queue, log.name, log)

    def _missing(self, root: Path) -> Missing:
        if not self.rules.min_free_mb:
            return Missing(0, 0)
        return self.rules.missing(self._disk.free_bytes(root), *self._disk.free_files(root))

    def _queue(self, queue: list[tuple[float, str]], name: str, log: DeviceLog) -> None:
        try:
            oldest = None if log.closed else log.oldest
        except OSError as error:
            log.trouble(error, "has a list of segments that cannot be read")
            return
        if oldest is not None:
            heappush(queue, (oldest.last_at, name))

    def _size_on_disk(self, folder: LogFolder, start: int) -> int:
        return sum(self._disk.size_of(path) or 0 for path in files_of(folder, start))

    def _take(self, log: DeviceLog, cause: int) -> DeviceLog:
        self._doomed.append((log.live.folder, log.mark_oldest(cause).start))
        return log

    async def _delete(self) -> None:
        """Write down how the logs stand, and delete the files of what was marked."""
        changed, self._changed = self._changed, {}
        for log in changed.values():
            if log.closed:
                continue
            try:
                log.live.publish_state(clean=False)
            except OSError as error:
                log.trouble(error, "has a state that cannot be written")
        if self._doomed:
            doomed, self._doomed = self._doomed, []
            failed, self.fault = await self._threads.run(unlink_all, self._disk, doomed)
            self._doomed += failed

    async def _sweep(self, log: DeviceLog) -> None:
        """Once for each log; one whose folder cannot be read must not keep the others waiting."""
        try:
            self._doomed += await self._threads.run(
                stale_segments, self._disk, log.live.folder, log.first_offset
            )
        except OSError as error:
            log.trouble(error, "has a directory that cannot be read")
        else:
            log.swept = True
