"""
How the forwarding to one target stands, as a value.
"""

from enum import StrEnum

from attrs import evolve, field, frozen

from tscm.consumers.trouble import Trouble
from tscm.model import LogReader
from tscm.wire.keys import as_key


class ForwardState(StrEnum):
    """What a forwarder is doing."""

    OFF = "off"
    RESOLVING = "resolving"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    """For the next try."""


@frozen(kw_only=True)
class ForwardFigures:
    """
    One target: where it stands, and the lines since the forwarder began; *sentence* is for people.
    """

    target: str = ""
    mode: str = ""
    framing: str | None = None
    """None over UDP."""
    state: ForwardState = ForwardState.OFF
    sentence: str = ""
    address: str | None = None
    name_fault: str | None = None
    """Why its name could not be looked up last; its last address is used then."""
    connected_at: float | None = None
    connections: int = 0
    lag_seconds: float = 0.0
    backlog_bytes: int = 0
    backlog_lines: int = 0
    lines_per_second: float = field(default=0.0, metadata=as_key("rate"))
    sent: int = 0
    repeated: int = 0
    altered: int = 0
    cut: int = 0
    dropped: int = 0
    expired: int = 0
    rejected: int = 0
    """Lines that a sink does not take for what they hold."""
    failures: int = 0
    """In a row."""
    failing_since: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    reader: str = ""
    """The name of its reader of the log."""


def with_reader(figures: ForwardFigures, reader: LogReader, trouble: Trouble) -> ForwardFigures:
    """*figures* with what its reader of the log and its failures tell, alike for all targets."""
    return evolve(
        figures,
        backlog_bytes=max(0, reader.end - reader.position.offset),
        backlog_lines=reader.waiting_lines(),
        expired=reader.position.expired,
        failures=trouble.failures,
        failing_since=trouble.since,
        last_error=trouble.last_error,
        last_error_at=trouble.last_error_at,
        reader=reader.name,
    )
