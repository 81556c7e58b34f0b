"""
The simulated firewall's command line without a network: its time is the test's, its bytes come in any pieces.
"""

import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet import reactor as global_reactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tscm.base.secrets import Secret
from tscm.kinds.asa.ssh.console import ChannelClosed
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.login import Entrance
from tscm.kinds.asa.ssh.openssh import Target
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.ssh_shell import Shell
from tscm.simulator.terminal import Terminal

reactor: Any = global_reactor
DRIVERS: list[SshDriver] = []
"""Those that a test has made: its end closes them."""


@define(eq=False)
class ShellChannel:
    """One session; *pieces* cuts what comes."""

    shell: Shell
    transport: StringTransport
    clock: Clock
    pieces: Random
    gone: list[str]
    typed: Callable[[str], None] = lambda _: None
    """Is told each line when the device has read it."""
    closed: bool = False

    def receive(self, seconds: float) -> bytes | None:
        said: bytes = self.transport.value()
        step = max(0.01, seconds / 200)
        until = self.clock.seconds() + seconds
        while not said:
            if self.gone or self.transport.disconnecting or self.closed:
                raise ChannelClosed("the device ended the session")
            if self.clock.seconds() >= until:
                return None
            self.clock.advance(step)
            said = self.transport.value()
        size = self.pieces.randint(1, 400)
        self.transport.clear()
        self.transport.write(said[size:])
        return said[:size]

    def send(self, data: bytes) -> None:
        if self.gone or self.transport.disconnecting or self.closed:
            raise ChannelClosed("the device ended the session")
        for line in data.splitlines(keepends=True):
            self.shell.dataReceived(line)
            self.typed(line.decode())

    def close(self) -> None:
        self.closed = True
        self.shell.connectionLost()


@define(eq=False)
class Box:
    """A simulated firewall, and drivers for it."""

    asa: SimulatedAsa = field(factory=lambda: SimulatedAsa(reactor, AsaOptions(password="secret")))
    clock: Clock = field(factory=Clock)
    seed: int = 1
    auto_enable: bool = False
    sessions: list[ShellChannel] = field(factory=list)
    typed: Callable[[str], None] = lambda _: None

    @classmethod
    def of(cls, *lines: str, **switches: Any) -> "Box":
        made = cls()
        made.asa.type_lines(lines)
        made.asa.set_switches(switches)
        return made

    def open(self, target: Target, password: Secret, stop: socket.socket) -> ShellChannel:
        gone = list[str]()
        terminal = Terminal(self.asa.device, target.username, auto_enable=self.auto_enable)
        shell = Shell(terminal, self.clock, lambda: None, lambda: gone.append("cut"))
        transport = StringTransport()
        shell.makeConnection(transport)
        self.seed += 1
        channel = ShellChannel(shell, transport, self.clock, Random(self.seed), gone, self.typed)
        self.sessions.append(channel)
        return channel

    def driver(self, *, enable: str = "secret", context: str = "", **more: Any) -> SshDriver:
        link = SshLink(
            name="fw1",
            target=Target(host="192.0.2.1", username="admin"),
            password=Secret("secret"),
            entrance=Entrance(enable=Secret(enable), context=context),
            opener=self.open,
            monotonic=self.clock.seconds,
        )
        DRIVERS.append(SshDriver(link, clock=self.clock.seconds, **more))
        return DRIVERS[-1]

    def members(self, group: str) -> list[str]:
        return list(self.asa.configuration.groups[group].members)


@define(eq=False)
class Script:
    """
    A device that answers as it is told: *answer* gives what is printed on a line, the prompt behind it included.
    """

    answer: Callable[[str], str]
    begin: str = "fw1> "
    typed: list[str] = field(factory=list)
    seconds: float = 0.0
    _said: bytes = b""
    _line: bytes = b""

    def __attrs_post_init__(self) -> None:
        self._said = self.begin.encode()

    def monotonic(self) -> float:
        return self.seconds

    def receive(self, seconds: float) -> bytes | None:
        if not self._said:
            self.seconds += seconds
            return None
        said, self._said = self._said, b""
        return said

    def send(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self.typed.append(line.decode())
            self._said += self.answer(line.decode()).encode()

    def close(self) -> None:
        self.typed.append("closed")

    def driver(self, **entrance: Any) -> SshDriver:
        link = SshLink(
            name="fw1",
            target=Target(host="192.0.2.1", username="admin"),
            password=Secret("secret"),
            entrance=Entrance(**entrance),
            opener=lambda *_: self,
            monotonic=self.monotonic,
        )
        DRIVERS.append(SshDriver(link, clock=self.monotonic))
        return DRIVERS[-1]


def echoing(answers: dict[str, str], prompt: str = "fw1# ") -> Callable[[str], str]:
    """Each line is echoed, answered by what stands under its beginning, and followed by a prompt."""

    def answer(line: str) -> str:
        found = next((text for start, text in answers.items() if line.startswith(start)), None)
        if found is None:
            return f"{line}\r\n\r{prompt}"
        return f"{line}\r\n{found}"

    return answer


def hosts(count: int, start: int = 0) -> Sequence[str]:
    return [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(start, start + count)]
