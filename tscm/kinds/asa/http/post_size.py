"""
How many lines one POST carries.  Pure.

The device works on them until its web server gives up, after a minute where that was seen; how many it does in that
time is told nowhere.  So the time that they take is measured, and the next POST carries what takes a part of it.
"""

from collections.abc import Mapping
from typing import Any, Self

from attrs import define, field

from tscm.model import Json

FIRST = 500
SMALLEST = 25
LARGEST = 5000
AIM_SECONDS = 20.0
"""For one POST: a third of the time-out that was seen."""


@define
class PostSize:
    """
    *size* now, and the *ceiling* that it stays at or below.

    A POST that failed halves the size, which does not come near again by the same driver.  Failures have other causes
    too, so only a size that fails twice lowers the ceiling for good: *doubted* is the size that did once.
    """

    size: int = FIRST
    ceiling: int = LARGEST
    doubted: int = 0
    _limit: int = field(default=LARGEST, init=False)

    @classmethod
    def remembered(cls, learnt: Mapping[str, Any]) -> Self:
        """As the last driver left it."""
        return cls(
            _within(learnt.get("post_lines"), SMALLEST, FIRST),
            _within(learnt.get("post_ceiling"), SMALLEST, LARGEST),
            _within(learnt.get("post_doubted"), 0, 0),
        )

    @property
    def learnt(self) -> Json:
        """What the next driver is to be told."""
        return {
            "post_lines": self.size,
            "post_ceiling": self.ceiling,
            "post_doubted": self.doubted,
        }

    def went_well(self, lines: int, seconds: float) -> None:
        """So many lines took so long, and were answered."""
        if lines >= self.doubted:
            self.doubted = 0
        fit = int(min(LARGEST, lines * AIM_SECONDS / max(seconds, 0.001)))
        if seconds > AIM_SECONDS:
            self.size = self._bounded(min(self.size, fit))
        elif lines >= self.size:
            self.size = self._bounded(min(2 * self.size, max(self.size, fit)))

    def was_trouble(self, lines: int) -> None:
        """A POST of so many lines was not answered as it should be."""
        half = min(self.size, lines) // 2
        if self.doubted and lines >= self.doubted:
            self.ceiling = min(LARGEST, max(SMALLEST, half))
            self.doubted = 0
        else:
            self.doubted = lines
        self._limit = 3 * lines // 4
        self.size = self._bounded(half)

    def _bounded(self, lines: int) -> int:
        return min(self.ceiling, max(SMALLEST, min(lines, self._limit)))


def _within(number: object, low: int, default: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        return default
    return min(LARGEST, max(low, number))
