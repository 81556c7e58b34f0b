# ruff: noqa: S608 - all SQL is of this file
"""
Rows of user lists: how they are found, counted, written and cleared.  Blocking.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen

from tscm.policy.user_lists import (
    KnownEntry,
    ListEntry,
    ListFaulty,
    Mode,
    read_network,
    wider_firsts,
)
from tscm.store.by_hand import LISTS as BY_HAND
from tscm.store.user_list_values import ListVersion, NoSuchList, UserEntry

T = TypeVar("T")

SLICE = 1000
"""Rows of one transaction: some milliseconds."""
PAUSE_SECONDS = 0.01
"""Between two such transactions: a process that waits for the file asks again after some milliseconds, and must find it free."""
_ASKED_AT_ONCE = 500
DELETED = "deleted "
"""Begins the name of a list that is being deleted; the name of no other list has a blank."""
NOT_DELETED = f"name NOT LIKE '{DELETED}%'"
STANDS = "added_in <= :version AND (removed_in IS NULL OR removed_in > :version)"
"""Whether a row is in a version."""
IN_FORCE = f"{STANDS} AND (until IS NULL OR until > :now) AND ended_at IS NULL"
"""Whether it is, and has not ended at a time."""


@frozen(kw_only=True)
class Row:
    """
    A list as its entries are found: by number, at its version.
    """

    id: int
    name: str
    version: int

    @property
    def by_hand(self) -> bool:
        """Whether its entries are entries by hand."""
        return self.id in BY_HAND.values()


_PLAIN = "added_in <= ? AND (removed_in IS NULL OR removed_in > ?)"
SELECT = (
    "SELECT e.id, l.name, l.side, e.network, e.reason, e.who, e.made_at, e.until, e.device, "
    "e.ended_at FROM user_entries e JOIN user_lists l ON l.id = e.list"
)


def entry_of(row: tuple[Any, ...], now: float) -> UserEntry:
    """A row of `SELECT`."""
    number, name, side, network, comment, who, made_at, until, device, ended_at = row
    return UserEntry(
        id=number,
        list_name=name,
        side=side,
        network=network,
        comment=comment,
        who=who,
        made_at=made_at,
        until=until,
        device=device,
        in_force=ended_at is None and (until is None or until > now),
    )


def row_of(connection: sqlite3.Connection, name: str) -> Row:
    """The list of that name.  Raises `NoSuchList`."""
    found = connection.execute(
        "SELECT id, name, version FROM user_lists WHERE name = ?", (name.strip().lower(),)
    ).fetchone()
    if found is None:
        raise NoSuchList(name)
    number, spelled, version = found
    return Row(id=number, name=spelled, version=version)


def refuse_by_hand(row: Row) -> None:
    """Entries by hand go other ways.  Raises `ListFaulty`."""
    if row.by_hand:
        raise ListFaulty(
            f"list {row.name!r} is edited one entry at a time; use `tsadmin block`, `tsadmin "
            "allow` and `tsadmin entries remove`"
        )


def kept_version(connection: sqlite3.Connection, row: Row, version: int | None) -> int:
    """The present version, or the one that is asked for.  Raises `ListFaulty`."""
    if version is None or version == row.version:
        return row.version
    kept = connection.execute(
        "SELECT 1 FROM user_list_versions WHERE list = ? AND version = ? AND version <= ?",
        (row.id, version, row.version),
    ).fetchone()
    if kept is None:
        raise ListFaulty(
            f"list {row.name!r} has no version {version}; show those that are kept with `tsadmin "
            f"lists versions {row.name}`"
        )
    return version


def count_of(connection: sqlite3.Connection, number: int, version: int, now: float | None) -> int:
    """How many entries a version has; with *now* those in force then."""
    condition = STANDS if now is None else IN_FORCE
    (count,) = connection.execute(
        f"SELECT COUNT(*) FROM user_entries WHERE list = :list AND {condition}",
        {"list": number, "version": version, "now": now},
    ).fetchone()
    return int(count)


def condition_of(search: str) -> tuple[str, dict[str, Any]]:
    """A condition for entries that cover *search* or lie in it, and its values."""
    if not search.strip():
        return "", {}
    _, first, last = read_network(search, wide=True)
    values: dict[str, Any] = {"first": first, "last": last}
    wider = wider_firsts(first, last)
    values |= {f"wider{at}": one for at, one in enumerate(wider)}
    names = ", ".join(f":wider{at}" for at in range(len(wider)))
    condition = (
        " AND ((first >= :first AND first <= :last AND last <= :last)"
        f" OR (first IN ({names}) AND last >= :last)"
        " OR (instr(network, '-') > 0 AND first <= :last AND last >= :first))"
    )
    return condition, values


def by_hand_found(
    connection: sqlite3.Connection, row: Row, search: str, now: float
) -> list[UserEntry]:
    """Entries by hand, of which no ends are kept: they are few."""
    rows = connection.execute(
        f"{SELECT} WHERE e.list = ? AND e.ended_at IS NULL ORDER BY e.id", (row.id,)
    ).fetchall()
    found = [entry_of(one, now) for one in rows]
    if not search.strip():
        return found
    _, first, last = read_network(search, wide=True)
    ends = [read_network(one.network, wide=True)[1:] for one in found]
    return [
        one for one, (low, high) in zip(found, ends, strict=True) if low <= last and high >= first
    ]


def known_of(
    connection: sqlite3.Connection, row: Row, wanted: Iterable[ListEntry], mode: Mode
) -> Mapping[str, KnownEntry]:
    """What an edit must know of the present entries."""
    columns = f"SELECT id, network, until, reason FROM user_entries WHERE list = ? AND {_PLAIN}"
    stands = (row.id, row.version, row.version)
    if mode is Mode.REPLACE:
        rows = connection.execute(columns, stands).fetchall()
    else:
        rows = []
        for part in slices([one.network for one in wanted], _ASKED_AT_ONCE):
            marks = ", ".join("?" * len(part))
            rows += connection.execute(f"{columns} AND network IN ({marks})", (*stands, *part))
    return {
        network: KnownEntry(id=number, network=network, until=until, comment=comment)
        for number, network, until, comment in rows
    }


def keep_version(cursor: sqlite3.Cursor, number: int, told: ListVersion) -> None:
    """Keep a version of the list with that *number*."""
    cursor.execute(
        "INSERT OR REPLACE INTO user_list_versions "
        "(list, version, at, who, did, reason, added, removed, entries) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            told.version,
            told.at,
            told.who,
            told.did,
            told.reason,
            told.added,
            told.removed,
            told.entries,
        ),
    )


def forget_old(connection: sqlite3.Connection, number: int, oldest: int) -> None:
    """Forget versions up to *oldest*, and entries that were in no later one."""
    clear(connection, "list = ? AND removed_in <= ?", (number, oldest + 1))
    with writing(connection) as cursor:
        cursor.execute(
            "DELETE FROM user_list_versions WHERE list = ? AND version <= ?", (number, oldest)
        )


def clear(connection: sqlite3.Connection, condition: str, values: tuple[int, ...]) -> None:
    """Delete rows, a slice a transaction."""
    _in_portions(
        connection,
        "DELETE FROM user_entries WHERE id IN "
        f"(SELECT id FROM user_entries WHERE {condition} LIMIT {SLICE})",
        values,
    )


def clear_deleted(connection: sqlite3.Connection) -> None:
    """Delete what is left of deleted lists, also of those whose deletion was interrupted."""
    rows = connection.execute(f"SELECT id FROM user_lists WHERE NOT {NOT_DELETED}").fetchall()
    for (number,) in rows:
        clear(connection, "list = ?", (number,))
        with writing(connection) as cursor:
            cursor.execute("DELETE FROM user_lists WHERE id = ?", (number,))


def bring_back(connection: sqlite3.Connection, row: Row) -> None:
    """Take back what an interrupted edit removed, a slice a transaction."""
    _in_portions(
        connection,
        "UPDATE user_entries SET removed_in = NULL WHERE id IN "
        f"(SELECT id FROM user_entries WHERE list = ? AND removed_in > ? LIMIT {SLICE})",
        (row.id, row.version),
    )


def _in_portions(connection: sqlite3.Connection, statement: str, values: tuple[int, ...]) -> None:
    """Repeat a *statement* that changes at most a slice, until it changes less."""
    while True:
        with writing(connection) as cursor:
            done = cursor.execute(statement, values).rowcount
        if done < SLICE:
            return
        time.sleep(PAUSE_SECONDS)


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """A transaction: all of it or nothing."""
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


def paced(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """*rows* in portions, with a pause between them in which others may write."""
    for at, part in enumerate(slices(rows, size)):
        if at:
            time.sleep(PAUSE_SECONDS)
        yield part


def slices(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """*rows* in portions."""
    found = iter(rows)
    while part := list(islice(found, size)):
        yield part
