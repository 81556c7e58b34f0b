"""
Debian's `ssh` as our way to a device: which keys it takes, what it may offer, what its failures mean.
"""

import getpass
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.kinds.asa.ssh.command_line import hosts
from tscm.base.deadline import Scope
from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import CreateGroup
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.faults import (
    HostKeyUntrusted,
    NoCommonAlgorithm,
    fault_of,
)
from tscm.kinds.asa.ssh.keys import private_key
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.login import Entrance
from tscm.kinds.asa.ssh.openssh import Target, read_failure, words
from tscm.kinds.asa.ssh.process import NotOpened, SshProcess
from tscm.kinds.faults import Overloaded, SessionsUsedUp, Unauthorised, Unreachable
from tscm.model import Cidr
from tscm.simulator.accounts import Accounts
from tscm.simulator.service import AsaOptions, SimulatedAsa

reactor: Any = global_reactor
peer = pytest.mark.peer("ssh")
quiet = pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
NO_PIN = "SHA256:" + "A" * 43
RELEASES = {
    "8.4": ("diffie-hellman-group1-sha1", "3des-cbc,aes128-cbc,aes256-cbc", "hmac-sha1,hmac-md5", "ssh-rsa"),
    "9.4": ("diffie-hellman-group14-sha1", "aes128-cbc,aes192-cbc,aes256-cbc", "hmac-sha1", "ssh-rsa"),
    "9.12": ("diffie-hellman-group14-sha256", "aes256-cbc,aes256-ctr", "hmac-sha1,hmac-sha2-256", "ssh-rsa"),
    "9.16": ("diffie-hellman-group14-sha256", "aes128-ctr,aes256-ctr", "hmac-sha2-256", "rsa-sha2-256"),
}  # fmt: skip


# -- words and failures ---------------------------------------------------------------


def test_no_secret_stands_on_the_command_line_and_no_key_is_taken_at_first_sight() -> None:
    said = words("ssh", Target(host="192.0.2.1", username="admin", pins=(NO_PIN,)))
    assert "StrictHostKeyChecking=yes" in said
    assert "UserKnownHostsFile=/dev/null" in said
    assert said[-2:] == ["--", "192.0.2.1"]
    assert not any("+" in one.partition("=")[2] for one in said if "Algorithms" in one)


@pytest.mark.parametrize(
    "pin", ["", "SHA256:short", NO_PIN + '"; id; "', "MD5:00:11", NO_PIN + "\n"]
)
def test_what_is_no_fingerprint_is_no_pin(pin: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        Target(host="192.0.2.1", username="admin", pins=(pin,))


@pytest.mark.parametrize(
    ("errors", "kind", "cause", "remedy"),
    [
        (
            "Unable to negotiate with 192.0.2.1 port 22: no matching key exchange method found. "
            "Their offer: diffie-hellman-group1-sha1,kex-strict-s-v00@openssh.com\r\n",
            "algorithms",
            "but diffie-hellman-group1-sha1",
            "`ssh key-exchange group dh-group14-sha256`",
        ),
        (
            "Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: 3des-cbc\r\n",
            "algorithms",
            "but 3des-cbc",
            "`ssh cipher encryption high`",
        ),
        (
            "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. "
            "Their offer: ssh-rsa\r\n",
            "algorithms",
            "but ssh-rsa",
            "--ssh_old_algorithms yes",
        ),
        ("admin@192.0.2.1: Permission denied (password).\r\n", "login", "rejected", ""),
        (
            "ssh: connect to host 192.0.2.1 port 22: Connection refused\r\n",
            "connection",
            "refused",
            "",
        ),
        (
            "ssh: Could not resolve hostname fw1: Name or service not known\r\n",
            "connection",
            "fw1",
            "",
        ),
        (
            "kex_exchange_identification: Connection closed by remote host\r\n",
            "closed",
            "before the login",
            "show ssh sessions",
        ),
        ("Connection reset by 192.0.2.1 port 22\r\n", "closed", "before the login", ""),
        (
            "KnownHostsCommand-ORDER: setresuid 999: Operation not permitted\r\n"
            "KnownHostsCommand-ORDER /bin/sh failed, status 1\r\nKnownHostsCommand failed\r\n",
            "program",
            "setresuid 999: Operation not permitted",
            "SystemCallFilter",
        ),
        ("", "other", "without a word", ""),
        ("something new\r\n", "other", "something new", ""),
    ],
)
def test_failures_are_told_with_cause_and_remedy(
    errors: str, kind: str, cause: str, remedy: str
) -> None:
    failure = read_failure(errors, name="fw1", old_algorithms=False)
    assert failure.kind == kind
    assert cause in failure.cause
    assert remedy in failure.remedy
    assert isinstance(fault_of("fw1", failure), DeviceFault)


def test_where_old_algorithms_are_allowed_they_are_no_remedy() -> None:
    said = "Unable to negotiate with a port 22: no matching MAC found. Their offer: hmac-md5-96\n"
    assert "ssh_old" not in read_failure(said, name="fw1", old_algorithms=True).remedy


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotOpened) as caught:
        opened(Target(host="192.0.2.1", username="admin", pins=(NO_PIN,)))
    fault = fault_of("fw1", caught.value.failure)
    assert isinstance(fault, Unreachable)
    assert "apt-get install openssh-client" in str(fault)


# -- OpenSSH set to what ASAs offer ---------------------------------------------------


@define
class Daemon:
    """Debian's sshd behind a port that stays ours: each connection gets one of its own."""

    folder: Path
    config: Path
    listener: socket.socket
    running: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def port(self) -> int:
        number: int = self.listener.getsockname()[1]
        return number

    @property
    def pin(self) -> str:
        return fingerprint(self.folder / "host.pub")

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.running.append(
                    subprocess.Popen(
                        ["/usr/sbin/sshd", "-i", "-f", str(self.config)],
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=subprocess.DEVNULL,
                    )
                )


def fingerprint(path: Path) -> str:
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True
    )
    return said.stdout.split()[1]


@pytest.fixture(params=list(RELEASES))
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Daemon]]:
    exchange, ciphers, macs, signatures = RELEASES[request.param]
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(tmp_path / name)],
            check=True,
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as its service does
    config = tmp_path / "sshd.conf"
    config.write_text(
        f"HostKey {tmp_path / 'host'}\nKexAlgorithms {exchange}\nCiphers {ciphers}\nMACs {macs}\n"
        f"HostKeyAlgorithms {signatures}\nAuthorizedKeysFile {tmp_path / 'user.pub'}\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nPubkeyAcceptedAlgorithms +ssh-rsa\n"
        "PrintMotd no\nPrintLastLog no\nForceCommand printf 'fw1# '; exec cat\n"
    )
    listener = socket.create_server(("127.0.0.1", 0))
    made = Daemon(tmp_path, config, listener)
    thread = Thread(target=made.serve, daemon=True)
    thread.start()
    yield request.param, made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)
    for one in made.running:
        one.kill()
        one.wait()


@peer
@pytest.mark.peer("sshd")
def test_openssh_with_the_algorithms_of_a_release(daemon: tuple[str, Daemon]) -> None:
    release, server = daemon
    modern = Target(
        host="127.0.0.1",
        port=server.port,
        username=getpass.getuser(),
        pins=(NO_PIN, server.pin),
        key_file=str(server.folder / "user"),
    )
    if release != "9.16":
        with pytest.raises(NotOpened) as caught:
            opened(modern)
        assert caught.value.failure.kind == "algorithms"
        assert any(offer in caught.value.failure.cause for offer in RELEASES[release])
    process = opened(evolve(modern, old_algorithms=True))
    try:
        said = b""
        while not said.endswith(b"# "):
            said += process.receive(60) or b""
        process.send(b"hello\n")
        while b"hello" not in said:
            said += process.receive(60) or b""
    finally:
        process.close()
    assert said.startswith(b"fw1# ")
    with pytest.raises(NotOpened) as caught:
        opened(evolve(modern, old_algorithms=True, pins=(NO_PIN,)))
    assert caught.value.failure.kind == "host key"
    assert caught.value.failure.key is not None
    assert caught.value.failure.key.fingerprint == server.pin


def opened(target: Target) -> SshProcess:
    process = SshProcess("fw1", target, time.monotonic)
    process.open("never sent", 60)
    return process


# -- the simulated firewall ------------------------------------------------------------


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
    service.startService()
    yield service
    await service.stopService()


def driver(
    asa: SimulatedAsa,
    *pins: str,
    password: str = "secret",
    old: bool = False,
    key: Secret | None = None,
    user: str = "admin",
) -> SshDriver:
    assert asa.ssh_port is not None
    return SshDriver(
        SshLink(
            name="fw1",
            target=Target(
                host="127.0.0.1",
                port=asa.ssh_port,
                username=user,
                pins=pins,
                old_algorithms=old,
            ),
            password=Secret(password),
            entrance=Entrance(enable=Secret("secret")),
            key=key,
        )
    )


def beside(work: Callable[[], None]) -> "Deferred[None]":
    return deferToThread(work)


def key_of(asa: SimulatedAsa, *, old: bool = False) -> str:
    """The key that it shows, as the error of a driver without pins tells it."""
    with pytest.raises(HostKeyUntrusted) as caught:
        driver(asa, old=old).probe()
    assert caught.value.shown is not None
    return caught.value.shown


@peer
@quiet
@pytest.mark.parametrize("release", ["8.4", "9.4", "9.12", "9.16"])
@pytest_twisted.ensureDeferred
async def test_a_push_to_each_release(asa: SimulatedAsa, release: str) -> None:
    asa.set_switches({"ssh_algorithms": release})

    def work() -> None:
        if release != "9.16":
            with pytest.raises(NoCommonAlgorithm, match="ssh_old_algorithms"):
                driver(asa, NO_PIN).probe()
        made = driver(asa, NO_PIN, key_of(asa, old=True), old=True)
        members = tuple(map(Cidr, hosts(300)))
        made.apply(CreateGroup(group="T-Block-1", members=members))
        assert set(made.read_groups("T")["T-Block-1"].members) == set(members)
        made.save()
        made.close()

    await beside(work)
    assert len(asa.configuration.groups["T-Block-1"].members) == 300


@peer
@pytest_twisted.ensureDeferred
async def test_the_password_goes_to_no_other_key(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    check = Accounts.check

    def heard(self: Accounts, name: str, password: str) -> Any:
        given.append(password)
        return check(self, name, password)

    monkeypatch.setattr(Accounts, "check", heard)

    def work() -> None:
        pin = key_of(asa)
        made = driver(asa, pin)
        made.probe()
        made.close()
        count = len(given)
        assert count > 0
        assert asa._ssh is not None
        asa._ssh.renew_host_keys()
        with pytest.raises(HostKeyUntrusted, match="not one that its settings pin"):
            driver(asa, pin).probe()
        assert len(given) == count

    await beside(work)


@peer
@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_given_once(asa: SimulatedAsa) -> None:
    def work() -> None:
        pin = key_of(asa)
        with pytest.raises(Unauthorised):
            driver(asa, pin, password="wrong").probe()

    await beside(work)


@peer
@pytest_twisted.ensureDeferred
async def test_a_key_opens_the_account_and_is_gone_when_it_has(asa: SimulatedAsa) -> None:
    key, public = rsa_key()
    asa.type_lines(
        [
            "username robot nopassword privilege 15",
            "username robot attributes",
            f"ssh authentication publickey {public}",
            "aaa authorization exec LOCAL auto-enable",
        ]
    )

    def work() -> None:
        before = open_files()
        pin = key_of(asa)
        made = driver(asa, pin, password="", key=key, user="robot")
        assert made.probe().version
        assert not any("memfd" in one for one in open_files() - before)
        made.close()
        other, _ = rsa_key()
        with pytest.raises(Unauthorised, match="the user name or the key") as caught:
            driver(asa, pin, password="", key=other, user="robot").probe()
        assert "--ssh_key_file" in str(caught.value)

    await beside(work)
    assert "ssh authentication publickey" in asa.device.running_config()
    asa.type_lines(["no username robot"])
    assert "robot" not in asa.device.running_config()


@peer
@pytest_twisted.ensureDeferred
async def test_a_key_that_ssh_cannot_read_is_told_as_such(asa: SimulatedAsa) -> None:
    damaged = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"

    def work() -> None:
        with pytest.raises(DeviceFault, match="cannot read the private key"):
            driver(asa, key_of(asa), password="", key=Secret(damaged)).probe()

    await beside(work)


def rsa_key() -> tuple[Secret, str]:
    """A key as `ssh-keygen` writes it, and its public half as an ASA takes it."""
    made = rsa.generate_private_key(65537, 2048)
    text = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    words = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode().split()
    return private_key(text), words[1]


def open_files() -> set[str]:
    folder = Path("/proc/self/fd")
    found = set[str]()
    for one in folder.iterdir():
        with suppress(OSError):
            found.add(str(one.readlink()))
    return found


@peer
@pytest_twisted.ensureDeferred
async def test_used_up_sessions_and_a_closed_port_are_told(asa: SimulatedAsa) -> None:
    def work() -> None:
        pin = key_of(asa)
        made = [driver(asa, pin) for _ in range(5)]
        for one in made:
            one.probe()
        with pytest.raises(SessionsUsedUp, match="five in a context"):
            driver(asa, pin).probe()
        for one in made:
            one.close()
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))  # and nobody listens
            number: int = held.getsockname()[1]
            target = Target(host="127.0.0.1", port=number, username="admin", pins=(pin,))
            link = SshLink(name="fw1", target=target, password=Secret("x"), entrance=Entrance())
            with pytest.raises(Unreachable, match="refused"):
                SshDriver(link).probe()

    await beside(work)


@peer
@pytest_twisted.ensureDeferred
async def test_what_waits_for_a_device_ends_when_the_manager_stops(asa: SimulatedAsa) -> None:
    asa.set_switches({"ssh_line_seconds": 0.0})
    scope = Scope()

    def work() -> None:
        made = driver(asa, key_of(asa))
        made.probe()
        asa.switches.ssh_line_seconds = 3600.0
        reactor.callFromThread(reactor.callLater, 0.3, scope.hurry)
        with pytest.raises(Overloaded, match="the manager ends it"):
            scope.run(made.look, "show clock")
        made.close()

    await beside(work)
