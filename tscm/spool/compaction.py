"""
Work on sealed segments that disturbs no other work: checksums, and compressing what all readers passed.

A pass takes some segments of each log, oldest first, works on them in a thread, and writes the result
down back in the reactor thread, where retention may have been faster.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tscm.base.schedule import in_slices
from tscm.base.threads import Threads
from tscm.spool.catalogue import CHECKED, COMPRESSED, DAMAGED, DELETED, LOST, Segment
from tscm.spool.compress import Workbench
from tscm.spool.disk import CREATE, Disk
from tscm.spool.intact import note_change
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder
from tscm.spool.sums import Looked
from tscm.spool.text import SegmentText, open_text

_GONE = DELETED | LOST
_SLICE_SEGMENTS = 32
_PASS_BYTES = 256 << 20
_LOG_SEGMENTS = 8
_TOGETHER = 8
"""With so many compressed segments or more, their volume is synced as a whole."""


@frozen
class CompactionJob:
    """
    One segment to look at, and to compress into *target* where there is one.
    """

    folder: LogFolder
    segment: Segment
    target: Path | None


def do_jobs(disk: Disk, jobs: Sequence[CompactionJob]) -> list[Looked | OSError]:
    """
    What each segment's text holds, or what hindered; what was compressed is on the disk.  Blocks; values in, values out.
    """
    bench = Workbench()
    found: list[Looked | OSError] = []
    for job in jobs:
        try:
            found.append(_do(disk, job, bench))
        except OSError as error:
            found.append(error)
    made = [
        place
        for place, job in enumerate(jobs)
        if job.target is not None and not isinstance(found[place], OSError)
    ]
    for place, refusal in _sync_each(disk, [(place, jobs[place].target) for place in made]):
        found[place] = refusal
    return found


def _sync_each(
    disk: Disk, targets: Sequence[tuple[int, Path | None]]
) -> Iterator[tuple[int, OSError]]:
    """
    Have each of *targets* that is there on the disk; gives those that the disk refused.

    Many are synced with all of their volume: a commit of its journal takes longer than to compress 100 KB.
    """
    done: set[int] = set()
    together = len(targets) >= _TOGETHER and disk.syncs_volumes
    for place, target in targets:
        if target is None or disk.size_of(target) is None:  # it was compressed already
            continue
        try:
            fd = disk.open(target, CREATE)
            try:
                if together and (volume := disk.volume_of(fd)) not in done:
                    disk.sync_volume(fd)
                    done.add(volume)
                elif not together:
                    disk.fsync(fd)
            finally:
                disk.close(fd)
        except OSError as error:
            yield place, error


def _do(disk: Disk, job: CompactionJob, bench: Workbench) -> Looked:
    start, size = job.segment.start, job.segment.size
    text = open_text(disk, job.folder, start)
    try:
        if job.target is not None and isinstance(text, SegmentText):
            return bench.compress(disk, text, job.target, size)
        return bench.look(text, size)
    finally:
        text.close()


def unlink_each(disk: Disk, paths: Sequence[Path]) -> list[OSError | None]:
    """Delete files; for each of them why it could not be.  Blocks."""
    failures: list[OSError | None] = []
    for path in paths:
        try:
            disk.unlink(path)
        except OSError as error:
            failures.append(error)
        else:
            failures.append(None)
    return failures


@frozen
class Place:
    """The compressed text stands in its place, and its plain one has this checksum."""

    crc: int


Chosen = tuple[DeviceLog, CompactionJob]


@define(eq=False)
class Compactor:
    """
    Chooses what to work on, has it done, and writes down what came of it.
    """

    _log: ClassVar[Logger] = Logger()

    _disk: Disk
    _threads: Threads
    _compress: bool
    _clock: IReactorTime
    _seen: dict[str, tuple[int, int, int]] = field(factory=dict, init=False)
    """Per log, how it stood when nothing was left to do."""

    async def run(self, logs: Sequence[DeviceLog]) -> None:
        """
        One pass, in slices that keep the reactor thread for less than a few milliseconds.
        """
        left = _PASS_BYTES
        while left > 0 and (chosen := await self._slice(logs)):
            jobs = [job for _, job in chosen]
            done: Deferred[list[Looked | OSError]] = self._threads.run(do_jobs, self._disk, jobs)
            results = list(zip(chosen, await done, strict=True))
            left -= sum(job.segment.size for job in jobs)
            well = await self._replace(results)
            if not well:  # tried again in the next pass, not at once
                return

    async def _replace(self, results: Sequence[tuple[Chosen, Looked | OSError]]) -> bool:
        """
        Put compressed texts in the place of plain ones, and write down what was found; whether all is well.

        Plain texts are deleted in a thread, for a disk may take its time over a large one; between that and the
        note in the list, and after a crash in between, a reader finds the compressed one.
        """
        well = True
        placed: list[tuple[Chosen, int]] = []
        for (log, job), result in results:
            try:
                found = self._take(log, job, result)
            except OSError as error:
                log.trouble(error, "has a rotated segment that cannot be replaced")
                found = False
            if isinstance(found, Place):
                placed.append(((log, job), found.crc))
            else:
                well = well and found
        paths = [job.folder.segment(job.segment.start) for (_, job), _ in placed]
        failures = await self._threads.run(unlink_each, self._disk, paths) if paths else []
        for ((log, job), crc), failure in zip(placed, failures, strict=True):
            try:
                if failure is not None:
                    raise failure
                self._note_compressed(log, job, crc)
            except OSError as error:
                log.trouble(error, "has a rotated segment that cannot be replaced")
                well = False
        return well

    def _note_compressed(self, log: DeviceLog, job: CompactionJob, crc: int) -> None:
        catalogue = log.live.catalogue
        number = None if log.closed else catalogue.number_of(job.segment.start)
        if number is None or (segment := catalogue.at(number)).gone:
            return
        catalogue.change(number, segment.with_crc(crc).with_flag(COMPRESSED))

    async def _slice(self, logs: Sequence[DeviceLog]) -> list[tuple[DeviceLog, CompactionJob]]:
        chosen: list[tuple[DeviceLog, CompactionJob]] = []
        async for log in in_slices(self._clock, logs):
            if len(chosen) >= _SLICE_SEGMENTS:
                break
            if not log.closed:
                chosen += [(log, job) for job in self._choose(log)]
        return chosen

    def _choose(self, log: DeviceLog) -> list[CompactionJob]:
        catalogue = log.live.catalogue
        # How far they are in the live segment is no matter of ours, and changes with every line.
        passed = min([log.live.base, *[one.cursor.offset for one in log.readers.values()]])
        stands = (catalogue.count, catalogue.first, passed)
        if self._seen.get(log.name) == stands:
            return []
        found = []
        try:
            if self._compress:
                number = catalogue.first_without(COMPRESSED | DAMAGED | _GONE)
                for segment in catalogue.segments(
                    number, min(number + _LOG_SEGMENTS, log.live.catalogue.count)
                ):
                    if segment.end > passed:
                        break
                    if not segment.flags & (COMPRESSED | DAMAGED | _GONE):
                        target = log.live.folder.packing(segment.start)
                        found.append(CompactionJob(log.live.folder, segment, target))
            number = catalogue.first_without(CHECKED | _GONE)
            for segment in catalogue.segments(number, min(number + _LOG_SEGMENTS, catalogue.count)):
                if not segment.flags & (CHECKED | _GONE) and all(
                    job.segment.start != segment.start for job in found
                ):
                    found.append(CompactionJob(log.live.folder, segment, None))
        except OSError as error:
            log.trouble(error, "has a list of segments that cannot be read")
            return []
        if not found:
            self._seen[log.name] = stands
        return found

    def _take(self, log: DeviceLog, job: CompactionJob, result: Looked | OSError) -> "bool | Place":
        """Write down what came of a job; whether it is done with, or a `Place` where the plain text has to go."""
        catalogue, folder, start = log.live.catalogue, job.folder, job.segment.start
        number = catalogue.number_of(start)
        segment = None if number is None or log.closed else catalogue.at(number)
        if number is None or segment is None or segment.gone or isinstance(result, OSError):
            if job.target is not None:
                with contextlib.suppress(OSError):
                    self._disk.unlink(job.target)
            if isinstance(result, FileNotFoundError) and segment is not None and not segment.gone:
                log.segment_missing(segment)
            elif isinstance(result, OSError) and not log.closed:
                log.trouble(result, "has a rotated segment that cannot be processed")
            return False
        if segment.flags & CHECKED and segment.text_crc != result.crc:
            self._damaged(log, job, number, segment)
            return True
        if not segment.flags & CHECKED and segment.lines != result.lines:
            note_change(log.live, start, segment.lines, result.lines)
        if job.target is not None:
            if self._disk.size_of(job.target) is not None:
                self._disk.rename(job.target, folder.compressed(start))
            return Place(result.crc)
        catalogue.change(number, segment.with_crc(result.crc))
        return True

    def _damaged(self, log: DeviceLog, job: CompactionJob, number: int, segment: Segment) -> None:
        """The text is kept as it is: what can be read of it is better than nothing."""
        if job.target is not None:
            self._disk.unlink(job.target)
        log.live.catalogue.change(number, segment.with_flag(DAMAGED))
        log.damaged_segments += 1
        self._log.error(
            "segment {start} of {device} has changed since it was rotated (disk "
            "error); for details, run `tsadmin spool verify {device}`",
            start=segment.start,
            device=log.name,
        )
