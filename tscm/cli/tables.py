"""
Tables in which nothing that a sender chose can act as markup or on the terminal.

On a terminal rich makes them fit its width.  In a pipe, and with very many rows, they are as wide as their content
needs, and made here: rich takes half a millisecond a row, and longer to import than the manager takes to answer.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tscm.cli import say
from tscm.printable import visible

_RICH_ROWS = 500
"""A terminal that is given more rows than these has its tables as wide as they are."""
_WORD = 40
"""A longer word, as a path or a fingerprint, may be broken."""
_GAP = 2


def latest(what: str, count: int, shown: int) -> str:
    """A title for a table of the latest *shown* of *count* things."""
    return f"{what}: {count:,}" if count <= shown else f"{what}: {count:,}, latest {shown:,} shown"


def show_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str = "",
    columns: int | None = None,
) -> None:
    """
    A table with a row for each thing; numbers stand to the right.  *columns*: as on a
    terminal that wide.

    On a terminal too narrow for its words every row becomes a list of pairs.
    """
    given = [list(row) for row in rows]
    lines = [[cell_text(cell) for cell in row] for row in given]
    numeric = [any(_is_number(row[at]) for row in given) for at in range(len(heads))]
    if title:
        say.plain(title)
    if (columns is None and not sys.stdout.isatty()) or len(lines) > _RICH_ROWS:
        say.plain("\n".join(_laid_out(heads, lines, numeric)))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console(columns)
    widths = _widths(heads, lines, console.width)
    if widths is None:
        for line in lines:
            show_pairs(zip(heads, line, strict=True), columns=columns)
            say.plain("")
        return
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for head, width, right in zip(heads, widths, numeric, strict=True):
        table.add_column(
            Text(head), justify="right" if right else "left", overflow="fold", width=width
        )
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(table)


def _laid_out(
    heads: Sequence[str], lines: Sequence[Sequence[str]], numeric: Sequence[bool]
) -> Iterator[str]:
    """The lines of a table as wide as its content; a row of which nothing is seen is left out."""
    columns = zip(heads, *lines, strict=True)
    widths = [max(map(cell_width, column)) for column in columns]
    for number, line in enumerate((heads, *lines)):
        text = "".join(
            " " * _GAP + _padded(cell, width, right=right)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )[_GAP - 1 :].rstrip()
        if text:
            yield text
        if not number:
            yield " " + "─" * (sum(widths) + _GAP * (len(widths) - 1))


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - cell_width(text))
    return blanks + text if right else text + blanks


def cell_width(text: str) -> int:
    """Places that *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def show_pairs(
    pairs: Iterable[tuple[str, Any]], title: str = "", columns: int | None = None
) -> None:
    """Names and values, one pair a line; *columns* as for `show_table`."""
    given = [(visible(name), cell_text(value)) for name, value in pairs]
    if title:
        say.plain(title)
    if columns is None and not sys.stdout.isatty():
        widest = max((cell_width(name) for name, _ in given), default=0)
        said = [f" {_padded(name, widest)}  {value}".rstrip() for name, value in given]
        say.plain("\n".join(line for line in said if line))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in given:
        table.add_row(Text(name, style="bold"), Text(text))
    _console(columns).print(table)


def cell_text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(cell_text(one) for one in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell_text(one)}" for name, one in value.items()) or "none"
    return visible(value)


def _widths(
    heads: Sequence[str], lines: Sequence[Sequence[str]], room: int
) -> Sequence[int] | None:
    """
    How wide each column is within *room*; None where words would have to be broken.

    rich alone would break a name in two to spare the blanks of a sentence beside it.
    """
    columns = [[head, *(line[at] for line in lines)] for at, head in enumerate(heads)]
    widths = [
        min(_WORD, max(cell_width(word) for text in column for word in (text.split() or [""])))
        for column in columns
    ]
    wishes = [max(map(cell_width, column)) for column in columns]
    spare = room - sum(widths) - _GAP * len(widths)
    if spare < 0:
        return None
    # Small wishes first: what they leave is for the columns that would take everything.
    order = sorted(range(len(widths)), key=lambda at: wishes[at] - widths[at])
    for left, at in zip(range(len(order), 0, -1), order, strict=True):
        more = min(wishes[at] - widths[at], spare // left)
        widths[at] += more
        spare -= more
    return widths


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _console(columns: int | None) -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=columns)
