"""
The database as SQLite itself finds it.  Blocking, and it only reads.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

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
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.set_progress_handler(lambda: clock() > until, _STEPS)
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
        finally:
            connection.close()
    except sqlite3.Error as error:
        return None if clock() > until else str(error)
    return None if found == ["ok"] else " ".join(" ".join(found).split())[:_SAID]
