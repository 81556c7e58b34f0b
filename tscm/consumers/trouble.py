"""
What hinders a reader of a log: how often, since when, why, and when it is tried again.
"""

from typing import Self

from attrs import evolve, frozen


@frozen(kw_only=True)
class Trouble:
    """
    Failures in a row, and the last error, which stays known when they are over.

    *since* and *last_error_at* are POSIX seconds; *retry_at* is of the reactor's clock, so that a host
    clock that is set back holds no retry up.
    """

    failures: int = 0
    since: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    retry_at: float | None = None

    def noted(self, error: str, at: float) -> Self:
        """With another last error, which is no failure: what it befell goes on."""
        return evolve(self, last_error=error, last_error_at=at)

    def failed(self, error: str, at: float) -> Self:
        """After one more failure."""
        since = at if self.since is None else self.since
        return evolve(self.noted(error, at), failures=self.failures + 1, since=since)

    def over(self) -> Self:
        """After something that worked."""
        return evolve(self, failures=0, since=None)

    def retried(self, at: float | None) -> Self:
        """With another time of the next try; None: none is planned."""
        return evolve(self, retry_at=at)

    def sentence(self, waits: str, now: float) -> str:
        """The last error, what *waits* meanwhile, and how long; *now* is of the reactor's clock."""
        wait = max(0.0, (self.retry_at or now) - now)
        return f"{self.last_error}; {waits}, next attempt in {wait:.0f} s"
