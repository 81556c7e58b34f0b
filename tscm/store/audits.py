"""
The audit in the node's database: kept for a bounded time, read by device and time.
"""

import json
from typing import Any

from attrs import frozen

from tscm.model import Json
from tscm.store.database import Store

DAY_SECONDS = 86400.0
_COLUMNS = (
    "at", "actor", "uid", "on_behalf_of", "operation", "device",
    "arguments", "outcome", "sentence", "seconds",
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)


@frozen
class Audits:
    """
    The audit as rows.  In the reactor thread, in short transactions; raises what `Store` raises.
    """

    _store: Store

    def keep(self, entry: Json) -> None:
        """Add *entry*, which has a value for each column; `arguments` is an object."""
        values = [
            json.dumps(entry[name]) if name == "arguments" else entry[name] for name in _COLUMNS
        ]
        marks = ", ".join("?" * len(_COLUMNS))
        with self._store.transaction() as cursor:
            cursor.execute(f"INSERT INTO audit ({_NAMES}) VALUES ({marks})", values)  # noqa: S608 - names of columns

    def latest(self, device: str | None, since: float, top: int) -> list[Json]:
        """The latest *top* entries since *since*, the oldest of them first; of one device, or all."""
        conditions, values = ["at >= ?"], [since]  # type: tuple[list[str], list[Any]]
        if device is not None:
            conditions.append("device = ?")
            values.append(device)
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                f"SELECT {_NAMES} FROM audit WHERE {' AND '.join(conditions)} "  # noqa: S608 - as above
                "ORDER BY id DESC LIMIT ?",
                [*values, top],
            ).fetchall()
        return [self._entry(row) for row in reversed(rows)]

    def expire(self, before: float) -> int:
        """Delete what is older than *before*; gives how many entries that were."""
        with self._store.transaction() as cursor:
            cursor.execute("DELETE FROM audit WHERE at < ?", (before,))
            return cursor.rowcount

    @staticmethod
    def _entry(row: tuple[Any, ...]) -> Json:
        entry = dict(zip(_COLUMNS, row, strict=True))
        return {**entry, "arguments": json.loads(entry["arguments"])}
