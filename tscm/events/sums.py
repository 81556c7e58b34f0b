"""
What roll-ups come to, by any of their columns and under any conditions: packs and rows together.

Every question costs about the same, for of each day it reads the columns that it names and no
others.  A day is taken in pieces, so that a thread that asks leaves others their turn.
The caller is within one read transaction: packing moves counts from rows to packs.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Self

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from tscm.events.columns import SUMS, Codes, Column, Numbers
from tscm.events.packs import LAST_HOUR, days

_PIECE = 1 << 17
"""Rows that are taken at once: what they need fits the processor's cache."""
_EXACT = 1 << 53
"""Below this every whole number is a double."""
_FEW = 4
"""Kinds that are compared one by one rather than looked up."""
_DENSE = 1 << 20
"""With more groups than this only those are counted that occur."""
_HELD = 1 << 19
"""Groups of single days that are held before they are summed up."""

Marks = NDArray[np.bool_]
Rows = slice | NDArray[np.intp]


@frozen(eq=False)
class Among:
    """
    The condition that a column's value is one of *values*, or *negated* that it is none of them.
    """

    column: str
    values: Numbers
    negated: bool = False

    def of(self, kinds: Numbers) -> Marks:
        """Which of *kinds* stand it."""
        return np.isin(kinds, self.values, invert=self.negated)


def among(column: str, values: Sequence[int], *, negated: bool = False) -> Among:
    """The condition, from values in any order."""
    return Among(column, np.array(values, np.int64), negated)


@frozen(kw_only=True, eq=False)
class Query:
    """
    The roll-ups of a device from hour *first* to *last* that stand every condition.
    """

    device: int
    first: int = 0
    last: int = LAST_HOUR
    conditions: tuple[Among, ...] = ()


@frozen(eq=False)
class Groups:
    """
    Lines and hits by key.  *keys* has a row for each column that was asked for.
    """

    keys: Numbers
    lines: Numbers
    hits: Numbers


def sum_by(connection: sqlite3.Connection, query: Query, by: Sequence[str]) -> Groups:
    """
    Each combination of the columns *by* that occurs, and what it comes to; by rising keys.
    """
    found = _Found(len(by))
    for day in days(connection, query.device, query.first, query.last):
        _sum_day(_Day(connection, query.device, day), query, by, found)
    found.add(*_sum_rows(connection, query, by))
    return found.groups()


def distinct(connection: sqlite3.Connection, query: Query, column: str) -> Numbers:
    """The values that a column has in these hours, and maybe some of the rest of their days."""
    parts = [
        _Day(connection, query.device, day).kinds(column)
        for day in days(connection, query.device, query.first, query.last)
    ]
    rows = connection.execute(
        f"SELECT DISTINCT {column} FROM hits WHERE device = ? AND hour BETWEEN ? AND ?",  # noqa: S608 - a name of a column
        (query.device, query.first, query.last),
    )
    parts.append(np.array([value for (value,) in rows], np.int64))
    return np.unique(np.concatenate(parts))


def labels(connection: sqlite3.Connection, words: Sequence[int]) -> dict[int, str]:
    """The texts of these numbers."""
    return dict(
        connection.execute(
            "SELECT id, text FROM words WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(words),),
        )
    )


def together(several: Sequence[Groups]) -> Groups:
    """The groups of several devices as one: each key once."""
    found = _Found(several[0].keys.shape[0])
    for one in several:
        found.add(one.keys, np.stack((one.lines, one.hits)))
    return found.groups()


def _each_once(keys: Numbers, sums: Numbers) -> Groups:
    """Columns of *keys* that are equal become one, and their *sums* are added up."""
    order = np.lexsort(keys[::-1])
    keys, sums = keys[:, order], sums[:, order]
    new = np.ones(keys.shape[1], np.bool_)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    first = np.flatnonzero(new)
    lines, hits = np.add.reduceat(sums, first, axis=1)
    return Groups(keys[:, first], lines, hits)


@define(eq=False)
class _Found:
    """
    Groups as they come, day by day; the same key may come more than once.
    """

    _columns: int
    _keys: list[Numbers] = field(factory=list)
    _sums: list[Numbers] = field(factory=list)
    _held: int = 0

    def add(self, keys: Numbers, sums: Numbers) -> None:
        """A day's: a row of *keys* for each column, and rows of lines and hits."""
        if keys.shape[1]:
            self._keys.append(keys)
            self._sums.append(sums)
            self._held += keys.shape[1]
            if self._held > _HELD and len(self._keys) > 1:
                together = self.groups()
                self._keys = [together.keys]
                self._sums = [np.stack((together.lines, together.hits))]
                self._held = 0

    def groups(self) -> Groups:
        """All of them, each key once."""
        if not self._keys:
            nothing = np.zeros(0, np.int64)
            return Groups(np.zeros((self._columns, 0), np.int64), nothing, nothing)
        return _each_once(np.concatenate(self._keys, axis=1), np.concatenate(self._sums, axis=1))


@define(eq=False)
class _Day:
    """
    The columns of one packed day, each read when it is asked for.
    """

    _connection: sqlite3.Connection
    _device: int
    _day: int
    _read: dict[str, Column] = field(factory=dict)

    def column(self, name: str) -> Column:
        """All of a column."""
        if name not in self._read:
            found = Column.read(self._connection, self._device, self._day, name)
            assert found is not None
            self._read[name] = found
        return self._read[name]

    def kinds(self, name: str) -> Numbers:
        """Its values alone, which cost much less to read."""
        if name in self._read:
            return self._read[name].kinds
        (kinds,) = self._connection.execute(
            "SELECT kinds FROM packs WHERE device = ? AND day = ? AND name = ?",
            (self._device, self._day, name),
        ).fetchone()
        return np.frombuffer(kinds, "<i8")


def _sum_day(day: _Day, query: Query, by: Sequence[str], found: _Found) -> None:
    tests: list[tuple[Column, Marks]] = []
    kept: dict[str, Marks] = {}
    for name, marks in _marks(day, query):
        if not marks.any():
            return
        if not marks.all():
            tests.append((day.column(name), marks))
            kept[name] = marks & kept.get(name, True)
            if not kept[name].any():
                return
    columns = [_Key.of(day.column(name), kept.get(name)) for name in by]
    shape = tuple(len(column.kinds) for column in columns)
    weights = _Weights.of(day.column(SUMS))
    dense = prod(shape) <= _DENSE
    sums = np.zeros((2, prod(shape) if dense else 0), np.int64)
    for start in range(0, weights.count, _PIECE):
        rows = _standing(tests, start, min(_PIECE, weights.count - start))
        places = _places(columns, rows)
        if dense:
            sums += weights.tally(rows, places, sums.shape[1])
        elif len(places):
            there, places = np.unique(places, return_inverse=True)
            found.add(_keys(columns, shape, there), weights.tally(rows, places, len(there)))
    there = np.flatnonzero(sums[0])
    found.add(_keys(columns, shape, there), sums[:, there])


def _marks(day: _Day, query: Query) -> Iterator[tuple[str, Marks]]:
    """Each column that decides, and which of its values stand its condition."""
    hours = day.kinds("hour")
    yield "hour", (hours >= query.first) & (hours <= query.last)
    for condition in query.conditions:
        yield condition.column, condition.of(day.kinds(condition.column))


def _standing(tests: Sequence[tuple[Column, Marks]], start: int, count: int) -> Rows:
    """Which of *count* rows from *start* stand all *tests*."""
    rows = slice(start, start + count)
    if not tests:
        return rows
    standing = np.ones(count, np.bool_)
    for column, marks in tests:
        codes = column.codes[rows]
        yes, no = np.flatnonzero(marks).tolist(), np.flatnonzero(~marks).tolist()
        # With Python's numbers an array is compared as it is; numpy's own would widen it first.
        if len(yes) <= _FEW:
            standing &= np.logical_or.reduce([codes == one for one in yes])
        elif len(no) <= _FEW:
            for one in no:
                standing &= codes != one
        else:
            standing &= marks[codes]
    return start + np.flatnonzero(standing)


@frozen(eq=False)
class _Key:
    """
    A column to group by, with those kinds alone that stand its conditions: fewer groups to go through.
    """

    kinds: Numbers
    codes: Codes
    places: Numbers | None
    """The place of each former kind among *kinds*, where they are fewer."""

    @classmethod
    def of(cls, column: Column, kept: Marks | None) -> Self:
        if kept is None:
            return cls(column.kinds, column.codes, None)
        return cls(column.kinds[kept], column.codes, np.cumsum(kept) - 1)

    def of_rows(self, rows: Rows) -> NDArray[np.integer[Any]]:
        """The place of each row's kind; there is more than one."""
        codes = self.codes[rows]
        return codes if self.places is None else self.places[codes]


def _places(columns: Sequence[_Key], rows: Rows) -> NDArray[np.integer[Any]]:
    """The place of each of *rows* among all combinations of the columns' kinds."""
    count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
    places: NDArray[np.integer[Any]] | None = None
    for column in columns:
        if len(column.kinds) > 1:
            one = column.of_rows(rows)
            places = one if places is None else places.astype(np.int64) * len(column.kinds) + one
    return np.zeros(count, np.int64) if places is None else places


def _keys(columns: Sequence[_Key], shape: tuple[int, ...], places: NDArray[np.intp]) -> Numbers:
    each = np.unravel_index(places, shape)
    return np.stack(
        [column.kinds[codes] for column, codes in zip(columns, each, strict=True)]
    ).astype(np.int64, copy=False)


@frozen(eq=False)
class _Weights:
    """
    Lines and hits of each row of a day, ready to be summed up by places.
    """

    count: int
    lines: Numbers
    hits: Numbers
    codes: Codes
    scale: int
    """Where it is not 0, hits times this plus lines lies in *both*: one number, and one sum for the two."""
    both: NDArray[np.float64]

    @classmethod
    def of(cls, sums: Column) -> Self:
        lines, hits = np.split(sums.kinds, 2)
        most = min(sums.count, _PIECE)
        scale = 1 << (int(lines.max()) * most).bit_length()
        if int(hits.max()) * most * scale >= _EXACT:
            scale = 0
        return cls(sums.count, lines, hits, sums.codes, scale, (hits * scale + lines).astype(float))

    def tally(self, rows: Rows, places: NDArray[np.integer[Any]], groups: int) -> Numbers:
        """Lines and hits of *rows* by *places*, of which there are *groups*."""
        codes = self.codes[rows] if len(self.codes) else np.zeros(len(places), np.uint8)
        if self.scale:
            both = np.bincount(places, self.both[codes], groups).astype(np.int64)
            return np.stack((both % self.scale, both // self.scale))
        found = np.zeros((2, groups), np.int64)
        for sums, kinds in zip(found, (self.lines, self.hits), strict=True):
            np.add.at(sums, places, kinds[codes])
        return found


def _sum_rows(
    connection: sqlite3.Connection, query: Query, by: Sequence[str]
) -> tuple[Numbers, Numbers]:
    """The same of the rows that are not packed yet."""
    named = ", ".join(by)
    conditions = ["device = ? AND hour BETWEEN ? AND ?"]
    values: list[Any] = [query.device, query.first, query.last]
    for one in query.conditions:
        negated = "NOT " if one.negated else ""
        conditions.append(f"{one.column} {negated}IN (SELECT value FROM json_each(?))")  # noqa: S608
        values.append(json.dumps(one.values.tolist()))
    rows = connection.execute(
        f"SELECT {named}, SUM(lines), SUM(hits) FROM hits "  # noqa: S608 - names of columns
        f"WHERE {' AND '.join(conditions)} GROUP BY {named}",
        values,
    ).fetchall()
    table = np.array(rows, np.int64).reshape(-1, len(by) + 2).T
    return table[:-2], table[-2:]
