"""
The node's SQLite file: opened, brought up to date, and given out in short transactions.

A `Store` is for the reactor thread alone; who only reads takes `tscm.store.reading`.  What the tables mean is known to `tscm.store.policies` and to the
rooms that add upgrades of their own under `schema/`.
"""

import contextlib
import re
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import kind_of, unfit
from tscm.errors import TscmError

BACKUPS_KEPT = 3
_UPGRADE = re.compile(r"([0-9]{3})\.sql")
_BUSY_SECONDS = 5.0
_CHILD_BUSY_SECONDS = 30.0
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


BACKUP = (
    BackupRule("var/lib/tscm/tscm.db", Treatment.DATABASE),
    BackupRule("var/lib/tscm/tscm.db-*", Treatment.LEFT_OUT, "its content is in the copy"),
    BackupRule("var/lib/tscm/tscm.db.before-*", Treatment.LEFT_OUT, "of an older version"),
)
"""What a backup does with the database's files."""


@define(eq=False)
class StoreTooNew(TscmError):
    """
    The database was written by a later version of the software.
    """

    path: str
    found: int
    known: int

    def __str__(self) -> str:
        return (
            f"database {self.path} has schema {self.found}, but this version supports at "
            f"most {self.known}; install the version that wrote it, or restore the backup "
            "beside it"
        )


@define(eq=False)
class StoreUnusable(TscmError):
    """
    The database cannot be opened, read or written.
    """

    path: str
    cause: str

    def __str__(self) -> str:
        return (
            f"database {self.path} cannot be used: {self.cause}; check the disk and the "
            f"file's owner, restore a backup ({Path(self.path).name}.before-NNN), or move "
            "it away: it holds the policy history, and the manager then creates a new one"
        )


def open_database(path: str) -> sqlite3.Connection:
    """
    A further connection that writes, for the child process that counts events.

    The schema is there: the manager opened the database before it started the child.
    """
    connection = sqlite3.connect(path, timeout=_CHILD_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def upgrades() -> list[tuple[int, str]]:
    """The schema's upgrades in order: number and SQL."""
    from importlib.resources import files

    schema = files("tscm.store").joinpath("schema")
    found = [
        (int(matched[1]), one.read_text("utf-8"))
        for one in schema.iterdir()
        if (matched := _UPGRADE.fullmatch(one.name))
    ]
    return sorted(found)


@contextlib.contextmanager
def opened(store: "Store") -> Iterator[None]:
    """The database open for a moment, where it is not open anyway.  Raises what `Store.open` does."""
    if store.opened:
        yield
        return
    store.open()
    try:
        yield
    finally:
        store.close()


@define(eq=False)
class Store:
    """
    One database file.  Nothing may be called before `open` or after `close`.

    After an `open` that failed every transaction fails as that one did, until another is good.
    """

    path: Path
    fault: TscmError | None = field(default=None, init=False)
    """Why it is not open."""
    trouble: StoreUnusable | None = field(default=None, init=False)
    """
    What the last transaction failed with.  Damage stays until the file is opened again, for other parts
    of it can still be read; all else until a transaction is good.
    """
    changes: Counter[str] = field(factory=Counter, init=False)
    """By device, how often something of it was written: what was read stays true until that grows."""
    _damaged: bool = field(default=False, init=False)
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _inside: bool = field(default=False, init=False)

    def changed(self, device: str) -> None:
        """Something of a device is about to be written."""
        self.changes[device] += 1

    def open(self) -> None:
        """
        Open, and upgrade if the software is newer.  Raises `StoreTooNew`, `StoreUnusable`.
        """
        try:
            self._open_with(upgrades())
        except TscmError as error:
            self.fault = error
            raise
        self.fault = self.trouble = None
        self._damaged = False
        self.changes = Counter({name: count + 1 for name, count in self.changes.items()})

    def _open_with(self, steps: list[tuple[int, str]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            if not self.path.exists():
                self.path.touch(mode=0o600)
            mode = self.path.stat().st_mode
            if not stat.S_ISREG(mode):  # SQLite would wait for the writer of a pipe
                raise unfit(self.path, f"it is {kind_of(mode)}, not a regular file")
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._upgrade(steps)
        except (sqlite3.Error, OSError) as error:
            self.close()
            cause = getattr(error, "strerror", None) or str(error)  # without the path again
            raise StoreUnusable(str(self.path), cause) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close; a second time does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """
        A cursor inside a transaction: all of it stands when the block ends well, else none.
        """
        if self._connection is None:
            if self.fault is not None:
                raise self.fault.with_traceback(None)
            raise RuntimeError(f"{self.path} is not open")
        if self._inside:
            raise RuntimeError("a transaction is in progress")
        self._inside = True
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")
            if not self._damaged:
                self.trouble = None
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                cursor.execute("ROLLBACK")
            self.trouble = StoreUnusable(str(self.path), str(error))
            code = getattr(error, "sqlite_errorcode", 0)  # what the module itself refuses has none
            self._damaged |= code & 0xFF in _DAMAGE
            raise self.trouble from None
        finally:
            cursor.close()
            self._inside = False

    @property
    def opened(self) -> bool:
        """Is it open?"""
        return self._connection is not None

    @property
    def version(self) -> int:
        """The schema's number."""
        assert self._connection is not None
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _upgrade(self, steps: list[tuple[int, str]]) -> None:
        present, newest = self.version, steps[-1][0]
        if present > newest:
            raise StoreTooNew(str(self.path), present, newest)
        if present == newest:
            return
        if present:
            self._back_up(present)
        connection = self._connection
        assert connection is not None
        for number, sql in steps:
            if number > present:
                # One script, one transaction, so that a crash leaves the old number and tables.
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;"
                )

    def _back_up(self, version: int) -> None:
        assert self._connection is not None
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        backup = self.path.with_name(f"{self.path.name}.before-{version + 1:03d}")
        temporary = backup.with_name(backup.name + ".new")
        shutil.copyfile(self.path, temporary)
        temporary.chmod(0o600)
        temporary.rename(backup)
        older = sorted(self.path.parent.glob(f"{self.path.name}.before-[0-9][0-9][0-9]"))
        for old in older[:-BACKUPS_KEPT]:
            old.unlink()
