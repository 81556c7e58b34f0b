"""
How many lines go into the next batch, and what a refusal means.

A sink that refuses a batch says seldom which line it does not take.  So the batch is halved until it is one line;
then the newest line of the log is tried.  Where that is taken, the sink works and the one line is rejected, counted
and passed; where it is refused too, the sink is set up wrongly for all of them, and everything waits.  Pure.
"""

from enum import Enum

from attrs import evolve, frozen

from tscm.sinks.outcome import Failed, Outcome, Refused, Taken

MOST_LINES = 5000


class Next(Enum):
    """What comes after a batch."""

    CONFIRM = "confirm"
    """The batch is done: go on behind it."""
    AGAIN = "again"
    """Send the same place again, with fewer lines."""
    PROBE = "probe"
    """Send the newest line of the log."""
    REJECT = "reject"
    """Pass the one line that was refused: the probe was taken."""
    REST = "rest"
    """Leave the sink alone for a while."""


@frozen(kw_only=True)
class Pace:
    """
    *limit* is the most lines of the next batch; *probing* is set while the newest line is tried.
    """

    limit: int = MOST_LINES
    probing: bool = False

    def after(self, outcome: Outcome, lines: int, *, newer: bool) -> tuple["Pace", Next]:
        """
        After a batch of *lines*; *newer* says that the log has a line behind it that could be tried.
        """
        match outcome:
            case Taken() if self.probing:
                return Pace(limit=1), Next.REJECT
            case Taken():
                return Pace(limit=min(MOST_LINES, self.limit * 2)), Next.CONFIRM
            case Refused() if self.probing:
                return evolve(self, probing=False), Next.REST
            case Refused() if lines > 1:
                return Pace(limit=max(1, lines // 2)), Next.AGAIN
            case Refused() if newer:
                return Pace(limit=1, probing=True), Next.PROBE
            case Refused():
                return Pace(limit=1), Next.REST
            case Failed():
                return evolve(self, probing=False), Next.REST
