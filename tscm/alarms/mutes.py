"""
What an operator does not want to be told for some time.  Pure.
"""

from collections.abc import Iterable
from typing import Any

from attrs import define, frozen

from tscm.errors import TscmError
from tscm.settings.alarm_rules import Rule
from tscm.settings.values import shown

ALL = "all"
MUTES_MOST = 500
LONGEST_SECONDS = 10 * 366 * 86400.0
_NAME_MOST = 200


@frozen(kw_only=True)
class Mute:
    """
    Alarms of this *name* are not sent until *until* (POSIX seconds; None: until `unmute`).

    The name is an alarm's (`policy_age/hq`), a rule (`policy_age`), `all/hq` for all of a device, or `all`.
    """

    name: str
    since: float = 0.0
    until: float | None = None
    reason: str = ""
    by: str = ""

    def covers(self, name: str) -> bool:
        """Is the alarm of this name among them?"""
        rule, _, subject = name.partition("/")
        return self.name in {ALL, name, rule, f"{ALL}/{subject}" if subject else ALL}

    def over(self, now: float) -> bool:
        """Has it ended by itself?"""
        return self.until is not None and now >= self.until

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        return f"muted{by}{f': {self.reason}' if self.reason else ''}"


@define(eq=False)
class MuteFaulty(TscmError):
    """
    No alarm can have that name, or too many are muted.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


def read_name(text: Any) -> str:
    """The name of a mute as it was typed.  Raises `MuteFaulty`."""
    rule, slash, subject = text.partition("/") if isinstance(text, str) else ("", "", "")
    fits = rule in {ALL, *Rule} and len(text) <= _NAME_MOST and text.isprintable()
    if not fits or (slash and not subject):
        raise MuteFaulty(
            f"{shown(text)} is not the name of an alarm; allowed: RULE, RULE/SUBJECT, all/SUBJECT or all, with "
            f"one of the rules {', '.join(Rule)}"
        )
    return str(text)


def refuse_end(until: float | None, now: float) -> None:
    """Raise `MuteFaulty` for an end that is over, or that is too far away to be shown."""
    if until is None:
        return
    if until <= now:
        raise MuteFaulty("the end of the mute is in the past; choose a later one")
    if until > now + LONGEST_SECONDS:
        raise MuteFaulty("the end of the mute is more than ten years away; choose an earlier one")


def mute_of(mutes: Iterable[Mute], name: str, now: float) -> Mute | None:
    """The mute that covers the alarm of this name now."""
    return next((one for one in mutes if one.covers(name) and not one.over(now)), None)
