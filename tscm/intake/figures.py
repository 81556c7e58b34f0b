"""
What came in and what became of it, as values.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.intake.sender_figures import SenderFigures
from tscm.wire.keys import OMIT_NONE, as_key


@frozen(kw_only=True)
class ListenerFigures:
    """
    One listener: received = stored + dropped; datagrams and lines that are *empty* stand beside.
    """

    received: int = 0
    stored: int = 0
    dropped: Mapping[str, int] = field(factory=dict)
    """Lines by cause (`account.Cause`)."""
    empty: int = 0
    cut: int = 0


@frozen(kw_only=True)
class BufferFigures:
    """A receive buffer in bytes: *asked* for, *reached*, and what to do where the kernel gave less."""

    asked: int = 0
    reached: int = 0
    hint: str | None = None


@frozen(kw_only=True)
class SocketFigures:
    """One of the sockets of a UDP listener."""

    kernel_drops: int | None = None
    drains: int = 0
    datagrams_per_second: int = field(default=0, metadata=as_key("rate"))


@frozen(kw_only=True)
class DatagramFigures(ListenerFigures):
    """A UDP listener."""

    kernel_drops: int | None = None
    """Datagrams that the kernel dropped before we saw them; None where it does not tell."""
    receive_buffer: BufferFigures = BufferFigures()
    sockets: tuple[SocketFigures, ...] = ()


@frozen(kw_only=True)
class TlsFigures:
    """Which certificate a TLS listener shows, and handshakes that failed, by cause."""

    certificate: str = ""
    expires_at: float = 0.0
    loaded_at: float = 0.0
    fault: str | None = None
    handshakes_failed: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class StreamFigures(ListenerFigures):
    """A TCP or TLS listener."""

    partial_at_close: int = 0
    framing_faults: int = 0
    tls_on_plain_port: int = 0
    proxy_headers: int = 0
    tls: TlsFigures | None = field(default=None, metadata=OMIT_NONE)


AnyListener = ListenerFigures | DatagramFigures | StreamFigures


def kernel_drops(figures: ListenerFigures) -> int | None:
    """What the kernel dropped in front of a listener; None where that cannot be known."""
    return figures.kernel_drops if isinstance(figures, DatagramFigures) else None


@frozen(kw_only=True)
class WithoutCertificate:
    """What came in a device's name without its pinned certificate: it may come from any host."""

    connections: int = 0
    lines: int = 0


@frozen(kw_only=True)
class TurnedAway:
    """Connections of a device for which a bound left no room, and the cause of the last."""

    connections: int = 0
    last_at: float | None = None
    cause: str = ""


@frozen(kw_only=True)
class DeviceIntake:
    """One device over all listeners; what was received and not stored found no log to go to."""

    received: int = 0
    stored: int = 0
    dropped: Mapping[str, int] = field(factory=dict)
    without_certificate: WithoutCertificate = WithoutCertificate()
    turned_away: TurnedAway = TurnedAway()
    last_received_at: float | None = None


@frozen(kw_only=True)
class ConnectionFigures:
    """Connections over all stream listeners; *refused* by cause."""

    open: int = 0
    highest: int = 0
    of_unknown_senders: int = 0
    senders: int = 0
    gave_way: int = 0
    refused: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class QuarantineFigures:
    """Where lines of unknown senders are kept, and how many were since the start."""

    path: str = ""
    kept: int = 0
    refused: int = 0


@frozen(kw_only=True)
class UnknownSenders:
    """Lines that no device claims."""

    lines: int = 0
    uncounted_lines: int = 0
    senders: int = 0
    quarantine: QuarantineFigures | None = None


@frozen(kw_only=True)
class IntakeCounts:
    """The part of the figures that the ledger notes: by listener and by device."""

    listeners: Mapping[str, AnyListener] = field(factory=dict)
    devices: Mapping[str, DeviceIntake] = field(factory=dict)


@frozen(kw_only=True)
class IntakeFigures(IntakeCounts):
    """All that the intake tells of itself."""

    udp_path: str | None = None
    """How UDP is read: `compiled`, `numpy` or `plain`."""
    connections: ConnectionFigures = ConnectionFigures()
    unknown_senders: UnknownSenders = UnknownSenders()
    senders: SenderFigures = SenderFigures()
