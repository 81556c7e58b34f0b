"""
The syslog source: every line to every collector, each one counted.
"""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults

from tscm.simulator.counts import Counts
from tscm.simulator.outlets import Line, Outlet, Target, UdpOutlet
from tscm.simulator.switches import Switches
from tscm.simulator.tcp_outlet import TcpOutlet

__all__ = ["Line", "SyslogSource", "Target", "TcpOutlet"]


@define(eq=False)
class SyslogSource(Service):
    """
    All collectors of one firewall; each gets every line.
    """

    _reactor: Any
    _switches: Switches
    _targets: tuple[Target, ...]
    _source_address: str
    _counts: Counts
    changed: Callable[[TcpOutlet], None] = lambda _: None
    queue: Callable[[], int] = lambda: 512
    configured: Callable[[Target], bool] = lambda _: True
    """Is this collector still to be sent lines?"""
    outlets: list[Outlet] = field(factory=list, init=False)
    _started: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        for target in self._targets:
            arguments = (
                target,
                self._reactor,
                self._switches,
                self._source_address,
                self._counts,
            )
            if target.protocol == "udp":
                self.outlets.append(UdpOutlet(*arguments))
            else:
                self.outlets.append(TcpOutlet(*arguments, changed=self.changed, queue=self.queue))

    def privilegedStartService(self) -> None:
        """Open the sockets."""
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

    def put(self, line_for: Callable[[bool], Iterable[Line]]) -> None:
        """Give each collector its lines; *line_for* is told whether it is reached by UDP."""
        for outlet in self.outlets:
            if not self.configured(outlet.target):
                continue
            outlet.put(line_for(outlet.target.protocol == "udp"))

    def reset(self) -> None:
        """Break every TCP connection, as a reload does."""
        for outlet in self.outlets:
            if isinstance(outlet, TcpOutlet):
                outlet.reset()

    @property
    def was_never_up(self) -> bool:
        """Is there a TCP collector that was not reached yet?"""
        return any(
            isinstance(o, TcpOutlet) and not o.connections and self.configured(o.target)
            for o in self.outlets
        )

    @property
    def tcp_is_down(self) -> bool:
        """Is a TCP collector away?"""
        return any(
            isinstance(o, TcpOutlet) and not o.up and self.configured(o.target)
            for o in self.outlets
        )

    def when_idle(self) -> Deferred[None]:
        """Fires when no collector that is there has lines waiting."""
        waits = [outlet.when_idle() for outlet in self.outlets]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done

    def stopService(self) -> Deferred[None]:
        """Close everything."""
        super().stopService()
        stops = [outlet.stop() for outlet in self.outlets] if self._started else []
        waits = [stop for stop in stops if stop is not None]
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done
