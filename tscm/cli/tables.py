"""
Tables by rich, in which nothing that a sender chose can act as markup or on the terminal.

On a terminal they fit its width; in a pipe they are as wide as their content needs.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tscm.cli import say

_PIPE_COLUMNS = 4096
_SHRED = 12


def show_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """
    A table with a row for each thing; numbers stand to the right.

    On a terminal too narrow for its words every row becomes a list of pairs.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [list(row) for row in rows]
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for number, head in enumerate(heads):
        numeric = any(_is_number(line[number]) for line in lines)
        table.add_column(Text(head), justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell_text(cell)) for cell in line))
    console = _console()
    if title:
        say.plain(title)
    if _narrowest(heads, lines) <= console.width:
        _print(console, table)
        return
    for line in lines:
        show_pairs(zip(heads, line, strict=True))
        say.plain("")


def show_pairs(pairs: Iterable[tuple[str, Any]], title: str = "") -> None:
    """Names and values, one pair a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(say.visible(name), style="bold"), Text(cell_text(value)))
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
    return say.visible(value)


def _narrowest(heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> int:
    """Columns below which heads would break inside a word and cells into shreds."""
    widths = [max(map(len, head.split())) for head in heads]
    for line in lines:
        for number, cell in enumerate(line):
            widths[number] = max(widths[number], min(len(cell_text(cell)), _SHRED))
    return sum(width + 2 for width in widths)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _console() -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _print(console: Any, table: Any) -> None:
    if sys.stdout.isatty():
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    say.plain("\n".join(line for line in lines if line))
