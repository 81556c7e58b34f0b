"""
A new version over an old database and a full backlog: upgraded with a backup, and nothing is lost.
"""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, World
from tests.manager.manager_process import Manager
from tests.soak.players import Siem
from tscm.store.database import upgrades

LINES = 3000


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, LISTEN)
    yield one
    one.stop()


def first_schema(path: Path) -> None:
    """A database as the first version made it, with something in it."""
    number, sql = upgrades()[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as database:
        database.executescript(sql)
        database.execute(
            "INSERT INTO lists VALUES ('fw-one', 'block.example', 7, 1.0, 'old', 0, x'')"
        )
        database.execute(f"PRAGMA user_version = {number}")
    database.close()
    path.chmod(0o600)


def read(path: Path, sql: str) -> object:
    database = sqlite3.connect(path)
    try:
        return database.execute(sql).fetchone()[0]
    finally:
        database.close()


def test_an_old_database_and_a_full_backlog_are_taken_over(manager: Manager) -> None:
    siem = Siem()
    siem.come()
    siem.away()  # its port stays: nobody answers there until the new version comes
    world = World(manager)
    world.add("fw-one", siem.port, log_rotate_size=50)
    manager.start()
    try:
        world.send("fw-one", LINES)
        manager.when_lines("fw-one", LINES)
        manager.stop(signal.SIGKILL)
        database = manager.layout.database
        for path in database.parent.glob(f"{database.name}*"):
            path.unlink(missing_ok=True)  # its child closes it meanwhile
        first_schema(database)

        siem.come()
        manager.start()
        newest = upgrades()[-1][0]
        assert read(database, "PRAGMA user_version") == newest
        assert read(database, "SELECT source FROM lists WHERE device = 'fw-one'") == "old"
        backup = database.with_name(f"{database.name}.before-002")
        assert backup.stat().st_mode & 0o777 == 0o600
        assert read(backup, "PRAGMA user_version") == 1
        assert read(backup, "SELECT source FROM lists WHERE device = 'fw-one'") == "old"

        found = world.ledger()
        assert found["balanced"], found
        assert found["devices"]["fw-one"]["stored"] == LINES
        assert found["devices"]["fw-one"]["unclean_stops"] == 1
        world.send("fw-one", 1)
        world.settle()
        world.until(lambda: len(siem.lines) >= LINES + 1)
        assert world.verdict(siem.lines) == ()
        readers = world.ledger()["devices"]["fw-one"]["readers"]
        world.until(
            lambda: world.ledger()["devices"]["fw-one"]["readers"]["events"]["waiting"] == 0
        )
        assert set(readers) >= {"forward", "events"}
        assert world.ledger()["balanced"]
        assert "Traceback" not in manager.said()
    finally:
        siem.away()
