"""
Lines of one device to one SIEM, for as long as the manager runs.
"""

import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.consumers.loop import Backoff, ReaderLoop
from tscm.forward.content import shape_of
from tscm.forward.datagram import DatagramLink
from tscm.forward.feed import Feed
from tscm.forward.figures import ForwardFigures, ForwardState, with_reader
from tscm.forward.link import Address, Chunk, Disconnected, Link, Reactor
from tscm.forward.resolve import Resolver, Whereabouts
from tscm.forward.sentences import forwarding
from tscm.forward.stream import StreamLink
from tscm.forward.target import Target
from tscm.forward.tls import TlsLink, TlsUnusable, tls_context
from tscm.model import LogReader

_LINGER_SECONDS = 0.02  # lines that come one by one go out together
_SETTLE_SECONDS = 0.1  # how often it is asked what has left, at first
_SETTLE_MOST = 2.0  # and while nothing moves
_STOP_SECONDS = 2.0  # how long a stop waits for what is on its way
_PROVEN_SECONDS = 30.0  # a connection that lived so long starts the back-off afresh


def _nobodys(_address: str, _port: int, _protocol: str) -> None:
    return None


@define(eq=False)
class ForwardService(Service):
    """
    Reads the log from its cursor on and sends it; nothing that the target does reaches the intake.

    While the target is away nothing is read and nothing is held in memory: the log is the queue.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Reactor
    _threads: Threads
    _reader: LogReader
    target: Target
    _resolver: Resolver | None = None
    _chance: Callable[[], float] = random.random
    _resolve_seconds: float = 300.0
    proven_seconds: float = field(default=_PROVEN_SECONDS, kw_only=True)
    _own: Callable[[str, int, str], str | None] = _nobodys
    """The manager's own listener at an address and port, for a protocol: `own.own_listener`."""
    _feed: Feed = field(init=False)
    _whereabouts: Whereabouts = field(init=False)
    _link: Link | None = field(default=None, init=False)
    _link_ended: Deferred[Disconnected] | None = field(default=None, init=False)
    _run: Deferred[None] | None = field(default=None, init=False)
    _pause: Deferred[Any] | None = field(default=None, init=False)
    _reading: ReaderLoop = field(init=False)
    _settling: Any = field(default=None, init=False)
    _settle_seconds: float = field(default=_SETTLE_SECONDS, init=False)
    _state: ForwardState = field(default=ForwardState.OFF, init=False)
    _address: Address | None = field(default=None, init=False)
    _context: ssl.SSLContext | None = field(default=None, init=False)
    _dropped: int = field(default=0, init=False)
    _connections: int = field(default=0, init=False)
    _moved_at: float = field(default=0.0, init=False)
    _connected_at: float | None = field(default=None, init=False)
    _proving_since: float = field(default=0.0, init=False)
    _sent_before: int = field(default=0, init=False)  # lines sent by earlier connections
    _nothing_waited: bool = field(default=False, init=False)
    _eager: bool = field(default=False, init=False)  # the next line ends the pause
    _looking: Any = field(default=None, init=False)
    _moving: bool = field(default=False, init=False)  # to another address of its name
    _name_lost: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        target = self.target
        self._feed = Feed(
            self._reader,
            shape_of(target),
            target.resend_bytes,
            target.resend_seconds,
            untouched=(target.protocol, target.mode, target.framing)
            == ("TCP", "as-received", "lf"),
        )
        self._reading = ReaderLoop(
            self._reactor,
            self._reader,
            _LINGER_SECONDS,
            self._wake,
            self._heard,
            Backoff(chance=self._chance),
            self._rested,
        )
        self._whereabouts = Whereabouts(
            target, self._resolver or Resolver(self._reactor, self._threads)
        )

    # -- life -----------------------------------------------------------------

    def startService(self) -> None:
        """Begin to connect."""
        super().startService()
        self._reading.start()
        self._run = Deferred.fromCoroutine(self._reconnect_loop())
        self._run.addErrback(self._broke)

    def stopService(self) -> Deferred[None] | None:
        """Fires when the connection is closed: a line that was begun is ended before."""
        super().stopService()
        if self._pause is not None:
            self._pause.cancel()
        if self._link is not None:
            self._link.finish()
            self._close_when_sent(self._reactor.seconds() + _STOP_SECONDS)
        self._reading.stop()
        return self._run

    def _broke(self, failure: Failure) -> None:
        self._state = ForwardState.OFF
        self._log.failure(
            "forwarding of {device} to {target} stopped: internal error",
            failure,
            device=self._reader.device,
            target=str(self.target),
        )

    async def _reconnect_loop(self) -> None:
        while self.running:
            try:
                ended = await self._once()
                if self._moving:
                    self._moving = False
                    continue
                self._failed(ended)
            except CancelledError:
                break
            except Exception:  # noqa: BLE001 - nothing may end the forwarding for good
                self._log.failure(
                    "forwarding of {device} to {target}: internal error",
                    device=self._reader.device,
                    target=str(self.target),
                )
                self._disconnect()
                self._failed(Disconnected("hit an internal error; see the manager's log"))
            if self.running:
                await self._rest()
        self._state = ForwardState.OFF

    async def _once(self) -> Disconnected:
        """From a name to the end of one connection."""
        self._state = ForwardState.RESOLVING
        try:
            if self.target.protocol == "TLS":  # again each time: the files may have changed
                self._context = await self._wait(self._threads.run(tls_context, self.target))
            address = await self._wait(self._whereabouts.next_address())
        except TlsUnusable as error:
            return Disconnected(f"cannot be used: {error.strerror}")
        except OSError as error:
            return Disconnected(f"has a name that does not resolve: {error.strerror or error}")
        own = self._loop(address)
        if own is not None:
            return Disconnected(own)
        return await self._use(address)

    def _loop(self, address: Address) -> str | None:
        """
        Why lines must not go to *address*: it is our own; None where it is not.

        Looked at for each connection: a file is edited by hand, a name moves, a listener is opened.
        """
        own = self._own(str(address[1][0]), self.target.port, self.target.protocol)
        if own is None:
            return None
        return (
            f"is this manager's own listener {own}, so each line would be received and "
            "forwarded again without end: use the SIEM's address (forward_address, "
            "forward_also)"
        )

    def look_at_listeners(self) -> None:
        """The manager listens elsewhere too: end a connection that now leads to itself."""
        if self._link is not None and self._address is not None:
            loop = self._loop(self._address)
            if loop is not None:
                self._link.close(loop)

    async def _use(self, address: Address) -> Disconnected:
        """One connection, from its opening to its end."""
        self._state, self._address = ForwardState.CONNECTING, address
        self._feed.connection_started()
        self._sent_before = self._feed.sent
        ended: Deferred[Disconnected] = Deferred()
        self._link_ended = ended
        self._link = self._open(address)
        try:
            self._link.open()
        except OSError as error:  # no descriptor is left, or the host lacks this address family
            why = Disconnected(f"is unreachable from this host: {error.strerror or error}")
        else:
            why = await ended
        if self._stuck():
            self._connected_at = None  # it proved nothing, however long it lived
        self._nothing_waited = not self._feed.backlog_bytes
        self._disconnect()
        self._feed.connection_ended(reset=why.reset)
        return why

    def _stuck(self) -> bool:
        """Whether the target takes connections and reads nothing: the back-off goes on growing then."""
        return (
            not self._feed.idle and self._reactor.seconds() - self._moved_at > self.proven_seconds
        )

    def _disconnect(self) -> None:
        self._link = None
        for timer in (self._settling, self._looking):
            if timer is not None and timer.active():
                timer.cancel()
        self._settling = self._looking = None

    def _open(self, address: Address) -> Link:
        target = self.target
        if target.protocol == "UDP":
            return DatagramLink(self._reactor, self, address, target.lines_per_second)
        limits = (target.connect_seconds, target.silence_seconds)
        if self._context is not None:
            return TlsLink(
                self._reactor,
                self,
                address,
                *limits,
                context=self._context,
                server_name=target.server_name or target.address,
            )
        return StreamLink(self._reactor, self, address, *limits)

    def _failed(self, why: Disconnected) -> None:
        reading = self._reading
        if self._has_proven():
            reading.trouble = reading.trouble.over()
        self._connected_at = None
        self._eager = why.idle
        if why.stopped:
            return
        reading.failed(why.sentence)
        if reading.trouble.failures == 1:
            self._log.warn(
                "{target} of device {device} {sentence}; lines are kept on disk",
                target=str(self.target),
                device=self._reader.device,
                sentence=why.sentence,
            )

    def _has_proven(self) -> bool:
        """
        Whether the connection that ended was of use, so that the back-off begins afresh.

        One that carried lines was, and one that lived for a while with nothing to carry; not one
        that only repeated what earlier ones had carried.
        """
        if self._connected_at is None:
            return False
        lived = self._reactor.seconds() - self._proving_since > self.proven_seconds
        return self._feed.sent > self._sent_before or (lived and self._nothing_waited)

    async def _rest(self) -> None:
        self._state = ForwardState.WAITING
        self._reading.rest()
        with suppress(CancelledError):
            await self._wait(Deferred())
        self._reading.go_on()

    def _rested(self) -> None:
        if self._pause is not None:
            self._pause.callback(None)

    async def _wait(self, pause: Deferred[Any]) -> Any:
        """Wait for something that a stop cuts short."""
        self._pause = pause
        try:
            return await pause
        finally:
            self._pause = None

    # -- what a link asks and tells ---------------------------------------------

    def more(self, position: int) -> Chunk | None:
        """See `Source`."""
        chunk = self._feed.more(position)
        if chunk is not None:
            if self._settling is None:
                self._settle_seconds = _SETTLE_SECONDS
                self._moved_at = self._reactor.seconds()
                self._settling = self._reactor.callLater(_SETTLE_SECONDS, self._confirm_sent)
            return chunk
        self._reading.watch()
        return None

    def connected(self) -> None:
        """See `Source`."""
        self._state = ForwardState.CONNECTED
        self._connections += 1
        self._proving_since = self._moved_at = self._reactor.seconds()
        self._connected_at = wall_seconds(self._reactor)
        if self.target.protocol == "UDP" and not self._whereabouts.literal:
            self._look_later()

    def waiting(self) -> int:
        """See `Source`."""
        return self._feed.waiting

    def unsendable(self) -> None:
        """See `Source`."""
        self._feed.read_only()

    def dropped(self) -> None:
        """See `Source`."""
        self._dropped += 1

    def disconnected(self, ended: Disconnected) -> None:
        """See `Source`."""
        assert self._link_ended is not None
        self._link_ended.callback(ended)

    # -- where a name leads -----------------------------------------------------

    def _look_later(self) -> None:
        self._looking = self._reactor.callLater(self._resolve_seconds, self._resolve_again)

    def _resolve_again(self) -> None:
        """
        Over UDP nothing tells that no receiver is at an address any more, so its name is asked for again.
        """
        self._looking = None
        link, asked = self._link, self._whereabouts.look_again()
        asked.addCallback(lambda _: self._looked(link))

    def _looked(self, link: Link | None) -> None:
        if link is None or link is not self._link or self._address is None:
            return
        error = self._whereabouts.error
        if error is not None and not self._name_lost:
            self._log.warn(
                "{target} of device {device} has a name that no longer resolves: "
                "{cause}; its last address {address} remains in use",
                target=str(self.target),
                device=self._reader.device,
                cause=error.strerror or str(error),
                address=str(self._address[1][0]),
            )
        self._name_lost = error is not None
        if self._whereabouts.still_at(self._address):
            self._look_later()
            return
        self._log.info(
            "{target} of device {device} has moved from {address}",
            target=str(self.target),
            device=self._reader.device,
            address=str(self._address[1][0]),
        )
        self._moving = True
        link.close()

    # -- progress ---------------------------------------------------------------

    def _heard(self) -> None:
        if self._state is ForwardState.WAITING and self._eager:
            self._eager = False  # a peer that takes lines and is gone while there are none
            self._reading.hurry()

    def _wake(self) -> None:
        if self._link is not None and self._state is ForwardState.CONNECTED:
            self._link.wake()

    def _confirm_sent(self) -> None:
        """Ask what has left; more often while it moves."""
        self._settling = None
        if self._link is None:
            return
        now = self._reactor.seconds()
        moved = self._left(now)
        if self._link is None:  # it had to be closed
            return
        if moved:
            self._moved_at = now
            self._settle_seconds = _SETTLE_SECONDS
            self._link.wake()
        else:
            self._settle_seconds = min(_SETTLE_MOST, self._settle_seconds * 1.5)
        if not self._feed.idle:
            self._settling = self._reactor.callLater(self._settle_seconds, self._confirm_sent)

    def _left(self, now: float) -> bool:
        assert self._link is not None
        try:
            return self._feed.confirm_sent(self._link.acknowledged_position(), now)
        except OSError as error:
            self._link.close(
                "is connected, but this host cannot save its position: "
                f"{error.strerror or error}; check the disk of the logs"
            )
            return True

    def _close_when_sent(self, deadline: float) -> None:
        if self._link is None:
            return
        now = self._reactor.seconds()
        self._left(now)
        if self._link is None:
            return
        if (self._link.finished and self._feed.idle) or now >= deadline:
            self._link.close()
        else:
            self._reactor.callLater(0.02, self._close_when_sent, deadline)

    # -- what is shown ------------------------------------------------------------

    def figures(self) -> ForwardFigures:
        """Where the target stands."""
        now, feed, trouble = self._reactor.seconds(), self._feed, self._reading.trouble
        error = self._whereabouts.error
        figures = ForwardFigures(
            target=str(self.target),
            mode=self.target.mode,
            framing=None if self.target.protocol == "UDP" else self.target.framing,
            state=self._state,
            address=None if self._address is None else str(self._address[1][0]),
            name_fault=None if error is None else error.strerror or str(error),
            connected_at=self._connected_at,
            connections=self._connections,
            lines_per_second=round(feed.rate.per_second(feed.sent, now), 1),
            sent=feed.sent,
            repeated=feed.repeated,
            altered=feed.altered,
            cut=feed.cut,
            dropped=self._dropped,
        )
        current = trouble.over() if self._state is ForwardState.CONNECTED else trouble
        figures = with_reader(figures, self._reader, current)
        stalled = 0.0 if feed.idle else now - self._moved_at
        return evolve(figures, sentence=forwarding(figures, trouble, now, stalled))

    @property
    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as failures and last error of `figures` stay."""
        return self._reading.trouble, self._state is ForwardState.CONNECTED
