"""
What is pending of a firewall's upheavals, and when its groups are read again for them.

Pure.  However many forged lines come, they cost `AT_ONCE` checks that reached the device, and then one in
`SPACING_SECONDS`.  Checks that did not reach the device cost no more than a connection.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from tscm.syslog.upheavals import UPHEAVALS, Kind

SETTLE_SECONDS = 2.0
"""From the message to the first check: what belongs together comes together."""
LEAVING_SECONDS = 60.0
"""A unit that is about to reload is gone by then."""
CERTAIN_SECONDS = 300.0
"""A unit that still runs so long after it said that it reloads has done so, or will not."""
SPACING_SECONDS = 180.0
"""Between two checks that reached the device, on the average of `AT_ONCE`."""
LEAST_SECONDS = 15.0
"""Between any two of them."""
AT_ONCE = 3
"""An upgrade reloads a unit twice, or both of a pair one after the other."""
FIRST_RETRY_SECONDS = 5.0
MOST_RETRY_SECONDS = 30.0
"""While it does not answer.  So its groups are checked within a minute after it does."""
PATIENCE_SECONDS = 1800.0
"""From the message, or the end of a hold, to leaving it to the schedule."""


@frozen(kw_only=True)
class Alert:
    """
    Messages that no check has answered yet, with the time of their receipt, and what was tried.
    """

    pending: Mapping[str, float]
    tried: int = 0
    """Checks in a row that did not reach the device."""
    allowed_at: float = 0.0
    """When a hold of updates ended that kept checks away: no time before that was one to try in."""

    def hear(self, messages: Mapping[str, float]) -> "Alert":
        """With *messages* too; who is back has left."""
        pending = {**self.pending, **messages}
        if any(UPHEAVALS[one].kind is Kind.BACK for one in messages):
            pending = {
                one: at for one, at in pending.items() if UPHEAVALS[one].kind is not Kind.LEAVING
            }
        return Alert(pending=pending, allowed_at=self.allowed_at)

    def freed(self, now: float) -> "Alert":
        """After a hold of updates that kept checks away, and that ended *now*."""
        return evolve(self, tried=0, allowed_at=now)

    def covered(self, started_at: float, finished_at: float) -> "Alert":
        """What is left of it after a good update."""
        return evolve(
            self,
            pending={
                one: at
                for one, at in self.pending.items()
                if not _covers(UPHEAVALS[one].kind, at, started_at, finished_at)
            },
            tried=0,
        )

    def after_check(self, begun: Mapping[str, float], begun_at: float) -> "Alert":
        """
        After a check that reached the device: what was said since, and a reload that may still come.

        *begun* is what was pending when it began.  What it could not repair is the schedule's.
        """
        return Alert(
            pending={
                one: at
                for one, at in self.pending.items()
                if begun.get(one) != at
                or (UPHEAVALS[one].kind is Kind.LEAVING and begun_at < at + CERTAIN_SECONDS)
            }
        )

    def unreached(self) -> "Alert":
        """After a check that did not reach the device."""
        return evolve(self, tried=self.tried + 1)

    def due_at(self, now: float, reached: Sequence[float]) -> float:
        """When to check, *reached* being the ends of the last checks that reached the device."""
        if self.tried:
            wait = min(MOST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** (self.tried - 1))
            return now + wait
        due = min(self._due(one, at, now, reached) for one, at in self.pending.items())
        if reached:
            due = max(due, reached[-1] + LEAST_SECONDS)
        if len(reached) >= AT_ONCE:
            due = max(due, reached[-AT_ONCE] + AT_ONCE * SPACING_SECONDS)
        return due

    def _due(self, message: str, at: float, now: float, reached: Sequence[float]) -> float:
        if UPHEAVALS[message].kind is not Kind.LEAVING:
            return now + SETTLE_SECONDS
        again = bool(reached) and reached[-1] > at
        return max(now + SETTLE_SECONDS, at + (CERTAIN_SECONDS if again else LEAVING_SECONDS))

    def given_up(self, now: float) -> bool:
        """Did it not answer for too long?"""
        return now - max(self.allowed_at, *self.pending.values()) > PATIENCE_SECONDS

    def sentence(self) -> str:
        """What the firewall said, for people."""
        return said(self.pending)


def _covers(kind: Kind, at: float, started_at: float, finished_at: float) -> bool:
    """Does a good update that ran from *started_at* to *finished_at* answer a message of *at*?"""
    if kind is Kind.AGENT:
        return finished_at >= at
    return started_at >= at + (CERTAIN_SECONDS if kind is Kind.LEAVING else 0.0)


def said(messages: Mapping[str, float]) -> str:
    """`it has started (199002 at 10:00:05)`, for each of *messages* that is known."""
    return ", ".join(
        f"{UPHEAVALS[one].words} ({one} at {datetime.fromtimestamp(at).astimezone():%H:%M:%S})"
        for one, at in sorted(messages.items(), key=lambda item: item[1])
        if one in UPHEAVALS
    )
