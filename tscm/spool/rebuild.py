"""
The list of segments made again from the segments themselves.
"""

from collections.abc import Mapping
from pathlib import Path

from tscm.spool.catalogue import DELETED, Segment, write_catalogue
from tscm.spool.compress import CompressedDamaged
from tscm.spool.cursor import AGE, LOST, Cursor
from tscm.spool.disk import READ, Disk
from tscm.spool.index import Index, read_index
from tscm.spool.index_file import read_records
from tscm.spool.names import LogFolder, index_starts, segment_starts
from tscm.spool.state import LogState
from tscm.spool.text import LiveText, count_lines, open_text


def rebuild_catalogue(
    disk: Disk, folder: LogFolder, state: LogState | None, cursors: Mapping[str, Cursor]
) -> bool:
    """
    Write a new list; False where there is nothing to list because the log is new.

    Text tells lines and bytes; indexes tell what was before them, and so do the readers that stand
    in it.  Where none of them is left, the log goes on at the furthest place that anything on disk remembers.
    """
    starts = segment_starts(disk.names(folder.path))
    found = []
    for start in starts:
        try:
            one = _look_at(disk, folder, start)
        except CompressedDamaged:  # it is left alone, and its lines count as lost
            continue
        if one[0].size:  # else its text is lost, and it is no place that a log can be at
            found.append(one)
    base, before = _live_start(disk, folder, found, state, cursors)
    found = [
        (one, _by_cursor(disk, folder, one, cursors) if told is None else told)
        for one, told in found
    ]
    if before is None:
        live = Segment(base, disk.size_of(folder.live) or 0, 0, 0, 0.0, 0.0)
        before = _by_cursor(disk, folder, live, cursors, folder.live)
    segments = _chained(found, base, before, cursors)
    if state is not None and segments and segments[0].flags & DELETED:
        segments[:1] = _front(segments[0], state)
    if not segments and disk.size_of(folder.catalogue) is None:
        return False
    write_catalogue(disk, folder.catalogue, segments)
    return True


def _front(stretch: Segment, state: LogState) -> list[Segment]:
    """
    What stands before the oldest text: as much of it as retention has counted, and the rest is lost.
    """
    size = sum(of for cause, of in state.deleted_bytes.items() if cause != "lost")
    lines = sum(of for cause, of in state.deleted_lines.items() if cause != "lost")
    size, lines = min(size, stretch.size), min(lines, stretch.lines)
    taken = Segment(0, size, 0, lines, 0.0, 0.0).deleted(AGE)
    rest = Segment(size, stretch.size - size, lines, stretch.lines - lines, 0.0, 0.0).lost(LOST)
    return [one for one in (taken, rest) if one.size]


def _look_at(disk: Disk, folder: LogFolder, start: int) -> tuple[Segment, int | None]:
    """A segment as its text tells it, and the lines before it where its index says so."""
    index = _index(disk, folder, start)
    text = open_text(disk, folder, start)
    try:
        whole = index is not None and index.end == text.size
        lines = index.lines if index and whole else count_lines(text, 0, text.size)
    finally:
        text.close()
    written = (
        disk.changed_at(folder.segment(start)) or disk.changed_at(folder.compressed(start)) or 0.0
    )
    first, last = (
        (index.runs[0].received_at, index.runs[-1].received_at)
        if index and index.runs
        else (written, written)
    )
    segment = Segment(start, text.size, 0, lines, first, last)
    return segment, index.lines_before if index else None


def _index(disk: Disk, folder: LogFolder, start: int) -> Index | None:
    data = read_records(disk, folder.index(start))
    index = read_index(data) if data else None
    return index if index is not None and index.start == start else None


def _by_cursor(
    disk: Disk,
    folder: LogFolder,
    segment: Segment,
    cursors: Mapping[str, Cursor],
    live: Path | None = None,
) -> int | None:
    """The lines before a segment as a reader that stands in it has counted them."""
    for cursor in cursors.values():
        at = cursor.offset - segment.start
        if at < 0 or at > segment.size or (at == segment.size and live is None):
            continue
        if not at:
            return cursor.passed
        if live is None:
            text = open_text(disk, folder, segment.start)
            try:
                return max(0, cursor.passed - count_lines(text, 0, at))
            except CompressedDamaged:
                return None
            finally:
                text.close()
        fd = disk.open(live, READ)
        try:
            return max(0, cursor.passed - count_lines(LiveText(disk, fd), 0, at))
        finally:
            disk.close(fd)
    return None


def _live_start(
    disk: Disk,
    folder: LogFolder,
    found: list[tuple[Segment, int | None]],
    state: LogState | None,
    cursors: Mapping[str, Cursor],
) -> tuple[int, int | None]:
    """Where the live segment starts, and the lines before it where anything says so."""
    end = found[-1][0].end if found else 0
    for start in reversed(index_starts(disk.names(folder.spool))):
        if start >= end and (index := _index(disk, folder, start)):
            return start, index.lines_before
    if state is not None and state.live >= end:
        return state.live, state.lines_before
    if state is None and not found:
        furthest = max(cursors.values(), key=lambda one: one.offset, default=Cursor())
        return furthest.offset, furthest.passed
    return end, None


def _chained(
    found: list[tuple[Segment, int | None]],
    base: int,
    before: int | None,
    cursors: Mapping[str, Cursor],
) -> list[Segment]:
    """
    Segments with their line counts in a row, and records for what lies between them.

    There were no fewer lines in a stretch than a reader within it has passed.
    """
    chain: list[Segment] = []
    places: list[tuple[Segment | None, int, int | None]] = [
        *((segment, segment.start, lines_before) for segment, lines_before in found),
        (None, base, before),
    ]
    known = [lines for _, _, lines in places]
    for number in range(len(places) - 2, -1, -1):  # what stands behind tells of what is before
        segment, behind = places[number][0], places[number + 1]
        if known[number] is None and segment and segment.end == behind[1]:
            after = known[number + 1]
            known[number] = None if after is None else max(0, after - segment.lines)
    end = lines = 0
    for (segment, start, _), told in zip(places, known, strict=True):
        if start > end:
            passed = [one.passed for one in cursors.values() if end < one.offset <= start]
            missing = max(lines, told or 0, *passed) - lines
            stretch = Segment(end, start - end, lines, missing, 0.0, 0.0)
            chain.append(stretch.lost(LOST) if chain else stretch.deleted(AGE))
            lines += missing
        if segment is None or start < end:  # a file that stands over another is not ours
            continue
        chain.append(
            Segment(
                segment.start,
                segment.size,
                lines,
                segment.lines,
                segment.first_at,
                segment.last_at,
            )
        )
        end, lines = segment.end, lines + segment.lines
    return chain
