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
            self._rebuild_day(number, hour // 24)
            self._add_hour(number, hour, tally)
            self._connection.execute("COMMIT")
        except BaseException:
            self._words.clear()
            self._connection.execute("ROLLBACK")
            raise

    def _add_hour(self, device: int, hour: int, tally: Tally) -> None:
        daily: dict[tuple[int, int, int, int], list[int]] = {}
        rows = []
        for hit, total in tally:
            action, direction = ACTIONS.index(hit.action), DIRECTIONS.index(hit.direction)
            listed, entry = self._word(hit.list), self._word(hit.entry)
            day = daily.setdefault((action, direction, listed, entry), [0, 0])
            day[0] += total.lines
            day[1] += total.hits
            rows.append(
                (
                    device, hour, action, direction, listed, entry, self._word(hit.inside),
                    self._word(hit.outside), self._word(hit.protocol), hit.port, total.lines, total.hits,
                )
            )  # fmt: skip
        self._connection.executemany(
            "INSERT INTO hits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT "
            "DO UPDATE SET lines = lines + excluded.lines, hits = hits + excluded.hits",
            rows,
        )
        self._connection.executemany(
            "INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT "
            "DO UPDATE SET lines = lines + excluded.lines, hits = hits + excluded.hits",
            [(device, hour // 24, *key, *sums) for key, sums in daily.items()],
        )

    def _word(self, text: str) -> int:
        number = self._words.get(text)
        if number is None:
            self._connection.execute("INSERT OR IGNORE INTO words (text) VALUES (?)", (text,))
            (number,) = self._connection.execute(
                "SELECT id FROM words WHERE text = ?", (text,)
            ).fetchone()
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
                for table in ("hits", "daily", "event_readers"):
                    self._connection.execute(f"DELETE FROM {table} WHERE device = ?", row)  # noqa: S608 - names of this file

    def _rebuild_day(self, device: int, day: int) -> None:
        self._connection.execute("DELETE FROM daily WHERE device = ? AND day = ?", (device, day))
        self._connection.execute(
            "INSERT INTO daily SELECT device, ?, action, direction, list, entry, SUM(lines), SUM(hits) "
            "FROM hits WHERE device = ? AND hour BETWEEN ? AND ? GROUP BY action, direction, list, entry",
            (day, device, day * 24, day * 24 + 23),
        )

    def expire(self, before_hour: int) -> int:
        """Take away what is older; gives the rows that went.  Texts that nobody uses go too."""
        with self._connection:
            gone = self._connection.execute(
                "DELETE FROM hits WHERE hour < ?", (before_hour,)
            ).rowcount
            self._connection.execute("DELETE FROM daily WHERE day < ?", (before_hour // 24,))
            if gone:
                self._words.clear()
                used = " UNION ".join(
                    f"SELECT {column} FROM {table}"  # noqa: S608 - names of this file
                    for table, columns in (
                        ("hits", ("device", "list", "entry", "inside", "outside", "protocol")),
                        ("daily", ("device", "list", "entry")),
                        ("event_readers", ("device",)),
                    )
                    for column in columns
                )
                self._connection.execute(f"DELETE FROM words WHERE id NOT IN ({used})")  # noqa: S608
        return gone

    def totals(self, device: str) -> Json:
        """What is counted of a device in all: by action, lines and hits."""
        rows = self._connection.execute(
            "SELECT action, SUM(lines), SUM(hits) FROM daily JOIN words ON words.id = daily.device "
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
