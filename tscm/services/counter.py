"""
Counts that any part may read.

A count is a plain integer in a dictionary: raising one costs nothing that a listener would
notice, and the Prometheus view is made from them when it is asked for.
"""

from collections.abc import Iterator

from attrs import define, field

Labels = tuple[str, ...]


@define(eq=False)
class Counter:
    """
    One family of counts that only grow, told apart by labels.

    At most *max_series* label sets are kept; what comes after them is counted under
    `other`, so that no sender can grow the table.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    max_series: int = 10_000
    _values: dict[Labels, int] = field(factory=dict, init=False)

    def add(self, *labels: str, by: int = 1) -> None:
        """Count *by* more."""
        values = self._values
        if labels not in values and len(values) >= self.max_series:
            labels = ("other",) * len(self.labels)
        values[labels] = values.get(labels, 0) + by

    def value(self, *labels: str) -> int:
        """The count under these labels."""
        return self._values.get(labels, 0)

    def total(self) -> int:
        """All of the family."""
        return sum(self._values.values())

    def __iter__(self) -> Iterator[tuple[Labels, int]]:
        return iter(list(self._values.items()))
