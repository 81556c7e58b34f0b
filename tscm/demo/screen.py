"""
What the demonstration shows: chapters, notes, progress and the closing table.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, field

from tscm.model import Json, Progress


@define(eq=False)
class Screen:
    """
    Text goes to *say*; *live* keeps one moving line on a terminal and may be None.

    Remembers every figure that was held against another, for the end.
    """

    say: Callable[[str], None]
    live: Callable[[Progress], None] | None = None
    checks: list[Json] = field(factory=list, init=False)

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.say("")
        self.say(f"== {title}")

    def note(self, text: str) -> None:
        """One thing that happened."""
        self.say(f"   {text}")

    def progress(self, progress: Progress) -> None:
        """A step of something long; from any thread."""
        if self.live is not None:
            self.live(progress)

    def check(self, what: str, *figures: tuple[str, int]) -> bool:
        """Hold figures against each other: all of them must be the same."""
        holds = len({value for _, value in figures}) == 1
        self.checks.append({"what": what, "figures": dict(figures), "holds": holds})
        told = " = ".join(f"{value:,} {name}" for name, value in figures)
        self.note(f"{'ok ' if holds else 'NOT'}  {what}: {told}")
        return holds

    def expect(self, what: str, *, holds: bool, told: str) -> bool:
        """Something that must be true and is no sum."""
        self.checks.append({"what": what, "told": told, "holds": holds})
        self.note(f"{'ok ' if holds else 'NOT'}  {what}: {told}")
        return holds

    @property
    def balanced(self) -> bool:
        """Did everything hold?"""
        return bool(self.checks) and all(check["holds"] for check in self.checks)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A small table in plain text."""
        lines = [[_cell(one) for one in row] for row in rows]
        widths = [
            max(len(head), *(len(line[at]) for line in lines)) if lines else len(head)
            for at, head in enumerate(heads)
        ]
        for line in ([*heads], *lines):
            self.say(
                "   "
                + "  ".join(
                    cell.ljust(width) for cell, width in zip(line, widths, strict=True)
                ).rstrip()
            )


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
