"""
The lists by which lines are judged, ready from call to call.  Light: what brings numpy is imported by the first call.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tscm.store.reading import open_read_only

if TYPE_CHECKING:
    from tscm.events.worker import ForceTable


@define(eq=False)
class SharedTable:
    """
    Generations that stay ready from call to call, for one call at a time, each in whatever thread it is.
    """

    _lock: Any = field(factory=Lock, init=False)
    _table: "ForceTable | None" = field(default=None, init=False)

    @contextmanager
    def of(self, database: Path) -> Iterator["ForceTable | None"]:
        """None where nothing is kept yet.  Raises `StoreUnusable`."""
        from tscm.events.worker import ForceTable

        with self._lock:
            if not database.exists():
                yield None
                return
            with closing(open_read_only(database)) as connection:
                if self._table is None:
                    self._table = ForceTable(connection)
                else:
                    self._table.over(connection)
                yield self._table
