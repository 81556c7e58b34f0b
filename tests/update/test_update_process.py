"""
`tsadmin update` as a process of its own, killed after requests or typed lines in turn; then run again.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.update.update_faults import Faults, Typed
from tests.update.update_world import addresses
from tscm.policy.cidr import CidrSet
from tscm.simulator.service import AsaOptions, SimulatedAsa

SETTINGS = """
address = "192.0.2.1"
[policy]
allow_special = true
retry_seconds = 0
[[policy.feeds]]
name = "block.example"
url = "file://{folder}/block"
[[policy.feeds]]
name = "allow.example"
url = "file://{folder}/allow"
"""
ENDED_BY_KILL = -signal.SIGKILL


@define(eq=False)
class Command(ProcessProtocol):
    """One `tsadmin`; fires with its status and all that it said."""

    ended: "Deferred[tuple[int, str]]" = field(factory=Deferred)
    said: bytes = b""

    def outReceived(self, data: bytes) -> None:
        self.said += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        if reason.check(ProcessDone):
            status = 0
        else:
            status = -value.signal if value.signal else value.exitCode  # type: ignore[union-attr]
        self.ended.callback((status, self.said.decode()))


@define(eq=False)
class Node:
    """A root without a manager, and the firewall that it updates."""

    root: Path
    asa: SimulatedAsa
    faults: Faults | Typed
    running: int = 0

    def publish(self, block: list[str], allow: list[str]) -> None:
        for name, entries in (("block", block), ("allow", allow)):
            (self.root / name).write_text("".join(f"{one}\n" for one in entries))

    async def tsadmin(self, *words: str) -> tuple[int, str]:
        command = Command()
        process = reactor.spawnProcess(
            command,
            sys.executable,
            [sys.executable, "-m", "tscm", "--root", str(self.root), *words],
            env={"PATH": os.environ["PATH"]},
        )
        self.running = process.pid
        status, said = await command.ended.addTimeout(60, reactor)
        self.running = 0
        assert "Traceback" not in said
        return status, said

    def held(self, kind: str) -> CidrSet:
        groups = self.asa.configuration.groups
        parent = groups.get(f"ThreatSTOP-{kind}")
        found = [
            one for child in (parent.children if parent else ()) for one in groups[child].members
        ]
        return CidrSet.of_texts(f"{one.split()[-1]}/32" for one in found)

    def tidy(self) -> bool:
        """Is every group of ours a parent or in one?"""
        groups = self.asa.configuration.groups
        parents = {"ThreatSTOP-Block", "ThreatSTOP-Allow"}
        used = {child for name in parents for child in groups[name].children}
        return {name for name in groups if name.startswith("ThreatSTOP")} == parents | used


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(password="secret", ssh=("127.0.0.1", 0)))
    service.startService()
    yield service
    await service.stopService()


def way_to(asa: SimulatedAsa, way: str) -> tuple[str, ...]:
    """Options of `add` by which *asa* is reached."""
    if way == "asa":
        assert asa._ssh is not None
        return (
            f"--ssh_port={asa.ssh_port}",
            f"--host_key={asa._ssh.fingerprint('modern')}",
            "--enable_password=secret",
        )
    to = f"--rest_url={asa.api_url}" if way == "asarest" else f"--http_port={asa.port}"
    return (to, f"--ca_file={asa.certificate_path}")


@pytest.mark.parametrize(
    ("way", "stride"),
    [
        ("asarest", 3),
        ("asahttp", 3),
        pytest.param("asa", 13, marks=pytest.mark.peer("ssh")),  # lines
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_process_killed_after_some_exchange_leaves_what_the_next_one_finishes(
    asa: SimulatedAsa, tmp_path: Path, way: str, stride: int
) -> None:
    node = Node(tmp_path, asa, Typed(asa) if way == "asa" else Faults(asa))
    (tmp_path / "etc/tscm").mkdir(parents=True)
    (tmp_path / "etc/tscm/tscm.toml").write_text(SETTINGS.replace("{folder}", str(tmp_path)))
    (tmp_path / "password").write_text("secret")
    node.publish(addresses(60), addresses(5, 5000))
    status, said = await node.tsadmin(
        *("add", f"--type={way}", "--device_id=tdid_office1", "--device=127.0.0.1"),
        *way_to(asa, way),
        *("--block_list=block.example", "--allow_list=allow.example", "--username=admin"),
        *(f"--password_file={tmp_path / 'password'}", "--object_group_size=30", "office"),
    )
    assert status == 0, said

    at, turn, killed = 1, 0, 0
    while True:
        turn += 1
        # By turns one child goes and one comes, so that there is something to write each time.
        block, allow = addresses(60 + turn % 2 * 10, 10 * turn), addresses(30 + turn, 5000)
        node.publish(block, allow)
        wanted = {"Block": CidrSet.of_texts(block), "Allow": CidrSet.of_texts(allow)}
        before = {kind: node.held(kind) for kind in wanted}

        def kill(at: int = at) -> None:
            if node.faults.seen == at and node.running:
                os.kill(node.running, signal.SIGKILL)

        node.faults.arm("", 0)
        node.faults.watch = kill
        status, said = await node.tsadmin("update", "office")
        for kind, new in wanted.items():
            assert node.held(kind).contains(before[kind].intersection(new)), f"at {at}: {kind}"
            assert before[kind].union(new).contains(node.held(kind)), f"at {at}: {kind}"
        if status != ENDED_BY_KILL:
            assert status == 0, said
            break
        killed += 1
        node.faults.watch = lambda: None
        status, said = await node.tsadmin("update", "office")
        assert status == 0, f"at {at}: {said}"
        assert {kind: node.held(kind) for kind in wanted} == wanted, f"at {at}"
        assert node.tidy(), f"at {at}"
        at += stride
    assert killed > 2
    assert at > 8
