"""
What is remembered of alarms, over restarts too: which are open, what was told, what waits to be told.
"""

from attrs import frozen

from tscm.alarms.alarm import Alarm, Ended
from tscm.alarms.counting import Counted
from tscm.alarms.mutes import Mute
from tscm.channels.message import Item
from tscm.channels.outbox import Outbox

ENDED_MOST = 200


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
