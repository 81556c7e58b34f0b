"""
A database as the schema before packs left it: every roll-up a row.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from tscm.store.database import Store, upgrades


def older_database(path: Path, hours: Iterable[int], kinds: int = 1) -> None:
    """Two lines and seven hits of `fw` in each hour and each of so many ports, taken over by this version."""
    with sqlite3.connect(path) as old:
        for number, sql in upgrades():
            if number < 5:
                old.executescript(sql)
        old.execute("PRAGMA user_version = 4")
        for number, text in enumerate(
            ("fw", "b", "203.0.113.0/24", "10.0.0.1", "203.0.113.7", "tcp")
        ):
            old.execute("INSERT INTO words VALUES (?, ?)", (number + 1, text))
        old.executemany(
            "INSERT INTO hits VALUES (1, ?, 0, 0, 2, 3, 4, 5, 6, ?, 2, 7)",
            ((hour, 443 + kind) for hour in hours for kind in range(kinds)),
        )
        old.execute("INSERT INTO daily VALUES (1, 20000, 0, 0, 2, 3, 5, 48, 168)")
        old.execute("INSERT INTO event_readers VALUES (1, 999, 100, 3, 2, 1)")
    old.close()
    store = Store(path)
    store.open()
    store.close()
