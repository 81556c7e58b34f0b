"""
The rules in force: the defaults, and what the settings say instead.  Pure.
"""

from collections.abc import Mapping

from attrs import frozen

from tscm.settings.alarm_rules import DEFAULTS, Rule
from tscm.settings.alarms import AlarmSettings, RuleSettings

_MINUTE, _HOUR = 60.0, 3600.0


@frozen(kw_only=True)
class RuleInForce:
    """
    When an alarm of a rule is raised, repeated, and on which channels it is sent.  Times are in seconds.
    """

    after: float = 0.0
    repeat: float = 0.0
    """0: no reminder."""
    bound: float = 0.0
    severity: str | None = None
    """Instead of the condition's own."""
    send: tuple[str, ...] = ()


def rules_in_force(settings: AlarmSettings) -> Mapping[Rule, RuleInForce]:
    """Every rule that is enabled."""
    told = {one.name: one for one in settings.rules}
    found = {}
    for rule, default in DEFAULTS.items():
        own = told.get(rule) or RuleSettings(name=rule)
        if own.enabled:
            after = default.after_minutes if own.after_minutes is None else own.after_minutes
            repeat = settings.repeat_hours if own.repeat_hours is None else own.repeat_hours
            bound = default.bound if own.bound is None else own.bound
            found[rule] = RuleInForce(
                after=after * _MINUTE,
                repeat=repeat * _HOUR,
                bound=bound or 0.0,
                severity=own.severity,
                send=settings.send if own.send is None else own.send,
            )
    return found
