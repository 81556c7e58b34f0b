# ruff: noqa: S608 - all SQL is of this file and of `tscm.store.user_list_rows`
"""
User lists in the node's database: entries, versions, and the way back to one.

Blocking: for a thread, on a connection of its own.  An edit of any size stays invisible until the last
of its transactions, which puts the list's version forward; each of them is short, because the reactor
writes to the same file.  What an edit that was interrupted left behind is above the list's version, and the
next edit clears it.  One edit at a time: the caller sees to that.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tscm.policy.by_hand import ALLOW, BLOCK
from tscm.policy.user_lists import (
    ENTRIES_MOST,
    Edit,
    EditHeld,
    ListChanged,
    ListEntry,
    ListFaulty,
    Mode,
    Shrink,
    edited,
)
from tscm.store.by_hand import LISTS as BY_HAND
from tscm.store.database import StoreUnusable, open_database
from tscm.store.reading import faults_told
from tscm.store.user_list_rows import (
    DELETED,
    IN_FORCE,
    NOT_DELETED,
    SELECT,
    SLICE,
    STANDS,
    Row,
    bring_back,
    by_hand_found,
    clear,
    clear_deleted,
    condition_of,
    count_of,
    entry_of,
    forget_old,
    keep_version,
    kept_version,
    known_of,
    paced,
    refuse_by_hand,
    row_of,
    writing,
)
from tscm.store.user_list_values import (
    ListVersion,
    Page,
    UserEntry,
    UserList,
    Who,
    Wish,
)

LISTS_MOST = 200
VERSIONS_KEPT = 50


@frozen
class UserLists:
    """
    The user lists of the database at *path*.  Raises `StoreUnusable` for what SQLite reports.
    """

    path: Path

    # -- looking -----------------------------------------------------------------

    def all(self, now: float) -> tuple[UserList, ...]:
        """Every list, by name."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT l.id, l.name, l.side, l.note, l.version, v.at, v.who FROM user_lists l "
                "LEFT JOIN user_list_versions v ON v.list = l.id AND v.version = l.version "
                f"WHERE {NOT_DELETED} ORDER BY l.name"
            ).fetchall()
            return tuple(
                UserList(
                    name=name,
                    side=side,
                    note=note,
                    version=version,
                    entries=count_of(connection, number, version, now),
                    at=at,
                    who=who or "",
                    by_hand=number in BY_HAND.values(),
                )
                for number, name, side, note, version, at, who in rows
            )

    def known(self) -> Mapping[str, tuple[str, int]]:
        """Side and version of every list but those of entries by hand, by name."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT name, side, version FROM user_lists WHERE id NOT IN (?, ?) AND {NOT_DELETED}",
                tuple(BY_HAND.values()),
            ).fetchall()
        return {name: (side, version) for name, side, version in rows}

    def page(
        self,
        name: str,
        now: float,
        *,
        search: str = "",
        version: int | None = None,
        offset: int = 0,
        top: int = 100,
    ) -> Page:
        """
        Entries of a list by address, at a version of it.

        *search* is an address or network: entries that cover it or lie in it.  Raises `NoSuchList`,
        `ListFaulty`, `EntryFaulty`.
        """
        with self._open() as connection:
            row = row_of(connection, name)
            at = kept_version(connection, row, version)
            if row.by_hand:
                found = by_hand_found(connection, row, search, now)
                return Page(
                    entries=tuple(found[offset : offset + top]), found=len(found), version=at
                )
            where, values = condition_of(search)
            given = {"list": row.id, "version": at, **values}
            (count,) = connection.execute(
                f"SELECT COUNT(*) FROM user_entries WHERE list = :list AND {STANDS}{where}", given
            ).fetchone()
            rows = connection.execute(
                f"{SELECT} WHERE e.list = :list AND {STANDS}{where} "
                "ORDER BY e.first, e.last LIMIT :top OFFSET :offset",
                {**given, "top": top, "offset": offset},
            ).fetchall()
            return Page(
                entries=tuple(entry_of(one, now) for one in rows), found=int(count), version=at
            )

    def holding(self, search: str, now: float) -> tuple[UserEntry, ...]:
        """Entries in force of every list that cover an address or a network, or lie in it."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT id, name, version FROM user_lists WHERE {NOT_DELETED} ORDER BY name"
            )
            found: list[UserEntry] = []
            for number, name, version in rows.fetchall():
                row = Row(id=number, name=name, version=version)
                if row.by_hand:
                    found += by_hand_found(connection, row, search, now)
                    continue
                where, values = condition_of(search)
                found += (
                    entry_of(one, now)
                    for one in connection.execute(
                        f"{SELECT} WHERE e.list = :list AND {IN_FORCE}{where} LIMIT 1000",
                        {"list": number, "version": version, "now": now, **values},
                    )
                )
            return tuple(one for one in found if one.in_force)

    def versions(self, name: str) -> tuple[ListVersion, ...]:
        """The kept versions, the newest first.  Raises `NoSuchList`."""
        with self._open() as connection:
            row = row_of(connection, name)
            rows = connection.execute(
                "SELECT version, at, who, did, reason, added, removed, entries "
                "FROM user_list_versions WHERE list = ? AND version <= ? ORDER BY version DESC",
                (row.id, row.version),
            ).fetchall()
        names = ("version", "at", "who", "did", "reason", "added", "removed", "entries")
        return tuple(ListVersion(**dict(zip(names, one, strict=True))) for one in rows)

    def networks(self, name: str, now: float) -> tuple[list[str], int, list[tuple[float, str]]]:
        """
        Networks in force of a list, its version, and those that end, the next one first: when, and which.

        Raises `NoSuchList`.
        """
        with self._open() as connection:
            row = row_of(connection, name)
            found = connection.execute(
                "SELECT network, until FROM user_entries "
                f"WHERE list = :list AND device IS NULL AND {IN_FORCE}",
                {"list": row.id, "version": row.version, "now": now},
            ).fetchall()
        ends = sorted((until, network) for network, until in found if until is not None)
        return [network for network, _ in found], row.version, ends

    # -- changing ----------------------------------------------------------------

    def create(self, name: str, side: str, note: str, who: Who) -> UserList:
        """A new list without entries.  Raises `ListFaulty`."""
        if side not in {BLOCK, ALLOW}:
            raise ListFaulty(f"{side[:20]!r} is not a side; allowed: {BLOCK}, {ALLOW}")
        with self._open() as connection:
            clear_deleted(connection)
            self._create(connection, name, side, note, who)
        return UserList(name=name, side=side, note=note, version=1, at=who.at, who=who.name)

    @staticmethod
    def _create(connection: sqlite3.Connection, name: str, side: str, note: str, who: Who) -> None:
        with writing(connection) as cursor:
            (count,) = cursor.execute("SELECT COUNT(*) FROM user_lists").fetchone()
            if count >= LISTS_MOST:
                raise ListFaulty(f"there are already {LISTS_MOST} user lists; delete one first")
            if cursor.execute("SELECT 1 FROM user_lists WHERE name = ?", (name,)).fetchone():
                raise ListFaulty(f"there is already a user list {name!r}; choose another name")
            cursor.execute(
                "INSERT INTO user_lists (name, side, note, version) VALUES (?, ?, ?, 1)",
                (name, side, note),
            )
            keep_version(
                cursor, int(cursor.lastrowid or 0), evolve(_told(who, "created"), version=1)
            )

    def delete(self, name: str) -> None:
        """Forget a list with all versions.  Raises `NoSuchList`, `ListFaulty`."""
        with self._open() as connection:
            row = row_of(connection, name)
            refuse_by_hand(row)
            with writing(connection) as cursor:  # from here on it is gone for every reader
                cursor.execute(
                    "UPDATE user_lists SET name = ?, version = 0 WHERE id = ?",
                    (f"{DELETED}{row.id}", row.id),
                )
            clear_deleted(connection)

    def planned(self, name: str, wanted: Sequence[ListEntry], mode: Mode) -> Edit:
        """What an edit would change.  Raises `NoSuchList`, `ListFaulty`."""
        with self._open() as connection:
            row = row_of(connection, name)
            refuse_by_hand(row)
            return edited(known_of(connection, row, wanted, mode), wanted, mode)

    def edit(
        self, name: str, wanted: Sequence[ListEntry], mode: Mode, who: Who, wish: Wish
    ) -> tuple[Edit, ListVersion]:
        """
        Add, replace or remove entries, as a new version; nothing where nothing changes.

        Raises `NoSuchList`, `ListChanged`, `EditHeld`, `ListFaulty`.
        """
        return self._edit(
            name,
            who,
            wish,
            did=f"{mode}",
            make=lambda connection, row: edited(
                known_of(connection, row, wanted, mode), wanted, mode
            ),
        )

    def remove_found(
        self, name: str, search: str, who: Who, wish: Wish
    ) -> tuple[Edit, ListVersion]:
        """Remove what `page` finds.  Raises what `edit` does, and `EntryFaulty`."""
        where, values = condition_of(search)

        def found(connection: sqlite3.Connection, row: Row) -> Edit:
            rows = connection.execute(
                f"SELECT id FROM user_entries WHERE list = :list AND {STANDS}{where}",
                {"list": row.id, "version": row.version, **values},
            ).fetchall()
            return Edit(removed=tuple(number for (number,) in rows))

        return self._edit(name, who, wish, did=f"remove {search.strip()[:60]}", make=found)

    def undo(self, name: str, version: int | None, who: Who, wish: Wish) -> ListVersion:
        """
        Make the entries those of an earlier *version* again, by default of the one before, as a new version.

        Each keeps its author, its time and its end.  Raises what `edit` does.
        """
        with self._open() as connection:
            row = self._begun(connection, name, wish)
            version = row.version - 1 if version is None else version
            kept_version(connection, row, version)
            given = {"list": row.id, "version": version, "present": row.version}
            then, present = STANDS, STANDS.replace(":version", ":present")
            gone = connection.execute(
                f"SELECT id FROM user_entries WHERE list = :list AND {present} AND NOT ({then})",
                given,
            ).fetchall()
            back = connection.execute(
                "SELECT network, first, last, reason, who, made_at, until FROM user_entries "
                f"WHERE list = :list AND {then} AND NOT ({present})",
                given,
            ).fetchall()
            return self._carried_out(
                connection,
                row,
                [number for (number,) in gone],
                back,
                told=_told(who, f"undo to version {version}"),
                wish=wish,
            )

    # -- how ---------------------------------------------------------------------

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise StoreUnusable(str(self.path), "it does not exist")
        with faults_told(self.path), contextlib.closing(open_database(str(self.path))) as one:
            one.execute("PRAGMA foreign_keys = ON")
            yield one

    def _edit(
        self,
        name: str,
        who: Who,
        wish: Wish,
        *,
        did: str,
        make: Callable[[sqlite3.Connection, Row], Edit],
    ) -> tuple[Edit, ListVersion]:
        with self._open() as connection:
            row = self._begun(connection, name, wish)
            edit = make(connection, row)
            rows = [
                (one.network, one.first, one.last, one.comment, who.name, who.at, one.until)
                for one in edit.added
            ]
            told = self._carried_out(
                connection, row, edit.removed, rows, told=_told(who, did), wish=wish
            )
            return edit, told

    @staticmethod
    def _begun(connection: sqlite3.Connection, name: str, wish: Wish) -> Row:
        """The list, once what an interrupted edit left is cleared.  Raises `ListChanged`."""
        row = row_of(connection, name)
        refuse_by_hand(row)
        if wish.version is not None and wish.version != row.version:
            (by,) = connection.execute(
                "SELECT who FROM user_list_versions WHERE list = ? AND version = ?",
                (row.id, row.version),
            ).fetchone() or ("another user",)
            raise ListChanged(row.name, wish.version, row.version, by)
        clear(connection, "list = ? AND added_in > ?", (row.id, row.version))
        bring_back(connection, row)
        return row

    @staticmethod
    def _carried_out(
        connection: sqlite3.Connection,
        row: Row,
        removed: Sequence[int],
        rows: Sequence[tuple[Any, ...]],
        *,
        told: ListVersion,
        wish: Wish,
    ) -> ListVersion:
        """Write what goes and comes as a new version; *told* says who, when and why."""
        before = count_of(connection, row.id, row.version, None)
        after = before + len(rows) - len(removed)
        told = evolve(
            told, version=row.version, added=len(rows), removed=len(removed), entries=after
        )
        if not rows and not removed:
            return told
        shrink = Shrink(before=before, after=after)
        if shrink.halves and not wish.shrink:
            raise EditHeld(row.name, shrink)
        if after > ENTRIES_MOST:
            raise ListFaulty(
                f"list {row.name!r} would have {after:,} entries, and {ENTRIES_MOST:,} is the "
                "maximum; split it over several lists"
            )
        told = evolve(told, version=row.version + 1)
        for part in paced(removed, SLICE):
            with writing(connection) as cursor:
                cursor.executemany(
                    "UPDATE user_entries SET removed_in = ? WHERE id = ?",
                    [(told.version, number) for number in part],
                )
        for some in paced(rows, SLICE):
            with writing(connection) as cursor:
                cursor.executemany(
                    "INSERT INTO user_entries (network, first, last, reason, who, made_at, until, "
                    "list, added_in) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(*one, row.id, told.version) for one in some],
                )
        with writing(connection) as cursor:
            keep_version(cursor, row.id, told)
            done = cursor.execute(
                "UPDATE user_lists SET version = ? WHERE id = ? AND version = ?",
                (told.version, row.id, row.version),
            ).rowcount
            if not done:
                raise ListChanged(row.name, row.version, told.version, "another process")
        forget_old(connection, row.id, told.version - VERSIONS_KEPT)
        return told


def _told(who: Who, did: str) -> ListVersion:
    return ListVersion(version=0, at=who.at, who=who.name, did=did, reason=who.reason)
