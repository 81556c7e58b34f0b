"""
What is answered about alarms, as values.  Light: the table of operations names them.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.alarms.alarm import Alarm, Ended
from tscm.alarms.mutes import Mute
from tscm.channels.figures import ChannelFigures, Delivery


@frozen(kw_only=True)
class NamedAlarm(Alarm):
    """An alarm with its name."""

    named: str = ""


@frozen(kw_only=True)
class AlarmsStanding:
    """
    Alarms at a time: those that are open, those that have not lasted for long enough, and those that ended lately.
    """

    now: float = 0.0
    looked_at: float = 0.0
    """When the rules were last evaluated; 0: never."""
    open: tuple[NamedAlarm, ...] = ()
    """Failures first, then the oldest."""
    waiting: tuple[NamedAlarm, ...] = ()
    ended: tuple[Ended, ...] = ()
    """The latest first."""
    mutes: tuple[Mute, ...] = ()
    send: tuple[str, ...] = ()
    """Channels that alarms are sent on."""
    channels: Mapping[str, ChannelFigures] = field(factory=dict)
    deliveries: tuple[Delivery, ...] = ()
    """What was sent, and whether it arrived; the latest first."""
    fault: str = ""
    """Why nothing can be remembered over a restart."""


@frozen(kw_only=True)
class MuteTold(Mute):
    """A mute as it was set or ended; *sentence* is for people."""

    sentence: str = ""


@frozen(kw_only=True)
class MessageTested:
    """A test message that was sent; *answer* is the other side's own."""

    channel: str = ""
    answer: str = ""
    sentence: str = ""


@frozen(kw_only=True)
class LoginsNoted:
    """How many failed logins were noted since the manager's start."""

    count: int = 0
