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

from tscm.base.safe_files import kind_of
from tscm.store.database import StoreUnusable

BUSY_SECONDS = 30.0
"""How long a reader waits for a writer that holds the file, which is milliseconds in WAL mode."""


def open_read_only(database: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """
    A connection that cannot write.  Raises `StoreUnusable`, also where there is no such file.

    The path travels as a quoted URI: a `?`, `#` or `%` in it is part of the name.
    """
    with contextlib.suppress(OSError):  # what is not there, or not to be looked at, SQLite tells
        mode = database.stat().st_mode
        if not stat.S_ISREG(mode):  # it would wait for whoever writes to a pipe
            raise StoreUnusable(str(database), f"it is {kind_of(mode)}, not a regular file")
    with faults_told(database):
        return sqlite3.connect(
            f"{database.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
        )


@contextlib.contextmanager
def read_only(database: Path, busy_seconds: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """
    A connection inside one read transaction: every query sees the same state of the database.

    Raises `StoreUnusable` for whatever SQLite reports, from opening to the last row.
    """
    connection = open_read_only(database, busy_seconds)
    with contextlib.closing(connection), faults_told(database):
        connection.execute("BEGIN")
        yield connection


def known_groups(database: Path, device: str) -> list[str]:
    """Names of our groups on a device, as the last update read them; none where nobody can tell."""
    try:
        with read_only(database) as connection:
            row = connection.execute(
                "SELECT memory FROM devices WHERE device = ?", (device,)
            ).fetchone()
        found = json.loads(row[0]).get("groups") if row else None
    except (StoreUnusable, ValueError, AttributeError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


@contextlib.contextmanager
def faults_told(database: Path) -> Iterator[None]:
    """Turn an error of SQLite into `StoreUnusable`, which tells the operator what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnusable(str(database), str(error)) from None
