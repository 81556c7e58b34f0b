"""
The sockets of intake: bound all or none, from systemd's hands where it holds them.
"""

import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.host_port import HostPort
from tscm.base.tls_answers import TlsFactory
from tscm.errors import ListenerUnavailable
from tscm.intake import sockets
from tscm.intake.account import Account
from tscm.intake.batch import Drain
from tscm.intake.connections import Connections
from tscm.intake.delivery import Delivery
from tscm.intake.drains import open_drain
from tscm.intake.figures import AnyListener, BufferFigures, DatagramFigures
from tscm.intake.sockets import ReceiveBuffer
from tscm.intake.systemd import Inherited
from tscm.intake.tcp import StreamBounds, SyslogStreams
from tscm.intake.tls import ListeningTls, TlsFiles, TlsServer
from tscm.intake.turns import Turn, connection_paced_by, port_paced_by
from tscm.intake.udp import Pace, UdpListener
from tscm.settings.node import Intake, Listen

_KINDS = ("udp", "tcp", "tls")


@define(eq=False)
class _Opened:
    """What was opened for one address of the settings; nothing where the host lacks IPv6."""

    place: str = ""
    udp: list[UdpListener] = field(factory=list)
    ports: list[Any] = field(factory=list)


def _dual(listen: Listen) -> frozenset[tuple[str, HostPort]]:
    """Kind and address of `[::]` where it takes IPv4 too."""
    if not listen.ipv6_takes_ipv4:
        return frozenset()
    return frozenset(
        (kind, place)
        for kind in _KINDS
        for place in getattr(listen, kind)
        if sockets.takes_ipv4(place, getattr(listen, kind))
    )


@define(eq=False)
class Listeners:
    """
    Every listener of a manager, by kind: `udp`, `tcp`, `tls`.

    *held* are the descriptors that systemd gave; those that fit a listener are taken out of it.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _bounds: Intake
    _delivery: Delivery
    _connections: Connections
    _stream_bounds: StreamBounds
    held: list[Inherited] = field(factory=list)
    tls: TlsServer | None = field(default=None, init=False)
    _turn: Turn = field(init=False)
    _drain: Drain | None = field(default=None, init=False)
    _accounts: dict[str, Account] = field(factory=dict, init=False)
    _udp: list[UdpListener] = field(factory=list, init=False)
    _buffers: dict[str, ReceiveBuffer] = field(factory=dict, init=False)
    _ports: list[Any] = field(factory=list, init=False)
    _streams: dict[int, SyslogStreams] = field(factory=dict, init=False)
    _open: dict[tuple[str, HostPort], _Opened] = field(factory=dict, init=False)
    _dual: frozenset[tuple[str, HostPort]] = field(default=frozenset(), init=False)
    """Kind and address of `[::]` where it takes IPv4 too."""
    bound: bool = field(default=False, init=False)
    """Whether the sockets stand."""

    def __attrs_post_init__(self) -> None:
        self._turn = Turn(self._reactor)

    def bind(self, listen: Listen) -> None:
        """Bind all of *listen*; raises `ListenerUnavailable` with nothing bound."""
        self._dual = _dual(listen)
        try:
            self._drain = self._open_drain()
            self._bind_all("udp", listen.udp)
            self._bind_all("tcp", listen.tcp)
            if listen.tls:
                self._make_tls(listen)
                self._bind_all("tls", listen.tls)
            self.bound = True
        except BaseException:
            self.close()
            raise

    def change(self, listen: Listen) -> None:
        """
        Open what is new in *listen* and close what is no more in it; all others stay open.

        Raises `ListenerUnavailable` and `CertificateUnusable` with nothing changed.
        Connections that came in by a listener that closes stay.
        """
        wanted = {(kind, place): None for kind in _KINDS for place in getattr(listen, kind)}
        new = [one for one in wanted if one not in self._open]
        first_tls = bool(listen.tls) and self.tls is None
        self._dual = _dual(listen)
        try:
            if first_tls:
                self._make_tls(listen)
            for kind in _KINDS:
                self._bind_all(kind, [place for its_kind, place in new if its_kind == kind])
            if self.tls is not None and listen.tls:
                self.tls.take(TlsFiles.of(listen))
        except BaseException:
            for one in new:
                self._close(one)
            if first_tls:
                self.tls = None
            raise
        for one in new:
            self._start(self._open[one])
        for one in [one for one in self._open if one not in wanted]:
            self._close(one)

    def _make_tls(self, listen: Listen) -> None:
        senders = self._delivery.senders
        self.tls = TlsServer(
            TlsFiles.of(listen), partial(wall_seconds, self._reactor), lambda: senders.pins
        )
        self.tls.load()

    def start(self) -> None:
        """Begin to take lines."""
        for opened in self._open.values():
            self._start(opened)

    def _start(self, opened: _Opened) -> None:
        for listener in opened.udp:
            listener.start()
        for port in opened.ports:
            port.startReading()

    def _close(self, one: tuple[str, HostPort]) -> None:
        opened = self._open.pop(one, _Opened())
        for listener in opened.udp:
            listener.stop()
            self._udp.remove(listener)
        for port in opened.ports:
            port.stopListening()
            self._ports.remove(port)

    async def stop_accepting(self) -> None:
        """No further connections; those that are open stay."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        self._ports.clear()

    def close(self) -> None:
        """Take what waits in UDP sockets, and close all."""
        for listener in self._udp:
            listener.stop()
        for port in self._ports:
            port.stopListening()
        self._ports.clear()
        self._open.clear()
        self._turn.close()
        self.bound = False

    def close_unconfigured(self) -> None:
        """What systemd holds and no listener is for."""
        for one in filter(sockets.is_listener, self.held):
            self._log.warn(
                "systemd passed socket {name}, but no such listener is configured", name=one.name
            )
            os.close(one.fd)
        self.held.clear()

    def wait_when_busy(self, seconds: float) -> None:
        """How long busy UDP sockets are left alone from now on."""
        for listener in self._udp:
            listener.pace.wait = seconds

    def streams_at(self, port: int) -> SyslogStreams | None:
        """The plain stream listener on *port*."""
        return self._streams.get(port)

    def addresses(self) -> dict[str, list[str]]:
        """Where it listens, by kind, after binding."""
        found: dict[str, list[str]] = {"udp": [], "tcp": []} if self.bound else {}
        for (kind, _), opened in self._open.items():
            if opened.place:
                found.setdefault(kind, []).append(opened.place)
        return found

    @property
    def udp_path(self) -> str | None:
        """How UDP is read: `compiled`, `numpy` or `plain`."""
        return None if self._drain is None else self._drain.name

    def figures(self) -> dict[str, AnyListener]:
        """Counts of each listener."""
        return {name: account.figures() for name, account in self._accounts.items()}

    def _open_drain(self) -> Drain:
        wanted = self._bounds.udp_helper
        try:
            drain = open_drain(wanted, self._bounds.max_message_bytes)
        except (ImportError, OSError) as error:
            self._log.warn(
                "cannot use UDP helper {wanted}: {error}; falling back to another",
                wanted=wanted,
                error=error,
            )
            drain = open_drain("auto", self._bounds.max_message_bytes)
        return drain

    def _bind_all(self, kind: str, wanted: Sequence[HostPort]) -> None:
        for address in wanted:
            opened = self._open[kind, address] = _Opened()
            udp, ports = len(self._udp), len(self._ports)
            try:
                bind = self._bind_udp if kind == "udp" else self._bind_stream
                opened.place = str(bind(kind, address))
                opened.udp, opened.ports = self._udp[udp:], self._ports[ports:]
            except ListenerUnavailable as fault:
                if len(wanted) == 1 or address.host != "::" or not sockets.no_such_family(fault):
                    raise
                self._log.warn("IPv6 is unavailable; not listening on {address}", address=address)

    def _account(self, kind: str, place: HostPort) -> Account:
        name = f"{kind} {place}"
        return self._accounts.setdefault(name, Account(name))

    def _bind_udp(self, kind: str, address: HostPort) -> HostPort:
        assert self._drain is not None
        count, dual = self._bounds.udp_sockets, (kind, address) in self._dual
        held = sockets.take_inherited(self.held, address, socket.SOCK_DGRAM)
        if held is None and count > 1:
            address = sockets.claim_udp(kind, address, dual=dual)
        first = len(self._udp)
        for _ in range(count):
            bound = held or sockets.take_inherited(self.held, address, socket.SOCK_DGRAM)
            bound = bound or sockets.bind_udp(kind, address, reuse=count > 1, dual=dual)
            held = None
            address = sockets.place_of(bound)
            buffer = sockets.raise_buffer(bound, self._bounds.receive_buffer_bytes)
            account = self._account(kind, address)
            if account.listener not in self._buffers:
                self._buffers[account.listener] = buffer
                account.tell = self._udp_figures
                if buffer.hint:
                    self._log.warn(
                        (
                            "{listener}: receive buffer is {reached} bytes instead of "
                            "{asked}; {hint}"
                        ),
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
        if count > 1:
            self._refuse_sharing(kind, address, self._udp[first:])
        return address

    def _refuse_sharing(self, kind: str, place: HostPort, ours: list[UdpListener]) -> None:
        try:
            sockets.refuse_sharing(kind, place, [one.fileno() for one in ours])
        except ListenerUnavailable:
            for one in ours:
                one.stop()
                self._udp.remove(one)
            raise

    def _udp_figures(self, account: Account) -> DatagramFigures:
        buffer = self._buffers[account.listener]
        each = tuple(one.figures() for one in self._udp if one.listener == account.listener)
        known = [one.kernel_drops for one in each if one.kernel_drops is not None]
        return DatagramFigures(
            received=account.received,
            stored=account.stored,
            dropped=account.dropped_by_cause,
            empty=account.empty,
            cut=account.cut,
            kernel_drops=sum(known) if known else None,
            receive_buffer=BufferFigures(
                asked=buffer.asked, reached=buffer.reached, hint=buffer.hint
            ),
            sockets=each,
        )

    def _bind_stream(self, kind: str, address: HostPort) -> HostPort:
        held = sockets.take_inherited(self.held, address, socket.SOCK_STREAM)
        bound = held or sockets.bind_tcp(kind, address, dual=(kind, address) in self._dual)
        place = sockets.place_of(bound)
        account = self._account(kind, place)
        tls = self.tls if kind == "tls" else None
        streams = SyslogStreams(
            self._reactor, account, self._delivery, self._connections, self._stream_bounds, tls
        )
        account.tell = streams.figures
        factory: Any = streams
        if tls is None and place.port is not None:
            self._streams[place.port] = streams
        if tls is not None:
            factory = TlsFactory(tls, isClient=False, wrappedFactory=streams)
            factory.protocol = ListeningTls
        port = port_paced_by(self._turn)._fromListeningDescriptor(  # noqa: SLF001 - as `adoptStreamPort`
            self._reactor, bound.fileno(), bound.family, factory
        )
        port.startListening()
        bound.close()  # the port has a descriptor of its own
        port.stopReading()
        self._ports.append(port)
        return place

    def adopt(self, connection: socket.socket, streams: SyslogStreams) -> Any:
        """Go on with a connection that another manager accepted; gives its transport."""
        return connection_paced_by(self._turn)._fromConnectedSocket(  # noqa: SLF001 - as `adoptStreamConnection`
            connection.fileno(), connection.family, streams, self._reactor
        )
