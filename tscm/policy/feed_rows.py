"""
Which rows of a table are wanted: conditions on its columns.  Pure.
"""

import re
from collections.abc import Callable, Mapping
from typing import Self

from attrs import frozen

_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_CONDITION = re.compile(r"\s*([^=<>!\s][^=<>!]*?)\s*(>=|<=|!=|=|<|>)\s*(.*?)\s*")
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
}


@frozen
class Condition:
    """
    What a column has to hold: `=` and `!=` compare text without case, the others numbers.
    """

    column: str
    operator: str
    value: str

    @classmethod
    def all_of(cls, text: str) -> tuple[Self, ...]:
        """`c2_status = online and confidence_level >= 75`.  `ValueError` says what is wrong."""
        return tuple(cls._of(one) for one in _AND.split(text)) if text.strip() else ()

    @classmethod
    def _of(cls, text: str) -> Self:
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a condition")
        if found[2] in _ORDER:
            float(_number(found[3]))
        return cls(found[1], found[2], found[3])

    def holds(self, found: str) -> bool:
        """Does a row with *found* in the column fit?  `ValueError` where a number is wanted and none there."""
        if self.operator in _ORDER:
            return _ORDER[self.operator](_number(found), _number(self.value))
        same = found.strip().casefold() == self.value.casefold()
        return same == (self.operator == "=")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a number") from None
