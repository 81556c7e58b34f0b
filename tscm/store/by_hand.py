"""
Entries by hand in the node's database: the two user lists whose entries are pushed without a fetch.

They are rows of `user_entries` like those of every user list (`tscm.store.user_lists`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from tscm.policy.by_hand import (
    ALLOW,
    BLOCK,
    ENTRIES_MOST,
    HandEntry,
    TooManyEntries,
    held_already,
    named,
    replaced,
)
from tscm.store.database import Store

if TYPE_CHECKING:
    import sqlite3

_NAMES = (
    "id", "action", "cidr", "device", "reason", "who", "made_at", "until", "ended_at", "ended",
)  # fmt: skip
LISTS: Mapping[str, int] = {BLOCK: 1, ALLOW: 2}
"""Numbers of the lists of entries by hand, by action."""
_COLUMNS = ", ".join(
    {
        "action": f"CASE list WHEN {LISTS[BLOCK]} THEN '{BLOCK}' ELSE '{ALLOW}' END",
        "cidr": "network",
    }.get(name, name)
    for name in _NAMES
)
_OURS = f"list IN ({', '.join(map(str, LISTS.values()))})"


@frozen
class HandEntries:
    """
    The entries as rows.  In the reactor thread, in short transactions; raises what `Store` raises.
    """

    _store: Store

    def all(self) -> list[HandEntry]:
        """Also those that ended and are not forgotten yet; the oldest first."""
        with self._store.transaction() as cursor:
            return self._all(cursor)

    def keep(self, new: HandEntry) -> tuple[HandEntry, bool]:
        """
        The entry with its number, and whether it is new: one that lasts as long already stands for it.

        Those that it outlasts end.  Raises `TooManyEntries`.
        """
        now = new.made_at
        with self._store.transaction() as cursor:
            same = self._some(
                cursor,
                "list = ? AND network = ? AND device IS ?",
                (LISTS[new.action], new.cidr, new.device),
            )
            present = held_already(same, new, now)
            if present is not None:
                return present, False
            older = replaced(same, new, now)
            (standing,) = cursor.execute(
                f"SELECT COUNT(*) FROM user_entries WHERE {_OURS} AND ended_at IS NULL "  # noqa: S608 - from this file
                "AND (until IS NULL OR until > ?)",
                (now,),
            ).fetchone()
            if standing - len(older) >= ENTRIES_MOST:
                raise TooManyEntries
            cursor.execute(
                "INSERT INTO user_entries (list, network, device, reason, who, made_at, until) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    LISTS[new.action],
                    new.cidr,
                    new.device,
                    new.reason,
                    new.who,
                    new.made_at,
                    new.until,
                ),
            )
            kept = evolve(new, id=int(cursor.lastrowid or 0))
            self._end(cursor, older, now, f"replaced by entry {kept.id}")
            return kept, True

    def remove(self, asked: str, now: float, how: str) -> list[HandEntry]:
        """End those that have this number or network.  Raises `NoSuchEntry`, `EntryFaulty`."""
        with self._store.transaction() as cursor:
            found = named(self._all(cursor), asked, now)
            self._end(cursor, found, now, how)
            return found

    def end(self, entries: Iterable[HandEntry], now: float, how: str) -> None:
        """They stand no longer."""
        with self._store.transaction() as cursor:
            self._end(cursor, entries, now, how)

    def set_ends(self, entries: Iterable[HandEntry]) -> None:
        """Keep another end of each."""
        with self._store.transaction() as cursor:
            cursor.executemany(
                "UPDATE user_entries SET until = ? WHERE id = ?",
                [(one.until, one.id) for one in entries],
            )

    def forget(self, ids: Iterable[int]) -> None:
        """Nothing of them is kept."""
        with self._store.transaction() as cursor:
            cursor.executemany(
                f"DELETE FROM user_entries WHERE id = ? AND {_OURS}",  # noqa: S608 - from this file
                [(one,) for one in ids],
            )

    def held(self) -> set[int]:
        """Numbers of those that any device held after its last good run."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                "SELECT DISTINCT held.value FROM devices, json_each(devices.memory, '$.by_hand') AS held"
            ).fetchall()
        return {number for (number,) in rows}

    @classmethod
    def _all(cls, cursor: "sqlite3.Cursor") -> list[HandEntry]:
        return cls._some(cursor, _OURS, ())

    @staticmethod
    def _some(
        cursor: "sqlite3.Cursor", condition: str, values: Sequence[str | int | None]
    ) -> list[HandEntry]:
        rows = cursor.execute(
            f"SELECT {_COLUMNS} FROM user_entries WHERE {condition} ORDER BY id",  # noqa: S608 - from this file
            values,
        ).fetchall()
        return [_entry(row) for row in rows]

    @staticmethod
    def _end(cursor: "sqlite3.Cursor", entries: Iterable[HandEntry], now: float, how: str) -> None:
        cursor.executemany(
            "UPDATE user_entries SET ended_at = ?, ended = ? WHERE id = ? AND ended_at IS NULL",
            [(now, how, one.id) for one in entries],
        )


def _entry(row: tuple[Any, ...]) -> HandEntry:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    return HandEntry(**values)
