"""
Sealed segments held against the list at a start: what a power cut or a repaired disk took of them.

The list of segments and the text lie in files of their own, and a file system that lost its last
seconds may keep the one and not the other.  So each segment's file is measured, and what is missing
becomes a stretch that the list calls lost.

One look at a file for each segment, from the newest back, and no further than a file system
loses what it had not written: a start with thousands of segments stays short.  Losses that are older
are found by the reader of the segment, and by `tsadmin spool verify`.
"""

from pathlib import Path

from attrs import evolve, frozen

from tscm.spool.catalogue import CHECKED, COMPRESSED, Catalogue, Segment
from tscm.spool.cursor import LOST
from tscm.spool.disk import CREATE, CREATE_EMPTY, Disk
from tscm.spool.index import Index, IndexEncoder, Pending, read_index
from tscm.spool.index_file import read_records
from tscm.spool.names import LogFolder
from tscm.spool.state import LogState, encode_state
from tscm.spool.text import LiveText, count_lines, last_line_end, unused_torn

WINDOW_SECONDS = 3600.0
"""How long before the newest one a segment may have been written that is still measured."""
LEAST = 16
"""So many are measured whatever their times say: a clock may have been set."""
MOST = 8192
"""No more than this, so that a start ends."""


@frozen
class Loss:
    """
    Record *number*, whose text ends too early: of *segment* its first *size* bytes are left.
    """

    number: int
    segment: Segment
    size: int
    lines: int
    torn_bytes: int

    @property
    def lost_lines(self) -> int:
        """Lines that are not there any more."""
        return self.segment.lines - self.lines

    @property
    def lost_bytes(self) -> int:
        """Bytes that are not there any more, or belong to no whole line."""
        return self.segment.size - self.size

    def records(self) -> list[Segment]:
        """What the list has to say instead."""
        old = self.segment
        if not self.size:
            return [old.lost(LOST)]
        kept = evolve(old, size=self.size, lines=self.lines, text_crc=0, flags=old.flags & ~CHECKED)
        rest = Segment(
            kept.end, self.lost_bytes, kept.lines_end, self.lost_lines, old.first_at, old.last_at
        )
        return [kept, rest.lost(LOST)]


def close_over_losses(
    disk: Disk, folder: LogFolder, catalogue: Catalogue, state: LogState
) -> LogState:
    """
    Measure the newest sealed segments, and put the list right; gives the state with what was lost.

    The losses are written down in the state first, with their places: a crash before they stand
    in the list makes the next start do the rest, and count nothing twice.  Raises `OSError`.
    """
    losses = find_losses(disk, folder, catalogue)
    if not losses:
        return state
    for loss in losses:
        if loss.segment.start not in state.closing:
            state = state.with_deleted("lost", loss.lost_lines, loss.lost_bytes)
            state = evolve(
                state,
                torn_bytes=state.torn_bytes + loss.torn_bytes,
                torn_files=state.torn_files + bool(loss.torn_bytes),
            )
    state = evolve(state, clean=False, closing=tuple(loss.segment.start for loss in losses))
    disk.publish(folder.state, encode_state(state), keep=folder.state_before)
    for loss in losses:
        _cut(disk, folder, loss)
    catalogue.replace({loss.number: loss.records() for loss in losses})
    return state


def find_losses(disk: Disk, folder: LogFolder, catalogue: Catalogue) -> list[Loss]:
    """Segments among the newest whose file is missing or short, oldest first."""
    losses: list[Loss] = []
    newest = catalogue.last.last_at if catalogue.last else 0.0
    first = max(catalogue.first, catalogue.count - MOST)
    for number, segment in catalogue.newest(first):
        if catalogue.count - number > LEAST and segment.last_at < newest - WINDOW_SECONDS:
            break
        if not segment.gone and (loss := _measure(disk, folder, number, segment)):
            losses.append(loss)
    return losses[::-1]


def _measure(disk: Disk, folder: LogFolder, number: int, segment: Segment) -> Loss | None:
    if segment.flags & COMPRESSED:
        return None  # it was forced to the disk and read back before its plain text went
    size = disk.size_of(folder.segment(segment.start))
    if size is None:
        if disk.size_of(folder.compressed(segment.start)) is not None:
            return None
        return Loss(number, segment, 0, 0, 0)
    if size >= segment.size:
        return None
    fd = disk.open(folder.segment(segment.start), CREATE)
    try:
        whole = last_line_end(disk, fd, size)
        lines = min(count_lines(LiveText(disk, fd), 0, whole), segment.lines)
    finally:
        disk.close(fd)
    return Loss(number, segment, whole, lines, size - whole)


def _cut(disk: Disk, folder: LogFolder, loss: Loss) -> None:
    """Make file and index end with the last whole line; a torn one is kept aside."""
    path = folder.segment(loss.segment.start)
    if loss.torn_bytes:
        fd = disk.open(path, CREATE)
        try:
            torn = unused_torn(disk, folder, loss.segment.start + loss.size)
            save_torn_bytes(disk, fd, torn, loss.size, loss.size + loss.torn_bytes)
        finally:
            disk.close(fd)
    if loss.size:
        cut_index(disk, folder, evolve(loss.segment, size=loss.size, lines=loss.lines))
    else:
        disk.unlink(path)  # nothing is in it


def save_torn_bytes(disk: Disk, fd: int, torn_path: Path, whole: int, size: int) -> None:
    """
    Move what stands behind the last whole line to a file of its own.

    Copied first and cut then, so that a crash between repeats it.
    """
    torn = disk.open(torn_path, CREATE_EMPTY)
    try:
        for at in range(whole, size, 1 << 20):
            data = disk.read_at(fd, min(1 << 20, size - at), at)
            disk.write_all(torn, data, at - whole)
    except OSError:
        disk.unlink(torn_path)  # the next try begins again, and would leave one more behind
        raise
    finally:
        disk.close(torn)
    disk.truncate(fd, whole)


def cut_index(disk: Disk, folder: LogFolder, segment: Segment) -> None:
    """Make the index of a segment whose text became shorter end with it.  Raises `OSError`."""
    start, before = segment.start, segment.lines_before
    data = read_records(disk, folder.index(start))
    index = read_index(data) if data else None
    if index is None or (index.start, index.lines_before) != (start, before):
        index = Index(start, before, (), {}, 0)
    kept = index.up_to(segment.size)
    runs: list[Pending] = [
        (run.offset, run.size, run.lines, run.received_at, run.sender, run.escaped)
        for run in kept.runs
    ]
    rest, lines = segment.size - kept.end, segment.lines - kept.lines
    if rest > 0 and lines >= 0:
        runs.append((kept.end, rest, lines, segment.last_at, None, True))
    encoder = IndexEncoder()
    content = encoder.header(start, before, segment.first_at) + encoder.runs(runs)
    disk.publish(folder.index(start), content)
