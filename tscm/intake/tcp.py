"""
Syslog over a stream: what a read brings is appended as one piece up to its last line end.

A known sender's connection is never closed for what came on it, nor paused: an ASA without
`permit-hostdown` refuses new connections when its collector goes away or stands still.
"""

import socket
from typing import Any, ClassVar, cast

from attrs import define, evolve, field
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.base.clock import wall_seconds
from tscm.intake.account import Account
from tscm.intake.connections import Connections, Refusal
from tscm.intake.delivery import Delivery
from tscm.intake.figures import StreamFigures
from tscm.intake.senders import normal_address
from tscm.intake.tls import TlsServer, handshake_fault
from tscm.intake.turns import read_now
from tscm.syslog.framing import Framing, Lines, Looker, StreamDecoder, StreamState, look_over

_LAST_READS = 64
_ESTABLISHED = 1  # TCP_ESTABLISHED, in the first octet of the kernel's struct tcp_info
_SLOW = "hand-shake not finished in time"
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 60),
    (socket.TCP_KEEPINTVL, 15),
    (socket.TCP_KEEPCNT, 4),
)


@define(eq=False)
class StreamBounds:
    """What holds for the connections of all stream listeners."""

    max_message: int
    strangers_closed: bool = False
    octet_counts: bool = True
    look: Looker = look_over


@implementer(IHandshakeListener)
class SyslogStream(Protocol):
    """
    One connection.
    """

    _log: ClassVar[Logger] = Logger()

    def __init__(self, factory: "SyslogStreams", sender: str) -> None:
        self.factory: SyslogStreams = factory
        self.sender = sender
        self.decoder = StreamDecoder(
            factory.bounds.max_message, factory.bounds.look, factory.bounds.octet_counts
        )
        self.last_heard_at = factory.clock.seconds()
        self.certificate = ""
        self._version = -1
        self._stranger = False
        self._tardy = False
        self._handed_over = False
        self._cut = 0
        self._faults = 0
        self._headers = 0
        self._named_tls = False
        self._named_framing = False
        self._heard_bytes = 0
        self._finished: Deferred[None] | None = None
        self._shaking: IDelayedCall | None = None
        self._rest: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Keepalive finds dead peers; nothing else ends a quiet connection."""
        raw = self._raw()
        if isinstance(raw, Connection):
            raw.setTcpKeepAlive(True)
            for option, value in _KEEPALIVE:
                raw.getHandle().setsockopt(socket.IPPROTO_TCP, option, value)
        if self.factory.tls is not None:
            self._shaking = self.factory.clock.callLater(
                self.factory.tls.handshake_seconds, self._too_slow
            )
        self.factory.connections.opened(self, known=self._known())

    def handshakeCompleted(self) -> None:
        """TLS stands: is the client one of those that may send?"""
        if self._shaking is not None:
            self._shaking.cancel()
            self._shaking = None
        factory, transport = self.factory, cast("Any", self.transport)
        assert factory.tls is not None
        handle = transport.getHandle()
        senders = factory.delivery.senders
        self.certificate = factory.tls.certificate(handle)
        fault = "" if senders.pinned(self.certificate) else factory.tls.client_fault(handle)
        if fault:
            factory.handshake_failed(self.sender, fault)
            self.close_for_replacement()
        elif senders.pins:
            self._still_welcome()

    def _too_slow(self) -> None:
        self._tardy = True
        self._raw().abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take what a read brought."""
        factory = self.factory
        now = self.last_heard_at = factory.clock.seconds()
        if self._version != factory.delivery.senders.version and not self._still_welcome():
            return
        self._heard_bytes += len(data)
        try:
            lines = self.decoder.feed(data)
            if lines is not None:
                factory.delivery.deliver(
                    factory.account,
                    ((self.sender, lines),),
                    wall_seconds(factory.clock),
                    self.certificate,
                )
        except Exception:  # noqa: BLE001 - raised, it would close the connection
            factory.faulty(self.sender)
        if self.decoder.framing is Framing.TLS and not self._named_tls:
            self._named_tls = True
            factory.found_tls(self.sender)
        self._count()
        if self._stranger:
            self._slow_down(len(data), now)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """What is left of a line is kept."""
        factory = self.factory
        factory.connections.closed(self)
        if not self._handed_over:  # else what is held goes on elsewhere
            self._keep_partial()
        self._count()
        for timer in (self._shaking, self._rest):
            if timer is not None and timer.active():
                timer.cancel()
        if self._shaking is not None:
            factory.handshake_failed(self.sender, _SLOW if self._tardy else _reason(reason))
        if self._finished is not None:
            self._finished.callback(None)

    def _keep_partial(self) -> None:
        factory = self.factory
        try:
            lines = self.decoder.close()
            if lines is not None:
                factory.account_partial(lines)
                now = wall_seconds(factory.clock)
                factory.delivery.deliver(
                    factory.account, ((self.sender, lines),), now, self.certificate
                )
        except Exception:  # noqa: BLE001 - raised, it would leave timers, and who waits for the end
            factory.faulty(self.sender)

    def close_for_replacement(self) -> None:
        """See `connections.Stream`."""
        transport: Any = self.transport
        transport.abortConnection()

    def has_ended(self) -> bool:
        """See `connections.Stream`; the kernel's word, for a read may be far behind it."""
        raw = self._raw()
        try:
            state = raw.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except (OSError, AttributeError):
            return False
        return bool(state[0] != _ESTABLISHED)

    def take_rest(self) -> bool:
        """
        See `connections.Stream`.  Of an unknown sender one read is taken: its allowance holds here too.
        """
        raw = self._raw()
        fault: Exception | None = None
        for _ in range(1 if self._stranger else _LAST_READS):
            fault = read_now(raw)
            if fault is not None:
                break
        if fault is None:
            if not self._stranger:
                return False
            self.close_for_replacement()
        else:
            raw.stopReading()
            self._keep_partial()
            # Not now: the descriptor's number would go to the next connection of this very turn.
            self.factory.clock.callLater(0, self._lose, raw, fault)
        self.factory.connections.closed(self)
        return True

    @staticmethod
    def _lose(raw: Any, fault: Exception) -> None:
        if raw.connected:
            raw.connectionLost(Failure(fault))

    def finish(self) -> "Deferred[None]":
        """The manager stops: take what waits in the socket, then close."""
        done: Deferred[None] = Deferred()
        self._finished = done
        raw = self._raw()
        if isinstance(raw, Connection):
            for _ in range(_LAST_READS):  # one that sends flat out must not hold up the stop
                heard = self._heard_bytes
                read_now(raw)
                if self._heard_bytes == heard or raw.disconnected:
                    break
        if self.factory.tls is None or self._shaking is not None:
            raw.loseConnection()
        else:
            transport: Any = self.transport
            transport.loseConnection()  # says good-bye in TLS
            raw.loseConnection()
        return done

    def can_be_handed_over(self) -> bool:
        """TLS cannot: its keys live in this process."""
        raw = self._raw()
        return self.factory.tls is None and isinstance(raw, Connection) and raw.connected == 1

    def descriptor_and_state(self) -> tuple[int, StreamState]:
        """Stop reading; what another manager needs to go on."""
        raw = self._raw()
        raw.stopReading()
        return raw.fileno(), self.decoder.state()

    def leave(self) -> "Deferred[None]":
        """Another holds the connection: let go of it without a word to the peer."""
        self._handed_over = True
        self._finished = Deferred()
        raw = self._raw()
        raw._shouldShutdown = False  # noqa: SLF001 - a shutdown would end the other's copy too
        raw.loseConnection()
        return self._finished

    def _raw(self) -> Any:
        """The TCP connection, below TLS where there is one."""
        return getattr(self.transport, "transport", self.transport)

    def _slow_down(self, size: int, now: float) -> None:
        """
        A stranger that sends too much is read no faster than its allowance fills.
        """
        wait = self.factory.delivery.senders.strangers.wait_for(self.sender, size, now)
        if wait > 0 and self._rest is None:
            self._raw().pauseProducing()
            self._rest = self.factory.clock.callLater(min(wait, 5.0), self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        self._raw().resumeProducing()

    def _known(self) -> bool:
        senders = self.factory.delivery.senders
        self._version = senders.version
        self._stranger = senders.route_with(self.sender, self.certificate) is None
        return not self._stranger

    def _still_welcome(self) -> bool:
        known = self._known()
        factory = self.factory
        factory.connections.became(self, known=known)
        if factory.without_certificate(self.sender, self.certificate):
            self.close_for_replacement()
            return False
        if known or not factory.bounds.strangers_closed:
            return True
        factory.connections.refuse(Refusal.STRANGER)
        self.close_for_replacement()
        return False

    def _count(self) -> None:
        decoder, factory = self.decoder, self.factory
        cut, faults, headers = decoder.cut, decoder.faults, decoder.proxy_headers
        if (cut, faults, headers) == (self._cut, self._faults, self._headers):
            return
        factory.account.cut += cut - self._cut
        factory.framing_faults += faults - self._faults
        if headers > self._headers:
            factory.found_proxy(self.sender, headers - self._headers)
        if not self._named_framing and (cut or faults):
            self._named_framing = True
            factory.found_odd(self.sender, decoder, known=not self._stranger)
        self._cut, self._faults, self._headers = cut, faults, headers


@define(eq=False)
class SyslogStreams(Factory):
    """
    Connections of one listener.
    """

    _log: ClassVar[Logger] = Logger()
    noisy: ClassVar[bool] = False  # type: ignore[misc]

    clock: IReactorTime
    account: Account
    delivery: Delivery
    connections: Connections
    bounds: StreamBounds
    tls: TlsServer | None = None
    taking_over: bool = field(default=False, init=False)
    """Connections that the manager before this one had let in are not counted against a bound again."""
    handshakes_failed: dict[str, int] = field(factory=dict, init=False)
    framing_faults: int = field(default=0, init=False)
    partials: int = field(default=0, init=False)
    tls_on_plain: int = field(default=0, init=False)
    proxy_headers: int = field(default=0, init=False)
    odd_strangers: int = field(default=0, init=False)
    """Connections of unknown senders on which a message was cut or a length missing."""
    faults: int = field(default=0, init=False)
    """Reads that met a fault of the program."""

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Let a connection in, or not (None closes it)."""
        sender = normal_address(getattr(addr, "host", ""))
        known = self.delivery.senders.route_of(sender) is not None
        if self.tls is None and self.without_certificate(sender, ""):
            return None
        now = self.clock.seconds()
        # Where devices pin certificates, a stranger may turn out to be one of them.
        closed = self.bounds.strangers_closed and not (self.tls and self.delivery.senders.pins)
        refusal = (
            None
            if self.taking_over
            else self.connections.refusal(sender, known=known, now=now, strangers_closed=closed)
        )
        if refusal is None:
            return SyslogStream(self, sender)
        if known:
            self._turned_away(sender, refusal)
        else:
            self.delivery.senders.strangers.note(sender, 0, b"", wall_seconds(self.clock))
        return None

    def _turned_away(self, sender: str, refusal: Refusal) -> None:
        """A connection of a known device is refused: without `permit-hostdown` its traffic stops here."""
        now = wall_seconds(self.clock)
        for device in self.delivery.senders.devices_of(sender):
            counts = self.delivery.of_device(device)
            counts.turned_away = times = counts.turned_away + 1
            counts.turned_away_at = now
            counts.turned_away_cause = refusal.value
            if times == 1 or times % 100 == 0:
                self._log.warn(
                    "{listener}: connection of {sender} refused for device "
                    "{device}: {cause} ({times} times); an ASA without `logging "
                    "permit-hostdown` then blocks new traffic: raise [intake] {setting}",
                    listener=self.account.listener,
                    sender=sender,
                    device=device,
                    cause=refusal.value,
                    times=times,
                    setting=refusal.setting,
                )

    def without_certificate(self, sender: str, certificate: str) -> bool:
        """
        Whether a connection is refused for lack of its device's certificate; then counted and told.
        """
        senders = self.delivery.senders
        fault = senders.certificate_fault(sender, certificate)
        device = senders.device_of(sender)
        if not fault or device is None:
            return False
        counts = self.delivery.of_device(device)
        counts.refused_connections = times = counts.refused_connections + 1
        self.connections.refuse(Refusal.CERTIFICATE)
        if times == 1 or times % 100 == 0:
            self._log.warn(
                "{listener}: {sender} refused for device {device}: {fault} ({times} times)",
                listener=self.account.listener,
                sender=sender,
                device=device,
                fault=fault if self.tls else "plain, and the device pins certificates",
                times=times,
            )
        return True

    def faulty(self, sender: str) -> None:
        """A read met a fault of the program; the connection goes on."""
        self.faults += 1
        if self.faults == 1 or self.faults % 1000 == 0:
            self._log.failure(
                "{listener}: cannot process data from {sender} ({times} times)",
                listener=self.account.listener,
                sender=sender,
                times=self.faults,
            )

    def account_partial(self, lines: Lines) -> None:
        """A connection ended inside a line."""
        self.partials += lines.count

    def found_tls(self, sender: str) -> None:
        """A peer speaks TLS where none belongs: told once a connection, for it is a wrong setting."""
        self.tls_on_plain += 1
        if self.tls_on_plain == 1 or self.tls_on_plain % 100 == 0:
            self._log.warn(
                "{listener}: {sender} sent TLS to a plain port ({times} times)",
                listener=self.account.listener,
                sender=sender,
                times=self.tls_on_plain,
            )

    def found_proxy(self, sender: str, headers: int) -> None:
        """A load balancer puts the client's address in front: any client could, so it is not used."""
        self.proxy_headers += headers
        if self.proxy_headers == headers or self.proxy_headers % 100 == 0:
            self._log.warn(
                "{listener}: {sender} sends PROXY headers ({times} so far); the "
                "address in them is not used, and lines are counted for {sender}: "
                "disable them there",
                listener=self.account.listener,
                sender=sender,
                times=self.proxy_headers,
            )

    def found_odd(self, sender: str, decoder: StreamDecoder, *, known: bool) -> None:
        """
        A message was cut, or a length missing: told once a connection; of unknown senders the first
        and each hundredth.
        """
        if not known:
            self.odd_strangers += 1
            if self.odd_strangers != 1 and self.odd_strangers % 100:
                return
        words = (
            (
                f"sends a message of more than {decoder.max_length} octets "
                "(max_message_bytes), which is truncated"
            )
            if decoder.cut
            else "sends text where the length of a message is expected (octet counting)"
        )
        self._log.warn(
            "{listener}: {sender} {words}; check that it ends each message with LF or counts its octets",
            listener=self.account.listener,
            sender=sender,
            words=words,
        )

    def handshake_failed(self, sender: str, cause: str) -> None:
        """A peer that got no TLS connection: told once a cause, then each hundredth time."""
        causes = self.handshakes_failed
        if cause not in causes and len(causes) >= 32:
            cause = "other"
        causes[cause] = times = causes.get(cause, 0) + 1
        if times == 1 or times % 100 == 0:
            self._log.warn(
                ("{listener}: TLS handshake with {sender} failed: {cause} ({times} times)"),
                listener=self.account.listener,
                sender=sender,
                cause=cause,
                times=times,
            )

    def figures(self, account: Account) -> StreamFigures:
        """The counts of *account*, and what this listener adds to them."""
        tls = None
        if self.tls is not None:
            tls = evolve(self.tls.figures(), handshakes_failed=dict(self.handshakes_failed))
        return StreamFigures(
            received=account.received,
            stored=account.stored,
            dropped=account.dropped_by_cause,
            empty=account.empty,
            cut=account.cut,
            partial_at_close=self.partials,
            framing_faults=self.framing_faults,
            tls_on_plain_port=self.tls_on_plain,
            proxy_headers=self.proxy_headers,
            tls=tls,
        )


def _reason(reason: Failure) -> str:
    """Why a handshake came to nothing, in a few words."""
    if isinstance(reason.value, SSL.Error):
        return handshake_fault(reason.value)
    return "closed before the hand-shake was finished"
