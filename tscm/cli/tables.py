"""
Tables by rich, in which nothing that a sender chose can act as markup or on the terminal.

On a terminal they fit its width; in a pipe they are as wide as their content needs.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tscm.cli import say
from tscm.printable import visible

_PIPE_COLUMNS = 4096
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
    columns: int = _PIPE_COLUMNS,
) -> None:
    """
    A table with a row for each thing; numbers stand to the right.  *columns*: the width where there is no terminal.

    On a terminal too narrow for its words every row becomes a list of pairs.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    given = [list(row) for row in rows]
    lines = [[cell_text(cell) for cell in row] for row in given]
    numeric = [any(_is_number(row[at]) for row in given) for at in range(len(heads))]
    console = _console(columns)
    if title:
        say.plain(title)
    widths = _widths(heads, lines, console.width)
    if widths is None:
        for line in lines:
            show_pairs(zip(heads, line, strict=True))
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
    _print(console, table)


def show_pairs(pairs: Iterable[tuple[str, Any]], title: str = "") -> None:
    """Names and values, one pair a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(visible(name), style="bold"), Text(cell_text(value)))
    if title:
        say.plain(title)
    _print(_console(), table)


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
    from rich.cells import cell_len

    columns = [[head, *(line[at] for line in lines)] for at, head in enumerate(heads)]
    widths = [
        min(_WORD, max(cell_len(word) for text in column for word in (text.split() or [""])))
        for column in columns
    ]
    wishes = [max(map(cell_len, column)) for column in columns]
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


def _console(columns: int = _PIPE_COLUMNS) -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() else columns
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _print(console: Any, table: Any) -> None:
    if sys.stdout.isatty():
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    say.plain("\n".join(line for line in lines if line))
