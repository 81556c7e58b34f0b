import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tscm.store.database import BACKUPS_KEPT, Store, StoreTooNew, StoreUnusable, upgrades


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state" / "tscm.db")
    store.open()
    yield store
    store.close()


def test_a_new_database_is_private_in_wal_and_up_to_date(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.version == upgrades()[-1][0]
    with sqlite3.connect(store.path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    other.close()


def test_upgrades_are_numbered_without_a_gap() -> None:
    assert [number for number, _ in upgrades()] == list(range(1, len(upgrades()) + 1))


def test_opening_again_upgrades_nothing_and_makes_no_backup(store: Store) -> None:
    store.close()
    store.open()
    assert not list(store.path.parent.glob("*.before-*"))


def test_a_newer_database_than_the_software_is_a_named_error(store: Store) -> None:
    with store.transaction() as cursor:
        cursor.execute("SELECT 1")
    store.close()
    with sqlite3.connect(store.path) as other:
        other.execute("PRAGMA user_version = 999")
    other.close()
    with pytest.raises(StoreTooNew, match="999"):
        store.open()


def test_an_old_database_is_backed_up_before_it_is_upgraded(store: Store) -> None:
    with store.transaction() as cursor:
        cursor.execute("INSERT INTO devices VALUES ('fw', '{}')")
    version = store.version
    store.close()
    store._open_with([*upgrades(), (version + 1, "DROP TABLE devices;")])
    backup = store.path.with_name(f"tscm.db.before-{version + 1:03d}")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with sqlite3.connect(backup) as old:
        assert old.execute("SELECT device FROM devices").fetchall() == [("fw",)]
        assert old.execute("PRAGMA user_version").fetchone() == (version,)
    old.close()


def test_backups_are_bounded(store: Store) -> None:
    store.close()
    steps = upgrades()
    for number in range(steps[-1][0] + 1, steps[-1][0] + 3 + BACKUPS_KEPT):
        steps.append((number, f"CREATE TABLE t{number} (a);"))
        store._open_with(steps)
        store.close()
    assert len(list(store.path.parent.glob("*.before-*"))) == BACKUPS_KEPT


def test_a_failed_upgrade_leaves_number_and_tables_as_they_were(store: Store) -> None:
    version = store.version
    store.close()
    with pytest.raises(StoreUnusable, match="cannot be used"):
        store._open_with([*upgrades(), (version + 1, "CREATE TABLE more (a);\nCREATE BROKEN;")])
    store.open()
    assert store.version == version
    with store.transaction() as cursor:
        assert not cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchall()


def test_a_transaction_stands_whole_or_not_at_all(store: Store) -> None:
    def twice() -> None:
        with store.transaction() as cursor:
            cursor.execute("INSERT INTO devices VALUES ('fw', '{}')")
            cursor.execute("INSERT INTO devices VALUES ('fw', '{}')")

    with pytest.raises(StoreUnusable):
        twice()
    with store.transaction() as cursor:
        assert cursor.execute("SELECT COUNT(*) FROM devices").fetchone() == (0,)


def test_trouble_is_told_until_a_transaction_is_good(store: Store) -> None:
    with pytest.raises(StoreUnusable), store.transaction() as cursor:
        cursor.execute("SELECT * FROM what_is_not_there")
    assert "what_is_not_there" in str(store.trouble)
    with store.transaction() as cursor:
        cursor.execute("SELECT COUNT(*) FROM devices")
    assert store.trouble is None


def test_damage_is_told_until_the_file_is_opened_anew_though_parts_of_it_can_be_read(
    store: Store,
) -> None:
    with store.transaction() as cursor:  # more than the cache holds
        rows = ((f"fw{number}", "x" * 1000) for number in range(10_000))
        cursor.executemany("INSERT INTO devices VALUES (?, ?)", rows)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = store.path.read_bytes()
    with store.path.open("r+b") as file:
        file.seek(len(whole) // 2)
        file.write(b"\xff" * (len(whole) // 2))

    with pytest.raises(StoreUnusable, match="malformed"), store.transaction() as cursor:
        cursor.execute("SELECT SUM(LENGTH(memory)) FROM devices").fetchone()
    with store.transaction() as cursor:
        cursor.execute("SELECT 1").fetchone()
    assert "malformed" in str(store.trouble)

    store.close()
    store.path.write_bytes(whole)
    store.open()
    assert store.trouble is None


def test_a_transaction_inside_another_is_refused(store: Store) -> None:
    with (
        store.transaction(),
        pytest.raises(RuntimeError, match="in progress"),
        store.transaction(),
    ):
        pass


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tscm.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreUnusable, match="cannot be used"):
        Store(path).open()


def test_use_after_close_is_refused(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="not open"), store.transaction():
        pass
