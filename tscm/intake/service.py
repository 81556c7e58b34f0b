"""
The listeners as one service: bound before privileges go, counted while they run.
"""

import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from tscm.errors import ListenerUnavailable
from tscm.intake import sockets
from tscm.intake.account import Account
from tscm.intake.batch import Drain, open_drain
from tscm.intake.connections import Connections
from tscm.intake.delivery import Delivery
from tscm.intake.handover import hand_over, take_over
from tscm.intake.naming import Naming, Resolve
from tscm.intake.quarantine import QuarantineLog
from tscm.intake.senders import SenderTable
from tscm.intake.sockets import ReceiveBuffer
from tscm.intake.systemd import Activation, Inherited
from tscm.intake.tcp import StreamBounds, SyslogStream, SyslogStreams
from tscm.intake.tls import TlsFiles, TlsServer
from tscm.intake.udp import Pace, UdpListener
from tscm.model import Json, Spool
from tscm.schedule import PeriodicService
from tscm.settings.node import Intake, Listen
from tscm.settings.values import HostPort
from tscm.syslog.framing import Looker, look_over

_FOLLOW_SECONDS = 10.0
_FIXED = (
    "max_message_bytes",
    "receive_buffer_bytes",
    "udp_sockets",
    "udp_helper",
    "resolve_seconds",
)
"""What holds from the binding of a socket, or the making of a buffer, to the end."""

_OTHER_FILES = 1024  # logs, cursors, requests: beside the connections


@define(eq=False)
class IntakeService(Service):
    """
    All listeners of the manager.

    Binding happens in `privilegedStartService` and raises `ListenerUnavailable`; with port 0
    the kernel chooses, see `addresses`.  Stopping takes what waits in the sockets first.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _listen: Listen
    _bounds: Intake
    _spool: Spool
    senders: SenderTable
    _resolve: Resolve | None = None
    quarantine_file: Path | None = None
    """Where `unknown_senders = quarantine` keeps their lines."""
    activation: Activation = field(factory=Activation)
    """Sockets and connections that systemd held while no manager ran."""
    _held: list[Inherited] = field(factory=list, init=False)
    _streams: dict[int, SyslogStreams] = field(factory=dict, init=False)
    _quarantine: QuarantineLog | None = field(default=None, init=False)
    _delivery: Delivery = field(init=False)
    _connections: Connections = field(init=False)
    _naming: Naming = field(init=False)
    _stream_bounds: StreamBounds = field(init=False)
    _tls: TlsServer | None = field(default=None, init=False)
    _following: PeriodicService | None = field(default=None, init=False)
    _drain: Drain | None = field(default=None, init=False)
    _accounts: dict[str, Account] = field(factory=dict, init=False)
    _udp: list[UdpListener] = field(factory=list, init=False)
    _buffers: dict[str, ReceiveBuffer] = field(factory=dict, init=False)
    _ports: list[Any] = field(factory=list, init=False)
    _places: dict[str, list[str]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        bounds = self._bounds
        self._delivery = Delivery(self._spool, self.senders)
        self._connections = Connections(bounds.max_connections, bounds.max_connections_per_sender)
        self._naming = Naming(self._reactor, self.senders, bounds.resolve_seconds, self._resolve)
        self._stream_bounds = StreamBounds(bounds.max_message_bytes, look=_best_look())
        self._put_in_force()

    def take_bounds(self, bounds: Intake) -> bool:
        """
        Put other settings in force without closing a socket; False where that needs a restart.
        """
        fixed = {name: getattr(self._bounds, name) for name in _FIXED}
        if evolve(bounds, **fixed) != bounds:
            return False
        self._bounds = bounds
        self._put_in_force()
        return True

    def _put_in_force(self) -> None:
        bounds = self._bounds
        self._connections.most = bounds.max_connections
        self._connections.most_per_sender = bounds.max_connections_per_sender
        self._stream_bounds.octet_counts = bounds.octet_counting
        self._stream_bounds.strangers_closed = bounds.unknown_senders == "close"
        for listener in self._udp:
            listener.pace.wait = bounds.busy_wait_ms / 1000
        strangers = self.senders.strangers
        strangers.bytes_per_second = bounds.unknown_kb_per_second * 1024
        if self._quarantine is not None:
            self._quarantine.close()
            self._quarantine = None
        if bounds.unknown_senders == "quarantine" and self.quarantine_file is not None:
            quota = bounds.quarantine_kb * 1024
            self._quarantine = QuarantineLog(self.quarantine_file, quota, strangers.may_keep)
        self._delivery.quarantine = self._quarantine
        self.senders.look_again()

    def privilegedStartService(self) -> None:
        """Bind every listener, or none: raises `ListenerUnavailable`."""
        if self._places:
            return
        try:
            allowed = sockets.allow_descriptors(self._bounds.max_connections + _OTHER_FILES)
            if allowed < self._bounds.max_connections + _OTHER_FILES:
                self._log.warn(
                    "no more than {allowed} open files: max_connections cannot be reached; "
                    "raise LimitNOFILE",
                    allowed=allowed,
                )
            self._held = list(self.activation.inherited)
            self._drain = self._open_drain()
            self._bind_all("udp", self._listen.udp, self._bind_udp)
            self._bind_all("tcp", self._listen.tcp, self._bind_stream)
            if self._listen.tls:
                self._tls = TlsServer(TlsFiles.of(self._listen), self._reactor.seconds)
                self._tls.load()
                self._bind_all("tls", self._listen.tls, self._bind_stream)
        except BaseException:
            self._close()
            raise
        super().privilegedStartService()

    def startService(self) -> None:
        """Begin to take lines."""
        self.privilegedStartService()
        super().startService()
        self._naming.startService()
        if self._tls is not None:
            self._following = PeriodicService(
                self._reactor, _FOLLOW_SECONDS, self._follow, "watch over the TLS certificate"
            )
            self._following.startService()
        for listener in self._udp:
            listener.start()
        for port in self._ports:
            port.startReading()
        self._take_over()

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed and what they held is delivered."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(self._naming.stopService)
        if self._following is not None:
            await maybeDeferred(self._following.stopService)
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        self._ports.clear()
        streams = [one for one in self._connections.streams() if isinstance(one, SyslogStream)]
        left = self._hand_over(streams)
        ended = [one.leave() if one in left else one.finish() for one in streams]
        await gatherResults(ended, consumeErrors=True)
        self._close()

    def _hand_over(self, streams: list[SyslogStream]) -> set[SyslogStream]:
        if not self.activation.hands_over:
            return set()
        able = [one for one in streams if one.can_be_handed_over()]
        states = [one.descriptor_and_state() for one in able]
        taken = hand_over(self.activation.notifier, states)
        return {one for one, (fd, _) in zip(able, states, strict=True) if fd in taken}

    def _take_over(self) -> None:
        """Go on with the connections of the manager before this one."""
        kept = take_over(self._held, self.activation.notifier)
        for one in kept:
            streams = self._streams.get(one.listener_port)
            if streams is not None:
                transport = self._reactor.adoptStreamConnection(
                    one.connection.fileno(), one.connection.family, streams
                )
                stream = getattr(transport, "protocol", None)
                if isinstance(stream, SyslogStream):
                    stream.decoder.go_on(one.state)
            one.connection.close()
        for held in filter(sockets.is_listener, self._held):
            self._log.warn("systemd holds {name}, for which no listener is set", name=held.name)
            os.close(held.fd)
        self._held.clear()

    async def _follow(self) -> None:
        assert self._tls is not None
        self._tls.follow()

    def addresses(self) -> dict[str, list[str]]:
        """Where it listens, by kind (`udp`, `tcp`, `tls`), after binding."""
        return {kind: list(places) for kind, places in self._places.items()}

    def figures(self) -> Json:
        """
        What came in and what became of it.

        For each listener `received` = `stored` + the sum of `dropped`; the kernel's own drops
        stand beside.
        """
        unknown = self.senders.strangers
        return {
            "listeners": {name: account.figures() for name, account in self._accounts.items()},
            "devices": self._delivery.figures(),
            "udp_path": None if self._drain is None else self._drain.name,
            "connections": self._connections.figures(),
            "unknown_senders": {
                "lines": unknown.lines,
                "uncounted_lines": unknown.uncounted_lines,
                "senders": len(unknown),
                "quarantine": None if self._quarantine is None else self._quarantine.figures(),
            },
            "senders": self.senders.figures(),
        }

    def _open_drain(self) -> Drain:
        wanted = self._bounds.udp_helper
        try:
            drain = open_drain(wanted, self._bounds.max_message_bytes)
        except (ImportError, OSError) as error:
            self._log.warn(
                "UDP helper {wanted} cannot be used here: {error}; taking another",
                wanted=wanted,
                error=error,
            )
            drain = open_drain("auto", self._bounds.max_message_bytes)
        return drain

    def _bind_all(
        self, kind: str, wanted: Iterable[HostPort], bind: Callable[[str, HostPort], HostPort]
    ) -> None:
        places = self._places.setdefault(kind, [])
        wanted = list(wanted)
        for address in wanted:
            try:
                places.append(str(bind(kind, address)))
            except ListenerUnavailable as fault:
                if len(wanted) == 1 or address.host != "::" or not sockets.no_such_family(fault):
                    raise
                self._log.warn("no IPv6 here: not listening on {address}", address=address)

    def _account(self, kind: str, place: HostPort) -> Account:
        name = f"{kind} {place}"
        return self._accounts.setdefault(name, Account(name))

    def _bind_udp(self, kind: str, address: HostPort) -> HostPort:
        assert self._drain is not None
        count = self._bounds.udp_sockets
        for _ in range(count):
            bound = sockets.take_inherited(self._held, address, socket.SOCK_DGRAM)
            bound = bound or sockets.bind_udp(kind, address, reuse=count > 1)
            address = sockets.place_of(bound)
            buffer = sockets.raise_buffer(bound, self._bounds.receive_buffer_bytes)
            account = self._account(kind, address)
            if account.listener not in self._buffers:
                self._buffers[account.listener] = buffer
                account.extra.append(partial(self._udp_figures, account.listener))
                if buffer.hint:
                    self._log.warn(
                        "{listener}: receive buffer of {reached} bytes instead of {asked}; {hint}",
                        listener=account.listener,
                        reached=buffer.reached,
                        asked=buffer.asked,
                        hint=buffer.hint,
                    )
            pace = Pace(self._bounds.busy_wait_ms / 1000, buffer.reached)
            deliver = self._delivery.deliver
            self._udp.append(
                UdpListener(
                    self._reactor, bound, self._drain, deliver=deliver, account=account, pace=pace
                )
            )
        return address

    def _udp_figures(self, listener: str) -> Json:
        buffer = self._buffers[listener]
        each = [one.figures() for one in self._udp if one.listener == listener]
        known = [one["kernel_drops"] for one in each if one["kernel_drops"] is not None]
        return {
            "kernel_drops": sum(known) if known else None,
            "receive_buffer": {
                "asked": buffer.asked,
                "reached": buffer.reached,
                "hint": buffer.hint,
            },
            "sockets": each,
        }

    def _bind_stream(self, kind: str, address: HostPort) -> HostPort:
        held = sockets.take_inherited(self._held, address, socket.SOCK_STREAM)
        bound = held or sockets.bind_tcp(kind, address)
        place = sockets.place_of(bound)
        account = self._account(kind, place)
        tls = self._tls if kind == "tls" else None
        streams = SyslogStreams(
            self._reactor, account, self._delivery, self._connections, self._stream_bounds, tls
        )
        account.extra.append(streams.figures)
        factory: Any = streams
        if tls is None and place.port is not None:
            self._streams[place.port] = streams
        if tls is not None:
            factory = TLSMemoryBIOFactory(tls, isClient=False, wrappedFactory=streams)
            factory.noisy = False
        port = self._reactor.adoptStreamPort(bound.fileno(), bound.family, factory)
        bound.close()  # the port has a descriptor of its own
        port.stopReading()
        self._ports.append(port)
        return place

    def _close(self) -> None:
        if self._quarantine is not None:
            self._quarantine.close()
        for listener in self._udp:
            listener.stop()
        for port in self._ports:
            port.stopListening()
        self._ports.clear()
        self._places.clear()


def _best_look() -> Looker:
    try:
        from tscm.intake.batch_compiled import look_over as compiled
    except ImportError:
        return look_over
    return compiled
