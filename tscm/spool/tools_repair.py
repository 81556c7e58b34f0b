"""
Repairing a log offline.  The caller holds the root's lock: no manager may have the log open.
"""

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path

from tscm.plural import many
from tscm.spool.catalogue import LOST, Segment
from tscm.spool.compress import CompressedDamaged
from tscm.spool.cursor import LOST as LOST_CAUSE
from tscm.spool.disk import Disk
from tscm.spool.early import open_whole
from tscm.spool.index import IndexEncoder, Pending, read_index
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder, cursor_readers
from tscm.spool.text import count_lines, open_text
from tscm.spool.tools_list import view_log
from tscm.spool.tools_verify import verify_log


def repair_log(disk: Disk, logs: Path, name: str, now: float) -> list[str]:
    """
    Repair what can be repaired; gives what was done, a sentence each.  Raises `OSError`.

    Text is never changed or deleted.  What cannot be repaired is written down as lost, so that
    readers pass it and the ledger says so.
    """
    done: list[str] = []
    folder = LogFolder(logs / name)
    view = view_log(disk, logs, name)
    harmed = [one for one in verify_log(disk, logs, name) if one.harm == "mended"]
    if any(one.where == str(folder.catalogue) for one in harmed) or any(
        one.wrong == "is not in the list of segments" for one in harmed
    ):
        kept = _kept_aside(disk, folder)
        done.append(f"the list of segments was rebuilt{kept}")
    live = open_whole(disk, folder, now)
    log = DeviceLog(name, live)
    whole = {one.start for one in view.records if not one.gone}
    try:
        for reader, (cursor, damaged) in view.cursors.items():
            if cursor is None:
                done.append(f"reader {reader} had no valid position: it starts from the beginning")
            elif damaged:
                done.append(f"reader {reader} had a damaged position: the other one is used")
        for number in range(live.catalogue.first, live.catalogue.count):
            segment = live.catalogue.at(number)
            if segment.flags & LOST and segment.start in whole:
                done.append(_missing(segment))
            elif segment.flags & LOST and number and _was_cut(segment, view.records):
                done.append(
                    f"a segment ends at {segment.start}: "
                    f"{many(segment.lines, 'line', 'lines')} after it are marked as lost"
                )
            done += _repair(disk, log, number)
        log.pass_readers()
    finally:
        log.close(clean=True)
    return done


def drop_position(disk: Disk, logs: Path, name: str, reader: str) -> int:
    """
    Forget a reader, with what waited for it; gives how many lines that were.

    Raises `FileNotFoundError` where there is no such reader, `OSError`.
    """
    folder = LogFolder(logs / name)
    view = view_log(disk, logs, name)
    if reader not in view.cursors:
        raise FileNotFoundError(2, "no such reader", reader)
    cursor, _ = view.cursors[reader]
    disk.unlink(folder.cursor(reader))
    return 0 if cursor is None else max(0, view.lines - cursor.passed)


def drop_positions(
    disk: Disk, logs: Path, name: str, readers: Collection[str] | None = None
) -> None:
    """
    Forget *readers* of a log that is not open, all of them where None; the lines stay.

    Raises `FileNotFoundError` where there is no such log, `OSError`.
    """
    folder = LogFolder(logs / name)
    for reader in cursor_readers(disk.names(folder.spool)):
        if readers is None or reader in readers:
            disk.unlink(folder.cursor(reader))


def _kept_aside(disk: Disk, folder: LogFolder) -> str:
    if disk.size_of(folder.catalogue) is None:
        return ""
    number = 0
    while disk.size_of(aside := folder.spool / f"segments.damaged.{number}") is not None:
        number += 1
    disk.rename(folder.catalogue, aside)
    return f", the old one is {aside.name}"


def _repair(disk: Disk, log: DeviceLog, number: int) -> list[str]:
    live = log.live
    segment = live.catalogue.at(number)
    try:
        text = open_text(disk, live.folder, segment.start)
    except FileNotFoundError:
        if segment.gone:
            return []
        live.catalogue.change(number, segment.lost(LOST_CAUSE))
        live.state = live.state.with_deleted("lost", segment.lines, segment.size)
        return [_missing(segment)]
    except CompressedDamaged:
        return []
    done = []
    try:
        if segment.flags & LOST and text.size == segment.size:
            segment = _found_again(segment)
            live.catalogue.change(number, segment)
            live.state = live.state.with_deleted("lost", -segment.lines, -segment.size)
            done.append(f"segment {segment.start} was found again")
        if not segment.gone and text.size == segment.size:
            path = live.folder.index(segment.start)
            index = read_index(disk.read_file(path) or b"")
            if index is None or (index.start, index.end) != (segment.start, segment.size):
                lines = count_lines(text, 0, text.size)
                run: Pending = (0, segment.size, lines, segment.last_at, None, True)
                header = IndexEncoder().header(segment.start, segment.lines_before, 0.0)
                disk.publish(path, header + IndexEncoder().runs([run]))
                done.append(
                    f"segment {segment.start} has a rebuilt index; senders and times are unknown"
                )
    except CompressedDamaged:
        done.append(f"segment {segment.start} is damaged: its readable part is kept")
    finally:
        with contextlib.suppress(OSError):
            text.close()
    return done


def _missing(segment: Segment) -> str:
    return f"segment {segment.start} is missing: {many(segment.lines, 'line', 'lines')} are marked as lost"


def _was_cut(stretch: Segment, before: Sequence[Segment]) -> bool:
    """Whether a stretch that is lost now was the end of a segment."""
    return any(not one.gone and one.start < stretch.start < one.end for one in before)


def _found_again(segment: Segment) -> Segment:
    return Segment(
        segment.start,
        segment.size,
        segment.lines_before,
        segment.lines,
        segment.first_at,
        segment.last_at,
    )
