"""
What came in and what became of it, per listener and per device.

received = stored + dropped holds for each listener at every moment between two events of the
reactor; what the kernel dropped before we saw it, and datagrams and lines without text, stand
beside it and not in it.
"""

from collections.abc import Callable
from enum import StrEnum

from attrs import define, field

from tscm.model import Json


class Cause(StrEnum):
    """Why a line that was received is in no device's log."""

    UNKNOWN_SENDER = "unknown sender"
    UNKNOWN_BEHIND_RELAY = "unknown device behind a relay"
    LOG_UNAVAILABLE = "log unavailable"
    NO_CERTIFICATE = "certificate of the device not shown"
    NO_MEMORY = "no memory"
    FAULT = "fault of the program"


@define(eq=False)
class Account:
    """One listener's counts."""

    listener: str
    received: int = 0
    stored: int = 0
    dropped: dict[Cause, int] = field(factory=dict)
    empty: int = 0
    cut: int = 0
    extra: list[Callable[[], Json]] = field(factory=list)

    def drop(self, cause: Cause, lines: int) -> None:
        """Count *lines* that were received and not stored."""
        self.dropped[cause] = self.dropped.get(cause, 0) + lines

    def figures(self) -> Json:
        """The counts, and what the listener adds of its own."""
        shown: Json = {
            "received": self.received,
            "stored": self.stored,
            "dropped": {str(cause): lines for cause, lines in self.dropped.items()},
            "empty": self.empty,
            "cut": self.cut,
        }
        for add in self.extra:
            shown |= add()
        return shown


@define(eq=False)
class DeviceAccount:
    """One device's counts, over all listeners."""

    received: int = 0
    stored: int = 0
    refused_connections: int = 0
    refused_lines: int = 0
    turned_away: int = 0
    """Connections for which a bound left no room."""
    turned_away_at: float | None = None
    turned_away_cause: str = ""
    last_received_at: float | None = None

    def figures(self) -> Json:
        """
        The counts; what was received and not stored found no log to go to.

        What came in the device's name without its pinned certificate stands beside: it may
        be anybody's.
        """
        return {
            "received": self.received,
            "stored": self.stored,
            "dropped": {str(Cause.LOG_UNAVAILABLE): self.received - self.stored}
            if self.received > self.stored
            else {},
            "without_certificate": {
                "connections": self.refused_connections,
                "lines": self.refused_lines,
            },
            "turned_away": {
                "connections": self.turned_away,
                "last_at": self.turned_away_at,
                "cause": self.turned_away_cause,
            },
            "last_received_at": self.last_received_at,
        }
