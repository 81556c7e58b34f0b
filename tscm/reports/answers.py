"""
How scheduled reports stand, as values.  Light: `tsadmin` shows them.
"""

from attrs import define, frozen

from tscm.errors import TscmError
from tscm.settings.values import shown


@frozen(kw_only=True)
class ReportStanding:
    """One schedule; times are POSIX seconds."""

    name: str
    every: str = ""
    to: tuple[str, ...] = ()
    next_at: float = 0.0
    sent_at: float | None = None
    """When it was last sent, since the manager started."""
    error: str | None = None
    """Why the one that is due was not sent yet."""


@frozen(kw_only=True)
class ReportSent:
    """A report that was sent; *answer* is the mail server's own."""

    report: str = ""
    answer: str = ""
    sentence: str = ""


@define(eq=False)
class ReportUnknown(TscmError):
    """
    No schedule has this name.
    """

    exit_status = 2

    name: str

    def __str__(self) -> str:
        return f"there is no report {shown(self.name)}; list them with `tsadmin reports`"
