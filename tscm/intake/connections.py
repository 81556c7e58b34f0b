"""
Which connections are let in: bounds in all and per sender, with room kept for known devices.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Protocol

from attrs import define, field

from tscm.intake.figures import ConnectionFigures

STALE_SECONDS = 60.0
"""A connection silent for so long may give way to a new one of the same sender."""

_SEARCH_SECONDS = 20e-6
"""
A look for ended connections that found none is not repeated before so much time has passed for each
connection looked at: a tenth of the reactor's time at most goes into it.
"""
_SEARCHES_KEPT = 1024
_STRANGERS, _ALL = "strangers", "all"  # no address is spelled so


class Stream(Protocol):
    """What the bounds need to know of a connection."""

    sender: str
    last_heard_at: float

    def close_for_replacement(self) -> None:
        """Close at once: another takes its place, or the sender is not welcome any more."""

    def has_ended(self) -> bool:
        """Whether the peer has closed: what it sent before may still wait to be read."""

    def take_rest(self) -> bool:
        """Read what waits, up to the end; True where that was reached, and `Connections.closed` told."""


class Refusal(Enum):
    """Why a connection was not let in."""

    FULL = "all connections taken"
    SENDER_FULL = "all connections of the sender taken"
    STRANGERS_FULL = "all connections for unknown senders taken"
    STRANGER = "unknown sender"
    CERTIFICATE = "certificate of the device not shown"

    @property
    def setting(self) -> str:
        """The setting under `[intake]` that lets more in; empty where none does."""
        return setting_of(self.value)


def setting_of(cause: str) -> str:
    """The setting that a refusal for *cause* is an effect of; empty where there is none."""
    return {
        Refusal.FULL.value: "max_connections",
        Refusal.SENDER_FULL.value: "max_connections_per_sender",
    }.get(cause, "")


@define(eq=False)
class Connections:
    """
    The connections that are open, over all stream listeners.

    Strangers together may hold a quarter of *most*, so that ten thousand slow connections
    of unknown senders leave the devices untouched; where all are taken, the quietest stranger gives way to
    a known sender.  *most_per_sender* holds for a known sender, which may be a relay or many devices
    behind one address; *most_per_stranger* for each of the others.

    A connection counts until it was read to its end, which may be long after its peer has closed it.
    So at a bound those that have ended are read first and do not count.  A known sender gets in also
    where an old connection of its own has long been silent: a firewall that lost its power leaves such
    halves behind.
    """

    most: int
    most_per_sender: int
    most_per_stranger: int
    refused: dict[Refusal, int] = field(factory=dict, init=False)
    gave_way: int = field(default=0, init=False)
    highest: int = field(default=0, init=False)
    _by_sender: dict[str, dict[Stream, None]] = field(factory=dict, init=False)
    _open: int = field(default=0, init=False)
    _strangers: dict[Stream, None] = field(factory=dict, init=False)
    _search_at: dict[str, float] = field(factory=dict, init=False)
    """Senders (and groups of them) of whom no connection had ended, until they are searched again."""

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
        if (
            not known
            and len(self._strangers) >= max(1, self.most // 4)
            and not self._one_ends(_STRANGERS, self._strangers, now)
        ):
            return Refusal.STRANGERS_FULL
        own = self._by_sender.get(sender, {})
        bound = self.most_per_sender if known else self.most_per_stranger
        if len(own) >= bound and not self._one_ends(sender, own, now):
            quietest = min(own, key=lambda one: one.last_heard_at)
            if not known or now - quietest.last_heard_at < STALE_SECONDS:
                return Refusal.SENDER_FULL
            self._make_way(quietest)
            return None
        if self._open < self.most or self._one_ends(_ALL, self.streams, now):
            return None
        if not known or not self._strangers:
            return Refusal.FULL
        self._make_way(min(self._strangers, key=lambda one: one.last_heard_at))
        return None

    def _make_way(self, stream: Stream) -> None:
        self.gave_way += 1
        stream.close_for_replacement()
        self.closed(stream)

    def _one_ends(
        self, whose: str, streams: Iterable[Stream] | Callable[[], list[Stream]], now: float
    ) -> bool:
        """Read the first of *streams* that has ended; whether there was one."""
        if now < self._search_at.get(whose, 0.0):
            return False
        looked_at = list(streams() if callable(streams) else streams)
        for stream in looked_at:
            if stream.has_ended() and stream.take_rest():
                return True
        if len(self._search_at) >= _SEARCHES_KEPT:
            self._search_at.clear()
        self._search_at[whose] = now + len(looked_at) * _SEARCH_SECONDS
        return False

    def opened(self, stream: Stream, *, known: bool) -> None:
        """*stream* is open."""
        self._by_sender.setdefault(stream.sender, {})[stream] = None
        self._open += 1
        self.highest = max(self.highest, self._open)
        self.became(stream, known=known)

    def became(self, stream: Stream, *, known: bool) -> None:
        """The sender of *stream* is known now, or is not any more."""
        if known:
            self._strangers.pop(stream, None)
        else:
            self._strangers[stream] = None

    def closed(self, stream: Stream) -> None:
        """*stream* is closed."""
        own = self._by_sender.get(stream.sender, {})
        if stream in own:
            del own[stream]
            self._open -= 1
            if not own:
                del self._by_sender[stream.sender]
        self._strangers.pop(stream, None)

    def streams(self) -> list[Stream]:
        """All that are open."""
        return [stream for own in self._by_sender.values() for stream in own]

    def figures(self) -> ConnectionFigures:
        """Open by now, and what was refused."""
        return ConnectionFigures(
            open=self._open,
            highest=self.highest,
            of_unknown_senders=len(self._strangers),
            senders=len(self._by_sender),
            gave_way=self.gave_way,
            refused={reason.value: count for reason, count in self.refused.items()},
        )
