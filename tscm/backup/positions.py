"""
A log without its text: what a backup that leaves the logs out carries of each.  Pure.

Offsets must go on where they were: a batch that was uploaded is known by its offsets, and so are the lines that were
counted.  So the list of segments says that everything up to the end is gone: what all readers have passed was
deleted, and what one of them has not read is lost, and counts as expired for that reader.
"""

from collections.abc import Mapping

from attrs import evolve

from tscm.spool.catalogue import Segment, encode_segment
from tscm.spool.cursor import LOST, SPACE, Cursor
from tscm.spool.state import NOT_RESTORED, LogState, encode_state
from tscm.spool.tools_list import LogView


def position_files(view: LogView, cursors: Mapping[str, Cursor]) -> tuple[bytes, bytes]:
    """
    Content of `.spool/state` and of `.spool/segments` for the log in *view* without its text.

    *cursors* are those that the backup carries: as old as the view, or older.
    """
    end = max([view.end, *(cursor.offset for cursor in cursors.values())])
    lines = view.lines
    slowest = min(cursors.values(), key=lambda cursor: cursor.offset, default=None)
    passed = end if slowest is None else slowest.offset
    read = lines if slowest is None else min(lines, slowest.passed)
    before = view.state or LogState()
    last_at = max([before.last_at, *(one.last_at for one in view.records)])
    segments = [
        Segment(0, passed, 0, read, 0.0, last_at).deleted(SPACE),
        Segment(passed, end - passed, read, lines - read, last_at, last_at).lost(LOST),
    ]
    state = evolve(before, clean=False, live=end, lines_before=lines, last_at=last_at, closing=())
    gone_lines, gone_bytes = before.deleted_lines, before.deleted_bytes
    kept_lines = max(0, lines - sum(gone_lines.values()))
    kept_bytes = max(0, end - sum(gone_bytes.values()))
    unread_lines, unread_bytes = min(kept_lines, lines - read), min(kept_bytes, end - passed)
    for cause, of, size in (
        ("lost", unread_lines, unread_bytes),
        (NOT_RESTORED, kept_lines - unread_lines, kept_bytes - unread_bytes),
    ):
        if of or size:
            state = state.with_deleted(cause, of, size)
    return encode_state(state), b"".join(encode_segment(one) for one in segments if one.size)
