"""
Who sent the lines of a stretch of the log, and when they came: what the index tells.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain, islice, starmap
from operator import attrgetter
from typing import Protocol

from attrs import define, field

from tscm.model import Origin
from tscm.spool.catalogue import Segment
from tscm.spool.index import IndexedRun, read_index
from tscm.spool.live import LiveLog

_offset = attrgetter("offset")


class IndexedLog(Protocol):
    """
    What is asked of a device's log: its live segment, and its sealed ones.
    """

    live: LiveLog

    def segment_at(self, offset: int) -> Segment:
        """The sealed segment that holds *offset*."""


@define(eq=False)
class OriginTable:
    """
    One reader's look into the index; the segment looked at last stays at hand.
    """

    _log: IndexedLog
    _start: int = field(default=-1, init=False)
    _size: int = field(default=-1, init=False)
    _runs: tuple[IndexedRun, ...] = field(default=(), init=False)

    def between(self, start: int, end: int) -> list[Origin]:
        """
        Stretches that cover *start* to *end*, which lie in one segment, without a gap.

        What no index tells of any more has neither sender nor time.  Raises `OSError`.
        """
        live = self._log.live
        base = live.base if start >= live.base else self._log.segment_at(start).start
        found: list[Origin] = []
        at = start
        for run in self.runs_from(base, start - base):
            if base + run.offset >= end:
                break
            first, last = max(at, base + run.offset), min(end, base + run.offset + run.size)
            if first >= last:
                continue
            if first > at:
                found.append(Origin(start=at, end=first))
            found.append(
                Origin(start=first, end=last, sender=run.sender, received_at=run.received_at)
            )
            at = last
        if at < end:
            found.append(Origin(start=at, end=end))
        return found

    def runs_from(self, base: int, at: int) -> Iterable[IndexedRun]:
        """
        Runs of the segment at *base*, beginning with the one that holds *at*, or before it.

        A reader that follows the log closely is told from memory: to read the index for each line that
        comes would cost more with every line of the segment.
        """
        live = self._log.live
        if base == live.base:
            latest = live.latest_runs()
            if latest and latest[0][0] <= at:
                return starmap(IndexedRun, latest)
        runs = self._indexed(base)
        begin = max(0, bisect_right(runs, at, key=_offset) - 1)
        pending = live.pending_runs() if base == live.base else ()
        return chain(islice(runs, begin, None), starmap(IndexedRun, pending))

    def runs_of(self, base: int) -> tuple[IndexedRun, ...]:
        """The runs of the segment at *base*, as far as its index tells.  Raises `OSError`."""
        return self._indexed(base)

    def _indexed(self, base: int) -> tuple[IndexedRun, ...]:
        live = self._log.live
        path = live.folder.index(base)
        size = live.disk.size_of(path) or 0
        if (base, size) != (self._start, self._size):
            index = read_index(live.disk.read_file(path) or b"")
            self._runs = () if index is None else index.runs
            self._start, self._size = base, size
        return self._runs
