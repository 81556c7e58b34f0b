"""
How many lines are typed ahead of their prompts.  Pure.

No ASA says how many it bears.  The window grows while all goes well and shrinks on trouble; a size that was trouble is
not tried again by the same driver, and both are remembered for the next one.
"""

from collections.abc import Mapping
from typing import Any, Self

from attrs import define

FIRST = 20
SMALLEST = 5
LARGEST = 200


@define
class Window:
    """
    *size* now, and the *ceiling* that it stays at or below.
    """

    size: int = FIRST
    ceiling: int = LARGEST

    @classmethod
    def remembered(cls, learnt: Mapping[str, Any]) -> Self:
        """As the last driver left it."""
        size, ceiling = (
            learnt.get(name, default) for name, default in (("window", FIRST), ("ceiling", LARGEST))
        )
        return cls(_within(size, FIRST), _within(ceiling, LARGEST))

    def went_well(self, lines: int) -> None:
        """So many lines were typed at once, and each had its prompt."""
        if lines >= self.size:
            self.size = min(2 * self.size, self.ceiling)

    def was_trouble(self, lines: int) -> None:
        """Lines got lost, or the session did, with so many on their way."""
        self.ceiling = max(SMALLEST, min(self.size, lines) // 2)
        self.size = min(self.size, self.ceiling)


def _within(number: object, default: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        return default
    return min(LARGEST, max(SMALLEST, number))
