"""
Published lists that are no zones: text to entries, by format.  Pure.

A feed is taken whole or not at all: what is no list of networks (a page of HTML, half a file whose end
says how much there should be) raises `FeedDamaged`; single entries that are no CIDR are
counted and left out as everywhere.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from tscm.policy.collect import Collector

FORMATS = ("cidr", "drop-json", "dshield", "csv", "json")

_COMMENT = re.compile(r"\s*(?:#|;|//)")
_HTML = re.compile(r"\s*(?:<!doctype\s+html|<html|<head|<\?xml)", re.IGNORECASE)
_FIELD_MAX = 1 << 20
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
    Hand every entry of *content* to *collector*.  Raises `FeedDamaged`, `ListTooLong`.
    """
    text = content.decode("utf-8-sig", "replace")
    if _HTML.match(text):
        raise FeedDamaged("it is an HTML page and no list")
    _READERS[shape.format](text, shape, collector)
    collector.check_bound()
    if not len(collector) and collector.refused_count:
        raise FeedDamaged(
            f"none of its {collector.refused_count:,} entries is a network; is the format right?"
        )


def _read_cidr(text: str, _shape: Shape, collector: Collector) -> None:
    """A network a line; `#`, `;` and `//` begin a comment, as in netsets and Spamhaus' DROP text."""
    for line in text.splitlines():
        entry = _COMMENT.split(line, 1)[0].strip()
        if entry:
            collector.add_text(entry)


def _read_drop_json(text: str, _shape: Shape, collector: Collector) -> None:
    """Spamhaus DROP: an object a line, the last one tells how many there are."""
    records, said = 0, None
    for number, line in enumerate(text.splitlines(), 1):
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


def _read_dshield(text: str, _shape: Shape, collector: Collector) -> None:
    """DShield's recommended block list: start, end, prefix length and more, with tabs between."""
    for line in text.splitlines():
        columns = line.split("\t")
        if not line.strip() or line.startswith("#") or columns[0] == _DSHIELD_HEAD:
            continue
        if len(columns) < 3:
            collector.refuse(line, "has fewer than three columns")
        else:
            collector.add_text(f"{_plain(columns[0])}/{columns[2].strip()}")


def _plain(address: str) -> str:
    # DShield pads octets with zeros where others would read octal; here it is known to be decimal.
    octets = address.strip().split(".")
    return ".".join(str(int(one)) if re.fullmatch(r"[0-9]{1,3}", one) else one for one in octets)


def _read_csv(text: str, shape: Shape, collector: Collector) -> None:
    csv.field_size_limit(_FIELD_MAX)
    lines = (line for line in io.StringIO(text) if line.strip() and not line.startswith("#"))
    rows = csv.reader(lines, delimiter=shape.delimiter, skipinitialspace=True)
    column: int | None = int(shape.pick) - 1 if shape.pick.isdecimal() else None
    try:
        for row in rows:
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


def _read_json(text: str, shape: Shape, collector: Collector) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise FeedDamaged("it is no JSON, or not all of it") from None
    steps = [step for step in shape.pick.split(".") if step]
    found = list(_picked(content, steps))
    if not found and steps and not _leads_somewhere(content, steps[0]):
        raise FeedDamaged(f"it has nothing at {shape.pick!r}")
    for one in found:
        for value in one if isinstance(one, list) else [one]:
            if isinstance(value, str):
                collector.add_text(value.strip())
            else:
                collector.refuse(json.dumps(value), "is no text")


def _leads_somewhere(content: Any, step: str) -> bool:
    return step == "*" or (isinstance(content, dict) and step in content)


def _picked(content: Any, steps: list[str]) -> Iterator[Any]:
    """What lies at the end of *steps*; elements that lack a step are passed over."""
    if not steps:
        yield content
        return
    step, rest = steps[0], steps[1:]
    if step == "*":
        each = content.values() if isinstance(content, dict) else content
        if isinstance(content, dict | list):
            for one in each:
                yield from _picked(one, rest)
    elif isinstance(content, dict) and step in content:
        yield from _picked(content[step], rest)
    elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
        yield from _picked(content[int(step)], rest)


_READERS: Mapping[str, Callable[[str, Shape, Collector], None]] = {
    "cidr": _read_cidr,
    "drop-json": _read_drop_json,
    "dshield": _read_dshield,
    "csv": _read_csv,
    "json": _read_json,
}
