"""
The tables of roll-ups: filled by the event worker, asked by reports.

Whoever opens the database hands in the connection; every call here is one transaction or part of one.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from tscm.events.judge import ALLOWED, BLOCKED, INBOUND, OUTBOUND, Hit, Sum, Tally
from tscm.model import Json

ACTIONS = (BLOCKED, ALLOWED)
DIRECTIONS = (INBOUND, OUTBOUND)
HOUR_SECONDS = 3600
_WORDS_KEPT = 200_000


def _counting(table: str, columns: int) -> str:
    """The statement that counts a row in: *columns* of key, then lines and hits."""
    return (
        f"INSERT INTO {table} VALUES ({', '.join('?' * (columns + 2))}) ON CONFLICT "  # noqa: S608 - names of this file
        f"DO UPDATE SET lines = lines + excluded.lines, hits = hits + excluded.hits"
    )


_ADD_HITS = _counting("hits", 10)
_DAYS = ("daily", "daily_inside")
_VIEWS = {
    "hourly": ("hour", "action, direction, list"),
    "daily": ("day", "action, direction, list, entry, outside"),
    "daily_inside": ("day", "action, direction, list, inside, protocol, port"),
}
"""What is kept of `hits` in short: the column of time, and the other columns."""
_ADD = {table: _counting(table, keys.count(",") + 3) for table, (_, keys) in _VIEWS.items()}


@frozen(kw_only=True)
class EventPosition:
    """
    How far the event reader of a device is, and what it counted before that.

    *sent* are policy lines that an entry explains, *skipped* all others; *low* counts the
    messages that say that the firewall stopped counting (106101).
    """

    offset: int = 0
    sent: int = 0
    skipped: int = 0
    others: int = 0
    low: int = 0


@define(eq=False)
class Rollups:
    """
    Roll-ups in one database, by one writer.
    """

    _connection: sqlite3.Connection
    _words: dict[str, int] = field(factory=dict, init=False)

    def position(self, device: str) -> EventPosition:
        """Where the device's reader is; the beginning for a new one."""
        row = self._connection.execute(
            "SELECT position, sent, skipped, others, low FROM event_readers "
            "JOIN words ON words.id = event_readers.device WHERE words.text = ?",
            (device,),
        ).fetchone()
        if row is None:
            return EventPosition()
        offset, sent, skipped, others, low = row
        return EventPosition(offset=offset, sent=sent, skipped=skipped, others=others, low=low)

    def add(self, device: str, tallies: Mapping[int, Tally], moved: EventPosition) -> None:
        """
        Count *tallies* by hour, and move the reader to *moved*: both, or neither.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            number = self._word(device)
            for hour, tally in tallies.items():
                self._add_hour(number, hour, tally)
            self._connection.execute(
                "INSERT INTO event_readers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE "
                "SET position = excluded.position, sent = excluded.sent, "
                "skipped = excluded.skipped, others = excluded.others, low = excluded.low",
                (number, moved.offset, moved.sent, moved.skipped, moved.others, moved.low),
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._words.clear()  # numbers given in what is now undone
            self._connection.execute("ROLLBACK")
            raise

    def replace_hour(self, device: str, hour: int, tally: Tally) -> None:
        """Count an hour anew: what was counted of it goes, *tally* takes its place, in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            number = self._word(device)
            self._connection.execute(
                "DELETE FROM hits WHERE device = ? AND hour = ?", (number, hour)
            )
            self._shorten(number, hour)
            self._add_hour(number, hour, tally)
            self._connection.execute("COMMIT")
        except BaseException:
            self._words.clear()
            self._connection.execute("ROLLBACK")
            raise

    def _add_hour(self, device: int, hour: int, tally: Tally) -> None:
        rows: list[tuple[int, ...]] = []
        short: dict[str, dict[tuple[int, ...], list[int]]] = {table: {} for table in _VIEWS}
        hourly, outer, inner = short.values()
        for hit, total in tally:
            key = (ACTIONS.index(hit.action), DIRECTIONS.index(hit.direction), self._word(hit.list))
            entry, inside = self._word(hit.entry), self._word(hit.inside)
            outside, protocol = self._word(hit.outside), self._word(hit.protocol)
            lines, hits = total.lines, total.hits
            rows.append(
                (device, hour, *key, entry, inside, outside, protocol, hit.port, lines, hits)
            )
            for sums, ends in (
                (hourly, key),
                (outer, (*key, entry, outside)),
                (inner, (*key, inside, protocol, hit.port)),
            ):
                counted = sums.get(ends)
                if counted is None:
                    sums[ends] = [lines, hits]
                else:
                    counted[0] += lines
                    counted[1] += hits
        self._connection.executemany(_ADD_HITS, rows)
        for table, sums in short.items():
            at = hour // 24 if table in _DAYS else hour
            self._connection.executemany(
                _ADD[table], [(device, at, *ends, *counted) for ends, counted in sums.items()]
            )

    def _word(self, text: str) -> int:
        number = self._words.get(text)
        if number is None:
            added = self._connection.execute(
                "INSERT INTO words (text) VALUES (?) ON CONFLICT DO NOTHING RETURNING id", (text,)
            ).fetchone()
            (number,) = (
                added
                or self._connection.execute(
                    "SELECT id FROM words WHERE text = ?", (text,)
                ).fetchone()
            )
            if len(self._words) >= _WORDS_KEPT:
                self._words.clear()
            self._words[text] = number
        return int(number)

    def forget(self, device: str) -> None:
        """Take away all that was counted of a device, and its position."""
        with self._connection:
            row = self._connection.execute(
                "SELECT id FROM words WHERE text = ?", (device,)
            ).fetchone()
            if row is not None:
                for table in ("hits", *_VIEWS, "event_readers"):
                    self._connection.execute(f"DELETE FROM {table} WHERE device = ?", row)  # noqa: S608 - names of this file

    def _shorten(self, device: int, hour: int) -> None:
        """Sum up again what is kept in short of the hour and of its day."""
        day = hour // 24
        for table, (column, keys) in _VIEWS.items():
            at, first, last = (
                (day, day * 24, day * 24 + 23) if table in _DAYS else (hour, hour, hour)
            )
            self._connection.execute(
                f"DELETE FROM {table} WHERE device = ? AND {column} = ?",  # noqa: S608 - names of this file
                (device, at),
            )
            self._connection.execute(
                f"INSERT INTO {table} SELECT device, ?, {keys}, SUM(lines), SUM(hits) "  # noqa: S608
                f"FROM hits WHERE device = ? AND hour BETWEEN ? AND ? GROUP BY {keys}",
                (at, device, first, last),
            )

    def expire(self, before_hour: int) -> int:
        """Take away what is older; gives the rows that went.  Texts that nobody uses go too."""
        with self._connection:
            gone = self._connection.execute(
                "DELETE FROM hits WHERE hour < ?", (before_hour,)
            ).rowcount
            for table, (column, _) in _VIEWS.items():
                before = before_hour // 24 if table in _DAYS else before_hour
                self._connection.execute(f"DELETE FROM {table} WHERE {column} < ?", (before,))  # noqa: S608 - names of this file
            if gone:
                self._words.clear()
                used = " UNION ".join(
                    f"SELECT {column} FROM {table}"  # noqa: S608 - names of this file
                    for table, columns in (
                        ("hits", ("device", "list", "entry", "inside", "outside", "protocol")),
                        ("daily", ("device", "list", "entry", "outside")),
                        ("daily_inside", ("inside", "protocol")),
                        ("event_readers", ("device",)),
                    )
                    for column in columns
                )
                self._connection.execute(f"DELETE FROM words WHERE id NOT IN ({used})")  # noqa: S608
        return gone

    def totals(self, device: str) -> Json:
        """What is counted of a device in all: by action, lines and hits."""
        rows = self._connection.execute(
            "SELECT action, SUM(lines), SUM(hits) FROM hourly JOIN words ON words.id = hourly.device "
            "WHERE words.text = ? GROUP BY action",
            (device,),
        )
        return {ACTIONS[action]: {"lines": lines, "hits": hits} for action, lines, hits in rows}

    def every(self, device: str) -> Iterable[tuple[int, Hit, Sum]]:
        """Each roll-up of a device: hour, key and sums; for comparing and for export."""
        rows = self._connection.execute(
            "SELECT hour, action, direction, l.text, e.text, i.text, o.text, p.text, port, lines, hits "
            "FROM hits JOIN words d ON d.id = device JOIN words l ON l.id = list "
            "JOIN words e ON e.id = entry JOIN words i ON i.id = inside "
            "JOIN words o ON o.id = outside JOIN words p ON p.id = protocol WHERE d.text = ?",
            (device,),
        )
        for (
            hour,
            action,
            direction,
            listed,
            entry,
            inside,
            outside,
            protocol,
            port,
            lines,
            hits,
        ) in rows:
            key = Hit(
                ACTIONS[action],
                DIRECTIONS[direction],
                listed,
                entry,
                inside,
                outside,
                protocol,
                port,
            )
            yield hour, key, Sum(lines, hits)
