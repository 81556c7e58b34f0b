"""
One column of a packed day: distinct values, and for each row the place of its own among them.
"""

import sqlite3
from typing import Any, Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

SUMS = "sums"
"""The column of lines and hits, whose values are pairs."""
BRIEF_SUMS = "brief sums"
"""The same of a day in brief (`tscm.events.brief`)."""

Numbers = NDArray[np.int64]
Codes = NDArray[np.unsignedinteger[Any]]


@frozen(eq=False)
class Column:
    """
    One column of a day: its distinct values, and for each row the place of its own among them.
    """

    count: int
    kinds: Numbers
    """Rising; of pairs the lines of each distinct pair, then the hits of each."""
    codes: Codes
    """Empty where all rows are of one kind."""

    @classmethod
    def of(cls, rows: Numbers) -> Self:
        """From the value of each row."""
        kinds, places = np.unique(rows, return_inverse=True)
        return cls(len(rows), kinds, _codes(places, len(kinds)))

    @classmethod
    def of_pairs(cls, lines: Numbers, hits: Numbers) -> Self:
        """Lines and hits of each row as one column: few pairs come often, and a report wants both."""
        all_lines, line_places = np.unique(lines, return_inverse=True)
        all_hits, hit_places = np.unique(hits, return_inverse=True)
        pairs, places = np.unique(line_places * len(all_hits) + hit_places, return_inverse=True)
        kinds = (all_lines[pairs // len(all_hits)], all_hits[pairs % len(all_hits)])
        return cls(len(lines), np.concatenate(kinds), _codes(places, len(pairs)))

    @classmethod
    def read(cls, connection: sqlite3.Connection, device: int, day: int, name: str) -> Self | None:
        """As it lies in the database; None where the day has no pack."""
        row = connection.execute(
            "SELECT count, kinds, codes FROM packs WHERE device = ? AND day = ? AND name = ?",
            (device, day, name),
        ).fetchone()
        if row is None:
            return None
        count, kinds, codes = row
        values = np.frombuffer(kinds, "<i8")
        different = len(values) // 2 if name in (SUMS, BRIEF_SUMS) else len(values)
        return cls(count, values, np.frombuffer(codes, _width(different)))

    def rows(self) -> Numbers:
        """The value of each row."""
        return self._each(self.kinds)

    def row_pairs(self) -> tuple[Numbers, Numbers]:
        """Lines and hits of each row, of `sums`."""
        lines, hits = np.split(self.kinds, 2)
        return self._each(lines), self._each(hits)

    def rows_at(self, places: NDArray[np.intp]) -> Numbers:
        """The values of these rows alone."""
        return self._at(self.kinds, places)

    def row_pairs_at(self, places: NDArray[np.intp]) -> tuple[Numbers, Numbers]:
        """Lines and hits of these rows alone, of `sums`."""
        lines, hits = np.split(self.kinds, 2)
        return self._at(lines, places), self._at(hits, places)

    def _each(self, kinds: Numbers) -> Numbers:
        return kinds[self.codes] if len(self.codes) else np.repeat(kinds, self.count)

    def _at(self, kinds: Numbers, places: NDArray[np.intp]) -> Numbers:
        return kinds[self.codes[places]] if len(self.codes) else np.repeat(kinds, len(places))


def _codes(places: NDArray[np.intp], kinds: int) -> Codes:
    return places.astype(_width(kinds)) if kinds > 1 else np.zeros(0, np.uint8)


def _width(kinds: int) -> str:
    return "<u1" if kinds <= 1 << 8 else "<u2" if kinds <= 1 << 16 else "<u4"


NOTHING = Column(0, np.zeros(0, np.int64), np.zeros(0, np.uint8))
"""Of a day without rows."""
