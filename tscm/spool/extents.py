"""
Stretches of a segment that may be handed on without being looked at.
"""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from tscm.spool.index import IndexedRun

_offset = attrgetter("offset")


def plain_stretch(runs: Sequence[IndexedRun], start: int, most: int) -> tuple[int, int] | None:
    """
    End and lines of the whole runs from *start* on that hold no escape, *most* bytes in all.

    Offsets are the segment's.  None where no run begins at *start*, where the first one is longer
    than *most*, or where an escape stands in it.
    """
    at = bisect_left(runs, start, key=_offset)
    end, lines = start, 0
    while at < len(runs):
        run = runs[at]
        if run.offset != end or run.escaped or end + run.size > start + most:
            break
        end += run.size
        lines += run.lines
        at += 1
    return (end, lines) if end > start else None
