"""
The listeners as one service: bound before privileges go, counted while they run.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger

from tscm.base.schedule import PeriodicService
from tscm.intake import sockets
from tscm.intake.connections import Connections
from tscm.intake.delivery import Delivery
from tscm.intake.figures import DeviceIntake, IntakeCounts, IntakeFigures, UnknownSenders
from tscm.intake.handover import hand_over, take_over
from tscm.intake.listeners import Listeners
from tscm.intake.naming import Naming, Resolve
from tscm.intake.quarantine import QuarantineLog
from tscm.intake.senders import SenderTable
from tscm.intake.systemd import Activation
from tscm.intake.tcp import StreamBounds, SyslogStream
from tscm.model import Spool
from tscm.settings.node import Intake, Listen
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

_SWITCH_SECONDS = 0.0005
"""
How long a computing thread may keep the interpreter from the reactor.  Each system call of a
drain gives the interpreter away; with Python's 5 ms a batch for ten devices would wait
50 ms beside a policy update, and UDP would be lost (docs/develop/performance.md).
"""

_MANY_FILES = 1 << 16
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
    _quarantine: QuarantineLog | None = field(default=None, init=False)
    _delivery: Delivery = field(init=False)
    _connections: Connections = field(init=False)
    _naming: Naming = field(init=False)
    _stream_bounds: StreamBounds = field(init=False)
    _listeners: Listeners = field(init=False)
    _following: PeriodicService | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        bounds = self._bounds
        self._delivery = Delivery(self._spool, self.senders)
        self._connections = Connections(
            bounds.max_connections,
            bounds.max_connections_per_sender,
            bounds.max_connections_per_unknown_sender,
        )
        self._naming = Naming(self._reactor, self.senders, bounds.resolve_seconds, self._resolve)
        self._stream_bounds = StreamBounds(bounds.max_message_bytes, look=_best_look())
        self._listeners = Listeners(
            self._reactor,
            bounds,
            self._delivery,
            self._connections,
            self._stream_bounds,
            list(self.activation.inherited),
        )
        self._put_in_force()

    def apply_limits(self, bounds: Intake) -> bool:
        """
        Put other settings in force without closing a socket; False where that needs a restart.
        """
        fixed = {name: getattr(self._bounds, name) for name in _FIXED}
        if evolve(bounds, **fixed) != bounds:
            return False
        self._bounds = bounds
        self._put_in_force()
        return True

    def apply_listeners(self, listen: Listen) -> None:
        """
        Listen elsewhere too, or no more; a socket that stays wanted is not touched.

        Raises `ListenerUnavailable` and `CertificateUnusable`; then all is as it was.
        """
        self._listeners.change(listen)
        self._listen = listen

    def _put_in_force(self) -> None:
        bounds = self._bounds
        self._connections.most = bounds.max_connections
        self._connections.most_per_sender = bounds.max_connections_per_sender
        self._connections.most_per_stranger = bounds.max_connections_per_unknown_sender
        self._stream_bounds.octet_counts = bounds.octet_counting
        self._stream_bounds.strangers_closed = bounds.unknown_senders == "close"
        self._listeners.wait_when_busy(bounds.busy_wait_ms / 1000)
        strangers = self.senders.strangers
        strangers.bytes_per_second = bounds.unknown_kb_per_second * 1024
        if self._quarantine is not None:
            self._quarantine.close()
            self._quarantine = None
        if bounds.unknown_senders == "quarantine" and self.quarantine_file is not None:
            quota = bounds.quarantine_kb * 1024
            self._quarantine = QuarantineLog(self.quarantine_file, quota, strangers.may_keep)
        self._delivery.quarantine = self._quarantine
        self.senders.invalidate_permissions()

    def privilegedStartService(self) -> None:
        """Bind every listener, or none: raises `ListenerUnavailable`."""
        if self._listeners.bound:
            return
        wanted = self._bounds.max_connections + _OTHER_FILES
        # As many as there may be: each of thousands of logs would have one.
        allowed = sockets.allow_descriptors(max(wanted, _MANY_FILES))
        if allowed < wanted:
            self._log.warn(
                "open files are limited to {allowed}, so max_connections cannot be "
                "reached; raise LimitNOFILE",
                allowed=allowed,
            )
        self._listeners.bind(self._listen)
        super().privilegedStartService()

    def startService(self) -> None:
        """Begin to take lines."""
        self.privilegedStartService()
        super().startService()
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        self._naming.startService()
        self._following = PeriodicService(
            self._reactor, _FOLLOW_SECONDS, self._follow, "TLS certificate watch"
        )
        self._following.startService()
        self._listeners.start()
        self._take_over()

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed and what they held is delivered."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(self._naming.stopService)
        if self._following is not None:
            await maybeDeferred(self._following.stopService)
        await self._listeners.stop_accepting()
        streams = [one for one in self._connections.streams() if isinstance(one, SyslogStream)]
        left = self._hand_over(streams)
        ended = [one.leave() if one in left else one.finish() for one in streams]
        await gatherResults(ended, consumeErrors=True)
        self._listeners.close()
        if self._quarantine is not None:
            self._quarantine.close()

    def _hand_over(self, streams: list[SyslogStream]) -> set[SyslogStream]:
        if not self.activation.hands_over:
            return set()
        able = [one for one in streams if one.can_be_handed_over()]
        states = [one.descriptor_and_state() for one in able]
        taken = hand_over(self.activation.notifier, states)
        return {one for one, (fd, _) in zip(able, states, strict=True) if fd in taken}

    def _take_over(self) -> None:
        """Go on with the connections of the manager before this one."""
        kept = take_over(self._listeners.held, self.activation.notifier)
        for one in kept:
            streams = self._listeners.streams_at(one.listener_port)
            if streams is not None:
                streams.taking_over = True
                transport = self._listeners.adopt(one.connection, streams)
                streams.taking_over = False
                stream = getattr(transport, "protocol", None)
                if isinstance(stream, SyslogStream):
                    stream.decoder.go_on(one.state)
            one.connection.close()
        self._listeners.close_unconfigured()

    async def _follow(self) -> None:
        if self._listeners.tls is not None:
            self._listeners.tls.follow()

    def addresses(self) -> dict[str, list[str]]:
        """Where it listens, by kind (`udp`, `tcp`, `tls`), after binding."""
        return self._listeners.addresses()

    def counts(self) -> IntakeCounts:
        """The part of `figures` that the ledger notes, of those devices alone whose lines were refused."""
        return IntakeCounts(listeners=self._listeners.figures(), devices=self._delivery.refused())

    def figures(self) -> IntakeFigures:
        """
        What came in and what became of it; the kernel's own drops stand beside.
        """
        unknown = self.senders.strangers
        return IntakeFigures(
            listeners=self._listeners.figures(),
            devices=self._delivery.figures(),
            udp_path=self.udp_path,
            connections=self._connections.figures(),
            unknown_senders=UnknownSenders(
                lines=unknown.lines,
                uncounted_lines=unknown.uncounted_lines,
                senders=len(unknown),
                quarantine=None if self._quarantine is None else self._quarantine.figures(),
            ),
            senders=self.senders.figures(),
        )

    @property
    def udp_path(self) -> str | None:
        """How UDP is read: `compiled`, `numpy` or `plain`."""
        return self._listeners.udp_path

    def stored_lines(self, name: str) -> int:
        """Lines of a device that were stored since the start."""
        counts = self._delivery.devices.get(name)
        return 0 if counts is None else counts.stored

    def turned_away(self, name: str) -> int:
        """Connections of a device for which a bound left no room, since the start."""
        counts = self._delivery.devices.get(name)
        return 0 if counts is None else counts.turned_away

    def device_figures(self, name: str) -> DeviceIntake | None:
        """One device alone; None for one that has sent nothing."""
        counts = self._delivery.devices.get(name)
        return None if counts is None else counts.figures()


def _best_look() -> Looker:
    try:
        from tscm.intake.batch_compiled import look_over as compiled
    except ImportError:
        return look_over
    return compiled
