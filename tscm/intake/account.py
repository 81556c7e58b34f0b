"""
What came in and what became of it, per listener and per device.

received = stored + dropped holds for each listener at every moment between two events of the
reactor; what the kernel dropped before we saw it, and datagrams and lines without text, stand
beside it and not in it.
"""

from collections.abc import Callable
from enum import StrEnum

from attrs import define, field

from tscm.intake.figures import (
    AnyListener,
    DeviceIntake,
    ListenerFigures,
    TurnedAway,
    WithoutCertificate,
)


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
    tell: "Callable[[Account], AnyListener] | None" = None
    """Makes the figures of the listener's kind; None where there is nothing but the counts."""

    def drop(self, cause: Cause, lines: int) -> None:
        """Count *lines* that were received and not stored."""
        self.dropped[cause] = self.dropped.get(cause, 0) + lines

    @property
    def dropped_by_cause(self) -> dict[str, int]:
        """Lines that were dropped, by cause."""
        return {str(cause): lines for cause, lines in self.dropped.items()}

    def figures(self) -> AnyListener:
        """The counts, and what the kind of listener adds of its own."""
        if self.tell is not None:
            return self.tell(self)
        return ListenerFigures(
            received=self.received,
            stored=self.stored,
            dropped=self.dropped_by_cause,
            empty=self.empty,
            cut=self.cut,
        )


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

    def figures(self) -> DeviceIntake:
        """The counts as they stand."""
        lost = self.received - self.stored
        return DeviceIntake(
            received=self.received,
            stored=self.stored,
            dropped={str(Cause.LOG_UNAVAILABLE): lost} if lost > 0 else {},
            without_certificate=WithoutCertificate(
                connections=self.refused_connections, lines=self.refused_lines
            ),
            turned_away=TurnedAway(
                connections=self.turned_away,
                last_at=self.turned_away_at,
                cause=self.turned_away_cause,
            ),
            last_received_at=self.last_received_at,
        )
