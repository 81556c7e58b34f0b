"""
Roll-ups of past hours in columns: each device's day in a few arrays instead of many rows.

A day in rows costs a look-up in a tree for every one of them; in columns a report reads the two or
three that it asks about and leaves the others.  What is packed is taken out of `hits` in the same
transaction, so that each count is in one of the two: who adds both up is never wrong, whatever was
packed when, and a line that comes late is a row again until its day is packed once more.

What will be written is made ready beforehand, by the one process that writes roll-ups: the transaction
itself is short, for the manager may wait for it with its own.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
from attrs import frozen

from tscm.events.brief import in_brief
from tscm.events.columns import NOTHING, SUMS, Column, Numbers

KEYS = (
    "hour", "action", "direction", "list", "entry", "inside", "outside", "protocol", "port"
)  # fmt: skip
WORDS = ("list", "entry", "inside", "outside", "protocol")
"""The columns that hold numbers of texts."""
DAY_HOURS = 24
_ROW = ", ".join((*KEYS, "lines", "hits"))
_FETCHED = 1 << 14
"""Rows taken out of SQLite at once: as Python's numbers they are ten times as large as in an array."""

STEP = 1 << 16
"""Rows that are packed at once, if an hour has no more: to take them out of `hits` is one transaction."""
LAST_HOUR = 1 << 40
"""Later than any."""


@frozen(eq=False)
class Pack:
    """
    A day of a device as it is to be; without a row it is to be taken away.
    """

    device: int
    day: int
    columns: Mapping[str, Column]

    @classmethod
    def of(cls, device: int, day: int, columns: Mapping[str, Column]) -> Self:
        """From the columns of its keys and sums: those in brief come with them."""
        return cls(device, day, {**columns, **in_brief(columns)})

    def write(self, connection: sqlite3.Connection) -> None:
        """Put it in the place of the one before."""
        connection.execute(
            "DELETE FROM packs WHERE device = ? AND day = ?", (self.device, self.day)
        )
        if self.columns[SUMS].count:
            connection.executemany(
                "INSERT INTO packs VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        self.device, self.day, name, one.count,
                        one.kinds.astype("<i8").tobytes(), one.codes.tobytes(),
                    )
                    for name, one in self.columns.items()
                ),
            )  # fmt: skip


def days_to_pack(connection: sqlite3.Connection, before_hour: int) -> list[tuple[int, int]]:
    """Devices and days that have rows from before that hour."""
    found: list[tuple[int, int]] = []
    device, hour = -1, 0
    # From one to the next along the key: to read all rows would take seconds.
    while row := connection.execute(
        "SELECT device, hour FROM hits WHERE (device, hour) >= (?, ?) ORDER BY device, hour LIMIT 1",
        (device, hour),
    ).fetchone():
        device, hour = row
        if hour >= before_hour:
            device, hour = device + 1, 0
        else:
            found.append((device, hour // DAY_HOURS))
            hour = (hour // DAY_HOURS + 1) * DAY_HOURS
    return found


def joined(
    connection: sqlite3.Connection, device: int, day: int, before_hour: int, step: int = STEP
) -> tuple[Pack, int, int] | None:
    """
    A day's pack with the first of its rows that are not packed, whole hours before *before_hour*.

    Gives the hours from which all rows are in it now, first and last; None where there are none.
    """
    last = min((day + 1) * DAY_HOURS, before_hour) - 1
    rows = _rows(connection, device, day * DAY_HOURS, last, step)
    if not rows.shape[1]:
        return None
    *keys, lines, hits = rows
    columns = {}
    for name, new in zip(KEYS, keys, strict=True):
        old = column(connection, device, day, name).rows()
        columns[name] = Column.of(np.concatenate((old, new)))
    old_lines, old_hits = column(connection, device, day, SUMS).row_pairs()
    columns[SUMS] = Column.of_pairs(
        np.concatenate((old_lines, lines)), np.concatenate((old_hits, hits))
    )
    return Pack.of(device, day, columns), int(keys[0][0]), int(keys[0][-1])


def without(
    connection: sqlite3.Connection, device: int, first: int, last: int
) -> tuple[list[Pack], int]:
    """The packs of a device that have rows of these hours as they are without them, and how many those are."""
    packs: list[Pack] = []
    gone = 0
    for day in days(connection, device, first, last):
        hours = column(connection, device, day, "hour").rows()
        kept = (hours < first) | (hours > last)
        if kept.all():
            continue
        gone += len(kept) - int(np.count_nonzero(kept))
        columns = {
            name: Column.of(column(connection, device, day, name).rows()[kept]) for name in KEYS
        }
        lines, hits = column(connection, device, day, SUMS).row_pairs()
        columns[SUMS] = Column.of_pairs(lines[kept], hits[kept])
        packs.append(Pack.of(device, day, columns))
    return packs, gone


def devices(connection: sqlite3.Connection) -> set[int]:
    """Whose packs there are."""
    return {device for (device,) in connection.execute("SELECT DISTINCT device FROM packs")}


def words(connection: sqlite3.Connection) -> set[int]:
    """The numbers of all texts that packs speak of."""
    found = devices(connection)
    for name in WORDS:
        for (kinds,) in connection.execute("SELECT kinds FROM packs WHERE name = ?", (name,)):
            found.update(np.frombuffer(kinds, "<i8").tolist())
    return found


def every(connection: sqlite3.Connection, device: int) -> Iterator[tuple[int, ...]]:
    """Each packed row of a device, as it would stand in `hits` behind its device."""
    for day in days(connection, device):
        keys = (column(connection, device, day, name).rows() for name in KEYS)
        sums = column(connection, device, day, SUMS).row_pairs()
        yield from zip(*(one.tolist() for one in (*keys, *sums)), strict=True)


def days(
    connection: sqlite3.Connection, device: int, first: int = 0, last: int = LAST_HOUR
) -> list[int]:
    """The packed days of a device that meet the hours from *first* to *last*."""
    rows = connection.execute(
        "SELECT day FROM packs WHERE device = ? AND name = ? AND day BETWEEN ? AND ? ORDER BY day",
        (device, SUMS, first // DAY_HOURS, last // DAY_HOURS),
    )
    return [day for (day,) in rows.fetchall()]


def column(connection: sqlite3.Connection, device: int, day: int, name: str) -> Column:
    """A column of a day; one without rows where it has no pack."""
    return Column.read(connection, device, day, name) or NOTHING


def _rows(connection: sqlite3.Connection, device: int, first: int, last: int, step: int) -> Numbers:
    """Rows of whole hours, in the order of their hours: about as many as a *step* takes."""
    asked = connection.execute(
        f"SELECT {_ROW} FROM hits WHERE device = ? AND hour BETWEEN ? AND ? ORDER BY device, hour",  # noqa: S608 - names of this file
        (device, first, last),
    )
    parts = [np.zeros((len(KEYS) + 2, 0), np.int64)]
    count = 0
    while fetched := asked.fetchmany(min(_FETCHED, step)):
        parts.append(np.array(fetched, np.int64).T)
        count += len(fetched)
        if count >= step and parts[-1][0][0] < parts[-1][0][-1]:
            parts[-1] = parts[-1][:, parts[-1][0] < parts[-1][0][-1]]  # the last hour may go on
            break
    asked.close()
    return np.concatenate(parts, axis=1)
