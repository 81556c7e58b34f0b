"""
Documents of the portal in the node's database: targets, bundles, policies, switches, and what is published.

Blocking: for a thread, on a connection of its own.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, frozen

from tscm.errors import TscmError
from tscm.store.database import StoreUnusable, open_database
from tscm.store.reading import faults_told
from tscm.store.user_list_rows import writing
from tscm.store.user_list_values import Who

ITEMS_MOST = 500
"""Documents of one kind."""


@define(eq=False)
class ItemChanged(TscmError):
    """
    Another edit came first, or there is no such document.
    """

    kind: str
    name: str
    present: int | None
    by: str = ""

    def __str__(self) -> str:
        if not self.present:
            return f"there is no {self.kind} {self.name!r}; show them with `tsadmin portal`"
        return (
            f"{self.kind} {self.name!r} has version {self.present} by {self.by} by now; look at "
            "it again, then repeat the edit"
        )


@define(eq=False)
class TooManyItems(TscmError):
    """
    As many documents of a kind are stored as may.
    """

    kind: str
    most: int = ITEMS_MOST

    def __str__(self) -> str:
        return f"{self.most} documents of the kind {self.kind} are stored already, which is the maximum; delete one first"


@frozen(kw_only=True)
class Item:
    """
    One document, as it was last edited.
    """

    content: Mapping[str, Any]
    version: int
    at: float
    who: str


@frozen
class PortalItems:
    """
    The documents of the database at *path*.  Raises `StoreUnusable` for what SQLite reports.
    """

    path: Path

    def all(self) -> Mapping[str, Mapping[str, Item]]:
        """By kind and name; what is no document is left out."""
        found: dict[str, dict[str, Item]] = {}
        with self._open() as connection:
            rows = connection.execute(
                "SELECT kind, name, content, version, at, who FROM portal_items ORDER BY kind, name"
            ).fetchall()
        for kind, name, content, version, at, who in rows:
            with contextlib.suppress(ValueError):
                read = json.loads(content)
                if isinstance(read, dict):
                    item = Item(content=read, version=version, at=at, who=who)
                    found.setdefault(kind, {})[name] = item
        return found

    def keep(
        self, kind: str, name: str, content: Mapping[str, Any], who: Who, *, version: int | None
    ) -> Item:
        """
        A document as it is now.  *version* is the one that was looked at, 0: there was none.

        Raises `ItemChanged`, `TooManyItems`.
        """
        with self._open() as connection, writing(connection) as cursor:
            row = cursor.execute(
                "SELECT version, who FROM portal_items WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
            present, by = row or (0, "")
            if version is not None and version != present:
                raise ItemChanged(kind, name, present, by)
            (count,) = cursor.execute(
                "SELECT COUNT(*) FROM portal_items WHERE kind = ?", (kind,)
            ).fetchone()
            if row is None and count >= ITEMS_MOST:
                raise TooManyItems(kind)
            cursor.execute(
                "INSERT OR REPLACE INTO portal_items (kind, name, content, version, at, who) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (kind, name, json.dumps(content), present + 1, who.at, who.name),
            )
        return Item(content=content, version=present + 1, at=who.at, who=who.name)

    def delete(self, kind: str, name: str) -> None:
        """Forget a document.  Raises `ItemChanged` where there is none."""
        with self._open() as connection, writing(connection) as cursor:
            gone = cursor.execute(
                "DELETE FROM portal_items WHERE kind = ? AND name = ?", (kind, name)
            ).rowcount
            if not gone:
                raise ItemChanged(kind, name, None)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise StoreUnusable(str(self.path), "it does not exist")
        with faults_told(self.path), contextlib.closing(open_database(str(self.path))) as one:
            yield one
