"""
The node's database for reading: the one way in for every room that does not write to it.

Blocking, so in the manager for threads and child processes alone.  The file is never created and
never changed, whatever stands in its path.
"""

import contextlib
import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tscm.base.safe_files import kind_of
from tscm.model import Json
from tscm.store.database import StoreUnusable

if TYPE_CHECKING:
    from tscm.store.generations import StoredList

BUSY_SECONDS = 30.0
"""How long a reader waits for a writer that holds the file, which is milliseconds in WAL mode."""


def open_read_only(
    database: Path, busy_seconds: float = BUSY_SECONDS, *, at_rest: bool = False
) -> sqlite3.Connection:
    """
    A connection that cannot write.  Raises `StoreUnusable`, also where there is no such file.

    SQLite makes the files of the write-ahead log even for a reader, and leaves them.  Of a database *at_rest*,
    which no process has open, it makes none: that is for a command that must leave nothing behind.

    The path travels as a quoted URI: a `?`, `#` or `%` in it is part of the name.
    """
    with contextlib.suppress(OSError):  # what is not there, or not to be looked at, SQLite tells
        mode = database.stat().st_mode
        if not stat.S_ISREG(mode):  # it would wait for the writer of a pipe
            raise StoreUnusable(str(database), f"it is {kind_of(mode)}, not a regular file")
    with faults_told(database):
        return sqlite3.connect(
            f"{database.absolute().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
        )


@contextlib.contextmanager
def read_only(
    database: Path, busy_seconds: float = BUSY_SECONDS, *, at_rest: bool = False
) -> Iterator[sqlite3.Connection]:
    """
    A connection inside one read transaction: every query sees the same state of the database.

    Raises `StoreUnusable` for whatever SQLite reports, from opening to the last row.
    """
    connection = open_read_only(database, busy_seconds, at_rest=at_rest)
    with contextlib.closing(connection), faults_told(database):
        connection.execute("BEGIN")
        yield connection


def known_groups(database: Path, device: str) -> list[str]:
    """Names of our groups on a device, as the last update read them; none where they are unknown."""
    try:
        with read_only(database) as connection:
            row = connection.execute(
                "SELECT memory FROM devices WHERE device = ?", (device,)
            ).fetchone()
        found = json.loads(row[0]).get("groups") if row else None
    except (StoreUnusable, ValueError, AttributeError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def good_list(database: Path, device: str, name: str) -> "tuple[str, StoredList] | None":
    """
    The last good list of that *name*: the *device*'s own, else the latest of another one, and whose that is.

    None where there is none, or that is unknown.
    """
    from tscm.store.generations import StoredList

    try:
        with read_only(database) as connection:
            row = connection.execute(
                "SELECT device, serial, fetched_at, source, entries, content, besides FROM lists "
                "WHERE list = ? ORDER BY device != ?, fetched_at DESC LIMIT 1",
                (name, device),
            ).fetchone()
    except StoreUnusable:
        return None
    if row is None:
        return None
    owner, serial, fetched_at, source, count, content, besides = row
    return str(owner), StoredList(
        name=name,
        serial=serial,
        fetched_at=fetched_at,
        source=source,
        count=count,
        content=content,
        besides=besides,
    )


def failing_names(database: Path, device: str) -> list[Json]:
    """
    Names that a device's block list must not reach and that its last update could not look up, as
    `update.known_name.KnownName` reads them; none where they are unknown.  Only where no manager runs.
    """
    at_rest = not database.with_name(f"{database.name}-wal").exists()
    try:
        with read_only(database, at_rest=at_rest) as connection:
            rows = connection.execute(
                "SELECT name, resolved_at, failing_since, addresses FROM names "
                "WHERE device = ? AND failing_since IS NOT NULL ORDER BY name",
                (device,),
            ).fetchall()
        return [
            {
                "name": str(name),
                "resolved_at": resolved_at,
                "failing_since": float(failing_since),
                "addresses": json.loads(addresses),
            }
            for name, resolved_at, failing_since, addresses in rows
        ]
    except (StoreUnusable, TypeError, ValueError):
        return []


@contextlib.contextmanager
def faults_told(database: Path) -> Iterator[None]:
    """Turn an error of SQLite into `StoreUnusable`, which tells the operator what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnusable(str(database), str(error)) from None
