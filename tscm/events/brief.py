"""
A packed day in brief: what each outside address met of the lists, and from which hour to which.

Who asks about one address asks all days that are kept, and wants the first hour and the last.  In
brief a day has some thousand rows instead of hundreds of thousands.  It is written with the day's pack,
out of the same columns, and read here together with the rows that are not packed yet.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from attrs import frozen

from tscm.events.columns import BRIEF_SUMS, SUMS, Column, Numbers

KEYS = ("action", "list", "entry", "outside")
FIRST, LAST = "brief first", "brief last"


def in_brief(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns in brief of a day with these columns; without a row there are none."""
    if not columns[SUMS].count:
        return {}
    keys = [columns[name] for name in KEYS]
    places = np.zeros(columns[SUMS].count, np.int64)
    for one in keys:
        places = places * len(one.kinds) + (one.codes if len(one.codes) else 0)
    order = np.argsort(places)
    begins = np.flatnonzero(np.diff(places[order], prepend=-1))
    hours = columns["hour"].rows()[order]
    lines, hits = (np.add.reduceat(one[order], begins) for one in columns[SUMS].row_pairs())
    return {
        **{
            _named(name): Column.of(one.rows()[order[begins]])
            for name, one in zip(KEYS, keys, strict=True)
        },
        FIRST: Column.of(np.minimum.reduceat(hours, begins)),
        LAST: Column.of(np.maximum.reduceat(hours, begins)),
        BRIEF_SUMS: Column.of_pairs(lines, hits),
    }


def _named(key: str) -> str:
    return f"brief {key}"


@frozen(eq=False)
class Met:
    """
    What was met: a row for each value that was asked about with an action and a list.
    """

    keys: Numbers
    """Value, action, list: a row of each."""
    first: Numbers
    """The first hour."""
    last: Numbers
    lines: Numbers
    hits: Numbers

    @classmethod
    def together(cls, parts: Sequence[Numbers]) -> Self:
        """From tables of three keys, first and last hour, lines and hits; a key may come more than once."""
        table = np.concatenate(parts, axis=1)
        keys = table[:3]
        order = np.lexsort(keys[::-1])
        table = table[:, order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (table[:3, 1:] != table[:3, :-1]).any(axis=0)
        begins = np.flatnonzero(new)
        if not len(begins):
            return cls(keys, *table[3:])
        return cls(
            table[:3, begins],
            np.minimum.reduceat(table[3], begins),
            np.maximum.reduceat(table[4], begins),
            *np.add.reduceat(table[5:], begins, axis=1),
        )


def met(connection: sqlite3.Connection, device: int, column: str, words: Sequence[int]) -> Met:
    """
    What stood under *words* of *column* (`entry` or `outside`), by action and list, over all that is kept.

    Within one read transaction: packing moves counts from rows to packs.
    """
    asked = np.array(words, np.int64)
    packed = connection.execute(
        "SELECT day FROM packs WHERE device = ? AND name = ?", (device, BRIEF_SUMS)
    ).fetchall()
    parts = [_of_day(connection, device, day, column, asked) for (day,) in packed]
    rows = connection.execute(
        f"SELECT {column}, action, list, MIN(hour), MAX(hour), SUM(lines), SUM(hits) FROM hits "  # noqa: S608 - a name of a column
        f"WHERE device = ? AND {column} IN (SELECT value FROM json_each(?)) "
        f"GROUP BY {column}, action, list",
        (device, json.dumps(asked.tolist())),
    ).fetchall()
    parts.append(np.array(rows, np.int64).reshape(-1, 7).T)
    return Met.together(parts)


def _of_day(
    connection: sqlite3.Connection, device: int, day: int, column: str, asked: Numbers
) -> Numbers:
    def read(name: str) -> Column:
        found = Column.read(connection, device, day, name)
        assert found is not None
        return found

    wanted = read(_named(column))
    marks = np.isin(wanted.kinds, asked)
    if not marks.any():
        return np.zeros((7, 0), np.int64)
    rows = np.flatnonzero(
        marks[wanted.codes] if len(wanted.codes) else np.repeat(marks, wanted.count)
    )
    others = (read(name).rows_at(rows) for name in (_named("action"), _named("list"), FIRST, LAST))
    return np.stack((wanted.rows_at(rows), *others, *read(BRIEF_SUMS).row_pairs_at(rows)))
