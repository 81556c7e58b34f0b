"""
Stretches of a segment that may be handed on without being looked at.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter

from tscm.spool.index import IndexedRun

_offset = attrgetter("offset")
_RUNS_MOST = 20_000


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


def run_end(
    runs: Iterable[IndexedRun], start: int, most: int, size: int, lines: int
) -> tuple[int, int] | None:
    """
    The last end of a run between *start* and *start* + *most*, else the first behind them; and the lines before it.

    *runs* are those from *start* on, in a segment of *size* bytes by now; *lines* are those before its end.  None where the
    index does not tell of all of it, or tells of so many runs that counting them would take long.
    """
    after = list(islice(runs, _RUNS_MOST + 1))
    if not after or len(after) > _RUNS_MOST or after[-1].offset + after[-1].size != size:
        return None
    found = (size, lines)
    for run in reversed(after):
        if found[0] <= start + most or run.offset <= start:
            break
        lines -= run.lines
        found = (run.offset, lines)
    return found
