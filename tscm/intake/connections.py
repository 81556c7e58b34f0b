"""
Which connections are let in: bounds in all and per sender, with room kept for known devices.
"""

from enum import Enum
from typing import Protocol

from attrs import define, field

from tscm.model import Json

STALE_SECONDS = 60.0
"""A connection silent for so long may give way to a new one of the same sender."""


class Stream(Protocol):
    """What the bounds need to know of a connection."""

    sender: str
    last_heard_at: float

    def give_way(self) -> None:
        """Close at once: another takes its place, or the sender is not welcome any more."""


class Refusal(Enum):
    """Why a connection was not let in."""

    FULL = "all connections taken"
    SENDER_FULL = "all connections of the sender taken"
    STRANGERS_FULL = "all connections for unknown senders taken"
    STRANGER = "unknown sender"
    CERTIFICATE = "certificate of the device not shown"


@define(eq=False)
class Connections:
    """
    The connections that are open, over all stream listeners.

    Strangers together may hold a quarter of *most*, so that ten thousand slow connections
    of nobody leave the devices untouched.  A known sender at its bound gets in all the same
    where an old connection of its own has long been silent: a firewall that lost its power
    leaves such halves behind.
    """

    most: int
    most_per_sender: int
    refused: dict[Refusal, int] = field(factory=dict, init=False)
    gave_way: int = field(default=0, init=False)
    highest: int = field(default=0, init=False)
    _by_sender: dict[str, dict[Stream, None]] = field(factory=dict, init=False)
    _open: int = field(default=0, init=False)
    _strangers: set[Stream] = field(factory=set, init=False)

    def refuse(self, reason: Refusal) -> None:
        """Count a connection that was not let in, or not kept."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def refusal(
        self, sender: str, *, known: bool, now: float, strangers_closed: bool = False
    ) -> Refusal | None:
        """Why a new connection of *sender* cannot be let in; None where it can."""
        if strangers_closed and not known:
            found: Refusal | None = Refusal.STRANGER
        else:
            found = self._refusal(sender, known=known, now=now)
        if found is not None:
            self.refuse(found)
        return found

    def _refusal(self, sender: str, *, known: bool, now: float) -> Refusal | None:
        if not known and len(self._strangers) >= max(1, self.most // 4):
            return Refusal.STRANGERS_FULL
        own = self._by_sender.get(sender, {})
        if len(own) >= self.most_per_sender:
            quietest = min(own, key=lambda one: one.last_heard_at)
            if not known or now - quietest.last_heard_at < STALE_SECONDS:
                return Refusal.SENDER_FULL
            self.gave_way += 1
            quietest.give_way()
            return None
        return Refusal.FULL if self._open >= self.most else None

    def opened(self, stream: Stream, *, known: bool) -> None:
        """*stream* is open."""
        self._by_sender.setdefault(stream.sender, {})[stream] = None
        self._open += 1
        self.highest = max(self.highest, self._open)
        self.became(stream, known=known)

    def became(self, stream: Stream, *, known: bool) -> None:
        """The sender of *stream* is known now, or is not any more."""
        if known:
            self._strangers.discard(stream)
        else:
            self._strangers.add(stream)

    def closed(self, stream: Stream) -> None:
        """*stream* is closed."""
        own = self._by_sender.get(stream.sender, {})
        if stream in own:
            del own[stream]
            self._open -= 1
            if not own:
                del self._by_sender[stream.sender]
        self._strangers.discard(stream)

    def streams(self) -> list[Stream]:
        """All that are open."""
        return [stream for own in self._by_sender.values() for stream in own]

    def figures(self) -> Json:
        """Open by now, and what was refused."""
        return {
            "open": self._open,
            "highest": self.highest,
            "of_unknown_senders": len(self._strangers),
            "senders": len(self._by_sender),
            "gave_way": self.gave_way,
            "refused": {reason.value: count for reason, count in self.refused.items()},
        }
