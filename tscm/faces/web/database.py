"""
The SQLite file of the page's own: users, sessions, one-time codes, API keys, saved reports.

For the reactor thread, in statements of some microseconds; `tsadmin web` opens the same file.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from tscm.errors import TscmError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY COLLATE NOCASE, role TEXT NOT NULL, hash TEXT NOT NULL,
    created_at REAL NOT NULL, signed_in_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE,
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    created_at REAL NOT NULL, seen_at REAL NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user);
CREATE TABLE IF NOT EXISTS codes (
    digest BLOB PRIMARY KEY, user TEXT, until REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS places (
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    place TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subjects (
    user TEXT PRIMARY KEY COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    issuer TEXT NOT NULL, subject TEXT NOT NULL, UNIQUE (issuer, subject)
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, user TEXT NOT NULL,
    address TEXT NOT NULL, what TEXT NOT NULL, good INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY COLLATE NOCASE, shown TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL, nouns TEXT NOT NULL, networks TEXT NOT NULL, created_at REAL NOT NULL,
    created_by TEXT NOT NULL, until REAL NOT NULL, used_at REAL, used_from TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS key_calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, key TEXT NOT NULL,
    address TEXT NOT NULL, what TEXT NOT NULL, status INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS saved_reports (
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
    name TEXT NOT NULL, query TEXT NOT NULL, PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
"""


@define(eq=False)
class AccountsUnusable(TscmError):
    """
    The file with the page's users cannot be opened, read or written.
    """

    path: str
    cause: str

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be used: {self.cause}; check the disk and the file's owner, or move "
            "it away and create the users again with `tsadmin web setup`"
        )


@define(eq=False)
class WebDatabase:
    """
    The file *path*; `open` first.  Raises `AccountsUnusable` from everything.
    """

    path: Path
    _open: sqlite3.Connection | None = field(default=None, init=False)

    def open(self) -> None:
        """Open the file, and make it where it is absent."""
        with self._faults_told():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(
                os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            )
            made = sqlite3.connect(self.path, timeout=2.0, isolation_level=None)
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("PRAGMA synchronous = NORMAL")
            made.execute("PRAGMA foreign_keys = ON")
            made.executescript(_SCHEMA)
            self._open = made

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def rows(self, sql: str, *args: object) -> list[Any]:
        """What a question gives."""
        with self._faults_told():
            assert self._open is not None, "open() first"
            return self._open.execute(sql, args).fetchall()

    def do(self, sql: str, *args: object) -> None:
        """Carry out a change."""
        with self._faults_told():
            assert self._open is not None, "open() first"
            self._open.execute(sql, args)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes that are made inside, or none."""
        self.do("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.do("ROLLBACK")
            raise
        self.do("COMMIT")

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise AccountsUnusable(str(self.path), cause) from None
