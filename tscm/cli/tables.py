"""
Tables by rich, in which nothing that a sender chose can act as markup or on the terminal.

On a terminal they fit its width; in a pipe they are as wide as their content needs.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tscm.cli import say

_PIPE_COLUMNS = 4096


def show_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table with a row for each thing; numbers stand to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left")
    for number, head in enumerate(heads):
        numeric = any(_is_number(line[number]) for line in lines)
        table.add_column(Text(head), justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell_text(cell)) for cell in line))
    _console().print(table)


def show_pairs(pairs: Iterable[tuple[str, Any]], title: str = "") -> None:
    """Names and values, one pair a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, show_header=False, title=Text(title) if title else None, title_justify="left"
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(say.visible(name), style="bold"), Text(cell_text(value)))
    _console().print(table)


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _console() -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(highlight=False, markup=False, emoji=False, width=width)
