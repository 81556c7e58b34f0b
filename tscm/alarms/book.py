"""
What is remembered of alarms, over restarts too: which are open, what was told, what waits to be told.
"""

from attrs import evolve, frozen

from tscm.alarms.alarm import Alarm, Ended
from tscm.alarms.counting import Counted
from tscm.alarms.mutes import ALL, Mute
from tscm.channels.message import Item
from tscm.channels.outbox import Outbox
from tscm.settings.alarm_rules import Rule

ENDED_MOST = 200
_OF_DEVICES = frozenset(
    {
        ALL,
        Rule.DEVICE_FAILED,
        Rule.POLICY_AGE,
        Rule.NO_LINES,
        Rule.UPDATE_REJECTED,
        Rule.LOCKED_OUT,
        Rule.UNTRUSTED_DEVICE,
        Rule.REJECTED_BATCH,
        Rule.SETTINGS,
    }
)
"""Rules whose subject is the name of a device."""


@frozen(kw_only=True)
class Pending:
    """What is to be told on some channels, and waits for more."""

    item: Item
    send: tuple[str, ...] = ()


@frozen(kw_only=True)
class Book:
    """All of it.  A book without *rules* is new: nothing was ever evaluated."""

    alarms: tuple[Alarm, ...] = ()
    ended: tuple[Ended, ...] = ()
    """The latest, the oldest of them first."""
    mutes: tuple[Mute, ...] = ()
    rules: tuple[str, ...] = ()
    """Rules that were evaluated before."""
    counted: tuple[Counted, ...] = ()
    pending: tuple[Pending, ...] = ()
    pending_seconds: float = 0.0
    looked_at: float = 0.0
    """When it was last evaluated."""
    outbox: Outbox = Outbox()

    @property
    def open(self) -> tuple[Alarm, ...]:
        """The alarms that are raised."""
        return tuple(one for one in self.alarms if one.is_open)

    def renamed(self, name: str, to: str) -> "Book":
        """The book once the device *name* is called *to*: what is open, ended and muted of it goes on."""

        def full(text: str) -> str:
            rule, _, subject = text.partition("/")
            return f"{rule}/{to}" if subject == name and rule in _OF_DEVICES else text

        return evolve(
            self,
            alarms=tuple(
                evolve(one, subject=to) if one.subject == name and one.rule in _OF_DEVICES else one
                for one in self.alarms
            ),
            ended=tuple(evolve(one, name=full(one.name)) for one in self.ended),
            mutes=tuple(evolve(one, name=full(one.name)) for one in self.mutes),
        )
