"""
What the store keeps of policies: last good lists, generations, how updates went, what is known of a device.

Content comes and goes packed (`tscm.store.generations`).
"""

import json
import secrets
from collections.abc import Collection, Sequence

import attrs
from attrs import define

from tscm.errors import TscmError
from tscm.model import Json
from tscm.store.by_hand import HandEntries
from tscm.store.database import Store
from tscm.store.generations import (
    BY_HAND,
    GENERATION_COLUMNS,
    Generation,
    GenerationRow,
    StoredList,
    generation_of,
)

GENERATIONS_KEPT = 48
UPDATES_KEPT = 500
_OF_A_DEVICE = (
    "lists", "generations", "updates", "devices", "largest", "names", "entries", "user_entries",
    "pulls",
)  # fmt: skip


@define(eq=False)
class Policies:
    """
    The policy tables of a `Store`.  Reactor thread, short transactions.
    """

    _store: Store
    generations_kept: int = GENERATIONS_KEPT
    """Of each kind: with lists, and with entries by hand alone."""
    updates_kept: int = UPDATES_KEPT

    @property
    def fault(self) -> TscmError | None:
        """Why nothing can be kept or read; None where all is well."""
        return self._store.fault

    @property
    def trouble(self) -> TscmError | None:
        """What the last transaction failed with; None where it was good."""
        return self._store.trouble

    def changes(self, device: str) -> int:
        """How often something of a device was written since this process began."""
        return self._store.changes[device]

    def installation(self) -> str:
        """
        Eight digits that tell this installation from every other; made once, lost with the database.
        """
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT OR IGNORE INTO installation VALUES (1, ?)", (secrets.token_hex(4),)
            )
            return str(cursor.execute("SELECT id FROM installation").fetchone()[0])

    def lists(self, device: str) -> dict[str, StoredList]:
        """The last good lists of a device, by name."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                "SELECT list, serial, fetched_at, source, entries, content, besides FROM lists "
                "WHERE device = ?",
                (device,),
            )
            return {
                name: StoredList(
                    name=name,
                    serial=serial,
                    fetched_at=fetched_at,
                    source=source,
                    count=count,
                    content=content,
                    besides=besides,
                )
                for name, serial, fetched_at, source, count, content, besides in rows
            }

    def save_list(self, device: str, one: StoredList) -> None:
        """Take *one* as the last good list of its name."""
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO lists "
                "(device, list, serial, fetched_at, source, entries, content, besides) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    device,
                    one.name,
                    one.serial,
                    one.fetched_at,
                    one.source,
                    one.count,
                    one.content,
                    one.besides,
                ),
            )

    def save_generation(self, device: str, one: Generation) -> int:
        """Keep what was applied; gives its number.  The oldest go beyond the bound."""
        self._store.changed(device)
        with self._store.transaction() as cursor:
            (last,) = cursor.execute(
                "SELECT COALESCE(MAX(number), 0) FROM generations WHERE device = ?", (device,)
            ).fetchone()
            number = int(last) + 1
            cursor.execute(
                f"INSERT INTO generations (device, {GENERATION_COLUMNS}) "  # noqa: S608 - names of columns, from generations.py
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    device,
                    number,
                    one.applied_at,
                    one.note,
                    one.block_entries,
                    one.allow_entries,
                    one.block_serial,
                    one.allow_serial,
                    one.block,
                    one.allow,
                    one.lists_block,
                    one.lists_allow,
                    one.lists_block_entries,
                    one.lists_allow_entries,
                ),
            )
            same_kind = "device = ? AND (note = ?) = ?"
            cursor.execute(
                f"DELETE FROM generations WHERE {same_kind} AND number <= ("  # noqa: S608 - from above
                f"SELECT number FROM generations WHERE {same_kind} "
                "ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (*(device, BY_HAND, one.note == BY_HAND) * 2, self.generations_kept),
            )
            return number

    @property
    def by_hand(self) -> HandEntries:
        """The entries by hand, of all devices."""
        return HandEntries(self._store)

    def sources(self, device: str) -> list[str]:
        """Where its last good lists came from."""
        with self._store.transaction() as cursor:
            rows = cursor.execute("SELECT source FROM lists WHERE device = ?", (device,)).fetchall()
        return [source for (source,) in rows]

    def newest(self, device: str) -> tuple[str, bytes] | None:
        """Note and packed allow list of the newest generation, without the rest of it."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                "SELECT note, allow FROM generations WHERE device = ? ORDER BY number DESC LIMIT 1",
                (device,),
            ).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def names(self, device: str) -> list[Json]:
        """What is known of the names that a device's block list must not reach."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                "SELECT name, resolved_at, failing_since, addresses FROM names WHERE device = ?",
                (device,),
            ).fetchall()
        return [
            {
                "name": name,
                "resolved_at": resolved_at,
                "failing_since": failing_since,
                "addresses": json.loads(addresses),
            }
            for name, resolved_at, failing_since, addresses in rows
        ]

    def keep_names(self, device: str, rows: Sequence[Json]) -> None:
        """Replace what is known of them; other names are no matter of the device any more."""
        self._store.changed(device)
        with self._store.transaction() as cursor:
            cursor.execute("DELETE FROM names WHERE device = ?", (device,))
            cursor.executemany(
                "INSERT INTO names (device, name, resolved_at, failing_since, addresses) "
                "VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        device,
                        one["name"],
                        one["resolved_at"],
                        one["failing_since"],
                        json.dumps(one["addresses"]),
                    )
                    for one in rows
                ],
            )

    def keep_largest(
        self, device: str, day: int, candidates: Sequence[Generation], *, since: int, anew: bool
    ) -> None:
        """
        Keep the one with most block entries as that of *day*, unless a larger one is there.

        Those of days before *since* are forgotten, with *again* all that were.
        """
        with self._store.transaction() as cursor:
            cursor.execute(
                "DELETE FROM largest WHERE device = ? AND (day < ? OR ?)", (device, since, anew)
            )
            for one in candidates:
                cursor.execute(
                    "INSERT INTO largest (device, day, applied_at, block_entries, allow_entries, block, allow) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, day) DO UPDATE SET "
                    "applied_at = excluded.applied_at, block_entries = excluded.block_entries, "
                    "allow_entries = excluded.allow_entries, block = excluded.block, allow = excluded.allow "
                    "WHERE excluded.block_entries > largest.block_entries",
                    (
                        device,
                        day,
                        one.applied_at,
                        one.block_entries,
                        one.allow_entries,
                        one.block,
                        one.allow,
                    ),
                )

    def largest(self, device: str, since: int) -> Generation | None:
        """What held most block entries on any day from *since* on."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                "SELECT applied_at, block_entries, allow_entries, block, allow FROM largest "
                "WHERE device = ? AND day >= ? ORDER BY block_entries DESC, day DESC LIMIT 1",
                (device, since),
            ).fetchone()
        if row is None:
            return None
        applied_at, block_entries, allow_entries, block, allow = row
        return Generation(
            applied_at=applied_at,
            block_entries=block_entries,
            allow_entries=allow_entries,
            block=block,
            allow=allow,
        )

    def generation(self, device: str, number: int | None = None) -> Generation | None:
        """One generation, the newest where no *number* is given."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                f"SELECT {GENERATION_COLUMNS} FROM generations WHERE device = ? "  # noqa: S608 - as above
                "AND (number = ? OR ? IS NULL) ORDER BY number DESC LIMIT 1",
                (device, number, number),
            ).fetchone()
        return None if row is None else generation_of(row)

    def generations(self, device: str) -> list[GenerationRow]:
        """All that are kept, newest first, without their content."""
        names = [one.name for one in attrs.fields(GenerationRow)]
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                f"SELECT {', '.join(names)} FROM generations WHERE device = ? "  # noqa: S608 - names of fields
                "ORDER BY number DESC",
                (device,),
            ).fetchall()
        return [GenerationRow(**dict(zip(names, row, strict=True))) for row in rows]

    def save_update(
        self, device: str, started_at: float, finished_at: float, result: str, outcome: Json
    ) -> None:
        """Remember how an update went; the oldest go beyond the bound."""
        self._store.changed(device)
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT INTO updates (device, started_at, finished_at, result, outcome) "
                "VALUES (?, ?, ?, ?, ?)",
                (device, started_at, finished_at, result, json.dumps(outcome)),
            )
            cursor.execute(
                "DELETE FROM updates WHERE device = ? AND id <= ("
                "SELECT id FROM updates WHERE device = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (device, device, self.updates_kept),
            )

    def updates(self, device: str, limit: int = 20, without: Sequence[str] = ()) -> list[Json]:
        """The latest updates, newest first; those that ended as one of *without* are left out."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                "SELECT outcome FROM updates WHERE device = ? "
                "AND result NOT IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?",
                (device, json.dumps(list(without)), limit),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def last_update(self, device: str, result: str) -> Json | None:
        """The latest update that ended with *result*."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                "SELECT outcome FROM updates WHERE device = ? AND result = ? ORDER BY id DESC LIMIT 1",
                (device, result),
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def last_fetched(
        self,
        device: str,
        *,
        results: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> Json | None:
        """The latest update that asked for lists and ended with one of *results*, or with any but *without*."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                "SELECT outcome FROM updates WHERE device = ? "
                "AND (? IS NULL OR result IN (SELECT value FROM json_each(?))) "
                "AND result NOT IN (SELECT value FROM json_each(?)) "
                "AND COALESCE(json_extract(outcome, '$.only_entries'), 0) = 0 "
                "AND COALESCE(json_extract(outcome, '$.kept'), 0) = 0 "
                "AND COALESCE(json_extract(outcome, '$.cause'), '') = '' ORDER BY id DESC LIMIT 1",
                (
                    device,
                    *2 * [None if results is None else json.dumps(list(results))],
                    json.dumps(list(without)),
                ),
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def memory(self, device: str) -> Json:
        """What is known of a device; empty for a new one."""
        with self._store.transaction() as cursor:
            row = cursor.execute(
                "SELECT memory FROM devices WHERE device = ?", (device,)
            ).fetchone()
        found = json.loads(row[0]) if row else {}
        return found if isinstance(found, dict) else {}

    def save_memory(self, device: str, memory: Json) -> None:
        """Replace what is known of a device."""
        self._store.changed(device)
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT INTO devices (device, memory) VALUES (?, ?) "
                "ON CONFLICT (device) DO UPDATE SET memory = excluded.memory",
                (device, json.dumps(memory)),
            )

    def entries(self) -> dict[str, str]:
        """The permanent id of each device's entry, by nickname; also of some that are gone from the disk."""
        with self._store.transaction() as cursor:
            return dict(cursor.execute("SELECT device, entry FROM entries").fetchall())

    def entry(self, device: str) -> str | None:
        """The permanent id of a device's entry; None where it has none."""
        with self._store.transaction() as cursor:
            row = cursor.execute("SELECT entry FROM entries WHERE device = ?", (device,)).fetchone()
        return None if row is None else str(row[0])

    def holders(self, entry: str) -> set[str]:
        """Nicknames that have this permanent id; also some that are gone from the disk."""
        with self._store.transaction() as cursor:
            rows = cursor.execute("SELECT device FROM entries WHERE entry = ?", (entry,))
            return {str(device) for (device,) in rows}

    def keep_entry(self, device: str, entry: str) -> None:
        """Remember the permanent id of a device's entry."""
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT INTO entries (device, entry) VALUES (?, ?) "
                "ON CONFLICT (device) DO UPDATE SET entry = excluded.entry",
                (device, entry),
            )

    def rename(self, device: str, to: str) -> None:
        """
        What is kept of *device* is kept of *to* from now on, in the place of what was kept of an earlier *to*.

        Nothing happens where nothing is kept of *device*: a second time changes nothing.
        """
        self._store.changed(device)
        self._store.changed(to)
        with self._store.transaction() as cursor:
            for table in _OF_A_DEVICE:
                if cursor.execute(
                    f"SELECT 1 FROM {table} WHERE device = ? LIMIT 1",  # noqa: S608 - names from above
                    (device,),
                ).fetchone():
                    cursor.execute(f"DELETE FROM {table} WHERE device = ?", (to,))  # noqa: S608 - names from above
                    cursor.execute(
                        f"UPDATE {table} SET device = ? WHERE device = ?",  # noqa: S608 - names from above
                        (to, device),
                    )

    def forget(self, device: str) -> None:
        """Forget all of a device."""
        self._store.changed(device)
        with self._store.transaction() as cursor:
            for table in _OF_A_DEVICE:
                cursor.execute(f"DELETE FROM {table} WHERE device = ?", (device,))  # noqa: S608 - names from above
