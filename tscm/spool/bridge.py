"""
How a live text that another process truncated goes on behind its hole (`tscm.spool.survey`).
"""

from attrs import evolve
from twisted.logger import Logger

from tscm.plural import many
from tscm.spool.catalogue import LOST as LOST_FLAG
from tscm.spool.catalogue import Catalogue, Segment
from tscm.spool.cursor import LOST
from tscm.spool.disk import READ_WRITE, Disk
from tscm.spool.index import Index, Pending, read_index
from tscm.spool.index_file import read_records
from tscm.spool.live import LiveLog
from tscm.spool.measure import cut_index
from tscm.spool.names import LogFolder
from tscm.spool.state import TRUNCATED, Gap, LogState
from tscm.spool.survey import Hole, Survey

_log = Logger()


def bridge(live: LiveLog, survey: Survey) -> bool:
    """
    Go on behind a hole: what is before it becomes a segment, the hole one that is lost.  False where there is none.

    Offsets stay as they are, so that no reader skips or repeats what is still there.  In this order,
    each step of which may be the last before a crash:

    1. what stands behind the hole, and was copied apart, becomes `.spool/mended`;
    2. the loss is counted, once (`LogState.closing`);
    3. what stands before the hole, and the hole, are entered in the list;
    4. the file gets its sealed name, where anything stands before the hole;
    5. `mended` becomes `syslog`.

    Behind 3 the next start does the rest (`finish_bridge`); before it, it finds the hole again.
    Raises `OSError`.
    """
    disk, folder, size = survey.disk, live.folder, live.end - live.base
    survey.extend(size)
    hole = survey.hole(live.lines - live.lines_before)
    if hole is None:
        return False
    live.finish_rename()
    live.flush_index()
    index = read_index(read_records(disk, folder.index(live.base)) or b"")
    behind = runs_within(index, hole.end, size - hole.end, hole.behind)
    fd = survey.take(folder.mended)
    try:
        _count_lost(live, hole)
        records = _records(live, hole)
        live.catalogue.add(*records)
        try:
            _place(disk, folder, records[:-1])
        except OSError:
            live.catalogue.drop_last(len(records))
            raise
    except OSError:
        disk.close(fd)
        raise
    disk.close(live.fd)
    live.fd = fd
    live.begin_at(records[-1].end, records[-1].lines_end)
    live.first_at = (behind[0][3] or live.last_at) if behind else 0.0
    content = live.encoder.header(live.base, live.lines_before, live.first_at or live.last_at)
    content += live.encoder.runs(behind)
    disk.publish(folder.index(live.base), content)
    live.index_bytes = len(content)
    _log.error(
        "another process truncated the live log of {device}: {lines} lost, recorded "
        "as a gap; no other program may rotate or empty these files",
        device=folder.path.name,
        lines=many(hole.lost, "line is", "lines are"),
    )
    return True


def finish_bridge(disk: Disk, folder: LogFolder, catalogue: Catalogue, state: LogState) -> None:
    """At a start: end what a crash left in the midst of `_bridge`, or take it back."""
    if disk.size_of(folder.mended) is None:
        return
    last = catalogue.last
    if last is None or not last.flags & LOST_FLAG or last.start not in state.closing:
        disk.unlink(folder.mended)
        return
    head = [catalogue.at(catalogue.count - 2)] if catalogue.count > 1 else []
    _place(disk, folder, [one for one in head if not one.gone])


def _place(disk: Disk, folder: LogFolder, head: list[Segment]) -> None:
    """Steps 4 and 5, as far as they are not done."""
    for one in head:
        named = folder.segment(one.start)
        if disk.size_of(named) is None and disk.size_of(folder.compressed(one.start)) is None:
            disk.rename(folder.live, named)
        if (disk.size_of(named) or 0) > one.size:
            fd = disk.open(named, READ_WRITE)
            try:
                disk.truncate(fd, one.size)
            finally:
                disk.close(fd)
        cut_index(disk, folder, one)
    disk.rename(folder.mended, folder.live)


def _records(live: LiveLog, hole: Hole) -> list[Segment]:
    """What the list has to say of the live file up to the end of the hole."""
    base, before, lines = live.base, live.lines_before, hole.before
    times = (live.first_at or live.last_at, live.last_at)
    head = Segment(base, hole.start, before, lines, *times)
    lost = Segment(base + hole.start, hole.end - hole.start, before + lines, hole.lost, *times)
    return [head, lost.lost(LOST)] if hole.start else [lost.lost(LOST)]


def _count_lost(live: LiveLog, hole: Hole) -> None:
    start = live.base + hole.start
    if start not in live.state.closing:
        gap = Gap(
            offset=start,
            lines=live.lines,
            after=live.first_at or live.last_at,
            before=live.now() or live.last_at,
            cause=TRUNCATED,
            lost=hole.lost,
        )
        counted = live.state.with_deleted("lost", hole.lost, hole.end - hole.start)
        live.state = evolve(counted.with_gap(gap), closing=(start,))
    live.publish_state(clean=False)


def runs_within(index: Index | None, start: int, size: int, lines: int) -> list[Pending]:
    """
    What an index tells of *size* bytes with so many *lines* from *start* on, moved to begin at 0.

    A run that is cut by either end is told without its sender: its lines are those that no whole
    run has.
    """
    kept = [
        (run.offset - start, run.size, run.lines, run.received_at, run.sender, run.escaped)
        for run in (index.runs if index else ())
        if start <= run.offset and run.offset + run.size <= start + size
    ]
    rest = max(0, lines - sum(run[2] for run in kept))
    first, last = (kept[0][0], kept[-1][0] + kept[-1][1]) if kept else (size, size)
    found: list[Pending] = list(kept)
    if first:
        found.insert(0, (0, first, rest, kept[0][3] if kept else 0.0, None, True))
        rest = 0
    if last < size:
        found.append((last, size - last, rest, kept[-1][3], None, True))
    return found
