"""
Erasing lines of sealed segments: each is overwritten by as many octets, so that offsets, counts and readers' positions
stay as they are.

A segment is written again beside the old text, and takes its place whole.  Then a crash leaves either text.
"""

import contextlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from attrs import define, evolve, field, frozen

from tscm.spool.catalogue import CHECKED, DAMAGED, Segment
from tscm.spool.compress import CompressedDamaged, CompressedText, Workbench
from tscm.spool.disk import CREATE, CREATE_EMPTY, FOLDER, Disk
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder
from tscm.spool.sums import Looked
from tscm.spool.text import CHUNK_BYTES, LINE_MOST, SegmentText, open_text
from tscm.syslog.mentions import Mentions

ERASED = b"[erased]"
"""What an erased line begins with, where it is long enough; dots follow."""


def blank(size: int) -> bytes:
    """What stands in the place of a line of *size* octets."""
    return ERASED.ljust(size, b".")[:size]


@frozen
class Rewritten:
    """
    A segment's text without the lines, ready at *target* to take the place of the old one.
    """

    segment: Segment
    target: Path
    place: Path
    lines: int
    looked: Looked


@define(eq=False)
class _Blanked:
    """A text in which some lines are overwritten: those from *starts* to *ends*, in order."""

    text: SegmentText | CompressedText
    starts: "array[int]" = field(factory=lambda: array("Q"))
    ends: "array[int]" = field(factory=lambda: array("Q"))

    def read_into(self, room: memoryview, at: int) -> int:
        """As of the text itself."""
        came = self.text.read_into(room, at)
        number = max(0, bisect_right(self.starts, at) - 1)
        while number < len(self.starts) and (start := self.starts[number]) < at + came:
            end = self.ends[number]
            first, last = max(start, at), min(end, at + came)
            if first < last:
                room[first - at : last - at] = blank(end - start)[first - start : last - start]
            number += 1
        return came


def rewrite(disk: Disk, folder: LogFolder, segment: Segment, about: Mentions) -> Rewritten | None:
    """
    Write a segment again without the lines *about* something; None where it has none.

    Blocks; for a thread.  What is written is on the disk on return.  Raises `OSError`.
    """
    text = open_text(disk, folder, segment.start)
    try:
        found = _Blanked(text)
        _find(text, segment.size, about, found)
        if not found.starts:
            return None
        target = folder.packing(segment.start)
        packed = isinstance(text, CompressedText)
        place = (folder.compressed if packed else folder.segment)(segment.start)
        bench = Workbench()
        try:
            if packed:
                looked = bench.compress(disk, found, target, segment.size)
            else:
                looked = bench.look(found, segment.size)
                _copy(disk, found, target, segment.size)
            _sync(disk, target, CREATE)
        except OSError:
            with contextlib.suppress(OSError):
                disk.unlink(target)
            raise
        return Rewritten(segment, target, place, len(found.starts), looked)
    finally:
        text.close()


def _find(text: SegmentText | CompressedText, size: int, about: Mentions, found: _Blanked) -> None:
    """Where the lines lie that are not erased yet; a line longer than a line can be is none."""
    at, rest = 0, b""
    while at < size:
        data = text.read(min(CHUNK_BYTES, size - at), at)
        if not data:
            raise CompressedDamaged(5, "the segment is shorter than it was")
        at += len(data)
        block = rest + data
        whole = len(block) if at >= size else block.rfind(b"\n") + 1
        base = at - len(block)
        lines = block[:whole]
        for start, end in about.spans(lines):
            if end > start and lines[start:end] != blank(end - start):
                found.starts.append(base + start)
                found.ends.append(base + end)
        rest = block[whole:]
        if len(rest) > LINE_MOST:
            raise CompressedDamaged(5, "the segment has no line ends")


def _copy(disk: Disk, source: _Blanked, target: Path, size: int) -> None:
    fd = disk.open(target, CREATE_EMPTY)
    try:
        room = bytearray(CHUNK_BYTES)
        for at in range(0, size, CHUNK_BYTES):
            came = source.read_into(memoryview(room)[: min(CHUNK_BYTES, size - at)], at)
            disk.write_all(fd, bytes(room[:came]), at)
    finally:
        disk.close(fd)


def _sync(disk: Disk, path: Path, flags: int) -> None:
    fd = disk.open(path, flags)
    try:
        disk.fsync(fd)
    finally:
        disk.close(fd)


def replace(log: DeviceLog, made: Rewritten) -> int:
    """
    Put a segment that was written again in the place of the old text; gives how many lines were erased.

    Its checksum is unknown in between, so that a crash leaves no text that seems damaged.  0 where retention was
    faster.  Raises `OSError`.
    """
    disk, catalogue = log.live.disk, log.live.catalogue
    number = None if log.closed else catalogue.number_of(made.segment.start)
    present = None if number is None else catalogue.at(number)
    if number is None or present is None or present.gone:
        disk.unlink(made.target)
        return 0
    unknown = evolve(present, text_crc=0, flags=present.flags & ~(CHECKED | DAMAGED))
    catalogue.change(number, unknown)
    disk.rename(made.target, made.place)
    folder = log.live.folder
    for other in (folder.segment(present.start), folder.compressed(present.start)):
        if other != made.place:  # of a compression that a crash interrupted
            disk.unlink(other)
    catalogue.change(number, unknown.with_crc(made.looked.crc))
    return made.lines


def sync_folder(disk: Disk, folder: LogFolder) -> None:
    """Have the names on the disk: only then is the old text gone for good.  Blocks."""
    _sync(disk, folder.path, FOLDER)


def kept_aside(disk: Disk, folder: LogFolder) -> tuple[str, ...]:
    """Files beside the segments that may hold lines, and are left alone: for an operator to look at."""
    names: Iterable[str] = disk.names(folder.spool)
    aside = [one for one in names if one.startswith("torn.") or one == "aside"]
    return tuple(str(folder.spool / one) for one in sorted(aside))


def sealed(log: DeviceLog) -> list[Segment]:
    """The segments whose text is there.  Raises `OSError`."""
    catalogue = log.live.catalogue
    return [one for one in catalogue.segments(catalogue.first) if not one.gone]
