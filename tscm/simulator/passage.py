"""
Where packets pass and lines leave: traffic, header form and collectors joined.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tscm.simulator.counts import Counts
from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.logging_lines import LogHost, hosts
from tscm.simulator.matching import Packet
from tscm.simulator.outcome import Outcome
from tscm.simulator.reach import Reach
from tscm.simulator.source import Line, SyslogSource, Target, TcpOutlet
from tscm.simulator.syslog_form import Form, Message
from tscm.simulator.traffic import Traffic

PERMIT_HOSTDOWN = "logging permit-hostdown"
LOGGING_STANDBY = "logging standby"
_QUEUE = 512
_INTERVAL_CHECK = 1.0
_INJECTED = "Free the flow created as result of packet injection"
"""Why a connection ends that `packet-tracer` made (302014)."""
_BUFFER = Target("udp", "", 0)
"""`logging buffered` keeps lines in the form that goes out by UDP."""


@define(eq=False)
class Passage:
    """
    The firewall's data path, with `logging buffered` as the last 1000 lines it had to say.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    device: Device
    counts: Counts
    _reach: Reach = field(factory=Reach)
    _source_address: str = ""
    _standby_address: str = ""
    traffic: Traffic = field(init=False)
    source: SyslogSource = field(init=False)
    standby_source: SyslogSource | None = field(default=None, init=False)
    """The other unit's: with `logging standby` it sends every line too, from its own address."""
    buffer: deque[str] = field(factory=lambda: deque(maxlen=1000), init=False)
    each_second: Callable[[], None] = field(default=lambda: None, init=False)
    _ticking: LoopingCall = field(init=False)
    _form: tuple[int, bool, Form] | None = field(default=None, init=False)
    _followed: int | None = field(default=None, init=False)
    """Generation of the configuration whose collectors are sent to."""
    not_followed: tuple[LogHost, ...] = field(default=(), init=False)
    """Collectors of the configuration that nothing is sent to."""

    def __attrs_post_init__(self) -> None:
        self.traffic = Traffic(self.device)
        self.source = SyslogSource(
            self._reactor,
            self.device.switches,
            self._source_address,
            self.counts,
            changed=self._collector_changed,
            queue=self._queue_length,
        )
        if self._standby_address:
            self.standby_source = SyslogSource(
                self._reactor,
                self.device.switches,
                self._standby_address,
                self.counts,
            )
        self.follow_configuration()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = self._reactor

    def serve(self, device: Device) -> None:
        """Pass packets by another unit's configuration from now on; connections live on."""
        self.device = device
        self.traffic.serve(device)
        self._form = self._followed = None

    def follow_configuration(self) -> None:
        """Send to the collectors that the configuration names, as far as they may be reached."""
        held = self.device.configuration
        if self._followed == held.generation:
            return
        self._followed = held.generation
        named = hosts(held.plain)
        passed_over = tuple(
            one for one in named if one.secure or not self._reach.admits(one.address)
        )
        targets = [Target.of_host(one) for one in named if one not in passed_over]
        for source in self._sources():
            source.follow(targets)
        for one in passed_over:
            if one not in self.not_followed:
                self._log.warn("nothing is sent to {host}: {why}", host=str(one), why=_why(one))
        self.not_followed = passed_over

    def say_outbox(self) -> None:
        """Let in what `packet-tracer` made, and send what the firewall has to say of itself."""
        self.follow_configuration()
        traced = list(self.device.traced)
        self.device.traced.clear()
        if traced:
            self.send(traced, why=_INJECTED)
        said = list(self.device.outbox)
        self.device.outbox.clear()
        if said:
            self.say(said)

    def open(self) -> None:
        """Open the sockets towards the collectors; raises `SimulatorUnavailable`."""
        for source in self._sources():
            source.privilegedStartService()

    def _sources(self) -> list[SyslogSource]:
        return [one for one in (self.source, self.standby_source) if one is not None]

    def when_idle(self) -> Deferred[None]:
        """Fires when no collector that is there has lines waiting."""
        return _all(source.when_idle() for source in self._sources())

    def start(self) -> None:
        """Begin to look for interval lines that are due."""
        for source in self._sources():
            source.startService()
        if not self._ticking.running:
            self._ticking.start(_INTERVAL_CHECK, now=False)

    def stop(self) -> Deferred[None]:
        """Look no more, and close the sockets; fires when that is done."""
        if self._ticking.running:
            self._ticking.stop()
        return _all(source.stopService() for source in self._sources())

    def _tick(self) -> None:
        self.each_second()
        self.follow_configuration()
        due = self.traffic.next_due
        now = self._reactor.seconds()
        if due is not None and now >= due:
            self.say(self.traffic.tick(now))

    # -- packets -------------------------------------------------------------

    @property
    def admits(self) -> bool:
        """May new connections be built?  Not while a TCP collector is down, unless permitted."""
        return PERMIT_HOSTDOWN in self.device.configuration.plain or not self.source.tcp_is_down

    def send(
        self, packets: Iterable[Packet], *, close: bool = True, why: str = "TCP FINs"
    ) -> Outcome:
        """Let *packets* in and say what there is to say of them; *why* connections end."""
        now = self._reactor.seconds()
        outcome = self.traffic.run(packets, now, admit=self.admits, close=close, why=why)
        self.counts.packets += outcome.packets
        self.counts.connections_refused += outcome.refused
        self.say(outcome.messages)
        return outcome

    # -- lines ---------------------------------------------------------------

    def form(self) -> Form:
        """What the logging commands come to at present."""
        held, classes = self.device.configuration, self.device.switches.class_form
        if self._form is None or self._form[:2] != (held.generation, classes):
            form = Form.of(
                held.plain,
                held.hostname,
                classes=classes,
                addresses=self.device.interface_addresses(),
            )
            self._form = (held.generation, classes, form)
        return self._form[2]

    def say(self, messages: Iterable[Message]) -> None:
        """Send *messages* to every collector."""
        self.follow_configuration()
        listed, form = list(messages), self.form()
        now = self._reactor.seconds() + self.device.switches.clock_ahead_seconds

        def lines(target: Target, first: int = 0) -> Iterable[Line]:
            udp = target.protocol == "udp"
            for message in listed[first:]:
                line = form.line(message, now, udp=udp, emblem=target.emblem)
                if line is not None:
                    yield message.id, line

        kept = self.buffer.maxlen or 0
        self.buffer.extend(line.decode() for _, line in lines(_BUFFER, first=-kept))
        self.source.put(lines)
        if self.standby_source is not None and LOGGING_STANDBY in self.device.configuration.plain:
            self.standby_source.put(lines)

    def _queue_length(self) -> int:
        for line in self.device.configuration.plain:
            if line.startswith("logging queue "):
                return whole(line.split()[2], 8192) or 1 << 16
        return _QUEUE

    def _collector_changed(self, outlet: TcpOutlet) -> None:
        where = f"TCP Syslog Server management:{outlet.target.host}/{outlet.target.port}"
        permitted = "permitted" if PERMIT_HOSTDOWN in self.device.configuration.plain else "denied"
        if not outlet.up:
            text = (
                f"{where} not responding. New connections are {permitted} based on "
                "logging permit-hostdown policy."
            )
            self.say([Message("414003", 3, text)])
        elif outlet.connections > 1:
            text = f"{where} connected, New connections are permitted based on "
            self.say(
                [
                    Message("414004", 6, f"{where} - Connection restored"),
                    Message("414005", 3, text + "logging permit-hostdown policy"),
                ]
            )


def _why(host: LogHost) -> str:
    if host.secure:
        return "TLS is not simulated"
    return "it is none of this machine's addresses; --syslog-network lets it be one"


def _all(waits: Iterable[Deferred[None]]) -> Deferred[None]:
    return gatherResults(list(waits), consumeErrors=True).addCallback(lambda _: None)
