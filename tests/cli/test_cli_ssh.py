"""
`tsadmin` and a simulated firewall that is reached by SSH: its host key by hand, its groups by an update.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
import pytest_twisted
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.conch.ssh.keys import FingerprintFormats
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tscm.kinds.asa.ssh.kind import LINKS
from tscm.simulator.service import AsaOptions, SimulatedAsa

if TYPE_CHECKING:
    from tests.cli.conftest import Start

pytestmark = pytest.mark.peer("ssh")
PIN = r"Pin it\? \(y or n\) \[default n\] "
SHOWN = r"The device presents the host key (SHA256:[A-Za-z0-9+/]{43})"


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    service = SimulatedAsa(reactor, AsaOptions(password="s3cret-one", ssh=("127.0.0.1", 0)))
    service.startService()
    yield service
    await service.stopService()


@pytest.fixture
def lists(root: Path, tmp_path: Path) -> None:
    """Two lists out of files."""
    feeds = []
    for name, content in (("block", "45.0.0.0/24\n46.1.1.7\n"), ("allow", "47.0.0.1\n")):
        path = tmp_path / f"{name}.txt"
        path.write_text(content)
        feeds.append(f'[[policy.feeds]]\nname = "{name}.example"\nurl = "file://{path}"\n')
    (root / "etc/tscm").mkdir(parents=True, exist_ok=True)
    (root / "etc/tscm/tscm.toml").write_text("".join(feeds))


def end(child: Any) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    return child.exitstatus, child.before


@pytest_twisted.ensureDeferred
async def test_a_device_is_added_by_its_host_key_updated_examined_and_replaced(
    asa: SimulatedAsa, start: "Start", lists: None, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret-one\n")
    options = {
        "device_id": "tdid_abcd1234",
        "device": "127.0.0.1",
        "ssh_port": str(asa.ssh_port),
        "block_list": "block.example",
        "allow_list": "allow.example",
        "username": "admin",
        "password_file": str(secret),
        "enable_password_file": str(secret),
        "send_logs": "no",
    }
    add = ("add", "--type=asa", *(f"--{name}={value}" for name, value in options.items()), "fw")

    def work() -> None:
        child = start(*add, fakes=False)
        child.expect(PIN)
        child.sendline("n")
        status, rest = end(child)
        assert status == 1
        assert "nothing was stored" in rest

        child = start(*add, fakes=False)
        child.expect(SHOWN)
        first = child.match[1]
        child.expect(PIN)
        child.sendline("y")
        status, rest = end(child)
        assert status == 0, rest
        assert "tsadmin update fw" in rest
        assert "aaa authentication ssh console LOCAL" in rest

        status, rest = end(start("update", "fw", fakes=False))
        assert status == 0, rest
        assert "it now has 2 block and 1 allow entries" in rest

        status, rest = end(start("doctor", "fw", "--json", fakes=False))
        found = json.loads(rest[rest.index("{") :])
        verdicts = {one["link"]: one["verdict"] for one in next(iter(found["devices"].values()))}
        assert [verdicts[link] for link in (*LINKS, "device clock", "groups")] == ["ok"] * 10
        assert "free budget" not in verdicts

        assert asa._ssh is not None
        asa._ssh.renew_host_keys()
        status, rest = end(start("update", "fw", fakes=False))
        assert status != 0
        assert "not one that its settings pin" in rest

        told = re.search(
            r"configure fw --host_key (SHA256:[A-Za-z0-9+/]{43})`", "".join(rest.split("\r\n"))
        )
        assert told is not None, rest
        assert told[1] != first
        status, rest = end(start("configure", "fw", f"--host_key={told[1]}", fakes=False))
        assert status == 0, rest
        assert end(start("update", "fw", fakes=False))[0] == 0

    await deferToThread(work)
    groups = asa.configuration.groups
    assert set(groups["ThreatSTOP-Block-1"].members) == {
        "network-object 45.0.0.0 255.255.255.0",
        "network-object host 46.1.1.7",
    }


@pytest_twisted.ensureDeferred
async def test_old_algorithms_are_named_with_what_would_help(
    asa: SimulatedAsa, start: "Start", lists: None, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret-one\n")
    asa.set_switches({"ssh_algorithms": "8.4"})
    words = (
        *("add", "--type=asa", "--device_id=tdid_abcd1234", "--device=127.0.0.1"),
        *(f"--ssh_port={asa.ssh_port}", "--block_list=block.example", "--allow_list=allow.example"),
        *("--username=admin", f"--password_file={secret}", "--send_logs=no", "fw"),
    )

    def work() -> str:
        child = start(*words, fakes=False)
        status, rest = end(child)
        assert status == 1
        return " ".join(rest.split())

    said = await deferToThread(work)
    assert "diffie-hellman-group1-sha1" in said
    assert "--ssh_old_algorithms yes" in said
    assert "ssh key-exchange group dh-group14-sha256" in said


@pytest_twisted.ensureDeferred
async def test_a_key_stands_in_for_the_password_and_is_sealed(
    asa: SimulatedAsa, start: "Start", lists: None, root: Path, tmp_path: Path
) -> None:
    made = ed25519.Ed25519PrivateKey.generate()
    forms = {"plain": NoEncryption(), "locked": BestAvailableEncryption(b"geheim")}
    for name, form in forms.items():
        text = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, form)
        (tmp_path / name).write_bytes(text)
    public = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    asa.type_lines(
        [
            "aaa authorization exec LOCAL auto-enable",
            "username robot nopassword privilege 15",
            "username robot attributes",
            f"ssh authentication publickey {public.split()[1]}",
        ]
    )
    assert asa._ssh is not None
    pin = asa._ssh.host_key("modern").public().fingerprint(FingerprintFormats.SHA256_BASE64)
    words = (
        *("add", "--type=asa", "--device_id=tdid_abcd1234", "--device=127.0.0.1"),
        *(f"--ssh_port={asa.ssh_port}", "--block_list=block.example", "--allow_list=allow.example"),
        *("--username=robot", f"--host_key=SHA256:{pin.rstrip('=')}", "--send_logs=no"),
    )

    def work() -> str:
        status, rest = end(
            start(*words, f"--ssh_key_file={tmp_path / 'locked'}", "fw", fakes=False)
        )
        assert status == 2, rest
        assert "locked with a passphrase" in " ".join(rest.split())
        status, rest = end(start(*words, f"--ssh_key_file={tmp_path / 'plain'}", "fw", fakes=False))
        assert status == 0, rest
        return " ".join(rest.split())

    said = await deferToThread(work)
    assert f"ssh authentication publickey {public.split()[1]}" in said
    stored = (root / "etc/tscm/devices/fw.toml").read_text()
    assert 'ssh_key = "sealed:' in stored
    assert "PRIVATE KEY" not in stored
    assert "password" not in stored.replace("password_prompt", "")
