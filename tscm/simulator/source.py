"""
The syslog source: every line to every collector, each one counted.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from tscm.simulator.counts import Counts
from tscm.simulator.outlets import Line, Outlet, Target, UdpOutlet
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches
from tscm.simulator.tcp_outlet import TcpOutlet

__all__ = ["Line", "SyslogSource", "Target", "TcpOutlet"]


@define(eq=False)
class SyslogSource(Service):
    """
    All collectors of one firewall; each gets every line.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _switches: Switches
    _source_address: str
    _counts: Counts
    changed: Callable[[TcpOutlet], None] = lambda _: None
    queue: Callable[[], int] = lambda: 512
    outlets: list[Outlet] = field(factory=list, init=False)
    _started: bool = field(default=False, init=False)
    _closing: set[Deferred[None]] = field(factory=set, init=False)

    def follow(self, wanted: Iterable[Target]) -> None:
        """
        Send to *wanted* from now on: sockets are opened to what is new, and closed to what is not told.

        A socket that cannot be opened is logged, and leaves the others alone.
        """
        targets = list(dict.fromkeys(wanted))
        for outlet in [one for one in self.outlets if one.target not in targets]:
            self.outlets.remove(outlet)
            self._close(outlet)
        known = {one.target for one in self.outlets}
        for target in targets:
            if target in known:
                continue
            outlet = self._outlet(target)
            try:
                if self._started:
                    outlet.start()
            except SimulatorUnavailable as error:
                self._log.error("{error}", error=error)
                continue
            self.outlets.append(outlet)

    def _outlet(self, target: Target) -> Outlet:
        arguments = (target, self._reactor, self._switches, self._source_address, self._counts)
        if target.protocol == "udp":
            return UdpOutlet(*arguments)
        return TcpOutlet(*arguments, changed=self.changed, queue=self.queue)

    def _close(self, outlet: Outlet) -> None:
        closed = outlet.stop() if self._started else None
        if closed is not None:
            self._closing.add(closed)
            closed.addBoth(lambda _: self._closing.discard(closed))

    def privilegedStartService(self) -> None:
        """Open the sockets; raises `SimulatorUnavailable`."""
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Open the sockets, where that is not done yet."""
        super().startService()
        self._open()

    def _open(self) -> None:
        if not self._started:
            self._started = True
            for outlet in self.outlets:
                outlet.start()

    def put(self, line_for: Callable[[Target], Iterable[Line]]) -> None:
        """Give each collector its lines."""
        for outlet in self.outlets:
            outlet.put(line_for(outlet.target))

    def reset(self) -> None:
        """Break every TCP connection, as a reload does."""
        for outlet in self.outlets:
            if isinstance(outlet, TcpOutlet):
                outlet.reset()

    @property
    def was_never_up(self) -> bool:
        """Is there a TCP collector that was not reached yet?"""
        return any(isinstance(one, TcpOutlet) and not one.connections for one in self.outlets)

    @property
    def tcp_is_down(self) -> bool:
        """Is a TCP collector away?"""
        return any(isinstance(one, TcpOutlet) and not one.up for one in self.outlets)

    def when_idle(self) -> Deferred[None]:
        """Fires when no collector that is there has lines waiting."""
        waits = [outlet.when_idle() for outlet in self.outlets]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done

    def stopService(self) -> Deferred[None]:
        """Close everything."""
        super().stopService()
        stops = [outlet.stop() for outlet in self.outlets] if self._started else []
        waits = [*(stop for stop in stops if stop is not None), *self._closing]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done
