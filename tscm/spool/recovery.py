"""
From a folder as the last stop left it to a log that lines can be appended to.

What may be found, and what is done about it, in this order:

1. no folder, or an empty one: a new log; a link, a folder or a pipe in the place of the live file: kept aside;
2. a list of segments that is damaged: made again from the segments;
3. a seal that was interrupted, at any of its steps: gone on with, or taken back;
4. a sealed segment whose file is gone or lost its end: what is missing is marked as lost;
5. a torn tail behind the last whole line, or more than the index can be behind: moved to a file of its own;
6. an index that ends too early, or is damaged: the rest of the text is counted, sender and time unknown;
7. a cursor beyond the log's end (a power cut took lines that had been sent on): the stretch between is
   marked as lost, so that no offset is ever used twice;
8. a stop that was not clean: a gap with its bounds.

Text that another process truncated and that was written behind since is repaired between 6 and 7, as while
a log is open (`tscm.spool.intact`).

Nothing is overwritten, files that are not ours are left alone, and the work is bounded by the live
segment's size and a look at the newest sealed ones, unless the list itself is gone.
"""

from collections.abc import Mapping

from attrs import evolve

from tscm.spool.bridge import finish_bridge
from tscm.spool.catalogue import DELETED, Catalogue, CatalogueDamaged, Segment
from tscm.spool.catalogue import LOST as LOST_FLAG
from tscm.spool.copying import clear_copies
from tscm.spool.cursor import LOST, SLOT_BYTES, Cursor, decode_cursor, encode_cursor, slot_of
from tscm.spool.disk import CREATE, MOST_STATE, READ, Disk
from tscm.spool.index import Index, IndexEncoder, Pending, read_index
from tscm.spool.index_file import read_records
from tscm.spool.intact import make_whole
from tscm.spool.live import LiveLog
from tscm.spool.measure import close_over_losses
from tscm.spool.names import LogFolder, cursor_readers
from tscm.spool.overlong import Places, cut_tail
from tscm.spool.parked import clear_place
from tscm.spool.rebuild import rebuild_catalogue
from tscm.spool.state import NOT_RESTORED, Gap, LogState, decode_state
from tscm.spool.text import LiveText, count_lines, last_line_end, unused_torn

_UNKNOWN_RUN_BYTES = 64 << 20


def open_log(disk: Disk, folder: LogFolder, now: float, most_unknown: int | None = None) -> LiveLog:
    """
    Make one device's log fit for use.  Raises `OSError` where the disk does not let us.

    With *most_unknown* no more bytes of the live file are looked at than that behind those that its index tells
    of: only this program writes to it, so more of them are no lines, and are kept aside.
    """
    disk.make_folder(folder.path)
    disk.make_folder(folder.spool)
    found = decode_state(disk.read_file(folder.state, MOST_STATE))
    remembered = found or decode_state(disk.read_file(folder.state_before, MOST_STATE))
    state = remembered or LogState()
    clear_place(disk, folder, state.live)
    clear_copies(disk, folder)
    fresh = found is None and disk.size_of(folder.live) is None
    cursors, damaged_cursors = _read_cursors(disk, folder)
    catalogue, rebuilt = _open_catalogue(disk, folder, remembered, cursors)
    changed = evolve(
        _with_gone_of(catalogue, state) if rebuilt else state,
        rebuilt=state.rebuilt + rebuilt,
        damaged_cursors=state.damaged_cursors + damaged_cursors,
    )
    try:
        _finish_seal(disk, folder, catalogue)
        finish_bridge(disk, folder, catalogue, state)
        changed = close_over_losses(disk, folder, catalogue, changed)
        log = _open_live(disk, folder, catalogue, changed, most_unknown)
    except BaseException:
        catalogue.close()
        raise
    log.cursors = cursors
    log.now = lambda: now
    try:
        if found and found.clean:  # the stop looked at it, up to its end
            log.sound = log.end - log.base
        make_whole(log, search=not (found and found.clean))
        _put_in_order(disk, folder, log, state, now, fresh=fresh, clean=bool(found and found.clean))
    except BaseException:
        log.release()
        raise
    return log


def _put_in_order(
    disk: Disk,
    folder: LogFolder,
    log: LiveLog,
    state: LogState,
    now: float,
    *,
    fresh: bool,
    clean: bool,
) -> None:
    """Steps 7 and 8; then it is written down that the log is open."""
    _close_over_lost(disk, folder, log)
    log.state = evolve(log.state, closing=())
    last = log.catalogue.last
    log.last_at = log.last_at or (last.last_at if last else 0.0) or state.last_at
    if not fresh and not clean:
        log.state = log.state.with_gap(
            Gap(offset=log.end, lines=log.lines, after=log.last_at, before=now)
        )
    log.lost_at_start = log.state.deleted_lines.get("lost", 0) - state.deleted_lines.get("lost", 0)
    log.publish_state(clean=False)


def _read_cursors(disk: Disk, folder: LogFolder) -> tuple[dict[str, Cursor], int]:
    cursors, damaged = {}, 0
    for name in cursor_readers(disk.names(folder.spool)):
        cursor, slots = decode_cursor(disk.read_file(folder.cursor(name), MOST_STATE) or b"")
        cursors[name] = cursor = cursor or Cursor()
        if slots:  # made whole, so that the damage is counted once
            damaged += slots
            content = bytearray(2 * SLOT_BYTES)
            slot = encode_cursor(cursor)
            content[slot_of(cursor) : slot_of(cursor) + len(slot)] = slot
            disk.publish(folder.cursor(name), bytes(content))
    return cursors, damaged


def _open_catalogue(
    disk: Disk, folder: LogFolder, state: LogState | None, cursors: Mapping[str, Cursor]
) -> tuple[Catalogue, int]:
    catalogue = Catalogue(disk, folder.catalogue)
    try:
        return catalogue, _read_catalogue(disk, folder, catalogue, state, cursors)
    except BaseException:
        catalogue.close()
        raise


def _read_catalogue(
    disk: Disk,
    folder: LogFolder,
    catalogue: Catalogue,
    state: LogState | None,
    cursors: Mapping[str, Cursor],
) -> int:
    """Whether it had to be made again."""
    if disk.size_of(folder.catalogue) is not None:
        try:
            catalogue.open()
            if catalogue.count and not _too_short(disk, folder, catalogue, state):
                return 0
        except CatalogueDamaged:
            pass
        before = catalogue.count
        catalogue.close()
        rebuild_catalogue(disk, folder, state, cursors)
        catalogue.open()
        return int(catalogue.count != before or before > 0)
    rebuilt = rebuild_catalogue(disk, folder, state, cursors)
    catalogue.open()
    return int(rebuilt)


def _with_gone_of(catalogue: Catalogue, state: LogState) -> LogState:
    """
    The state once a list that was made again has told what is gone; counting it twice changes nothing.

    What stood before the oldest text is retention's as far as the state says so; without a
    state that is unknown, and it is taken to be.
    """
    for causes, flag in ((("lost",), LOST_FLAG), (("age", "size", "space", NOT_RESTORED), DELETED)):
        gone = [one for one in catalogue.segments() if one.flags & flag]
        lines = sum(one.lines for one in gone)
        size = sum(one.size for one in gone)
        lines -= sum(state.deleted_lines.get(cause, 0) for cause in causes)
        size -= sum(state.deleted_bytes.get(cause, 0) for cause in causes)
        if lines > 0 or size > 0:
            state = state.with_deleted(causes[0], max(0, lines), max(0, size))
    return state


def rebuild_list(live: LiveLog) -> None:
    """
    Make the list of segments of an open log again.  Raises `OSError`; blocks for as long as
    there are segments to look at.
    """
    live.catalogue.close()
    known = evolve(live.state, live=live.base, lines_before=live.lines_before)
    rebuild_catalogue(live.disk, live.folder, known, live.cursors)
    live.catalogue.open()
    if live.catalogue.end < live.base:
        end, lines = live.catalogue.end, live.catalogue.lines
        lost = Segment(end, live.base - end, lines, max(0, live.lines_before - lines), 0.0, 0.0)
        live.catalogue.add(lost.lost(LOST))
    state = _with_gone_of(live.catalogue, live.state)
    live.state = evolve(state, rebuilt=state.rebuilt + 1)


def _too_short(disk: Disk, folder: LogFolder, catalogue: Catalogue, state: LogState | None) -> bool:
    """Whether segments stand behind the list's end: a seal lists them before they are named."""
    end = catalogue.end
    return (
        (state is not None and state.live > end)
        or disk.size_of(folder.segment(end)) is not None
        or disk.size_of(folder.compressed(end)) is not None
    )


def _finish_seal(disk: Disk, folder: LogFolder, catalogue: Catalogue) -> None:
    """Step 3: the order of a seal stands in `log.DeviceLog.seal`."""
    last = catalogue.last
    live = disk.size_of(folder.live)
    waiting = disk.size_of(folder.next)
    if (
        last is not None
        and not last.gone
        and live is not None
        and disk.size_of(folder.segment(last.start)) is None
        and disk.size_of(folder.compressed(last.start)) is None
        and (waiting is not None or _rename_incomplete(disk, folder, last, live))
    ):  # listed and never named
        if live == last.size:
            disk.rename(folder.live, folder.segment(last.start))
            live = None
        else:  # it grew after the seal was given up, or a power cut took a part of it
            catalogue.drop_last()
    if waiting is not None and live is None:
        disk.rename(folder.next, folder.live)
    elif waiting == 0:
        disk.unlink(folder.next)
    elif waiting:
        disk.rename(folder.next, unused_torn(disk, folder, catalogue.end))


def _rename_incomplete(disk: Disk, folder: LogFolder, last: Segment, live: int) -> bool:
    """
    Whether the last segment's text is still the live one's: its seal was given up, and the disk
    did not let its record be taken back.

    Taken for true only when everything speaks for it: a segment that is merely missing
    must stay in the list, or offsets would go back.
    """
    if (
        live < last.size
        or disk.size_of(folder.index(last.end)) is not None  # begun behind the naming
        or disk.size_of(folder.index(last.start)) is None
    ):
        return False
    fd = disk.open(folder.live, READ)
    try:
        text = LiveText(disk, fd)
        return (
            text.read(1, last.size - 1) == b"\n" and count_lines(text, 0, last.size) == last.lines
        )
    finally:
        disk.close(fd)


def _open_live(
    disk: Disk,
    folder: LogFolder,
    catalogue: Catalogue,
    state: LogState,
    most_unknown: int | None,
) -> LiveLog:
    base = catalogue.end
    last_at = disk.changed_at(folder.live) or 0.0
    data = read_records(disk, folder.index(base))
    index = read_index(data) if data else None
    if index is not None and (index.start, index.lines_before) != (base, catalogue.lines):
        index = None
    fd = disk.open(folder.live, CREATE)
    try:
        size = seen = disk.size(fd)
        if most_unknown is not None:
            seen = min(size, (0 if index is None else index.end) + most_unknown)
        whole = last_line_end(disk, fd, seen)
        if whole < size:  # step 5
            torn = unused_torn(disk, folder, base + whole)
            cut = cut_tail(disk, fd, Places(folder.live, torn, folder.mended), whole, size)
            fd = cut.fd
            state = evolve(
                state,
                torn_bytes=state.torn_bytes + cut.kept,
                torn_files=state.torn_files + (cut.aside is not None),
            )
        log = LiveLog(
            disk=disk,
            folder=folder,
            catalogue=catalogue,
            state=state,
            fd=fd,
            base=base,
            end=base + whole,
            lines_before=catalogue.lines,
            lines=catalogue.lines,
            restore=make_whole,
            first_at=last_at if whole else 0.0,
            last_at=last_at if whole else 0.0,
        )
        _take_index(log, whole, index, data)
    except BaseException:
        disk.close(fd)
        raise
    return log


def _take_index(log: LiveLog, size: int, index: Index | None, data: bytes | None) -> None:
    """Step 6; *data* is what the index's file holds."""
    disk, path = log.disk, log.folder.index(log.base)
    kept = index.up_to(size) if index else Index(log.base, log.lines_before, (), {}, 0)
    if kept.runs:
        log.first_at = kept.runs[0].received_at or log.first_at
        log.last_at = max(log.last_at, kept.runs[-1].received_at)
    rest = _count_rest(disk, log.fd, kept.end, size, log.last_at)
    if kept.runs and not rest:  # the clock that counts is intake's, not the file's
        log.last_at = kept.runs[-1].received_at
    log.lines = log.lines_before + kept.lines + sum(run[2] for run in rest)
    log.state = evolve(
        log.state, unknown_lines=log.state.unknown_lines + sum(run[2] for run in rest)
    )
    if index is not None and kept is index and data is not None:
        log.index_bytes = index.good_bytes
        log.encoder.senders.update(index.senders)
        added = log.encoder.runs(rest)
        if added or len(data) != index.good_bytes:
            fd = disk.open(path, CREATE)
            try:
                disk.truncate(fd, index.good_bytes)
                disk.write_all(fd, added, index.good_bytes)
            finally:
                disk.close(fd)
            log.index_bytes += len(added)
        return
    runs: list[Pending] = [
        (run.offset, run.size, run.lines, run.received_at, run.sender, run.escaped)
        for run in kept.runs
    ]
    content = log.encoder.header(log.base, log.lines_before, log.first_at)
    content += log.encoder.runs([*runs, *rest])
    disk.publish(path, content)
    log.index_bytes = len(content)


def _count_rest(disk: Disk, fd: int, at: int, size: int, last_at: float) -> list[Pending]:
    """Text that no record tells of, in stretches of whole lines."""
    rest: list[Pending] = []
    while at < size:
        end = min(size, at + _UNKNOWN_RUN_BYTES)
        if end < size:
            end = last_line_end(disk, fd, end)
            if end <= at:
                end = size
        rest.append((at, end - at, count_lines(LiveText(disk, fd), at, end), last_at, None, True))
        at = end
    return rest


def _close_over_lost(disk: Disk, folder: LogFolder, log: LiveLog) -> None:
    """Step 7: counted first, and once, as losses of sealed segments are."""
    furthest = max(log.cursors.values(), key=lambda cursor: cursor.offset, default=None)
    if furthest is None or furthest.offset <= log.end:
        return
    lines = max(0, furthest.passed - log.lines)
    if log.end not in log.state.closing:
        log.state = log.state.with_deleted("lost", lines, furthest.offset - log.end)
        log.state = evolve(log.state, closing=(*log.state.closing, log.end))
        log.publish_state(clean=False)
    if log.end > log.base:
        disk.close(log.seal())
    disk.unlink(folder.index(log.base))
    log.catalogue.add(
        Segment(
            log.end, furthest.offset - log.end, log.lines, lines, log.last_at, log.last_at
        ).lost(LOST)
    )
    log.base = log.end = log.catalogue.end
    log.lines_before = log.lines = log.catalogue.lines
    log.first_at = 0.0
    log.index_bytes, log.encoder = 0, IndexEncoder()
    log.begin_index()
