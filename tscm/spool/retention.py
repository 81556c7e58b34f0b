"""
What retention takes, decided purely.
"""

from collections.abc import Mapping

from attrs import frozen

from tscm.spool.catalogue import Segment
from tscm.spool.cursor import AGE, SIZE

_DAY = 86400.0
_MB = 1 << 20


@frozen(kw_only=True)
class RetentionRules:
    """
    The bounds of one device's log.
    """

    max_age_days: float
    max_mb: float

    def cause(self, oldest: Segment, kept_bytes: int, now: float) -> int | None:
        """
        Why *oldest* has to go, of a log that keeps *kept_bytes*; None when it may stay.

        A segment without a time (a crash took it) goes by size alone.
        """
        if oldest.gone or kept_bytes > self.max_mb * _MB:
            return SIZE
        if oldest.last_at and now - oldest.last_at > self.max_age_days * _DAY:
            return AGE
        return None


def oldest_of_all(oldest: Mapping[str, Segment]) -> str | None:
    """The device whose oldest segment is the oldest of all: the first to go for space."""
    if not oldest:
        return None
    return min(oldest, key=lambda name: (oldest[name].last_at, name))
