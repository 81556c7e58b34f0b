"""
What the lists did: rows, filters, a picture, and files of the same.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from attrs import evolve, fields_dict, frozen

from tscm.events.answers import Sums
from tscm.faces.web.hits import Hours
from tscm.faces.web.saved import SavedReport
from tscm.faces.web.views.filters import FILTERS, REPORT_FILTERS, shell_word
from tscm.faces.web.visit import Visit
from tscm.plural import many
from tscm.printable import spreadsheet_cell
from tscm.wire.writing import as_json as plain_json

BY = ("entry", "list", "inside", "outside", "port", "protocol", "hour", "direction", "action")
PAIRS = ("hour,action", "list,action", "inside,outside", "entry,outside", "inside,port")
"""Groupings by two columns that the form offers; the address takes any pair."""
NEXT = {
    "list": "entry",
    "entry": "outside",
    "outside": "inside",
    "inside": "outside",
    "port": "inside",
    "protocol": "port",
    "direction": "entry",
    "action": "entry",
}
"""What a value is broken down by once it is chosen."""


@frozen(kw_only=True)
class Chip:
    """A filter that is on; the address of the page without it."""

    word: str
    without: str


@frozen(kw_only=True)
class ReportRow:
    """A value, or one of each column, with its hits; *href* shows what is behind it."""

    cells: tuple[str, ...]
    hits: int
    lines: int
    href: str
    lines_href: str
    """Where the very lines are; empty where no filter leads to them."""
    share: int


@frozen(kw_only=True)
class Preset:
    """A question that is asked often."""

    word: str
    href: str


PRESETS = (
    Preset(
        word="Unexpected blocks",
        href="/reports?since=3h&action=blocked&direction=outbound&port=80,443&by=inside",
    ),
    Preset(word="Who inside calls out", href="/reports?since=24h&direction=outbound&by=inside"),
    Preset(word="Who knocks", href="/reports?since=24h&direction=inbound&by=outside"),
    Preset(word="Allowed", href="/reports?since=24h&action=allowed&by=entry"),
)


@frozen(kw_only=True)
class Report:
    """The page of reports."""

    TEMPLATE: ClassVar[str] = "reports.html"

    names: tuple[str, ...]
    """All devices."""
    devices: tuple[str, ...]
    """Those that are asked; none means all."""
    fields: "Fields"
    by_words: tuple[str, ...]
    threats: tuple[str, ...]
    chips: tuple[Chip, ...]
    presets: tuple[Preset, ...]
    saved: tuple[SavedReport, ...]
    """Those of the user."""
    present: SavedReport
    """What the page shows, and the name under which it is saved."""
    rows: tuple[ReportRow, ...]
    by: str
    columns: tuple[str, ...]
    total: str
    span: str
    doubts: tuple[str, ...]
    hours: Hours | None
    command: str
    csv: str
    json: str
    fault: str
    stale: str
    at: float


@frozen(kw_only=True)
class Fields:
    """What stands in the form, as it was typed."""

    since: str
    until: str
    by: str
    top: str
    action: str
    direction: str
    list: str
    entry: str
    inside: str
    outside: str
    port: str
    not_port: str
    target: str
    severity: str
    threat_type: str


_FIELDS = tuple(fields_dict(Fields))


def fields_of(visit: Visit) -> Fields:
    """Out of the address."""
    return Fields(
        since=visit.text("since", "24h")[:40],
        until=visit.text("until")[:40],
        by=visit.text("by", "entry")[:40],
        top=visit.text("top", "100")[:8],
        **{name: visit.text(name)[:200] for name in REPORT_FILTERS},
    )


def present_of(devices: Sequence[str], fields: Fields, saved: Sequence[SavedReport]) -> SavedReport:
    """The report that the page shows; its name is empty where the user has not saved it."""
    asked = {name: getattr(fields, name) for name in _FIELDS if getattr(fields, name)}
    found = SavedReport(name="", query=urlencode({"device": list(devices), **asked}, doseq=True))
    name = next((one.name for one in saved if set(one.pairs) == set(found.pairs)), "")
    return evolve(found, name=name)


def chips(visit: Visit, fields: Fields) -> tuple[Chip, ...]:
    """The filters that are on."""
    found = []
    for name in REPORT_FILTERS:
        value = getattr(fields, name)
        if value:
            word = f"{name.replace('_', ' ')} {value}"
            found.append(Chip(word=word, without=visit.at(**{name: None, "format": None})))
    return tuple(found)


def command_of(devices: Sequence[str], fields: Fields) -> str:
    """What to type for the same rows."""
    several = () if len(devices) == 1 else ("--together",)
    words = [
        "tsadmin report",
        *(devices or ("--all",)),
        *several,
        "--since",
        shell_word(fields.since),
    ]
    for name in ("until", "by", "top", *REPORT_FILTERS):
        value = getattr(fields, name)
        if value:
            words += [f"--{name}", shell_word(value)]
    return " ".join(words)


def value_word(by: str, value: Any) -> str:
    """A value as a cell: the same as `tsadmin report` writes."""
    if by == "hour":
        return datetime.fromtimestamp(int(value), UTC).astimezone().isoformat(" ", "minutes")
    if by == "port":
        return "none" if int(value) < 0 else str(value)
    return str(value)


def report_rows(visit: Visit, found: Sums) -> tuple[ReportRow, ...]:
    """The rows, each with the address of what is behind it."""
    columns = columns_of(found.by)
    most = max((int(row["hits"]) for row in found.rows), default=0)
    behind, lines = _Link.behind(visit, columns), _Link.lines(visit, found, columns)
    rows = []
    for row in found.rows:
        narrowed = _narrowed(columns, row)
        query = "" if narrowed is None else urlencode({n: v for n, v in narrowed.items() if v})
        rows.append(
            ReportRow(
                cells=tuple(value_word(by, row[by]) for by in columns),
                hits=int(row["hits"]),
                lines=int(row["lines"]),
                href=behind.to(query),
                lines_href=lines.to(query),
                share=round(100 * int(row["hits"]) / most) if most else 0,
            )
        )
    return tuple(rows)


def columns_of(by: str) -> tuple[str, ...]:
    """The columns of a grouping as it is written."""
    return tuple(by.split(","))


def _narrowed(columns: Sequence[str], row: Mapping[str, Any]) -> dict[str, str] | None:
    """The filters that lead to a row; None where there is no filter of its kind."""
    found: dict[str, str] = {}
    for by in columns:
        value = row[by]
        if by == "protocol" or (by == "port" and int(value) < 0):
            return None
        if by == "hour":
            found |= {"since": _iso(int(value)), "until": _iso(int(value) + 3600)}
        else:
            found[by] = str(value)
    return found


@frozen
class _Link:
    """An address without the filters of a row, which are put in its middle: made once for all rows."""

    start: str
    end: str

    def to(self, query: str) -> str:
        """The address with a row's filters; empty where there are none, or where nothing leads there."""
        if not query or not self.start:
            return ""
        between = "" if self.start.endswith("?") else "&" if "?" in self.start else "?"
        return f"{self.start}{between}{query}{self.end}"

    @classmethod
    def behind(cls, visit: Visit, columns: Sequence[str]) -> "_Link":
        """To what a row is broken down by next."""
        taken = {one for one in BY if visit.text(one)} | set(columns)
        wanted = NEXT.get(columns[-1], "outside")
        following = next(
            (one for one in (wanted, "entry", "inside", "port") if one not in taken), wanted
        )
        without = dict.fromkeys((*_names(columns), "by", "format"))
        return cls(visit.at(**without), f"&by={following}")

    @classmethod
    def lines(cls, visit: Visit, found: Sums, columns: Sequence[str]) -> "_Link":
        """To the lines of a row: with the report's filters, in the whole hours of it."""
        if any(visit.text(name) for name in REPORT_FILTERS if name not in FILTERS):
            return cls("", "")  # lines know no targets
        since, until = int(found.since) // 3600 * 3600, -(-int(found.until) // 3600) * 3600
        fields: dict[str, Any] = {name: visit.text(name) for name in FILTERS}
        fields |= {"since": _iso(since), "until": _iso(until)}
        own = _names(columns)
        query = {name: one for name, one in fields.items() if one and name not in own}
        asked = urlencode({"device": list(visit.some("device")), **query}, doseq=True)
        return cls(f"/lines?{asked}", "&hits=yes")


def _names(columns: Sequence[str]) -> frozenset[str]:
    """The filters that lead to a row of these columns."""
    hours = {"since", "until"} if "hour" in columns else set()
    return frozenset(hours | set(columns) - {"hour"})


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def doubts(found: Sums) -> Iterator[str]:
    """What is not in the counts."""
    if found.counts_are_low:
        times = many(found.counts_are_low, "time", "times")
        yield (
            f"Counts are too low: the firewall logged {times} that it had stopped counting denied flows "
            "(106101); raise `access-list deny-flow-max`."
        )
    if found.unread_lines:
        lines = many(found.unread_lines, "line", "lines")
        yield f"{lines} of access-lists could not be read since the device was added; no report counts them."


def total_words(found: Sums) -> str:
    """The sums, and how many rows there are."""
    hits = many(found.hits, "hit", "hits")
    lines = many(found.lines, "line", "lines")
    return f"{hits} in {lines}; {len(found.rows):,} of {found.groups:,} shown"


def as_csv(found: Sums) -> bytes:
    """All rows; no cell is a formula."""
    columns = columns_of(found.by)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*columns, "hits", "lines"))
    for row in found.rows:
        cells = (spreadsheet_cell(value_word(by, row[by])) for by in columns)
        writer.writerow((*cells, row["hits"], row["lines"]))
    return out.getvalue().encode()


def as_json(question: Mapping[str, Any], found: Sums) -> bytes:
    """The answer of the operation, with the question in front."""
    return json.dumps({"question": dict(question), **plain_json(found)}, indent=2).encode() + b"\n"
