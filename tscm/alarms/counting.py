"""
How much a counter has grown within a quarter of an hour.  Pure.
"""

from attrs import frozen

WINDOW_SECONDS = 900.0
_STEPS_MOST = 200
LOGINS = "logins to the page"
"""What failed logins are counted as: no listener has such a name."""


@frozen(kw_only=True)
class Growth:
    """By how much a counter grew, and how long ago."""

    age: float
    count: int


@frozen(kw_only=True)
class Counted:
    """
    A counter as it was last seen, and how it grew lately.
    """

    name: str
    last: int = 0
    steps: tuple[Growth, ...] = ()

    @property
    def grown(self) -> int:
        """By how much, within the window."""
        return sum(one.count for one in self.steps)


def counted_on(before: Counted | None, name: str, value: int, elapsed: float) -> Counted:
    """
    The counter after another look; the first look counts nothing.

    A counter that is lower than before began again at 0, with the process that counts.
    """
    if before is None:
        return Counted(name=name, last=value)
    steps = [
        Growth(age=one.age + elapsed, count=one.count)
        for one in before.steps
        if one.age + elapsed < WINDOW_SECONDS
    ]
    grown = value - before.last if value >= before.last else value
    if grown > 0:
        steps.append(Growth(age=0.0, count=grown))
    return Counted(name=name, last=value, steps=tuple(steps[-_STEPS_MOST:]))
