"""
Published lists that are no zones: text to entries, by format.  Pure.

A feed is taken whole or not at all: what is no list of networks (a page of HTML, half a file whose end
says how much there should be) raises `FeedDamaged`; single entries that are no CIDR are
counted and left out as everywhere.

Content is read piece by piece, so that beside it there is never more in memory than its entries, and
the collector's bounds are looked at all the while: whatever a publisher sends, reading it ends soon.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping

from attrs import define, frozen

from tscm.policy.collect import Collector
from tscm.policy.json_walk import JsonDamaged, JsonWalk

FORMATS = ("cidr", "drop-json", "dshield", "csv", "json")

_COMMENT = re.compile(r"[#;]|(?<!\S)//(?![0-9]+\s*$)")
"""`//` only behind a blank and before no length: `192.0.2.0//24` is a slip, and no host."""
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
"""HTML and XML; no list of any format begins so."""
LINE_MAX = 1 << 16
ROW_MAX = 1 << 17
_CHECK_EVERY = 1024
_TIMES, _BESIDES = 2, 100_000
"""Lines or values that may stand there for an entry, and for the rest: comments, and what is not picked."""
_DSHIELD_HEAD = "Start"


class FeedDamaged(ValueError):
    """
    Content that is not what its format says.
    """


@frozen(kw_only=True)
class Shape:
    """
    How to read a feed: *format* is one of `FORMATS`.

    *pick* is the column of a CSV (a name from its first row, or a number from 1) or the path of a
    JSON (`data.prefixes.*.ipv4Prefix`: names with dots between, `*` for each element).
    """

    format: str = "cidr"
    pick: str = ""
    delimiter: str = ","


def read_feed(content: bytes, shape: Shape, collector: Collector) -> None:
    """
    Hand every entry of *content* to *collector*.  Raises `FeedDamaged`, `ListTooLong`, `ReadingTooLong`.
    """
    if _PAGE.match(content):
        raise FeedDamaged("it begins with `<`: an HTML page or XML, and no list")
    _READERS[shape.format](content, shape, collector)
    collector.check_bound()
    if not len(collector) and collector.refused_count:
        raise FeedDamaged(
            f"none of its {collector.refused_count:,} entries is a network; is the format right?"
        )


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


def _check(collector: Collector, count: int, what: str) -> None:
    """Raise where there is more to look through than the entries that are wanted could need."""
    collector.check_bound()
    if count > _TIMES * collector.max_entries + _BESIDES:
        raise FeedDamaged(f"it holds more than {count - 1:,} {what}")


def _read_cidr(content: bytes, _shape: Shape, collector: Collector) -> None:
    """A network a line; `#`, `;` and `//` begin a comment, as in netsets and Spamhaus' DROP text."""
    for line in _lines(content, collector):
        entry = _COMMENT.split(line, maxsplit=1)[0].strip()
        if entry:
            collector.add_text(entry)


def _read_drop_json(content: bytes, _shape: Shape, collector: Collector) -> None:
    """Spamhaus DROP: an object a line, the last one tells how many there are."""
    records, said = 0, None
    for number, line in enumerate(_lines(content, collector), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            raise FeedDamaged(f"line {number} is no JSON") from None
        if not isinstance(one, dict):
            raise FeedDamaged(f"line {number} is no JSON object")
        if one.get("type") == "metadata":
            said = one.get("records")
            continue
        records += 1
        collector.add_text(str(one.get("cidr", "")))
    if said is None:
        raise FeedDamaged("its closing metadata line is missing, so that it may be cut off")
    if said != records:
        raise FeedDamaged(f"it holds {records} records and says that there are {said}")


def _read_dshield(content: bytes, _shape: Shape, collector: Collector) -> None:
    """DShield's recommended block list: start, end, prefix length and more, with tabs between."""
    for line in _lines(content, collector):
        columns = line.split("\t", 3)
        if not line.strip() or line.startswith("#") or columns[0] == _DSHIELD_HEAD:
            continue
        if len(columns) < 3:
            collector.refuse(line, "has fewer than three columns")
        else:
            collector.add_text(f"{_plain(columns[0])}/{columns[2].strip()}")


def _plain(address: str) -> str:
    # DShield pads octets with zeros where others would read octal; here it is known to be decimal.
    octets = address.strip().split(".", 4)
    return ".".join(str(int(one)) if re.fullmatch(r"[0-9]{1,3}", one) else one for one in octets)


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
            raise FeedDamaged(f"a row has over {ROW_MAX:,} characters; is a quote left open?")
        return line


def _read_csv(content: bytes, shape: Shape, collector: Collector) -> None:
    csv.field_size_limit(ROW_MAX)
    told = (
        line for line in _lines(content, collector) if line.strip() and not line.startswith("#")
    )
    lines = _Pulled(told)
    rows = csv.reader(lines, delimiter=shape.delimiter, skipinitialspace=True)
    column: int | None = int(shape.pick) - 1 if shape.pick.isdecimal() else None
    try:
        for row in rows:
            lines.characters = 0
            if column is None:
                heads = [head.strip() for head in row]
                if shape.pick not in heads:
                    raise FeedDamaged(f"its first row has no column {shape.pick!r}")
                column = heads.index(shape.pick)
            elif column < len(row):
                collector.add_text(row[column].strip())
            else:
                collector.refuse(shape.delimiter.join(row), f"has no column {column + 1}")
    except csv.Error as error:
        raise FeedDamaged(f"it is no CSV: {error}") from None


def _read_json(content: bytes, shape: Shape, collector: Collector) -> None:
    steps = tuple(step for step in shape.pick.split(".") if step)
    walk = JsonWalk(content, steps, lambda values: _check(collector, values, "values"))
    found = False
    try:
        for one in walk.texts():
            found = True
            if isinstance(one, str):
                collector.add_text(one.strip())
            else:
                collector.refuse(one.shown, "is no text")
    except JsonDamaged as error:
        raise FeedDamaged(str(error) or "it is no JSON, or not all of it") from None
    if not found and steps and not walk.entered:
        raise FeedDamaged(f"it has nothing at {shape.pick!r}")


_READERS: Mapping[str, Callable[[bytes, Shape, Collector], None]] = {
    "cidr": _read_cidr,
    "drop-json": _read_drop_json,
    "dshield": _read_dshield,
    "csv": _read_csv,
    "json": _read_json,
}
