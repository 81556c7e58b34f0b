"""
Lines of devices' logs that fit a filter: searched for in all that is kept, or judged as they come.

Blocking: for a thread.  Bounded by octets, seconds and lines; what a bound leaves out is counted.
"""

import heapq
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from attrs import define, evolve, field, frozen

from tscm.events.answers import FoundLines, LineHit, LogLine
from tscm.events.explain import Explained, Explainer
from tscm.events.line_filter import LineFilter, spans
from tscm.events.rollups import HOUR_SECONDS
from tscm.events.shared_table import SharedTable
from tscm.events.worker import ForceTable
from tscm.spool.disk import Disk
from tscm.spool.tools_export import ExportFilter, Message, Passage, export_passages

LINE_SHOWN = 4096
"""Characters of a line that are told."""


@frozen(kw_only=True)
class LogOf:
    """
    A device's log, and what its lines are judged by: the names of its lists, its access-lists, and its type.
    """

    device: str
    lists: tuple[str, str] = ("", "")
    access_lists: tuple[str, ...] = ()
    form: str = ""


@frozen(kw_only=True)
class Bounds:
    """How much is looked at: octets of the logs, seconds by *clock*, and how many lines are told."""

    octets: int
    seconds: float
    lines: int


class Exhausted(Exception):
    """A bound is reached; *cause* is for people."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@define(eq=False)
class Gathering:
    """
    The oldest of the lines that fit, as many as are told, and the counts of all.  *clock* tells seconds for the bound.
    """

    wanted: LineFilter
    bounds: Bounds
    database: Path
    now: float
    """POSIX seconds: for lines whose time of receipt is unknown."""
    clock: Callable[[], float] = time.monotonic
    newest: bool = False
    """Keep the newest instead."""
    fitting: int = field(default=0, init=False)
    read_lines: int = field(default=0, init=False)
    read_bytes: int = field(default=0, init=False)
    _table: ForceTable | None = field(default=None, init=False)
    _kept: list[tuple[float, int, LogLine]] = field(factory=list, init=False)
    """A heap with what goes next at its top."""
    _number: Iterator[int] = field(factory=count, init=False)
    _until: float = field(default=0.0, init=False)

    @contextmanager
    def judging(self, table: SharedTable) -> Iterator[None]:
        """Have the lists of *table* at hand, where they are needed.  The time that is given begins."""
        self._until = self.clock() + self.bounds.seconds
        if self.wanted.about is None:
            yield
            return
        with table.of(self.database) as self._table:
            yield

    def take(self, log: LogOf, passage: Passage) -> int:
        """Look at whole lines; makes nothing of them, 0 octets.  Raises `Exhausted` where a bound is reached already."""
        if self.clock() >= self._until:
            raise Exhausted(f"the search took longer than {self.bounds.seconds:g} seconds")
        if self.read_bytes + len(passage.data) > self.bounds.octets:
            raise Exhausted(
                f"the search read {self.read_bytes:,} bytes, and reads no more than that at a time"
            )
        self.read_bytes += len(passage.data)
        self.read_lines += passage.data.count(b"\n")
        if self.wanted.about is None:
            self._take_texts(log, passage)
            return 0
        explainer = Explainer(self.database, log.device, log.lists, log.form, self._table)
        for at, part in by_hour(passage):
            self._take_hits(log, explainer, part, at or self.now)
        return 0

    def _take_texts(self, log: LogOf, passage: Passage) -> None:
        pattern = self.wanted.pattern
        if pattern is not None and pattern.search(passage.data) is None:
            return
        messages = passage.messages()
        if pattern is not None:
            begins = {passage.offset + start for start, _ in spans(pattern, passage.data)}
            messages = (one for one in messages if one.offset in begins)
        for message in messages:
            self._keep(log, message.line, message, None)

    def _take_hits(self, log: LogOf, explainer: Explainer, passage: Passage, at: float) -> None:
        fitting = [
            one
            for one in explainer.explain(self.wanted.lines_with_text(passage.data), at)
            if one.hit is not None
            and (not log.access_lists or one.event.access_list in log.access_lists)
            and self.wanted.fits(one.hit)
        ]
        messages = passage.messages() if fitting else iter(())
        for one in fitting:
            message = next((found for found in messages if found.line == one.line), None)
            self._keep(log, one.line, message, _hit(one))

    def _keep(self, log: LogOf, line: bytes, message: Message | None, hit: LineHit | None) -> None:
        self.fitting += 1
        at = message.received_at if message is not None else None
        rank = (at or 0.0) if self.newest else -(at or 0.0)
        number = next(self._number) if self.newest else -next(self._number)
        if (
            len(self._kept) >= self.bounds.lines
            and self._kept
            and (rank, number) < self._kept[0][:2]
        ):
            return
        text = line.decode("utf-8", "replace")
        told = LogLine(
            device=log.device,
            received_at=at,
            sender=message.sender if message is not None else None,
            line=text[:LINE_SHOWN],
            cut=max(0, len(text) - LINE_SHOWN),
            hit=hit,
        )
        heapq.heappush(self._kept, (rank, number, told))
        if len(self._kept) > self.bounds.lines:
            heapq.heappop(self._kept)

    def found(self) -> FoundLines:
        """What it came to."""
        ordered = sorted(self._kept, key=lambda one: one[:2], reverse=not self.newest)
        return FoundLines(
            lines=tuple(told for _, _, told in ordered),
            fitting=self.fitting,
            left_out=self.fitting - len(ordered),
            read_lines=self.read_lines,
            read_bytes=self.read_bytes,
        )


def _hit(one: Explained) -> LineHit:
    assert one.hit is not None
    return LineHit(**one.hit._asdict(), hits=one.event.hits)


def by_hour(passage: Passage) -> Iterator[tuple[float, Passage]]:
    """
    *passage* in parts that were received within one hour, each with that time: another hour may have other lists.

    Lines of an unknown time go with those before them; 0 where there are none.
    """
    starts = [run.offset for run in passage.runs]
    begin = passage.offset - passage.base
    end = begin + len(passage.data)
    at, from_, hour = 0.0, begin, None
    first = max(0, bisect_right(starts, begin) - 1)
    for run in passage.runs[first : bisect_right(starts, end - 1)]:
        if not run.received_at:
            continue
        this = int(run.received_at) // HOUR_SECONDS
        if hour is not None and this != hour and run.offset > from_:
            yield at, _part(passage, begin, from_, run.offset)
            from_ = run.offset
        hour, at = this, run.received_at
    if from_ < end:
        yield at, _part(passage, begin, from_, end)


def _part(passage: Passage, begin: int, start: int, end: int) -> Passage:
    data = passage.data[start - begin : end - begin]
    return evolve(passage, offset=passage.base + start, data=data)


def search(
    logs: Path,
    devices: Sequence[LogOf],
    gathering: Gathering,
    since: float | None = None,
    until: float | None = None,
) -> FoundLines:
    """
    The lines received from *since* on and before *until* that fit, of all that the logs of *devices* keep.
    """
    missing: list[str] = []
    ended, disk = None, Disk()
    wanted = ExportFilter(since=since, until=until, unknown=since is None and until is None)
    with gathering.judging(SharedTable()):
        for log in devices:
            try:
                take = partial(gathering.take, log)
                missing += export_passages(disk, logs, log.device, take, wanted).missing
            except FileNotFoundError:  # no line was ever stored
                continue
            except Exhausted as error:
                ended = error.cause
                break
    return evolve(gathering.found(), missing=tuple(missing), ended=ended)


def judged(
    table: SharedTable, passages: Sequence[tuple[LogOf, Passage]], gathering: Gathering
) -> FoundLines:
    """The lines of *passages*, which have just come, that fit."""
    ended = None
    with gathering.judging(table):
        for log, passage in passages:
            try:
                gathering.take(log, passage)
            except Exhausted as error:
                ended = error.cause
                break
    return evolve(gathering.found(), ended=ended)
