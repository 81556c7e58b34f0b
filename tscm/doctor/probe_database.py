"""
The database as SQLite itself finds it.  Blocking, and it only reads.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from tscm.store.database import StoreUnusable
from tscm.store.reading import open_read_only

_LOOK_SECONDS = 10.0
_STEPS = 100_000
"""Of SQLite's machine, between two looks at the time."""
_SAID = 200


def damage(
    database: Path, seconds: float = _LOOK_SECONDS, clock: Callable[[], float] = time.monotonic
) -> str | None:
    """
    The first thing that is wrong with the file; None where nothing was found in *seconds*.

    A manager that has the file open may go on for long with what it holds in memory, so that
    its own word is not enough.
    """
    until = clock() + seconds
    try:
        with contextlib.closing(open_read_only(database)) as connection:
            connection.set_progress_handler(lambda: clock() > until, _STEPS)
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except StoreUnusable as error:
        return None if clock() > until else error.cause
    except sqlite3.Error as error:
        return None if clock() > until else str(error)
    return None if found == ["ok"] else " ".join(" ".join(found).split())[:_SAID]
