"""
What somebody else did to a live log file, noticed and put right while the log is open.

Three things happen to log files from outside: they are moved or deleted (logrotate with `create`, an
operator who makes room), truncated in place (logrotate with `copytruncate`, `> syslog`), or
written to (`echo >> syslog`).  The descriptor goes on working in each case, so nothing fails at
the moment itself; without a look, a clean stop would lose what stands in a file without a name.

A look costs two system calls and one byte.  A line of the log holds no NUL, for that one is escaped
(`tscm.syslog.escape`); so a NUL says that the file was cut, and that later lines were written
behind a hole.
"""

from attrs import evolve, frozen
from twisted.logger import Logger

from tscm.plural import many
from tscm.spool.catalogue import LOST as LOST_FLAG
from tscm.spool.catalogue import Catalogue, Segment
from tscm.spool.copying import TextCopy
from tscm.spool.cursor import LOST
from tscm.spool.disk import CREATE_EMPTY, READ_WRITE, Disk
from tscm.spool.index import Index, Pending, read_index
from tscm.spool.index_file import read_records
from tscm.spool.live import LiveLog
from tscm.spool.measure import cut_index
from tscm.spool.names import LogFolder
from tscm.spool.overlong import Cut, Places, cut_tail
from tscm.spool.state import CHANGED, TRUNCATED, Gap, LogState
from tscm.spool.text import (
    CHUNK_BYTES,
    LiveText,
    count_lines,
    last_line_end,
    unused_torn,
    written,
)

_log = Logger()
_COUNTED_MOST = 16 << 20
"""Of a live text, in the reactor thread."""
MENDED_AT_ONCE = 2 * _COUNTED_MOST
"""So much is read at most of a live file that is put right in the reactor thread: copied, and counted once."""


@frozen
class Hole:
    """
    What is gone of a live file: its text from *start* up to *end*; *lines* stood there.
    """

    start: int
    end: int
    lines: int


def make_whole(live: LiveLog, *, search: bool = False, copy: TextCopy | None = None) -> bool:
    """
    See that the live file lies where it should and holds what was written; whether it had to be mended.

    What was truncated is entered in the list as lost.  *search* looks for a hole everywhere, not only
    where the last look ended.  A *copy* of the text, where there is one, takes the place of the file.
    Raises `OSError`; then *copy* is still the caller's.
    """
    if copy is not None and not copy.fits(live):
        copy = None
    if live.fd < 0:  # it is opened anew, and looked at, with the next line
        return False
    disk, size = live.disk, live.end - live.base
    mended = False
    spool = live.folder.spool
    # Where its volume is away, another one is no place for the log.
    if disk.is_free(spool) and disk.is_on_volume(live.fd, spool):
        _make_folder(live)
        mended = True
    if not disk.is_at(live.fd, live.folder.next if live.misplaced else live.folder.live):
        _put_back(live, copy)
        mended, copy = True, None
    found = disk.size(live.fd)
    if found < size or _has_hole(live, search=search):
        _bridge(live, find_hole(live, found))
        mended = True
    elif found > size:
        _move_aside(live, size, found, copy)
        mended = True
    live.sound = live.end - live.base
    _look_for_change(live)
    return mended


def is_copyable(live: LiveLog) -> bool:
    """Does a copy of its text put the live file right?  It does not where the text has a hole.  Raises `OSError`."""
    return live.disk.size(live.fd) >= live.end - live.base and not _has_hole(live, search=False)


def _look_for_change(live: LiveLog) -> None:
    """
    Notice text that somebody changed within the file since the last look, where no line came meanwhile.

    The time of the last change says that somebody wrote, the count of lines that the text is another.  A
    change that leaves as many lines cannot be told from `touch`; where lines come all the time, it is looked for
    when the segment is sealed.
    """
    seen = (live.end, live.disk.changed_ns(live.fd))
    before, live.seen = live.seen, seen
    size = live.end - live.base
    if before[0] != seen[0] or before[1] == seen[1] or size > _COUNTED_MOST:
        return
    lines, stored = _lines(live, 0, size), live.lines - live.lines_before
    if lines != stored:
        note_change(live, live.base, stored, lines)


def note_change(live: LiveLog, start: int, stored: int, found: int) -> None:
    """
    Write down, once, that somebody changed the text of the segment at *start* while it was live.

    Raises `OSError`.
    """
    if live.state.tells_of_change(start):
        return
    now = live.now() or live.last_at
    gap = Gap(offset=start, lines=stored, after=live.first_at or now, before=now, cause=CHANGED)
    live.state = live.state.with_gap(gap)
    live.publish_state(clean=False)
    _log.error(
        "another process modified the text of {path} while it was live: it contains "
        "{found} where {stored} stored, and readers count what it contains; no other "
        "program may write to these files",
        path=str(live.folder.live if start == live.base else live.folder.segment(start)),
        found=many(found, "line", "lines"),
        stored=many(stored, "was", "were"),
    )


def _has_hole(live: LiveLog, *, search: bool) -> bool:
    size = live.end - live.base
    if search:
        return _nuls(live.disk, live.fd, size)[0] < size
    return size > 0 and live.disk.pread(live.fd, 1, max(live.sound - 1, 0)) == b"\0"


def find_hole(live: LiveLog, found: int) -> Hole:
    """
    What is gone of a live file of which *found* bytes are there, text and hole.

    A line that was cut in two belongs to what is gone; so does text between two holes.
    """
    disk, size = live.disk, live.end - live.base
    first, last = _nuls(disk, live.fd, min(found, size))
    start = last_line_end(disk, live.fd, first)
    end = size if found < size else last
    left = _lines(live, 0, start) + _lines(live, end, size)
    return Hole(start, end, max(0, live.lines - live.lines_before - left))


def _nuls(disk: Disk, fd: int, size: int) -> tuple[int, int]:
    """Where the first NUL stands and where the last one ends; *size* twice where there is none."""
    first, last, hole = size, 0, 0
    for begin, end in (*written(disk, fd, 0, size), (size, size)):
        if hole < begin:  # never written: nothing has to be read
            first, last = min(first, hole), begin
        hole = end
        for at in range(begin, end, CHUNK_BYTES):
            data = disk.read_at(fd, min(CHUNK_BYTES, end - at), at)
            place = data.find(b"\0")
            if place >= 0:
                first, last = min(first, at + place), at + data.rfind(b"\0") + 1
    return first, last or size


def _bridge(live: LiveLog, hole: Hole) -> None:
    """
    Go on behind a hole: what is before it becomes a segment, the hole one that is lost.

    Offsets stay as they are, so that no reader skips or repeats what is still there.  In this order,
    each step of which may be the last before a crash:

    1. what stands behind the hole is copied to `.spool/mended`;
    2. the loss is counted, once (`LogState.closing`);
    3. what stands before the hole, and the hole, are entered in the list;
    4. the file gets its sealed name, where anything stands before the hole;
    5. `mended` becomes `syslog`.

    Behind 3 the next start does the rest (`finish_bridge`); before it, it finds the hole anew.
    """
    disk, folder, size = live.disk, live.folder, live.end - live.base
    live.settle()
    live.flush_index()
    index = read_index(read_records(disk, folder.index(live.base)) or b"")
    behind = runs_within(index, hole.end, size - hole.end, _lines(live, hole.end, size))
    fd = disk.open(folder.mended, CREATE_EMPTY)
    try:
        _copy(live, fd, hole.end)
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
        lines=many(hole.lines, "line is", "lines are"),
    )


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
    base, before, lines = live.base, live.lines_before, _lines(live, 0, hole.start)
    times = (live.first_at or live.last_at, live.last_at)
    head = Segment(base, hole.start, before, lines, *times)
    lost = Segment(base + hole.start, hole.end - hole.start, before + lines, hole.lines, *times)
    return [head, lost.lost(LOST)] if hole.start else [lost.lost(LOST)]


def _lines(live: LiveLog, start: int, end: int) -> int:
    return count_lines(LiveText(live.disk, live.fd), start, end)


def _count_lost(live: LiveLog, hole: Hole) -> None:
    start = live.base + hole.start
    if start not in live.state.closing:
        gap = Gap(
            offset=start,
            lines=live.lines,
            after=live.first_at or live.last_at,
            before=live.now() or live.last_at,
            cause=TRUNCATED,
            lost=hole.lines,
        )
        counted = live.state.with_deleted("lost", hole.lines, hole.end - hole.start)
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


def clear_place(disk: Disk, folder: LogFolder, offset: int) -> None:
    """
    At a start: keep aside what lies in the live file's place and is no file, a link or a folder say.

    Nothing is written through a link, and no line is lost to what takes none.
    """
    if not disk.is_foreign(folder.live):
        return
    torn = unused_torn(disk, folder, offset)
    disk.rename(folder.live, torn)
    _log.error(
        "the live log of {device} was replaced by something that is not a file: it is "
        "kept as {path}, and a new log is written; no other program may write to this "
        "directory",
        device=folder.path.name,
        path=str(torn),
    )


def _move_aside(live: LiveLog, size: int, found: int, copy: TextCopy | None) -> None:
    """What somebody wrote behind the log's end is no line of it, and the next line would lie over it."""
    disk, folder = live.disk, live.folder
    live.settle()
    place = folder.next if live.misplaced else folder.live
    torn = unused_torn(disk, folder, live.end)
    if copy is None:
        cut = cut_tail(disk, live.fd, Places(place, torn, folder.mended), size, found)
    else:
        copy.extend(size)
        kept = sum(end - start for start, end in written(disk, live.fd, size, found))
        disk.link(place, torn)
        cut = Cut(copy.take(place), kept, torn)
        disk.close(live.fd)
    live.fd = cut.fd
    if cut.aside is None:
        _log.error(
            "another process extended the live log of {device} by {count} zero bytes: "
            "the log is cut back to its text; no other program may change these files",
            count=found - size,
            device=folder.path.name,
        )
        return
    _log.error(
        "another process wrote {count} bytes to the live log of {device}: they are "
        "kept in {path}; no other program may write to these files",
        count=cut.kept,
        device=folder.path.name,
        path=str(cut.aside),
    )


def _make_folder(live: LiveLog) -> None:
    """
    The log's folder, or what it needs beside its lines, where somebody has moved or deleted it.

    Sealed segments that went with it stay in the list, and readers pass them as lost.
    """
    live.disk.make_folder(live.folder.path)
    live.disk.make_folder(live.folder.spool)
    live.catalogue.replace({})
    live.publish_state(clean=False)
    _log.error(
        "another process moved or deleted the directory of the log of {device}, or "
        ".spool in it: it is created again with the lines of the live log; missing "
        "rotated segments count as lost",
        device=live.folder.path.name,
    )


def _put_back(live: LiveLog, copy: TextCopy | None) -> None:
    """
    Write the live text to its place again, where somebody has moved or deleted the file.

    It is copied from the descriptor, which works for a file without a name too, and leaves a moved
    one to whoever moved it; or what *copy* has of it already takes its place.  What stands there instead (logrotate's new file) is not ours, and
    is kept aside.
    """
    disk, folder = live.disk, live.folder
    live.settle()
    if disk.is_at(live.fd, folder.live):
        return
    if copy is not None:
        copy.extend(live.end - live.base)
    if not disk.is_free(folder.live):
        disk.rename(folder.live, unused_torn(disk, folder, live.end))
    fd = _copied(live) if copy is None else copy.take(folder.live)
    disk.close(live.fd)
    live.fd = fd
    _log.error(
        "another process moved or deleted the live log of {device}: it is restored with "
        "all its lines; no other program may rotate these files",
        device=folder.path.name,
    )


def _copied(live: LiveLog) -> int:
    """A new live file with the live text."""
    disk, path = live.disk, live.folder.live
    fd = disk.open(path, CREATE_EMPTY)
    try:
        _copy(live, fd, 0)
    except OSError:
        disk.close(fd)
        disk.unlink(path)
        raise
    return fd


def _copy(live: LiveLog, fd: int, start: int) -> None:
    """The live text from *start* on, as far as it is there, to another file."""
    disk, size = live.disk, live.end - live.base
    for at in range(start, size, CHUNK_BYTES):
        data = disk.read_at(live.fd, min(CHUNK_BYTES, size - at), at)
        if data:
            disk.write_all(fd, data, at - start)
