"""
How the channels stand, as values.  Light: `tsadmin` shows them.
"""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Delivery:
    """What became of a message on one channel; *answer* is the other side's own."""

    at: float
    channel: str
    subject: str
    good: bool
    answer: str = ""


@frozen(kw_only=True)
class ChannelFigures:
    """How one channel stands, since the manager began to count."""

    sent: int = 0
    failed: int = 0
    """Tries that failed."""
    lost: int = 0
    """Messages that were given up, or that found no room."""
    failures: int = 0
    """In a row."""
    failing_since: float | None = None
    last_error: str | None = None
    last_sent_at: float | None = None
    waiting: int = 0


@frozen(kw_only=True)
class AlarmFigures:
    """
    Alarms in numbers, for the state of the manager and for the metrics.
    """

    open: Mapping[str, int] = field(factory=dict)
    """Open alarms that are not muted, by severity."""
    muted: int = 0
    looked_at: float = 0.0
    """When the rules were last evaluated; 0: never."""
    channels: Mapping[str, ChannelFigures] = field(factory=dict)
    heartbeat_at: float | None = None
    """When a sign of life last arrived."""
    heartbeat_error: str | None = None
    fault: str = ""
    """Why nothing can be remembered over a restart."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """What keeps messages from arriving: a sentence each."""
        found = [
            f"alarms cannot be sent by {name}: {one.last_error or 'failing'}"
            for name, one in self.channels.items()
            if one.failures
        ]
        if self.heartbeat_error:
            found.append(f"the heartbeat failed: {self.heartbeat_error}")
        if self.fault:
            found.append(self.fault)
        return tuple(found)
