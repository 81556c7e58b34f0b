"""
The audit in the node's database: kept for a bounded time, read by device and time.
"""

import json
from collections.abc import Sequence
from typing import Any

import attrs
from attrs import frozen

from tscm.store.audit_entry import AuditEntry
from tscm.store.database import Store

DAY_SECONDS = 86400.0
_COLUMNS = tuple(one.name for one in attrs.fields(AuditEntry))
_NAMES = ", ".join(_COLUMNS)


@frozen
class Audits:
    """
    The audit as rows.  In the reactor thread, in short transactions; raises what `Store` raises.
    """

    _store: Store

    def keep(self, entry: AuditEntry) -> None:
        """Add an entry."""
        values = [
            json.dumps(value) if name == "arguments" else value
            for name, value in attrs.asdict(entry, recurse=False).items()
        ]
        marks = ", ".join("?" * len(_COLUMNS))
        with self._store.transaction() as cursor:
            cursor.execute(f"INSERT INTO audit ({_NAMES}) VALUES ({marks})", values)  # noqa: S608 - names of columns

    def latest(self, device: str | None, since: float, top: int) -> list[AuditEntry]:
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
        return [_entry(row) for row in reversed(rows)]

    def expire(self, before: float) -> int:
        """Delete what is older than *before*; gives how many entries that were."""
        with self._store.transaction() as cursor:
            cursor.execute("DELETE FROM audit WHERE at < ?", (before,))
            return cursor.rowcount

    # -- what goes to a SIEM ----------------------------------------------------

    def carry_from_here(self) -> None:
        """Entries from now on are to be carried; does nothing where that was said before."""
        with self._store.transaction() as cursor:
            cursor.execute(
                "INSERT OR IGNORE INTO audit_carried SELECT 1, coalesce(max(id), 0) FROM audit"
            )

    def carry_no_more(self) -> None:
        """No entry is to be carried: a later `carry_from_here` begins with what comes then."""
        with self._store.transaction() as cursor:
            cursor.execute("DELETE FROM audit_carried")

    def to_carry(self, most: int) -> list[tuple[int, AuditEntry]]:
        """The oldest *most* entries that were not carried yet, with their numbers."""
        with self._store.transaction() as cursor:
            rows = cursor.execute(
                f"SELECT id, {_NAMES} FROM audit WHERE id > (SELECT last FROM audit_carried) "  # noqa: S608 - as above
                "ORDER BY id LIMIT ?",
                (most,),
            ).fetchall()
        return [(number, _entry(row)) for number, *row in rows]

    def carried(self, number: int) -> None:
        """All entries up to this number were carried."""
        with self._store.transaction() as cursor:
            cursor.execute("UPDATE audit_carried SET last = ?", (number,))


def _entry(row: Sequence[Any]) -> AuditEntry:
    values = dict(zip(_COLUMNS, row, strict=True))
    return AuditEntry(**{**values, "arguments": json.loads(values["arguments"])})
