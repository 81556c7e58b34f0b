"""
Single lines with the list entry that they stand under: for `tail --hits` and for a drill-down.
"""

from collections.abc import Iterator
from pathlib import Path

from attrs import define, field, frozen

from tscm.events.judge import Hit, applicable, judge
from tscm.events.worker import ForceTable
from tscm.store.reading import faults_told, open_read_only
from tscm.syslog.asa_bulk import PolicyEvent, policy_events, rows_of


@frozen(kw_only=True)
class Explained:
    """
    One policy line: its event, and what an entry of the lists had to do with it.
    """

    line: bytes
    event: PolicyEvent
    hit: Hit | None


@define(eq=False)
class Explainer:
    """
    Judges lines of one device as they come, by the generations in the database.  Blocking.

    `explain` raises `StoreUnusable`.
    """

    _database: Path
    _device: str
    _names: tuple[str, str]
    _table: ForceTable | None = field(default=None, init=False)

    def explain(self, block: bytes, at: float) -> Iterator[Explained]:
        """The policy lines of a block of whole lines received *at*, each explained."""
        if self._table is None:
            if not self._database.exists():
                return
            self._table = ForceTable(open_read_only(self._database))
        with faults_told(self._database):
            forces = applicable(self._table.between(self._device, self._names, at, at), at)
        for line, event in policy_events(block):
            tally = judge(rows_of([line + b"\n"]), forces)
            hit = next((hit for hit, _ in tally), None)
            yield Explained(line=line, event=event, hit=hit)
