"""
Holding a log's files against each other, offline: what does not fit, and what helps.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from attrs import evolve, frozen

from tscm.plural import many
from tscm.spool.catalogue import CHECKED, Segment
from tscm.spool.compress import CompressedDamaged, Workbench
from tscm.spool.disk import Disk
from tscm.spool.index import Index, read_index
from tscm.spool.index_file import read_records
from tscm.spool.names import index_starts, segment_starts
from tscm.spool.text import count_lines, open_text
from tscm.spool.tools_list import LogView, count_live, view_log

_REPAIR = "a repair corrects it"
_LOOKS = 4
_LOOK_SECONDS = 0.3
_NUMBERS = re.compile(r"[0-9]+")
_NOTHING = "it cannot be recovered; readers pass over it and count it as lost"


@frozen
class Finding:
    """
    One thing that is not as it should be.

    *harm* is `lost` where lines are gone, `mended` where the next start or a repair puts it
    right, `note` where nothing is wrong but an operator may wonder.
    """

    where: str
    wrong: str
    harm: str
    remedy: str

    def __str__(self) -> str:
        """A sentence."""
        return f"{self.where}: {self.wrong}; {self.remedy}"


def verify_log(
    disk: Disk, logs: Path, name: str, rest: Callable[[float], None] = time.sleep
) -> list[Finding]:
    """
    Everything that is wrong with one log; reads all of its text.  Raises `OSError`.

    In a log that a manager may have open, what seems wrong is looked at again and again, with a *rest*
    between: segments are sealed, compressed and deleted meanwhile.  Only what stays wrong is told.
    """
    view = view_log(disk, logs, name)
    found = _findings(disk, view, view.kept)
    for _ in range(0 if view.state and view.state.clean else _LOOKS):
        doubted = {_what(one) for one in found if one.harm != "note"}
        if not doubted:
            break
        rest(_LOOK_SECONDS)
        places = {where for where, _ in doubted}
        view = view_log(disk, logs, name)
        kept = [one for one in view.kept if not places.isdisjoint(_places(view, one))]
        again = _findings(disk, view, kept)
        found = [one for one in again if one.harm == "note" or _what(one) in doubted]
    return found


def _findings(disk: Disk, view: LogView, kept: Sequence[Segment]) -> list[Finding]:
    """What a look shows, *kept* being the sealed segments whose text is read."""
    found = [*_list(view)]
    if _is_sealing(disk, view):
        found.append(
            Finding(
                str(view.folder.live),
                "is being rotated",
                "note",
                "the running manager, or the next start, completes the rotation",
            )
        )
        last = view.records[-1]
        view = evolve(view, records=view.records[:-1])
        kept = [one for one in kept if one.start != last.start]
    return [
        *found,
        *(finding for segment in kept for finding in _segment(disk, view, segment)),
        *_live(disk, view),
        *_cursors(disk, view),
        *_others(view),
    ]


def _is_sealing(disk: Disk, view: LogView) -> bool:
    """
    Does the list have a segment whose text still stands in `syslog`?

    So it is for a moment in each seal, and for good after a crash in that moment.
    """
    if not view.records or view.records[-1].gone or not disk.size_of(view.folder.live):
        return False
    last = view.records[-1]
    sealed = disk.size_of(view.folder.segment(last.start))
    packed = disk.size_of(view.folder.compressed(last.start))
    return sealed is None and packed is None and disk.size_of(view.folder.next) is not None


def _what(finding: Finding) -> tuple[str, str]:
    """A finding but for its numbers, which move in a log that is written."""
    return finding.where.removesuffix(".zst"), _NUMBERS.sub("#", finding.wrong)


def _places(view: LogView, segment: Segment) -> set[str]:
    return {str(view.folder.segment(segment.start)), str(view.folder.index(segment.start))}


def _list(view: LogView) -> Iterator[Finding]:
    where = str(view.folder.catalogue)
    for number in view.bad_records:
        yield Finding(where, f"record {number} is damaged", "mended", _REPAIR)
    if view.loose_bytes:
        yield Finding(where, "its last record is truncated", "mended", _REPAIR)
    if view.bad_records:
        return
    for one, other in pairwise(view.records):
        if (one.end, one.lines_end) != (other.start, other.lines_before):
            yield Finding(
                where, f"records {one.start} and {other.start} do not match", "mended", _REPAIR
            )
    listed = {segment.start for segment in view.records}
    for start in segment_starts(list(view.names)):
        if start not in listed:
            yield Finding(
                str(view.folder.segment(start)), "is not in the list of segments", "mended", _REPAIR
            )


def _segment(disk: Disk, view: LogView, segment: Segment) -> Iterator[Finding]:
    where = str(view.path_of(segment))
    try:
        text = open_text(disk, view.folder, segment.start)
    except FileNotFoundError:
        yield Finding(
            where, f"is missing with {many(segment.lines, 'line', 'lines')}", "lost", _NOTHING
        )
        return
    except CompressedDamaged as error:
        yield Finding(where, error.strerror or "is damaged", "lost", _NOTHING)
        return
    try:
        if text.size != segment.size:
            yield Finding(where, f"contains {text.size} of {segment.size} bytes", "lost", _NOTHING)
            return
        found = Workbench().look(text, text.size)
    except CompressedDamaged as error:
        yield Finding(where, error.strerror or "is damaged", "lost", _NOTHING)
        return
    finally:
        text.close()
    if segment.flags & CHECKED and found.crc != segment.text_crc:
        yield Finding(
            where,
            "has changed since it was rotated (checksum mismatch)",
            "lost",
            "restore it from a backup, or accept it as it is",
        )
    if found.lines != segment.lines:
        wrong = (
            f"contains {found.lines:,} of {many(segment.lines, 'line', 'lines')}: another process "
            "modified its text"
        )
        yield Finding(where, wrong, "lost", _NOTHING)
    data = read_records(disk, view.folder.index(segment.start))
    yield from _index(
        str(view.folder.index(segment.start)), read_index(data) if data else None, segment
    )


def _index(where: str, index: Index | None, segment: Segment) -> Iterator[Finding]:
    if index is None:
        wrong = "is missing or damaged: senders and receive times are unknown"
    elif (index.start, index.lines_before) != (segment.start, segment.lines_before):
        wrong = "belongs to another segment"
    elif index.end != segment.size or index.lines != segment.lines:
        wrong = f"describes {index.lines:,} of {many(segment.lines, 'line', 'lines')}"
    else:
        return
    yield Finding(where, wrong, "mended", _REPAIR)


def _live(disk: Disk, view: LogView) -> Iterator[Finding]:
    where = str(view.folder.live)
    if view.live_bytes is None:
        yield Finding(where, "is missing", "mended", "the next start creates it")
    elif view.live_index is not None and view.live_index.end > view.live_bytes:
        lost = view.live_index.end - view.live_bytes
        yield Finding(where, f"is {lost} bytes shorter than it was", "lost", _NOTHING)
    elif view.live_index is not None:
        lines = count_live(disk, view.folder, view.live_index.end)[1]
        if lines != view.live_index.lines:
            wrong = (
                f"contains {many(lines, 'line', 'lines')}, but its index describes "
                f"{view.live_index.lines:,}"
            )
            yield Finding(where, f"{wrong}: another process modified its text", "lost", _NOTHING)
    if view.state is None:
        yield Finding(str(view.folder.state), "is missing or damaged", "mended", _REPAIR)
    elif not view.state.clean:
        yield Finding(
            where,
            "was not closed by a clean stop, or is open in a running manager",
            "note",
            "the next start checks it",
        )


def _cursors(disk: Disk, view: LogView) -> Iterator[Finding]:
    for reader, (cursor, damaged) in sorted(view.cursors.items()):
        where = str(view.folder.cursor(reader))
        if cursor is None:
            yield Finding(
                where, "no valid position is left", "mended", "the reader starts from the beginning"
            )
            continue
        if damaged:
            yield Finding(
                where, "one of two positions is damaged", "mended", "the previous one is used"
            )
        if cursor.offset > view.end:
            yield Finding(
                where,
                f"is {cursor.offset - view.end} bytes beyond the end of the log",
                "lost",
                "lines were sent and then lost from the disk; the next start records this",
            )
            continue
        lines = _lines_before(disk, view, cursor.offset)
        if lines is not None and lines != cursor.passed:
            yield Finding(
                where,
                f"counts {many(cursor.passed, 'line', 'lines')} where the log has {lines:,}",
                "lost",
                "the ledger of this reader differs by this number",
            )


def _lines_before(disk: Disk, view: LogView, offset: int) -> int | None:
    if offset >= view.end:
        return view.lines
    if offset >= view.base:
        return view.lines_before + count_live(disk, view.folder, offset - view.base)[1]
    for segment in view.records:
        if segment.start == offset:
            return segment.lines_before
        if segment.start < offset < segment.end:
            try:
                text = open_text(disk, view.folder, segment.start)
            except OSError:
                return None
            try:
                return segment.lines_before + count_lines(text, 0, offset - segment.start)
            except CompressedDamaged:
                return None
            finally:
                text.close()
    return None


def _others(view: LogView) -> Iterator[Finding]:
    for name in view.spool_names:
        if name.startswith("torn."):
            yield Finding(
                str(view.folder.spool / name),
                "was removed from the end of the log after an unclean stop",
                "note",
                "inspect it, then delete it",
            )
    if view.bad_records:
        return
    listed = {segment.start for segment in view.records} | {view.base}
    for start in index_starts(list(view.spool_names)):
        if start not in listed:
            yield Finding(
                str(view.folder.index(start)), "belongs to no segment", "note", "it can be deleted"
            )
