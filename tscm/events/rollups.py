"""
The tables of roll-ups: filled by the event worker, asked by reports.

The caller opens the database and hands in the connection; every call here is one transaction or part of one.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from attrs import define, field, frozen

from tscm.events import packs
from tscm.events.first_hits import FirstHits, Journal
from tscm.events.judge import ALLOWED, BLOCKED, INBOUND, OUTBOUND, Hit, Sum, Tally, parted
from tscm.events.packs import KEYS, WORDS
from tscm.events.sums import Query, sum_by
from tscm.model import Json

ACTIONS = (BLOCKED, ALLOWED)
DIRECTIONS = (INBOUND, OUTBOUND)
_ACTION = {action: number for number, action in enumerate(ACTIONS)}
_DIRECTION = {direction: number for number, direction in enumerate(DIRECTIONS)}
HOUR_SECONDS = 3600
_WORDS_KEPT = 200_000
_OF_A_DEVICE = ("hits", "packs", "event_readers", "first_hits")
_ADD = (
    f"INSERT INTO hits VALUES ({', '.join('?' * (len(KEYS) + 3))}) ON CONFLICT "  # noqa: S608 - marks alone
    "DO UPDATE SET lines = lines + excluded.lines, hits = hits + excluded.hits"
)


@frozen(kw_only=True)
class EventPosition:
    """
    How far the event reader of a device is, and what it counted before that.

    *sent* are policy lines that an entry explains, *not_selected* all others; *low* counts the
    messages that say that the firewall stopped counting (106101), *unread* policy lines whose ends
    cannot be read: they are among those not selected, and in no report.
    """

    offset: int = 0
    sent: int = 0
    not_selected: int = 0
    others: int = 0
    low: int = 0
    unread: int = 0


@define(eq=False)
class Rollups:
    """
    Roll-ups in one database, by one writer.
    """

    _connection: sqlite3.Connection
    packing_step: int = packs.STEP
    _words: dict[str | bytes, int] = field(factory=dict, init=False)

    def position(self, device: str) -> EventPosition:
        """Where the device's reader is; the beginning for a new one."""
        row = self._connection.execute(
            "SELECT position, sent, skipped, others, low, unread FROM event_readers "
            "JOIN words ON words.id = event_readers.device WHERE words.text = ?",
            (device,),
        ).fetchone()
        if row is None:
            return EventPosition()
        offset, sent, not_selected, others, low, unread = row
        return EventPosition(
            offset=offset,
            sent=sent,
            not_selected=not_selected,
            others=others,
            low=low,
            unread=unread,
        )

    @property
    def in_transaction(self) -> bool:
        """Whether one is open: a full disk, for one, ends it on its own."""
        return self._connection.in_transaction

    @contextmanager
    def together(self) -> Iterator[None]:
        """
        One transaction for what is added within: all of it stands, or none where this raises.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._words.clear()  # numbers given in what is now undone
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What is done within: all of it or nothing, also as a part of `together`."""
        if not self._connection.in_transaction:
            with self.together():
                yield
            return
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._words.clear()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    def first_hits(self, device: str) -> FirstHits:
        """The first hits of the lines before the reader's position."""
        rows = self._connection.execute(
            "SELECT flows, times FROM first_hits WHERE device = ? ORDER BY number",
            (self._known(device),),
        )
        return FirstHits.of(rows)

    def add(
        self,
        device: str,
        tallies: Mapping[int, Tally],
        moved: EventPosition,
        journal: Journal | None = None,
    ) -> None:
        """
        Count *tallies* by hour, keep what became of first hits, and move the reader to *moved*: all, or nothing.
        """
        with self._whole():
            number = self._word(device)
            for hour, tally in tallies.items():
                self._add_hour(number, hour, tally)
            self._connection.execute(
                "INSERT INTO event_readers (device, position, sent, skipped, others, low, unread) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE "
                "SET position = excluded.position, sent = excluded.sent, skipped = excluded.skipped, "
                "others = excluded.others, low = excluded.low, unread = excluded.unread",
                (
                    number, moved.offset, moved.sent, moved.not_selected, moved.others, moved.low,
                    moved.unread,
                ),
            )  # fmt: skip
            if journal is not None:
                self._keep(number, journal)

    def _keep(self, device: int, journal: Journal) -> None:
        if journal.whole:
            self._connection.execute("DELETE FROM first_hits WHERE device = ?", (device,))
        if journal.flows:
            self._connection.execute(
                "INSERT INTO first_hits (device, flows, times) VALUES (?, ?, ?)",
                (device, journal.flows, journal.times),
            )

    def replace_hour(self, device: str, hour: int, tally: Tally) -> None:
        """Count an hour again: what was counted of it goes, *tally* takes its place, in one transaction."""
        packed, _ = packs.without(self._connection, self._known(device), hour, hour)
        with self._whole():
            number = self._word(device)
            self._connection.execute(
                "DELETE FROM hits WHERE device = ? AND hour = ?", (number, hour)
            )
            for pack in packed:
                pack.write(self._connection)
            self._add_hour(number, hour, tally)

    def _add_hour(self, device: int, hour: int, tally: Tally) -> None:
        known, word = self._words, self._word
        rows = []
        for raw, total in tally.sums.items():
            lines, hits = parted(total)
            action, direction, listed, entry, inside, outside, protocol, port = raw
            texts: tuple[str | bytes, ...] = (listed, entry, inside, outside, protocol)
            try:  # nearly all were met before
                words = [known[text] for text in texts]
            except KeyError:
                words = [word(text) for text in texts]
            rows.append(
                (
                    device, hour, _ACTION[action], _DIRECTION[direction], *words,
                    int(port) if port else -1, lines, hits,
                )
            )  # fmt: skip
        rows.sort()
        self._connection.executemany(_ADD, rows)

    def _word(self, text: str | bytes) -> int:
        number = self._words.get(text)
        if number is None:
            word = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            added = self._connection.execute(
                "INSERT INTO words (text) VALUES (?) ON CONFLICT DO NOTHING RETURNING id", (word,)
            ).fetchone()
            (number,) = (
                added
                or self._connection.execute(
                    "SELECT id FROM words WHERE text = ?", (word,)
                ).fetchone()
            )
            if len(self._words) >= _WORDS_KEPT:
                self._words.clear()
            self._words[text] = number
        return int(number)

    def days_to_pack(self, before_hour: int) -> list[tuple[int, int]]:
        """Devices (by their number) and days that have rows of hours before that one."""
        return packs.days_to_pack(self._connection, before_hour)

    def pack(self, device: int, day: int, before_hour: int) -> bool:
        """
        Put rows of a day's hours before that one into its pack: a step, of which there may be more.

        Gives whether there was anything to do.
        """
        found = packs.joined(self._connection, device, day, before_hour, self.packing_step)
        if found is None:
            return False
        pack, first, last = found
        with self.together():
            pack.write(self._connection)
            self._connection.execute(
                "DELETE FROM hits WHERE device = ? AND hour BETWEEN ? AND ?", (device, first, last)
            )
        return True

    def rename(self, device: str, to: str) -> None:
        """
        What was counted of *device* is counted of *to* from now on, in the place of what was counted of an earlier *to*.

        Nothing happens where nothing was counted: a second time changes nothing.
        """
        with self.together():
            before, after = self._known(device), self._word(to)
            for table in _OF_A_DEVICE:
                if self._connection.execute(
                    f"SELECT 1 FROM {table} WHERE device = ? LIMIT 1",  # noqa: S608 - names of this file
                    (before,),
                ).fetchone():
                    self._connection.execute(f"DELETE FROM {table} WHERE device = ?", (after,))  # noqa: S608 - names of this file
                    self._connection.execute(
                        f"UPDATE {table} SET device = ? WHERE device = ?",  # noqa: S608 - names of this file
                        (after, before),
                    )

    def forget(self, device: str) -> None:
        """Take away all that was counted of a device, and its position."""
        with self.together():
            for table in _OF_A_DEVICE:
                self._connection.execute(
                    f"DELETE FROM {table} WHERE device = ?",  # noqa: S608 - names of this file
                    (self._known(device),),
                )

    def expire(self, before_hour: int) -> int:
        """Take away what is older; gives the rows that went.  Unused texts go too."""
        with self.together():
            gone = self._connection.execute(
                "DELETE FROM hits WHERE hour < ?", (before_hour,)
            ).rowcount
        for device in packs.devices(self._connection):
            packed, rows = packs.without(self._connection, device, 0, before_hour - 1)
            gone += rows
            with self.together():
                for pack in packed:
                    pack.write(self._connection)
        if gone:
            self._expire_words()
        return gone

    def _expire_words(self) -> None:
        self._words.clear()
        used = packs.words(self._connection)
        for table, columns in (
            ("hits", ("device", *WORDS)),
            ("event_readers", ("device",)),
            ("first_hits", ("device",)),
        ):
            for column in columns:
                rows = self._connection.execute(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608 - names of this file
                used.update(number for (number,) in rows)
        known = self._connection.execute("SELECT id FROM words").fetchall()
        with self.together():
            self._connection.executemany(
                "DELETE FROM words WHERE id = ?", (one for one in known if one[0] not in used)
            )

    def _known(self, text: str) -> int:
        """Its number; -1 for a text that nothing was counted of."""
        row = self._connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
        return -1 if row is None else int(row[0])

    def totals(self, device: str) -> Json:
        """What is counted of a device in all: by action, lines and hits."""
        found = sum_by(self._connection, Query(device=self._known(device)), ("action",))
        return {
            ACTIONS[action]: {"lines": lines, "hits": hits}
            for action, lines, hits in zip(
                found.keys[0].tolist(), found.lines.tolist(), found.hits.tolist(), strict=True
            )
        }

    def every(self, device: str) -> Iterable[tuple[int, Hit, Sum]]:
        """
        Each roll-up of a device: hour, key and sums; for comparing and for export.

        Packed ones and rows: one that went on after its hour was packed is there as both.
        """
        number = self._known(device)
        text = dict(self._connection.execute("SELECT id, text FROM words"))
        rows = self._connection.execute(
            f"SELECT {', '.join(KEYS)}, lines, hits FROM hits WHERE device = ?",  # noqa: S608 - names of columns
            (number,),
        )
        for hour, action, direction, *words, port, lines, hits in chain(
            packs.every(self._connection, number), rows
        ):
            listed, entry, inside, outside, protocol = (text[word] for word in words)
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
