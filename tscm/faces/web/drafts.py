"""
Devices that are being added: what was typed, while the certificate of the firewall is looked at.

A password must not travel to the browser and back, so it waits here, in memory alone.
"""

import secrets
from collections.abc import Callable

from attrs import define, field, frozen

from tscm.model import Json

KEPT_SECONDS = 900.0
MOST_KEPT = 50


@frozen(kw_only=True)
class Draft:
    """The settings of a device, typed in one *session*, and the SHA-256 that its firewall *shown* to the manager."""

    session: int
    settings: Json = field(repr=False)
    shown: str
    at: float


@define(eq=False)
class Drafts:
    """
    The drafts by key: few, and for a while.
    """

    _now: Callable[[], float]
    _drafts: dict[str, Draft] = field(factory=dict, init=False, repr=False)

    def keep(self, session: int, settings: Json, shown: str) -> str:
        """Keep what was typed; gives the key."""
        key = secrets.token_urlsafe(16)
        self._drafts[key] = Draft(session=session, settings=settings, shown=shown, at=self._now())
        while len(self._drafts) > MOST_KEPT:
            del self._drafts[next(iter(self._drafts))]
        return key

    def take(self, key: str, session: int) -> Draft | None:
        """The draft of that key, once, and in its own session alone."""
        found = self._drafts.get(key)
        if found is None or found.session != session:
            return None
        del self._drafts[key]
        return found if 0 <= self._now() - found.at <= KEPT_SECONDS else None
