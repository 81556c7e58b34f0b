"""
An alarm as a value: while it lasts, and when it is over.
"""

from attrs import frozen

from tscm.alarms.condition import alarm_name


@frozen(kw_only=True)
class Alarm:
    """
    A condition that is there, or that has been absent for a moment only.

    Seconds are measured while the manager runs, by its steady clock.
    """

    rule: str
    subject: str = ""
    severity: str = ""
    sentence: str = ""
    since: float = 0.0
    """When the cause began, as far as known."""
    opened_at: float | None = None
    """None while it has not lasted for long enough."""
    held_seconds: float = 0.0
    absent_seconds: float = 0.0
    untold_seconds: float = 0.0
    """Since it was last told."""
    told_as: str = ""
    """The severity with which it was told last; empty where it was not."""
    muted: str = ""
    """Why no message is sent, for now."""

    @property
    def told(self) -> bool:
        """Was a message sent, or put in line?"""
        return bool(self.told_as)

    @property
    def name(self) -> str:
        """As `tsadmin alarms` shows it."""
        return alarm_name(self.rule, self.subject)

    @property
    def is_open(self) -> bool:
        """Has it lasted for long enough?"""
        return self.opened_at is not None


@frozen(kw_only=True)
class Ended:
    """An alarm that is over."""

    name: str
    severity: str = ""
    sentence: str = ""
    since: float = 0.0
    ended_at: float = 0.0
    told: bool = False
