"""
What another process did to a live log file, noticed and repaired while the log is open.

Three things happen to log files from outside: they are moved or deleted (logrotate with `create`, an
operator who makes room), truncated in place (logrotate with `copytruncate`, `> syslog`), or
written to (`echo >> syslog`).  The descriptor goes on working in each case, so nothing fails at
the moment itself; without a look, a clean stop would lose what stands in a file without a name.

A look reads what came since the last one, and an octet before.  A line of the log holds no NUL, for that one is
escaped (`tscm.syslog.escape`); so a NUL says that the file was cut, and that later lines were written
behind a hole.
"""

from twisted.logger import Logger

from tscm.plural import many
from tscm.spool.bridge import bridge
from tscm.spool.copying import Apart, TextCopy
from tscm.spool.disk import CREATE_EMPTY
from tscm.spool.live import LiveLog
from tscm.spool.overlong import Cut, Places, cut_tail
from tscm.spool.state import CHANGED, Gap
from tscm.spool.survey import Survey
from tscm.spool.text import CHUNK_BYTES, LiveText, count_lines, unused_torn, written

_log = Logger()
_COUNTED_MOST = 16 << 20
"""Of a live text, in the reactor thread."""
_LOOKED_MOST = 8 << 20
"""Of what came since the last look: more comes in no second."""
REPAIRED_AT_ONCE = 2 * _COUNTED_MOST
"""So much is read at most of a live file that is repaired in the reactor thread: copied, and counted once."""


def make_whole(live: LiveLog, *, search: bool = False, apart: Apart | None = None) -> bool:
    """
    See that the live file lies where it should and holds what was written; whether it had to be repaired.

    What was truncated is entered in the list as lost.  *search* looks for a hole everywhere, not only
    where the last look ended.  *apart*, a copy of the text or a survey of it, saves reading it.
    Raises `OSError`; then *apart* is still the caller's.
    """
    if live.fd < 0:  # it is opened again, and looked at, with the next line
        return False
    if apart is not None and not apart.fits(live):
        apart = None
    copy = apart if isinstance(apart, TextCopy) else None
    survey = apart if isinstance(apart, Survey) else None
    disk, size = live.disk, live.end - live.base
    mended = False
    spool = live.folder.spool
    # Where its volume is away, another one is no place for the log.
    if disk.is_free(spool) and disk.is_on_volume(live.fd, spool):
        _make_folder(live)
        mended = True
    if not _is_at_its_place(live):
        _restore(live, copy)
        mended, copy, survey = True, None, None
    found = disk.size(live.fd)
    if found < size or survey is not None or _has_hole(live, search=search):
        live.holed = True  # lines that are appended meanwhile may hide it
        mended = _bridge_by(live, survey) or mended
        live.holed = False
    elif found > size:
        _move_aside(live, size, found, copy)
        mended = True
    live.sound = live.end - live.base
    _look_for_change(live)
    return mended


def made_apart(live: LiveLog) -> Apart:
    """
    What puts a live file right of which much has to be read: a copy where it lies elsewhere or is too long, else a survey.

    Raises `OSError`.
    """
    whole = live.disk.size(live.fd) >= live.end - live.base and not _has_hole(live, search=False)
    return TextCopy.of(live) if whole or not _is_at_its_place(live) else Survey.of(live)


def _is_at_its_place(live: LiveLog) -> bool:
    return live.disk.is_at(live.fd, live.folder.next if live.misplaced else live.folder.live)


def _bridge_by(live: LiveLog, survey: Survey | None) -> bool:
    """Go on behind a hole; False where there is none."""
    made = Survey.of(live) if survey is None else survey
    try:
        return bridge(live, made)
    finally:
        if survey is None:
            made.discard()


def _look_for_change(live: LiveLog) -> None:
    """
    Notice text that another process changed within the file since the last look, where no line came meanwhile.

    The time of the last change says that another process wrote, the count of lines that the text is another.  A
    change that leaves as many lines cannot be told from `touch`; where lines come all the time, it is looked for
    when the segment is sealed.
    """
    seen = (live.end, live.disk.changed_ns(live.fd))
    before, live.seen = live.seen, seen
    size = live.end - live.base
    if before[0] != seen[0] or before[1] == seen[1] or size > _COUNTED_MOST:
        return
    lines = count_lines(LiveText(live.disk, live.fd), 0, size)
    stored = live.lines - live.lines_before
    if lines != stored:
        note_change(live, live.base, stored, lines)


def note_change(live: LiveLog, start: int, stored: int, found: int) -> None:
    """
    Write down, once, that another process changed the text of the segment at *start* while it was live.

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
    """
    Is anything of the text gone?  Where it was cut below the end of the last look, its last octet by then is gone too.
    """
    size = live.end - live.base
    if live.holed:
        return True
    start = 0 if search else max(live.sound - 1, 0)
    for at in range(start, size, CHUNK_BYTES):
        data = live.disk.read_at(live.fd, min(CHUNK_BYTES, size - at), at)
        if not data or b"\0" in data:
            return True
        if not search and at - start >= _LOOKED_MOST:
            break
    return False


def _move_aside(live: LiveLog, size: int, found: int, copy: TextCopy | None) -> None:
    """What another process wrote behind the log's end is no line of it, and the next line would lie over it."""
    disk, folder = live.disk, live.folder
    live.finish_rename()
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
    The log's folder, or what it needs beside its lines, where another process has moved or deleted it.

    Sealed segments that went with it stay in the list, and readers pass them as lost.
    """
    live.disk.make_folder(live.folder.path)
    live.disk.make_folder(live.folder.spool)
    _log.error(
        "another process moved or deleted the directory of the log of {device}, or "
        ".spool in it: it is created again with the lines of the live log; missing "
        "rotated segments count as lost",
        device=live.folder.path.name,
    )
    live.publish_state(clean=False)
    live.catalogue.replace({})  # one that was parked is gone: it is made again from the segments


def _restore(live: LiveLog, copy: TextCopy | None) -> None:
    """
    Write the live text to its place again, where another process has moved or deleted the file.

    It is copied from the descriptor, which works for a file without a name too, and leaves a moved
    one to the process that moved it; or what *copy* has of it already takes its place.  What stands there instead (logrotate's new file) is not ours, and
    is kept aside.
    """
    disk, folder = live.disk, live.folder
    live.finish_rename()
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
        size = live.end - live.base
        for at in range(0, size, CHUNK_BYTES):
            data = disk.read_at(live.fd, min(CHUNK_BYTES, size - at), at)
            if data:
                disk.write_all(fd, data, at)
    except OSError:
        disk.close(fd)
        disk.unlink(path)
        raise
    return fd
