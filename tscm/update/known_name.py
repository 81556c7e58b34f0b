"""
What is known of a name that must not be blocked: its addresses, and since when it cannot be looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Self

from attrs import evolve, field, frozen

KEPT_SECONDS = 86400.0
"""An address that a name had within this time is protected beside those that it has now."""
ALARM_SECONDS = 86400.0
ADDRESSES_MOST = 64


@frozen(kw_only=True)
class KnownName:
    """
    What is known of one name: its addresses with the time when each was last seen.
    """

    name: str
    addresses: Mapping[str, float] = field(factory=dict)
    resolved_at: float | None = None
    failing_since: float | None = None

    def after(self, found: Sequence[str], now: float) -> Self:
        """With what a look-up gave."""
        if not found:
            since = now if self.failing_since is None else self.failing_since
            return evolve(self, failing_since=since)
        kept = {one: at for one, at in self.addresses.items() if 0 <= now - at < KEPT_SECONDS}
        fresh = {one.partition("%")[0]: now for one in found}
        newest = sorted({**kept, **fresh}.items(), key=lambda one: -one[1])[:ADDRESSES_MOST]
        return evolve(self, addresses=dict(newest), resolved_at=now, failing_since=None)

    def overdue(self, now: float) -> bool:
        """Has it been unknown for so long that an operator has to look?"""
        return self.failing_since is not None and now - self.failing_since >= ALARM_SECONDS
