"""
What an operator decided of a device's scheduled updates: none until a time, and why.

Pure.
"""

from collections.abc import Mapping
from typing import Any, Self

from attrs import asdict, frozen

from tscm.base.clock import told_time
from tscm.model import Json

REASON_MOST = 300


@frozen(kw_only=True)
class Hold:
    """
    No scheduled updates from *since* on, until *until* (None: until `resume`), by whom and for what reason.
    """

    since: float = 0.0
    until: float | None = None
    reason: str = ""
    by: str = ""

    def over(self, now: float) -> bool:
        """Has it ended by itself?"""
        return self.until is not None and now >= self.until

    def __str__(self) -> str:
        """For every face: `held until 2026-12-01 08:00:00+01:00 by root: change freeze`."""
        until = "" if self.until is None else f" until {told_time(self.until)}"
        by = f" by {self.by}" if self.by else ""
        return f"held{until}{by}{f': {self.reason}' if self.reason else ''}"

    def to_json(self) -> Json:
        """For the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self | None:
        """What `to_json` gave; None where nothing is held."""
        since, until = kept.get("since"), kept.get("until")
        if not isinstance(since, int | float) or isinstance(since, bool):
            return None
        return cls(
            since=since,
            until=until if isinstance(until, int | float) and not isinstance(until, bool) else None,
            reason=str(kept.get("reason", ""))[:REASON_MOST],
            by=str(kept.get("by", "")),
        )
