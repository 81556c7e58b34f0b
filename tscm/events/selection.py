"""
Which of the policy's lines tell of the device's lists: those that are uploaded.

A line does when the firewall permitted or denied by an access-list and either end stands on a list
of the generation in force when it came, or of the one before or after while lines may be late.
What cannot be judged is taken: lines from before the first generation, lines whose form tells no ends,
and all while the database cannot be read.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tscm.events.judge import applicable
from tscm.policy.presence import MergedSet
from tscm.store.database import StoreUnusable
from tscm.store.generations import decompress
from tscm.store.reading import read_only
from tscm.syslog.asa import policy_lines
from tscm.syslog.asa_bulk import row_of_each
from tscm.syslog.forms import PARSERS, rows_of_form, spans_of

_KEPT = 3
_LOOK_SECONDS = 1.0


@frozen
class _Known:
    """A generation that the database holds."""

    number: int
    applied_at: float


@define(eq=False)
class ListedLines:
    """
    The selection for one device.  Blocking: called in threads, one call at a time.
    """

    _database: Path
    _device: str
    _form: str = ""
    """The firewall's type, which says how its lines are read."""
    _clock: Callable[[], float] = time.monotonic
    _known: Sequence[_Known] = field(default=(), init=False)
    _looked_at: float | None = field(default=None, init=False)
    _held: "OrderedDict[int, tuple[MergedSet, MergedSet]]" = field(factory=OrderedDict, init=False)

    def __call__(self, data: bytes, at: float) -> tuple[bytes, int]:
        """The lines of *data*, received *at*, that are taken, and their number."""
        form = self._form if self._form in PARSERS else ""
        lines = [data[a:b] for a, b in spans_of(form, data)] if form else policy_lines(data)
        if lines:
            try:
                sets = self._sets(at)
            except (StoreUnusable, ValueError):
                sets = []
            if sets:
                lines = _on_lists(lines, sets, form)
        return b"".join(lines), len(lines)

    def _sets(self, at: float) -> list[MergedSet]:
        """Both lists of each generation that lines received *at* may tell of."""
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= _LOOK_SECONDS:
            self._known = self._look()
            self._looked_at = now
        return [one for known in applicable(self._known, at) for one in self._lists(known.number)]

    def _look(self) -> list[_Known]:
        rows = self._query("SELECT number, applied_at FROM generations WHERE device = ?")
        return [_Known(number, applied_at) for number, applied_at in rows]

    def _lists(self, number: int) -> Sequence[MergedSet]:
        found = self._held.pop(number, None)
        if found is None:
            rows = self._query(
                "SELECT block, allow FROM generations WHERE device = ? AND number = ?", number
            )
            if not rows:
                return ()  # taken away since it was looked for
            block, allow = rows[0]
            found = (MergedSet.of(decompress(block)), MergedSet.of(decompress(allow)))
        self._held[number] = found
        while len(self._held) > _KEPT:
            self._held.popitem(last=False)
        return found

    def _query(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        if not self._database.exists():
            return []
        with read_only(self._database) as connection:
            return connection.execute(sql, (self._device, *values)).fetchall()


def _on_lists(lines: Sequence[bytes], sets: Sequence[MergedSet], form: str) -> list[bytes]:
    rows = rows_of_form(form, lines) if form else row_of_each(lines)
    ends = {end for row in rows if row is not None for end in row[4:6]}
    for one in sets:
        ends = one.without(ends)
    return [
        line
        for line, row in zip(lines, rows, strict=True)
        if row is None or row[4] not in ends or row[5] not in ends
    ]
