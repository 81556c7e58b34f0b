"""
A database copied while another process writes it, and a copy that becomes another node's.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from tscm.store.reading import read_only

_PAGES = 256
_PAUSE_SECONDS = 0.005


def copy_database(database: Path, copy: Path) -> None:
    """
    One state of a database in a file of its own, even while others write.  Blocks.

    Some pages at a time, so that no writer waits for long.  Raises `StoreUnusable`, `OSError`.
    """
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
    with read_only(database) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.execute("SELECT 1 FROM sqlite_master").fetchone()  # from here on one state is read
        source.backup(target, pages=_PAGES, progress=lambda *_: time.sleep(_PAUSE_SECONDS))


def forget_installation(database: Path) -> None:
    """Have a copy make an identity of its own: it belongs to another node now."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM installation")
