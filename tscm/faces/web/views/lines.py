"""
Lines of logs: searched for, and as they come.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlencode

from attrs import frozen

from tscm.events.answers import FoundLines, LineHit, LogLine
from tscm.faces.web.views.filters import FILTERS, shell_word
from tscm.faces.web.views.words import NEVER, iso
from tscm.faces.web.visit import Visit
from tscm.model import Json
from tscm.plural import many
from tscm.printable import spreadsheet_cell, visible
from tscm.wire.writing import as_json as plain_json

SHOWN = 200
FILE_MOST = 1000
"""Lines of a file: as many as a search tells."""
_SHORT = 2000
"""Characters of a line that are sent as it comes."""


@frozen(kw_only=True)
class LineFields:
    """What stands in the form, as it was typed."""

    devices: tuple[str, ...]
    since: str
    until: str
    text: str
    ignore_case: bool
    hits: bool
    filters: Mapping[str, str]
    """Those of a report, which only lines about hits can have."""

    @property
    def filtered(self) -> bool:
        """Is a filter on that only lines about hits can have?"""
        return any(self.filters.values())

    @property
    def options(self) -> Json:
        """As operations take them."""
        found: Json = {name: value for name, value in self.filters.items() if value}
        if self.text:
            found["text"] = self.text
        return found | {name: True for name in ("ignore_case", "hits") if getattr(self, name)}

    def query(self, **changes: str) -> str:
        """The same as the query of an address."""
        fields: dict[str, str | list[str]] = {"device": list(self.devices)}
        fields |= {"since": self.since, "until": self.until, "text": self.text}
        fields |= {name: "yes" for name in ("ignore_case", "hits") if getattr(self, name)}
        fields |= {**self.filters, **changes}
        return urlencode({name: one for name, one in fields.items() if one}, doseq=True)


@frozen(kw_only=True)
class LineRow:
    """A line; *what* says which entry did what, empty where it is about no hit, and *kind* is its colour."""

    at: float | None
    device: str
    kind: str
    what: str
    line: str
    cut: int


@frozen(kw_only=True)
class Lines:
    """A search."""

    TEMPLATE: ClassVar[str] = "lines.html"

    names: tuple[str, ...]
    fields: LineFields
    rows: tuple[LineRow, ...]
    asked: bool
    total: str
    doubts: tuple[str, ...]
    later: str
    """The address of the lines after these; empty where there are none."""
    live: str
    report: str
    command: str
    csv: str
    json: str
    fault: str


@frozen(kw_only=True)
class Live:
    """Lines as they come."""

    TEMPLATE: ClassVar[str] = "live.html"

    names: tuple[str, ...]
    fields: LineFields
    rows: tuple[LineRow, ...]
    stream: str
    here: str
    search: str
    fault: str


def line_fields(visit: Visit, since: str) -> LineFields:
    """Out of the address."""
    return LineFields(
        devices=visit.some("device")[:500],
        since=visit.text("since", since)[:40],
        until=visit.text("until")[:40],
        text=visit.secret("text")[:200],
        ignore_case=bool(visit.text("ignore_case")),
        hits=bool(visit.text("hits")),
        filters={name: visit.text(name)[:200] for name in FILTERS},
    )


def line_row(one: LogLine) -> LineRow:
    """A line as it is shown."""
    return LineRow(
        at=one.received_at,
        device=one.device,
        kind="" if one.hit is None else one.hit.action,
        what="" if one.hit is None else what_words(one.hit),
        line=one.line,
        cut=one.cut,
    )


def what_words(hit: LineHit) -> str:
    """What an entry did, in a few words."""
    return f"{hit.action} {hit.direction} by {hit.list} {hit.entry}"


def total_words(found: FoundLines) -> str:
    """How many lines fit, and how many were looked at."""
    shown = f"; the first {len(found.lines):,} are shown" if found.left_out else ""
    looked = f"{many(found.read_lines, 'line', 'lines')} searched"
    fit = "line fits" if found.fitting == 1 else "lines fit"
    return f"{found.fitting:,} {fit}{shown}; {looked}"


def line_doubts(found: FoundLines) -> Iterator[str]:
    """What is not among the lines."""
    if found.ended is not None:
        yield f"Not everything was searched: {found.ended}. Narrow the time or the devices."
    for one in found.missing:
        yield f"Not searched: {one}"


def command_of(fields: LineFields) -> str:
    """What to type for the same lines."""
    words = ["tsadmin search", *(map(shell_word, fields.devices) if fields.devices else ("--all",))]
    words += [shell_word(fields.text), "--since", shell_word(fields.since)]
    named = {"until": fields.until, **fields.filters}
    words += [f"--{name} {shell_word(value)}" for name, value in named.items() if value]
    words += [f"--{name}" for name in ("ignore_case", "hits") if getattr(fields, name)]
    return " ".join(words)


def as_csv(found: FoundLines) -> bytes:
    """The lines; no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("received_at", "device", "sender", "what", "line"))
    for one in found.lines:
        at = "" if one.received_at is None else _utc(one.received_at)
        cells = (
            one.device,
            one.sender or "",
            "" if one.hit is None else what_words(one.hit),
            one.line,
        )
        writer.writerow((at, *(spreadsheet_cell(cell) for cell in cells)))
    return out.getvalue().encode()


def as_json(question: Json, found: FoundLines) -> bytes:
    """The answer of the operation, with the question in front."""
    return json.dumps({"question": question, **plain_json(found)}, indent=2).encode() + b"\n"


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def batch(found: FoundLines) -> Json:
    """Lines that have come, for the script of the page: every text harmless already."""
    return {
        "rows": batch_rows(found.lines),
        "left_out": found.left_out,
        "unread_bytes": found.unread_bytes,
        "ended": found.ended or "",
    }


def batch_rows(lines: Sequence[LogLine]) -> list[Json]:
    """The rows of it."""
    return [
        {
            "at": "" if row.at is None else iso(row.at)[11:19],
            "title": NEVER if row.at is None else iso(row.at),
            "device": visible(row.device),
            "kind": row.kind,
            "what": visible(row.what),
            "line": visible(row.line[:_SHORT]) + ("…" if row.cut or len(row.line) > _SHORT else ""),
        }
        for row in map(line_row, lines)
    ]
