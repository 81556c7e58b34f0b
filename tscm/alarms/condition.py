"""
What is wrong at one moment, as values.
"""

from attrs import frozen

from tscm.settings.alarm_rules import Rule

WARNING, FAILED = "warning", "failed"


@frozen(kw_only=True)
class Condition:
    """
    One cause of an alarm that is there now.

    *subject* is the device, listener, file or address that it is about; empty for the manager.  *since* is when it
    began, as POSIX seconds; None where that is not known.  *muted* says why no message is sent, such as a hold.
    """

    rule: Rule
    subject: str = ""
    severity: str = FAILED
    sentence: str
    since: float | None = None
    muted: str = ""

    @property
    def name(self) -> str:
        """The alarm's name."""
        return alarm_name(self.rule, self.subject)


def alarm_name(rule: str, subject: str) -> str:
    """`policy_age/hq`; `ledger` for what is about the manager."""
    return f"{rule}/{subject}" if subject else str(rule)
