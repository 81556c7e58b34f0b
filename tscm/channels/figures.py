"""
How the channels stand, as values.  Light: `tsadmin` shows them.
"""

from attrs import frozen


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
