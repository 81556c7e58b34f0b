"""
Published lists that are no zones: text to entries, by format.  Pure.

A feed is taken whole or not at all: what is not a list of networks (a page of HTML, half a file whose end
says how much there should be) raises `FeedDamaged`; single entries that are no CIDR are
counted and left out as everywhere.

Content is read piece by piece, so that beside it there is never more in memory than its entries, and
the collector's bounds are looked at all the while: whatever a publisher sends, reading it ends soon.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define, field, frozen

from tscm.plural import many
from tscm.policy.collect import Collector
from tscm.policy.feed_rows import Condition
from tscm.policy.feed_values import networks_of, plain
from tscm.policy.json_walk import JsonDamaged, JsonWalk, NotText, field_of
from tscm.policy.misp import MISP_PATHS, take_attribute
from tscm.policy.stix import Indicators

FORMATS = (
    "cidr", "drop-json", "dshield", "csv", "json", "exit-addresses", "stix", "misp", "taxii",
)  # fmt: skip

_COMMENT = re.compile(r"[#;]|(?<!\S)//(?!\s*[0-9]+\s*$)")
"""`//` only behind a blank and before no length: `192.0.2.0//24` is a slip, and no host."""
_WHOLE_LINE = re.compile(r"\s*(?:[#;]|//)")
_END = re.compile(r"[\s#;/]*END\s+\(?([0-9,]{1,15})\s+entries\)?\s*", re.IGNORECASE)
"""What abuse.ch closes its lists with."""
_PAGE = re.compile(rb"[\s\0\xef\xbb\xbf\xc2\xa0]*<")
"""HTML and XML, behind byte order marks and blanks of any kind; no list of any format begins so."""
_IS_PAGE = "it starts with `<`: it is an HTML page or XML, not a list"
OBJECTS_MAX = 200_000
"""Of STIX or MISP: fewer than their bytes permit."""
LINE_MAX = 1 << 16
ROW_MAX = 1 << 17
_CHECK_EVERY = 1024
_TIMES, _BESIDES = 2, 100_000
"""Lines or values that may stand there for an entry, and for the rest: comments, and what is not picked."""
_DSHIELD_HEAD = "Start"
_EXIT_WORDS = frozenset({"ExitNode", "Published", "LastStatus", "ExitAddress"})
_OWN_TAILS = frozenset({"range", "url"})
"""Values in which `#`, `;` and `//` may stand."""


class FeedDamaged(ValueError):
    """
    Content that is not what its format says.
    """


@frozen(kw_only=True)
class Shape:
    """
    How to read a feed: *format* is one of `FORMATS`.

    *pick* is the column of a CSV (a name from its first row, or a number from 1) or the path of a
    JSON (`data.prefixes.*.ipv4Prefix`: names with dots between, `*` for each element).  *value* is one
    of `feed_values.VALUES`: how a network is written there; with *padded* octets with leading zeros
    are decimal.  *where* says which rows of a CSV or of DROP, or records of a JSON, of STIX or of MISP,
    are wanted.
    """

    format: str = "cidr"
    pick: str = ""
    delimiter: str = ","
    value: str = "network"
    padded: bool = False
    where: str = ""


def read_feed(content: bytes, shape: Shape, collector: Collector) -> None:
    """
    Hand every entry of *content* to *collector*.  Raises `FeedDamaged`, `ListTooLong`, `ReadingTooLong`.
    """
    if _PAGE.match(content):
        raise FeedDamaged(_IS_PAGE)
    _READERS[shape.format](content, shape, collector)
    collector.check_bound()
    if not len(collector) and collector.refused_count:
        count = collector.refused_count
        none = "its only entry is not" if count == 1 else f"none of its {count:,} entries is"
        raise FeedDamaged(f"{none} a network")


def _lines(content: bytes, collector: Collector) -> Iterator[str]:
    """The lines; one over `LINE_MAX` is refused as what it is."""
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", "replace")
    number = 0
    while line := text.readline(LINE_MAX):
        number += 1
        if not number % _CHECK_EVERY:
            _check(collector, number, "lines")
        if len(line) < LINE_MAX or line.endswith("\n"):
            yield line.rstrip("\n")
            continue
        collector.refuse(line, f"is a line over {LINE_MAX:,} characters")
        while (rest := text.readline(LINE_MAX)) and not rest.endswith("\n"):
            pass


def _add(text: str, shape: Shape, collector: Collector) -> None:
    """The networks that *text* stands for; a URL with a host name is none, and no fault either."""
    if shape.value == "network" and not shape.padded:
        collector.add_text(text)
        return
    before = len(collector) + collector.refused_count
    try:
        for one in networks_of(text, shape.value, padded=shape.padded):
            collector.add_text(one)
    except ValueError as error:
        collector.refuse(text, str(error))
    if len(collector) + collector.refused_count == before:
        collector.other_records += 1


@define
class _Ending:
    """The number of entries that a list says at its end that it has."""

    said: int | None = None

    def look(self, comment: str) -> None:
        if (found := _END.fullmatch(comment)) is not None:
            self.said = int(found[1].replace(",", "") or 0)

    def check(self, count: int) -> None:
        """Raise where it is another."""
        if self.said is not None and self.said != count:
            raise FeedDamaged(
                f"it contains {many(count, 'entry', 'entries')} but declares {self.said:,}"
            )


def _check(collector: Collector, count: int, what: str) -> None:
    """Raise where there is more to look through than the entries that are wanted could need."""
    collector.check_bound()
    if count > _TIMES * collector.max_entries + _BESIDES:
        raise FeedDamaged(f"it contains more than {count - 1:,} {what}")


def _read_cidr(content: bytes, shape: Shape, collector: Collector) -> None:
    """A network a line; `#`, `;` and `//` begin a comment, as in netsets and Spamhaus' DROP text."""
    ending, count = _Ending(), 0
    for line in _lines(content, collector):
        if shape.value in _OWN_TAILS:
            entry = "" if _WHOLE_LINE.match(line) else line.strip()
        else:
            entry = _COMMENT.split(line, maxsplit=1)[0].strip()
        if entry:
            # A page may stand behind lines that look like comments.
            if not count and entry.startswith("<"):
                raise FeedDamaged(_IS_PAGE)
            count += 1
            _add(entry, shape, collector)
        else:
            ending.look(line)
    ending.check(count)


def _read_exit_addresses(content: bytes, shape: Shape, collector: Collector) -> None:
    """Tor's `exit-addresses`: of the lines about an exit, `ExitAddress 192.0.2.1 2026-01-01 00:00:00`."""
    for line in _lines(content, collector):
        words = line.split(None, 2)
        if words[:1] == ["ExitAddress"] and len(words) > 1:
            _add(words[1], shape, collector)
        elif words and words[0] not in _EXIT_WORDS:
            collector.refuse(line, "is not a line about a Tor exit")


def _read_drop_json(content: bytes, shape: Shape, collector: Collector) -> None:
    """Spamhaus DROP: an object a line, the last one tells how many there are."""
    wanted = Condition.all_of(shape.where)
    records, said = 0, None
    for number, line in enumerate(_lines(content, collector), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            raise FeedDamaged(f"line {number} is not valid JSON") from None
        if not isinstance(one, dict):
            raise FeedDamaged(f"line {number} is not a JSON object")
        if one.get("type") == "metadata":
            said = one.get("records")
            continue
        records += 1
        text = str(one.get("cidr", ""))
        fields = {str(key): str(value) for key, value in one.items()}
        _add_wanted(text, fields.get, wanted, shape, collector)
    if said is None:
        raise FeedDamaged("its final metadata line is missing, so it may be truncated")
    if said != records:
        raise FeedDamaged(f"it contains {many(records, 'record', 'records')} but declares {said}")


def _add_wanted(
    text: str,
    column: Callable[[str], str | None],
    wanted: Iterable[Condition],
    shape: Shape,
    collector: Collector,
) -> None:
    """*text*, where its row fits."""
    if _fits(text, column, wanted, collector):
        _add(text, shape, collector)


def _fits(
    text: str,
    column: Callable[[str], str | None],
    wanted: Iterable[Condition],
    collector: Collector,
    what: str = "column",
) -> bool:
    """Is the row of *text* wanted?  One that lacks what is asked for is left out and told."""
    try:
        for one in wanted:
            found = column(one.column)
            if found is None:
                raise ValueError(f"has no {what} {one.column}")
            if not one.holds(found):
                collector.other_records += 1
                return False
    except ValueError as error:
        collector.refuse(text, str(error))
        return False
    return True


def _read_dshield(content: bytes, _shape: Shape, collector: Collector) -> None:
    """DShield's recommended block list: start, end, prefix length and more, with tabs between."""
    for line in _lines(content, collector):
        columns = line.split("\t", 3)
        if not line.strip() or line.startswith("#") or columns[0] == _DSHIELD_HEAD:
            continue
        if len(columns) < 3:
            collector.refuse(line, "has fewer than three columns")
        else:
            collector.add_text(f"{plain(columns[0])}/{columns[2].strip()}")


@define(eq=False)
class _Pulled:
    """Lines for the CSV reader, which joins them where a quote is open: as many as a row may have."""

    _lines: Iterator[str]
    characters: int = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines) + "\n"
        self.characters += len(line)
        if self.characters > ROW_MAX:
            raise FeedDamaged(
                f"a row has more than {ROW_MAX:,} characters; check for an unclosed quote"
            )
        return line


@define(eq=False)
class _Table:
    """
    The lines of a CSV that are no comments; of the comments, what may be its heads and how it ends.
    """

    pick: str
    delimiter: str
    heads: list[str] = field(factory=list)
    ending: _Ending = field(factory=_Ending)

    def told(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line.startswith("#"):
                self._look(line)
            elif line.strip():
                yield line

    def _look(self, comment: str) -> None:
        self.ending.look(comment)
        if self.pick in comment and len(comment) <= ROW_MAX:
            row = csv.reader(
                [comment.lstrip("# ")], delimiter=self.delimiter, skipinitialspace=True
            )
            heads = [head.strip() for head in next(row, [])]
            if self.pick in heads:
                self.heads = heads


def _read_csv(content: bytes, shape: Shape, collector: Collector) -> None:
    csv.field_size_limit(ROW_MAX)
    table = _Table(shape.pick, shape.delimiter)
    lines = _Pulled(table.told(_lines(content, collector)))
    rows = csv.reader(lines, delimiter=shape.delimiter, skipinitialspace=True)
    wanted = Condition.all_of(shape.where)
    named = [name for name in (shape.pick, *(one.column for one in wanted)) if not name.isdecimal()]
    columns: dict[str, int] | None = None if named else {}
    count = 0
    try:
        for row in rows:
            lines.characters = 0
            if columns is None:
                heads = [head.strip() for head in row]
                own = named[0] in heads
                columns = _columns(heads if own else table.heads, named)
                if own:
                    continue
            count += 1
            at = partial(_cell, row, columns)
            text = at(shape.pick)
            if text is None:
                collector.refuse(shape.delimiter.join(row), f"has no column {shape.pick}")
            else:
                _add_wanted(text, at, wanted, shape, collector)
    except csv.Error as error:
        raise FeedDamaged(f"it is not a valid CSV: {error}") from None
    table.ending.check(count)


def _columns(heads: list[str], named: Iterable[str]) -> dict[str, int]:
    """Where the columns are.  Raises `FeedDamaged`."""
    for name in named:
        if name not in heads:
            raise FeedDamaged(f"its first row has no column {name!r}, nor does a comment before it")
    return {name: heads.index(name) for name in named}


def _cell(row: list[str], columns: Mapping[str, int], name: str) -> str | None:
    at = columns.get(name, int(name) - 1 if name.isdecimal() else -1)
    return row[at].strip() if 0 <= at < len(row) else None


def _read_json(content: bytes, shape: Shape, collector: Collector) -> None:
    steps = tuple(step for step in shape.pick.split(".") if step)
    conditions = Condition.all_of(shape.where)

    def wanted(fields: Callable[[str], str | None], shown: str) -> bool:
        return _fits(shown, fields, conditions, collector, "field")

    walk = JsonWalk(
        content,
        steps,
        lambda values: _check(collector, values, "values"),
        wanted if conditions else None,
    )
    found = False
    try:
        for one in walk.texts():
            found = True
            if isinstance(one, str):
                _add(one.strip(), shape, collector)
            else:
                collector.refuse(one.shown, "is no text")
    except JsonDamaged as error:
        raise FeedDamaged(str(error) or "it is not valid JSON, or is incomplete") from None
    if not found and steps and not walk.entered:
        raise FeedDamaged(f"it has nothing at {shape.pick!r}")


def _read_stix(content: bytes, shape: Shape, collector: Collector) -> None:
    """A bundle, or the pages of a TAXII collection: what its indicators say of addresses."""
    pages = content.lstrip()[:1] == b"["
    path = ("*", "objects", "*") if pages else ("objects", "*")
    indicators = Indicators(collector)
    if not _each_record(content, path, shape, collector, indicators.take):
        raise FeedDamaged("it has no objects: it is not a STIX 2.1 bundle")
    for address in indicators.addresses():
        collector.add_text(address)


def _read_misp(content: bytes, shape: Shape, collector: Collector) -> None:
    """What MISP exports by REST as JSON: attributes, or events with attributes and objects."""

    def take(attribute: Mapping[str, Any]) -> None:
        take_attribute(attribute, collector)

    found = [_each_record(content, path, shape, collector, take) for path in MISP_PATHS]
    if not any(found):
        raise FeedDamaged("it has neither response nor Event: it is not an export of MISP")


def _each_record(
    content: bytes,
    path: Sequence[str],
    shape: Shape,
    collector: Collector,
    take: Callable[[Mapping[str, Any]], None],
) -> bool:
    """Hand every wanted object at *path* on; whether there is anything at the first step."""
    conditions = Condition.all_of(shape.where)
    count = 0

    def check(values: int) -> None:
        _check(collector, values, "values")

    walk = JsonWalk(content, path, check)
    try:
        for one in walk.records():
            count += 1
            if count > OBJECTS_MAX:
                raise FeedDamaged(f"it contains more than {OBJECTS_MAX:,} objects")
            if isinstance(one, NotText):
                collector.refuse(one.shown, "is not an object, or has more than 64 KB")
                continue
            shown = str(one.get("pattern", one.get("value", "")))
            if not conditions or _fits(
                shown, partial(field_of, one), conditions, collector, "field"
            ):
                take(one)
    except JsonDamaged as error:
        raise FeedDamaged(str(error) or "it is not valid JSON, or is incomplete") from None
    return walk.entered


_READERS: Mapping[str, Callable[[bytes, Shape, Collector], None]] = {
    "cidr": _read_cidr,
    "drop-json": _read_drop_json,
    "dshield": _read_dshield,
    "csv": _read_csv,
    "json": _read_json,
    "exit-addresses": _read_exit_addresses,
    "stix": _read_stix,
    "taxii": _read_stix,
    "misp": _read_misp,
}
