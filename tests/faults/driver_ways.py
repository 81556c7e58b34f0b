"""
The ways to a simulated firewall, each as a row: how its driver is opened, and where a fault meets what it says.

An *exchange* is a request over HTTPS or a line that is typed.  Before each one the suite decides what becomes of it,
and after each that took effect it looks at the firewall.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet import reactor as global_reactor

from tests.kinds.asa.http.http_device import http_driver
from tests.kinds.asa.rest.asa_device import settings_for
from tests.kinds.asa.ssh.command_line import Box, ShellChannel
from tscm.kinds.asa.driver import AsaDriver
from tscm.kinds.asa.http.link import Bounds as HttpBounds
from tscm.kinds.asa.rest.link import Bounds
from tscm.kinds.asa.rest.opening import open_driver as open_rest
from tscm.kinds.asa.ssh.console import ChannelClosed
from tscm.kinds.asa.ssh.openssh import Failure
from tscm.kinds.asa.ssh.process import NotOpened
from tscm.kinds.asa.ssh.window import Window
from tscm.simulator.service import SimulatedAsa
from tscm.simulator.web import AsaHttpRequest

reactor: Any = global_reactor
IMPATIENT = Bounds(connect_seconds=5, read_seconds=0.3, write_seconds=0.3)
SLOW_SECONDS = 0.1
SLOW_LOGIN_SECONDS = 40.0  # a login may take 60 s
SLOW_SSH_SECONDS = 250.0  # a line may take 330 s, for a group in use is compiled again
INVALID = "ERROR: % Invalid input detected at '^' marker."


class Act(Enum):
    """What becomes of an exchange."""

    PASS = auto()
    CUT_BEFORE = auto()
    """The connection ends before the device has read it,"""
    CUT_AFTER = auto()
    """or when it has done it, and before it has answered."""
    NO = auto()
    """The device answers with an error, and does nothing."""
    SILENCE = auto()
    """Nothing is done and nothing answers."""
    SLOW = auto()
    """The device does it and answers late, within what the driver waits for."""


@define(eq=False)
class Seam:
    """What a way asks and tells of each exchange; the suite puts its own functions there."""

    before: Callable[[str], Act] = lambda _: Act.PASS
    after: Callable[[], None] = lambda: None
    refusing: bool = False
    """No new connection is taken."""


class Way(Protocol):
    """
    One driver's connection to *asa*.
    """

    in_process: bool
    """Does the driver run without the reactor?"""

    def open(self, learnt: Mapping[str, Any]) -> AsaDriver:
        """The driver, with nothing said yet."""

    def end_connections(self) -> None:
        """What a failover and a reload do to them."""


@define(eq=False)
class OverHttps:
    """
    Requests to the simulated web server; *opener* makes the driver.
    """

    asa: SimulatedAsa
    seam: Seam
    opener: Callable[[SimulatedAsa, Mapping[str, Any]], AsaDriver]
    in_process: bool = False

    def __attrs_post_init__(self) -> None:
        https: Any = self.asa._doors.https
        https.taker = self.take

    def take(self, http: AsaHttpRequest) -> None:
        if self.seam.refusing:
            http.reset_connection()
            return
        act = self.seam.before(f"{http.method.decode()} {http.uri.decode()}")
        kind = _KINDS.get(act)
        if kind is not None:
            self.asa.agent.faults.arm(kind)
        if act is Act.SLOW:
            reactor.callLater(SLOW_SECONDS, self._answer, http)
        else:
            self._answer(http)

    def _answer(self, http: AsaHttpRequest) -> None:
        if http._disconnected:
            return  # the driver did not wait
        self.asa.agent.take(http)
        self.seam.after()

    def open(self, learnt: Mapping[str, Any]) -> AsaDriver:
        return self.opener(self.asa, learnt)

    def end_connections(self) -> None:
        """The agent's own tokens die; a connection more or less is nothing to it."""


_KINDS = {
    Act.CUT_BEFORE: "reset-before",
    Act.CUT_AFTER: "reset-after",
    Act.NO: "500",
    Act.SILENCE: "silence-before",
}


@define(eq=False)
class FaultyChannel(ShellChannel):
    """A session whose lines the seam decides on."""

    seam: Seam = field(factory=Seam)
    silent: bool = False
    late: list[tuple[Act, bytes]] = field(factory=list)
    """What was typed since the device became slow."""

    def send(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            if self.gone or self.transport.disconnecting or self.closed:
                raise ChannelClosed("the device ended the session")
            act = Act.SILENCE if self.silent else self.seam.before(line.decode().rstrip())
            self.silent = act is Act.SILENCE
            if self.late:
                self.late.append((act, line))
            elif act is Act.SLOW:
                self.late.append((Act.PASS, line))
                self.clock.callLater(self._lateness, self._catch_up)
            else:
                self._read(act, line)

    @property
    def _lateness(self) -> float:
        privileged = self.shell._terminal.prompt.endswith("# ")
        return SLOW_SSH_SECONDS if privileged else SLOW_LOGIN_SECONDS

    def _catch_up(self) -> None:
        late, self.late = self.late, []
        for act, line in late:
            self._read(act, line)

    def _read(self, act: Act, line: bytes) -> None:
        if act is Act.SILENCE:
            return
        if act is Act.CUT_BEFORE:
            self.end()
        elif act is Act.NO:
            prompt = self.shell._terminal.prompt
            self.transport.write(line.rstrip() + f"\r\n{INVALID}\r\n\r{prompt}".encode())
        elif not self.gone:
            self.shell.dataReceived(line)
            self.seam.after()
            if act is Act.CUT_AFTER:
                self.end()

    def end(self) -> None:
        self.transport.clear()
        self.gone.append("cut")


@define(eq=False)
class OverSsh:
    """Lines on the simulated command line, without a network."""

    asa: SimulatedAsa
    seam: Seam
    in_process: bool = True
    _box: Box = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._box = Box(self.asa)

    def open(self, learnt: Mapping[str, Any]) -> AsaDriver:
        made = self._box.driver(window=Window.remembered(learnt))
        made._link.opener = self._session
        return made

    def _session(self, *target: Any) -> FaultyChannel:
        if self.seam.refusing:
            refused = "connect to host 192.0.2.1 port 22: Connection refused"
            raise NotOpened(Failure(kind="connection", cause=refused))
        plain = self._box.open(*target)
        made = FaultyChannel(
            plain.shell, plain.transport, plain.clock, plain.pieces, plain.gone, seam=self.seam
        )
        self._box.sessions[-1] = made
        return made

    def end_connections(self) -> None:
        for one in self._box.sessions:
            one.transport.clear()
            one.gone.append("ended")


@frozen
class Row:
    """A driver of the suite, by the type of its devices."""

    type: str
    make: Callable[[SimulatedAsa, Seam], Way]


def _rest(asa: SimulatedAsa, learnt: Mapping[str, Any]) -> AsaDriver:
    return open_rest(settings_for(asa), learnt, bounds=IMPATIENT)


def _http(asa: SimulatedAsa, learnt: Mapping[str, Any]) -> AsaDriver:
    bounds = HttpBounds(connect_seconds=5, read_seconds=0.3, write_seconds=0.3)
    return http_driver(asa, bounds=bounds, learnt=learnt)


ROWS = (
    Row("asarest", lambda asa, seam: OverHttps(asa, seam, _rest)),
    Row("asahttp", lambda asa, seam: OverHttps(asa, seam, _http)),
    Row("asa", OverSsh),
)
"""A new driver joins by a line here."""
