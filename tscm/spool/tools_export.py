"""
Lines out of a log, offline: all, or those of a sender and a time.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from tscm.spool.catalogue import Segment
from tscm.spool.disk import READ, Disk
from tscm.spool.index import IndexedRun, read_index
from tscm.spool.index_file import read_records
from tscm.spool.text import CHUNK_BYTES, LINE_MOST, LiveText, Text, open_text
from tscm.spool.tools_list import LogView, view_log
from tscm.syslog.escape import unescape

_SET_SECONDS = 86400.0
"""How far the clock may have been set within a segment without that a choice by time misses lines."""


@frozen(kw_only=True)
class ExportFilter:
    """
    Which lines to take.  Times are of receipt; *since* belongs to the range, *until* does not.

    A choice by sender or time leaves out lines whose record a crash took, unless
    *unknown* asks for them.
    """

    since: float | None = None
    until: float | None = None
    sender: str | None = None
    unknown: bool = False

    @property
    def everything(self) -> bool:
        """Whether no index has to be asked."""
        return self.since is None and self.until is None and self.sender is None

    def matches(self, run: IndexedRun) -> bool:
        """Whether the lines of *run* are wanted."""
        if run.sender is None and not self.everything:
            return self.unknown
        return (
            (self.sender is None or run.sender == self.sender)
            and (self.since is None or run.received_at >= self.since)
            and (self.until is None or run.received_at < self.until)
        )

    def meets(self, segment: Segment) -> bool:
        """May it hold lines that are wanted?  Its first and last line tell, but for a clock that was set meanwhile."""
        if self.unknown or not segment.last_at:
            return True
        late = self.since is not None and segment.last_at < self.since - _SET_SECONDS
        early = self.until is not None and segment.first_at > self.until + _SET_SECONDS
        return not (late or early)


@frozen(kw_only=True)
class Exported:
    """
    What came of it.  *missing* tells of segments that could not be read.
    """

    lines: int
    bytes: int
    missing: tuple[str, ...]


@frozen(kw_only=True)
class Message:
    """
    One line with what the index tells of it; a crash may have taken *received_at* and *sender*.
    """

    offset: int
    line: bytes
    received_at: float | None
    sender: str | None


@frozen(kw_only=True)
class Passage:
    """
    Whole lines that follow each other in a log, from *offset* on.
    """

    offset: int
    data: bytes
    runs: Sequence[IndexedRun]
    """The segment's, by their offset in the segment."""
    base: int
    """Where the segment starts."""

    def messages(self, *, restored: bool = False) -> Iterator[Message]:
        """Line by line, without line ends; *restored* as in `export_log`."""
        starts = [run.offset for run in self.runs]
        offset = self.offset
        for line in self.data.split(b"\n")[:-1]:
            at = bisect_right(starts, offset - self.base) - 1
            run = self.runs[at] if at >= 0 else None
            known = run is not None and run.sender is not None
            yield Message(
                offset=offset,
                line=unescape(line) if restored else line,
                received_at=run.received_at if run and known else None,
                sender=run.sender if run and known else None,
            )
            offset += len(line) + 1


def export_log(
    disk: Disk,
    logs: Path,
    name: str,
    write: Callable[[bytes], object],
    wanted: ExportFilter | None = None,
    *,
    restored: bool = False,
) -> Exported:
    """
    Hand lines to *write*, oldest first, in blocks of whole lines.

    *restored* gives messages as they were received, before line breaks in them were escaped.
    Raises `OSError` for what is no fault of a single segment.
    """

    def take(passage: Passage) -> int:
        found = _restored(passage.data) if restored else passage.data
        write(found)
        return len(found)

    return export_passages(disk, logs, name, take, wanted)


def export_passages(
    disk: Disk,
    logs: Path,
    name: str,
    take: Callable[[Passage], int],
    wanted: ExportFilter | None = None,
) -> Exported:
    """
    The same with what the index tells; *take* gives how many bytes it made of a passage.
    """
    view = view_log(disk, logs, name)
    wanted = wanted or ExportFilter()
    lines = size = 0
    missing: list[str] = []
    live = view.folder.live
    for start, end, path in [
        *((one.start, one.end, view.path_of(one)) for one in view.kept if wanted.meets(one)),
        (view.base, view.end, live),
    ]:
        try:
            for passage in _passages(disk, view, start, end - start, wanted):
                size += take(passage)
                lines += passage.data.count(b"\n")
        except OSError as error:
            missing.append(
                f"{path} {_words(error)}; the rest was exported; see `tsadmin spool verify {name}`"
            )
    return Exported(lines=lines, bytes=size, missing=tuple(missing))


def _words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read: {error.strerror or error}"


def _passages(
    disk: Disk, view: LogView, start: int, size: int, wanted: ExportFilter
) -> Iterator[Passage]:
    runs = runs_of(disk, view, start, size)
    stretches = _stretches(runs, size, wanted)
    if start != view.base:
        text = open_text(disk, view.folder, start)
        try:
            pieces = _pieces(text, stretches)
            for at, data in pieces:
                yield Passage(offset=start + at, data=data, runs=runs, base=start)
        finally:
            text.close()
    elif size:
        fd = disk.open(view.folder.live, READ)
        try:
            for at, data in _pieces(LiveText(disk, fd), stretches):
                yield Passage(offset=start + at, data=data, runs=runs, base=start)
        finally:
            disk.close(fd)


def runs_of(disk: Disk, view: LogView, start: int, size: int) -> Sequence[IndexedRun]:
    """All that the index tells of a segment, and one without a sender for what it does not tell of."""
    data = read_records(disk, view.folder.index(start))
    index = read_index(data) if data else None
    runs = index.up_to(size).runs if index else ()
    known = runs[-1].offset + runs[-1].size if runs else 0
    if known < size:
        runs = (*runs, IndexedRun(known, size - known, 0, 0.0, None, escaped=True))
    return runs


def _stretches(
    runs: Sequence[IndexedRun], size: int, wanted: ExportFilter
) -> list[tuple[int, int]]:
    """Those that are wanted, neighbours joined."""
    if wanted.everything:
        return [(0, size)]
    found: list[tuple[int, int]] = []
    for run in runs:
        if wanted.matches(run):
            if found and found[-1][1] == run.offset:
                found[-1] = (found[-1][0], run.offset + run.size)
            else:
                found.append((run.offset, run.offset + run.size))
    return found


def _pieces(
    text: Text, runs: list[tuple[int, int]], chunk: int = CHUNK_BYTES, most: int = LINE_MOST
) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, each with where it starts; what is longer than a line can be is none, and left out."""
    for start, end in runs:
        at, rest, is_line = start, bytearray(), True
        while at < end and (data := text.read(min(chunk, end - at), at)):
            at += len(data)
            whole = data.rfind(b"\n") + 1
            if whole:
                first = 0 if is_line else data.find(b"\n") + 1
                if first < whole:
                    yield at - len(data) + first - len(rest), bytes(rest) + data[first:whole]
                rest, is_line = bytearray(data[whole:]), True
            elif is_line:
                rest += data
                if len(rest) > most:
                    rest, is_line = bytearray(), False


def _restored(block: bytes) -> bytes:
    return b"".join(unescape(line) + b"\n" for line in block.split(b"\n")[:-1])
