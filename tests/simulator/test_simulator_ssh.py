"""
The command line over SSH: same store as REST, five sessions, no way in with a wrong password.
"""

import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ClientCreator, connectionDone
from twisted.python.failure import Failure

from tests.simulator.simulator_client import GROUPS, Client
from tests.simulator.test_simulator_logging import TRACE
from tests.simulator.test_simulator_source import Datagrams, until
from tests.simulator.test_simulator_traffic import POLICY
from tscm.simulator import ssh
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.service import AsaOptions, SimulatedAsa

reactor: Any = global_reactor


class Auth(SSHUserAuthClient):
    def __init__(self, password: str, connection: Any) -> None:
        super().__init__(b"admin", connection)
        self._password = password.encode()

    def getPassword(self, prompt: Any = None) -> "Deferred[bytes] | None":
        given, self._password = self._password, b""
        return succeed(given) if given else None

    def getPublicKey(self) -> None:
        return None


class Channel(SSHChannel):
    name = b"session"

    def __init__(self, screen: "Screen") -> None:
        super().__init__()
        self.screen = screen

    def channelOpen(self, data: bytes) -> None:
        assert self.conn is not None
        self.conn.sendRequest(self, b"shell", b"", wantReply=False)

    def dataReceived(self, data: bytes) -> None:
        self.screen.receive(data)

    def closed(self) -> None:
        self.screen.end()


class Screen:
    """What a session printed, and a way to wait for it."""

    def __init__(self) -> None:
        self.text = ""
        self.ended = False
        self._waiting: tuple[str, Deferred[str]] | None = None
        self.channel = Channel(self)
        self.transport: Any = None

    def receive(self, data: bytes) -> None:
        self.text += data.decode()
        self._look()

    def end(self) -> None:
        self.ended = True
        self._look()

    def _look(self) -> None:
        if self._waiting is None:
            return
        wanted, found = self._waiting
        if self.text.endswith(wanted) or self.ended:
            self._waiting, text, self.text = None, self.text, ""
            found.callback(text)

    def until(self, wanted: str) -> "Deferred[str]":
        found: Deferred[str] = Deferred()
        self._waiting = wanted, found
        self._look()
        return found.addTimeout(60, reactor)

    def type(self, line: str, wanted: str) -> "Deferred[str]":
        self.channel.write(line.encode() + b"\r")
        return self.until(wanted)


class Transport(SSHClientTransport):
    def __init__(self, screen: Screen, password: str) -> None:
        self._screen, self._password = screen, password
        screen.transport = self

    def verifyHostKey(self, *_: bytes) -> "Deferred[int]":
        return succeed(1)

    def connectionSecure(self) -> None:
        opening = SSHConnection()
        opening.serviceStarted = lambda: opening.openChannel(self._screen.channel)  # type: ignore[method-assign]
        self.requestService(Auth(self._password, opening))

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        super().connectionLost(reason)
        self._screen.end()


async def log_in(asa: SimulatedAsa, password: str = "secret") -> Screen:
    screen = Screen()
    creator = ClientCreator(reactor, Transport, screen, password)
    await creator.connectTCP("127.0.0.1", asa.ssh_port)
    await screen.until("> ")
    return screen


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
    service.startService()
    yield service
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_what_is_typed_by_ssh_is_seen_by_rest_and_the_agent_is_revived_there(
    asa: SimulatedAsa,
) -> None:
    screen = await log_in(asa)
    await screen.type("enable", "Password: ")
    assert "# " in await screen.type("secret", "# ")
    await screen.type("configure terminal", "(config)# ")
    await screen.type("object-group network G", "(config-network-object-group)# ")
    await screen.type("network-object host 192.0.2.1", "# ")
    client = Client(asa)
    assert [one["name"] for one in (await client.get(GROUPS)).json()["items"]] == ["G"]
    asa.kill_agent()
    await screen.type("no rest-api agent", "# ")
    await screen.type("rest-api agent", "# ")
    assert (await client.get(GROUPS)).status_code == 200
    asa.fail_over()
    await screen.until("no such words")  # the session ends with the unit's being active
    assert screen.ended


@pytest_twisted.ensureDeferred
async def test_a_sixth_session_is_turned_away_and_a_wrong_password_too(asa: SimulatedAsa) -> None:
    screens = [await log_in(asa) for _ in range(5)]
    sixth = await log_in(asa)
    assert sixth.ended
    await screens[0].type("exit", "no such words")
    screens[0].transport.transport.loseConnection()
    while len(asa._ssh.open) >= 5:  # type: ignore[union-attr]
        await pause()
    wrong = await log_in(asa, "wrong")
    assert wrong.ended
    for screen in screens[1:]:
        screen.transport.transport.loseConnection()


@pytest_twisted.ensureDeferred
async def test_connections_without_a_login_give_their_places_back(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "GRACE_SECONDS", 0.05)
    idle = [socket.create_connection(("127.0.0.1", asa.ssh_port)) for _ in range(ssh.MAX_SESSIONS)]
    for one in idle:
        one.setblocking(False)
    for one in idle:
        await until(lambda one=one: is_over(one))
        one.close()
    monkeypatch.undo()
    screen = await log_in(asa)
    assert not screen.ended
    screen.transport.transport.loseConnection()


def is_over(connection: socket.socket) -> bool:
    """Has the other side hung up?  What it says of itself is read away."""
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def pause() -> "Deferred[None]":
    waited: Deferred[None] = Deferred()
    reactor.callLater(0.01, waited.callback, None)
    return waited


@pytest.mark.parametrize("privilege", [5, 15])
@pytest_twisted.ensureDeferred
async def test_auto_enable_is_for_privilege_15(asa: SimulatedAsa, privilege: int) -> None:
    asa.type_lines(
        [
            "aaa authorization exec LOCAL auto-enable",
            f"username admin password secret privilege {privilege}",
        ]
    )
    screen = Screen()
    creator = ClientCreator(reactor, Transport, screen, "secret")
    await creator.connectTCP("127.0.0.1", asa.ssh_port)
    said = await screen.until("# " if privilege == 15 else "> ")
    assert said.startswith("Type help")
    screen.transport.transport.loseConnection()


@pytest_twisted.ensureDeferred
async def test_without_conch_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tscm.simulator.ssh", None)
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
    with pytest.raises(SimulatorUnavailable, match=r"tscm\[ssh\]"):
        service.startService()
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_the_printed_lines_can_be_typed_and_the_line_of_the_test_arrives() -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = SimulatedAsa(
        reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0), config_lines=POLICY)
    )
    asa.startService()
    screen = await log_in(asa)
    await screen.type("enable", "Password: ")
    await screen.type("secret", "# ")
    block = [
        "copy /noconfirm running-config flash:/pre-threatstop-config.backup",
        "configure terminal",
        "! 3. Logging: use one of the two hosts, not both",
        "logging enable",
        "logging timestamp",
        "logging trap informational",
        f"logging host management 127.0.0.1 udp/{port.getHost().port}",
        "write memory",
        TRACE,
    ]
    screen.channel.write("\r".join(block).encode() + b"\r")  # pasted, all at once
    shown = ""
    while "Action: drop" not in shown:
        assert not screen.ended, shown
        shown += await screen.until("# ")
    assert "% " not in shown
    assert shown.count("[OK]") == 1
    await until(lambda: any(b"-106100: access-list acl denied" in one for _, one in heard.heard))
    screen.transport.transport.loseConnection()
    await asa.stopService()
    await port.stopListening()
