"""
The simulated firewall as Debian's `ssh` finds it: algorithms of ASA releases, and what a firewall does to a session.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
import pytest_twisted
from twisted.conch.ssh import _kex
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread

from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.ssh_shell import Shell
from tscm.simulator.terminal import Terminal

reactor: Any = global_reactor
pytestmark = [
    pytest.mark.peer("ssh"),
    # Conch's own, with every exchange over a finite field.
    pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields"),
]
OLD = (
    "KexAlgorithms=+diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "Ciphers=+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc",
    "HostKeyAlgorithms=+ssh-rsa",
)
SECONDS = 60


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
    service.startService()
    yield service
    await service.stopService()


def ssh(asa: SimulatedAsa, folder: Path, *options: str) -> "pexpect.spawn[str]":
    """Debian's client, which takes any key here."""
    words = [
        *("-F", "none", "-p", str(asa.ssh_port), "-o", "StrictHostKeyChecking=no"),
        *("-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "PubkeyAuthentication=no"),
    ]
    for option in options:
        words += ["-o", option]
    return pexpect.spawn("ssh", [*words, "admin@127.0.0.1"], timeout=SECONDS, encoding="utf-8")


def at(work: Callable[[], str]) -> "Deferred[str]":
    """Beside the reactor, which serves it."""
    return deferToThread(work)


def login(child: "pexpect.spawn[str]") -> None:
    child.expect("assword: ")
    child.sendline("secret")
    child.expect("ciscoasa> ")
    child.sendline("enable")
    child.expect("Password: ")
    child.sendline("secret")
    child.expect("ciscoasa# ")


@pytest.mark.parametrize("release", ["8.4", "9.4", "9.12", "9.16"])
@pytest_twisted.ensureDeferred
async def test_ssh_logs_in_to_each_release(asa: SimulatedAsa, release: str, tmp_path: Path) -> None:
    asa.set_switches({"ssh_algorithms": release})

    def work() -> str:
        child = ssh(asa, tmp_path, *(() if release == "9.16" else OLD))
        login(child)
        child.sendline("exit")
        child.expect(pexpect.EOF)
        child.close()
        return (tmp_path / "known").read_text()

    assert " ssh-rsa " in await at(work)


@pytest.mark.parametrize(
    ("release", "offer"),
    [
        ("8.4", "diffie-hellman-group1-sha1"),
        ("9.4", "diffie-hellman-group14-sha1"),
        ("9.12", "ssh-rsa"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_old_releases_offer_nothing_that_ssh_takes_by_itself(
    asa: SimulatedAsa, release: str, offer: str, tmp_path: Path
) -> None:
    asa.set_switches({"ssh_algorithms": release})

    def work() -> str:
        child = ssh(asa, tmp_path)
        child.expect(pexpect.EOF)
        child.close()
        return child.before or ""

    assert f"Their offer: {offer}" in await at(work)


def test_conch_has_the_names_that_the_algorithms_are_put_into() -> None:
    """Its own are private; a version without them has to be looked at."""
    assert isinstance(_kex._kexAlgorithms, dict)
    assert hasattr(_kex._IFixedGroupKexAlgorithm, "implementedBy")
    assert b"diffie-hellman-group14-sha1" in _kex._kexAlgorithms


@pytest_twisted.ensureDeferred
async def test_the_question_of_a_first_login_is_put_off_by_a(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    asa.type_lines(["banner motd * ciscoasa# is watched > *"])
    asa.set_switches({"ssh_unasked": "reporting"})

    def work() -> str:
        child = ssh(asa, tmp_path)
        child.expect("assword: ")
        child.sendline("secret")
        child.expect("sk later: ")
        shown = child.before or ""
        child.sendline("A")
        child.expect("\nciscoasa> ")
        child.close()
        return shown

    assert "* ciscoasa# is watched > *" in await at(work)


@pytest.mark.parametrize(
    ("position", "text"),
    [("replication", "Beginning configuration replication"), ("syslog", "%ASA-5-111008")],
)
@pytest_twisted.ensureDeferred
async def test_sessions_print_what_nobody_asked_for(
    asa: SimulatedAsa, position: str, text: str, tmp_path: Path
) -> None:
    asa.set_switches({"ssh_unasked": position})

    def work() -> str:
        child = ssh(asa, tmp_path)
        login(child)
        child.sendline("terminal pager 0")
        for _ in range(5):
            child.sendline("show clock")
        child.expect(text)
        child.expect("ciscoasa# ")
        child.close()
        return "done"

    assert await at(work) == "done"


@pytest_twisted.ensureDeferred
async def test_a_session_is_cut_in_mid_line(asa: SimulatedAsa, tmp_path: Path) -> None:
    asa.set_switches({"ssh_cut_after_bytes": len("enable\rsecret\rshow cl")})

    def work() -> str:
        child = ssh(asa, tmp_path)
        login(child)
        child.sendline("show clock")
        child.expect(pexpect.EOF)
        child.close()
        return child.before or ""

    assert "UTC" not in await at(work)


def shell(**switches: Any) -> "tuple[Shell, StringTransport, Clock, list[str]]":
    """A privileged session by hand, its clock, and what ended it from outside."""
    asa = SimulatedAsa(reactor, AsaOptions(password="secret"))
    asa.type_lines(
        [
            *("object-group network C", "network-object host 192.0.2.1"),
            *("object-group network P", "group-object C"),
            "access-list a extended deny ip object-group P any",
        ]
    )
    asa.set_switches(switches)
    clock, aborted = Clock(), list[str]()
    terminal = Terminal(asa.device, "admin", auto_enable=True)
    made = Shell(terminal, clock, lambda: None, lambda: aborted.append("aborted"))
    transport = StringTransport()
    made.makeConnection(transport)
    transport.clear()
    return made, transport, clock, aborted


def test_an_idle_session_ends_as_ssh_timeout_says() -> None:
    made, transport, clock, _ = shell()
    made.dataReceived(b"configure terminal\rssh timeout 7\r")
    made.dataReceived(b"\r")  # the time counts from the last key on
    clock.advance(7 * 60 - 1)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting
    made.connectionLost()
    assert not clock.getDelayedCalls()


def test_lines_take_their_time_and_what_is_typed_too_far_ahead_gets_lost() -> None:
    made, transport, clock, _ = shell(ssh_line_seconds=0.5, ssh_ahead_bytes=24)
    made.dataReceived(b"show mode\rshow mode\rshow clock\rshow clock\r")
    assert b"single" not in transport.value()
    clock.advance(0.5)
    assert transport.value().count(b"single") == 1
    clock.advance(0.5)
    assert transport.value().count(b"single") == 2
    clock.advance(5)
    assert transport.value().endswith(b"show")
    made.connectionLost()


def test_a_change_of_a_group_in_use_takes_longer() -> None:
    made, transport, clock, _ = shell(ssh_recompile_seconds=30)
    made.dataReceived(
        b"configure terminal\robject-group network D\rnetwork-object host 192.0.2.9\r"
    )
    assert transport.value().count(b"(config-network-object-group)# ") == 2
    made.dataReceived(b"object-group network C\rnetwork-object host 192.0.2.9\r")
    assert transport.value().count(b"(config-network-object-group)# ") == 3
    clock.advance(30)
    assert transport.value().count(b"(config-network-object-group)# ") == 4
    made.connectionLost()


def test_a_session_ends_at_a_byte() -> None:
    made, transport, _, aborted = shell(ssh_cut_after_bytes=14)
    made.dataReceived(b"show mode\rshow mode\r")
    assert transport.value().endswith(b"# show")
    assert aborted
    made.connectionLost()


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (
            "plain",
            "Adding obj (network-object host 192.0.2.1 ) to grp (G) failed; object already exists",
        ),
        (
            "warning",
            "WARNING: Adding obj (network-object host 192.0.2.1) to grp (G) failed; object already exists",
        ),
    ],
)
def test_a_member_that_is_there_is_told_in_one_of_two_shapes(position: str, text: str) -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret"))
    asa.set_switches({"duplicate_message": position})
    member = "network-object host 192.0.2.1"
    said = asa.type_lines(["object-group network G", member, member])
    assert text in str(said)


@pytest.mark.parametrize(
    ("profile", "version"),
    [("5510-8.4", "8.4"), ("5512-9.4", "9.4"), ("5516-9.12", "9.12"), ("ASAv30-9.16", "9.16")],
)
def test_a_platform_offers_what_its_release_does(profile: str, version: str) -> None:
    made = SimulatedAsa(reactor, AsaOptions(password="secret", profile=profile))
    assert made.switches.ssh_algorithms == version
    assert made.device.asa_version.startswith(version)
    assert made.device.load_errors == []
