"""
The table of operations as it stands in docs/develop/design.md.

`python -m tscm.operations.page docs/develop/design.md` writes it there; a test holds it to the code.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tscm.operations.operation import WHOLE_BODY, Operation, variables
from tscm.operations.table.whole import TABLE

BEGIN, END = "<!-- operations -->\n", "<!-- /operations -->\n"


def table() -> str:
    """A row for each operation: call, arguments, what it needs, what it does."""
    head = "| Operation | Call | Arguments | Needs | Does |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(_row(operation) for operation in TABLE.values())


def _row(operation: Operation[Any, Any]) -> str:
    path = "/".join(
        part[1:-1].upper() if part.startswith("<") else part for part in operation.path.split("/")
    )
    cells = [
        f"`{operation.name}`",
        f"`{operation.verb} {path}`",
        ", ".join(_arguments(operation)),
        str(operation.needs),
        ", ".join(_does(operation)),
    ]
    return f"| {' | '.join(cells)} |\n"


def _arguments(operation: Operation[Any, Any]) -> Iterator[str]:
    for one in attrs.fields(operation.args):
        if one.name not in variables(operation.path):
            yield "the body" if one.metadata.get(WHOLE_BODY) else f"`{one.name}`"


def _does(operation: Operation[Any, Any]) -> Iterator[str]:
    if operation.long:
        yield "long"
    if operation.changes:
        yield "changes"
    if operation.destructive:
        yield "destructive"


def with_table(page: str) -> str:
    """*page* with the present table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_table(target.read_text("utf-8")), "utf-8")
