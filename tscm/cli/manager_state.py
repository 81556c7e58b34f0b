"""
The manager's state in words: process, listeners, what is lost before it could be read.

Pure: the state in, pairs of name and text out.
"""

from collections.abc import Iterator

from tscm.channels.figures import AlarmFigures
from tscm.cli.state import Pair, refused_words, when
from tscm.intake.figures import (
    AnyListener,
    BufferFigures,
    ConnectionFigures,
    DatagramFigures,
    IntakeFigures,
    StreamFigures,
    TlsFigures,
)
from tscm.intake.turned_away import turned_away
from tscm.services.figures import LogServiceFigures
from tscm.state import ManagerState


def status_pairs(status: ManagerState) -> Iterator[Pair]:
    """The manager itself, in the order in which an operator asks."""
    yield "version", status.version
    yield "process", str(status.pid)
    yield "running since", when(status.started_at)
    yield "root", status.root
    yield "devices", status.devices
    for kind, addresses in status.listeners.items():
        yield f"listening for {kind}", addresses
    for name, addresses in status.portal.items():
        yield name, addresses
    if status.uploads is not None:
        yield "uploads kept", _uploads(status.uploads)
        for attention in (status.uploads.refusing, status.uploads.fault):
            if attention:
                yield (
                    "attention",
                    (
                        "the log service does not accept or delete uploads as it should: "
                        f"{attention}"
                    ),
                )
    yield "alarms", _alarms(status.alarms)
    for trouble in status.alarms.troubles:
        yield "attention", trouble
    for target in status.audit_targets:
        yield "audit is sent", target.sentence
    yield from _intake(status.intake)
    if status.database:
        yield "attention", f"policies are not updated: {status.database}"
    ledger = status.ledger
    if ledger.unbalanced:
        yield (
            "attention",
            f"the ledger has not balanced since {when(ledger.unbalanced_since)}: "
            f"{ledger.unbalanced}; see `tsadmin ledger`",
        )
    if ledger.fault:
        yield "attention", ledger.fault
    for name, fault in status.faults.items():
        one = "; ".join(part.strip().rstrip(";") for part in fault.splitlines())
        yield f"error in {name}" if name else "fault", one


def _alarms(alarms: AlarmFigures) -> str:
    counts = ", ".join(f"{count:,} {severity}" for severity, count in alarms.open.items() if count)
    muted = f"; {alarms.muted:,} muted" if alarms.muted else ""
    return f"{counts or 'none'}{muted}; list them with `tsadmin alarms`"


def _uploads(uploads: LogServiceFigures) -> str:
    """What the embedded log service keeps of all devices, and what it has deleted."""
    devices = uploads.devices.values()
    said = (
        f"{sum(one.batches for one in devices):,} of {len(devices):,} devices, "
        f"{sum(one.lines for one in devices):,} lines in "
        f"{sum(one.kept_bytes for one in devices):,} bytes"
    )
    deleted = sum(one.deleted_batches for one in devices)
    if deleted:
        size = sum(one.deleted_bytes for one in devices)
        said += f"; deleted: {deleted:,} in {size:,} bytes"
    return said


def _intake(intake: IntakeFigures) -> Iterator[Pair]:
    if intake.udp_path:
        yield "UDP receive path", intake.udp_path
    for name, listener in intake.listeners.items():
        yield name, _listener(listener)
    yield "connections", _connections(intake.connections)
    for name, device in intake.devices.items():
        refused = turned_away(device)
        if refused is not None:
            yield (
                "attention",
                f"device {name}: {refused_words(refused)}; see `tsadmin show {name}`",
            )
    unknown = intake.unknown_senders
    if unknown.senders:
        yield "unknown senders", f"{unknown.senders:,}; list them with `tsadmin senders`"
    kept = unknown.quarantine
    if kept is not None:
        yield (
            "quarantine",
            f"{kept.path}: {kept.kept:,} written, the newest kept within the quota; "
            f"{kept.refused:,} refused",
        )


def _connections(figures: ConnectionFigures) -> str:
    words = f"{figures.open:,} open, peak {figures.highest:,} since the start"
    refused = [f"{cause} {count:,}" for cause, count in figures.refused.items()]
    return f"{words}; refused: {', '.join(refused)}" if refused else words


def _listener(one: AnyListener) -> str:
    parts = [f"{one.received:,} received", f"{sum(one.dropped.values()):,} dropped"]
    if isinstance(one, DatagramFigures) and one.kernel_drops is not None:
        parts.append(f"{one.kernel_drops:,} dropped by the kernel")
    if one.cut:
        parts.append(f"{one.cut:,} truncated")
    if isinstance(one, StreamFigures):
        parts += _stream(one)
    if isinstance(one, DatagramFigures):
        parts += _buffer(one.receive_buffer)
    return ", ".join(parts)


def _stream(one: StreamFigures) -> Iterator[str]:
    """What a stream listener counts besides, where there is any."""
    for count, words in (
        (one.partial_at_close, "closed inside a line"),
        (one.framing_faults, "framing errors"),
        (one.tls_on_plain_port, "TLS on a plain port"),
        (one.proxy_headers, "PROXY headers"),
    ):
        if count:
            yield f"{count:,} {words}"
    if one.tls is not None:
        yield from _tls(one.tls)


def _tls(tls: TlsFigures) -> Iterator[str]:
    if tls.handshakes_failed:
        yield f"{sum(tls.handshakes_failed.values()):,} handshakes failed"
    if tls.fault:
        yield f"certificate not loaded: {tls.fault}"


def _buffer(buffer: BufferFigures) -> Iterator[str]:
    if buffer.reached:
        yield f"receive buffer {buffer.reached:,} of {buffer.asked:,} bytes requested"
    if buffer.hint:
        yield buffer.hint
