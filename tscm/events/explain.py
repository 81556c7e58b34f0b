"""
Single lines with the list entry that they stand under: for `tail --hits` and for a drill-down.
"""

from collections.abc import Iterator
from pathlib import Path

from attrs import define, frozen

from tscm.events.judge import Hit, applicable, judge
from tscm.events.worker import ForceTable
from tscm.store.reading import faults_told, open_read_only
from tscm.syslog.asa_bulk import PolicyEvent, Row, event_of, policy_events, rows_of
from tscm.syslog.forms import PARSERS, rows_of_form, spans_of


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
    _form: str = ""
    """The firewall's type, which says how its lines are read."""
    table: ForceTable | None = None
    """The generations; opened with the first block where none is given."""

    def explain(self, block: bytes, at: float) -> Iterator[Explained]:
        """The policy lines of a block of whole lines received *at*, each explained."""
        if self.table is None:
            if not self._database.exists():
                return
            self.table = ForceTable(open_read_only(self._database))
        with faults_told(self._database):
            forces = applicable(self.table.between(self._device, self._names, at, at), at)
        for line, event, row in self._events(block):
            hit = next((hit for hit, _ in judge([row], forces)), None)
            yield Explained(line=line, event=event, hit=hit)

    def _events(self, block: bytes) -> Iterator[tuple[bytes, PolicyEvent, Row]]:
        if self._form not in PARSERS:
            for line, event in policy_events(block):
                for row in rows_of([line + b"\n"]):
                    yield line, event, row
            return
        for begin, end in spans_of(self._form, block):
            line = block[begin:end]
            (found,) = rows_of_form(self._form, [line])
            if found is not None:
                yield line.rstrip(b"\n"), event_of(found), found
