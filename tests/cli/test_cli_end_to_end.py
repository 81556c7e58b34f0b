"""
`tsadmin` against the embedded policy service and a simulated firewall, over real sockets.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from tscm.kinds.asa.lines import access_list_lines
from tscm.services.entries import add_entry, list_file
from tscm.settings.layout import Layout
from tscm.simulator.service import AsaOptions, SimulatedAsa

PASSWORD = "s3cret-of-the-asa"
HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def policy_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `twistd tscm-portal` that knows this host."""
    root = tmp_path_factory.mktemp("portal")
    portal = Layout(root).portal
    add_entry(
        portal,
        nickname="office",
        address=HERE,
        block_list="block.example",
        allow_list="allow.example",
    )
    list_file(portal, "block.example").write_text("203.0.113.0/24\n198.51.100.7\n")
    list_file(portal, "empty.example").write_text("# nothing yet\n")
    ready, log = root / "ready", root / "log"
    twistd = Path(sys.executable).parent / "twistd"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [
                *(str(twistd), "-n", "--pidfile=", "tscm-portal", "--root", str(root)),
                *("--dns", f"{HERE}:0", "--ready", str(ready)),
            ],
            stdout=output,
            stderr=output,
            cwd=root,
        ) as process,
    ):
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield json.loads(ready.read_text())["dns"][0]
        process.terminate()


@define
class Line:
    """A node, and a simulated firewall."""

    root: Path
    asa: SimulatedAsa

    async def tsadmin(self, *words: str) -> tuple[int, str]:
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-W", "error", "-m", "tscm", "--root", str(self.root), *words],
            env={"PATH": os.environ["PATH"]},
        )
        both = (out + err).decode()
        assert "Traceback" not in both
        assert PASSWORD not in both
        return status, both

    async def add(self, password: str = PASSWORD, **changed: str) -> tuple[int, str]:
        file = self.root / "password"
        file.write_text(password)
        options = {
            "device_id": "tdid_office1",
            "device": HERE,
            "rest_url": self.asa.api_url,
            "ca_file": str(self.asa.certificate_path),
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": "admin",
            "password_file": str(file),
            **changed,
        }
        words = [f"--{option}={value}" for option, value in options.items() if value]
        return await self.tsadmin("add", "--type=asarest", *words, "office")

    @property
    def stored(self) -> bool:
        return Layout(self.root).devices.exists() or Layout(self.root).key.exists()


@pytest_twisted.async_yield_fixture()
async def line(tmp_path: Path, policy_service: str) -> AsyncIterator[Line]:
    asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD))
    asa.startService()
    root = tmp_path / "node"
    (root / "etc/tscm").mkdir(parents=True)
    (root / "etc/tscm/tscm.toml").write_text(
        f'address = "192.0.2.1"\n[policy]\nservers = ["{policy_service}"]\ntimeout_seconds = 5\n'
    )
    yield Line(root, asa)
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_add_asks_lists_and_device_and_stores(line: Line) -> None:
    status, said = await line.add()

    assert status == 0, said
    assert "Block list block.example: 2 entries" in said
    assert "Allow list allow.example: 0 entries" in said
    assert f"Device {HERE}: ASAv" in said
    assert "beta" in said
    assert "tsadmin update office" in said
    assert "http 192.0.2.1 255.255.255.255 management" in said
    status, shown = await line.tsadmin("show", "office", "--json")
    size = json.loads(shown)["settings"]["max_policy_size"]
    assert 1000 < size < 40_000
    assert not line.asa.configuration.groups  # nothing is pushed by `add`
    requests = line.asa.counts.as_json()["requests"]
    assert any(name.startswith("DELETE /api/tokenservices") for name in requests), requests


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        (
            {"block_list": "nowhere.example"},
            ["block or allow list [nowhere.example] could not be fetched from ThreatSTOP DNS"],
        ),
        (
            {"block_list": "empty.example"},
            ["block or allow list [empty.example] could not be fetched", "the list is empty"],
        ),
        ({"password": "wrong"}, ["device office: ", "assword"]),
        ({"username": "nobody"}, ["device office: "]),
        ({"ca_file": ""}, ["device office: ", "certificate"]),
        ({"fingerprint": "00" * 32, "ca_file": ""}, ["device office: ", "fingerprint"]),
        ({"rest_url": f"https://{HERE}:1/api"}, ["device office: "]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_is_said_and_nothing_is_stored(
    line: Line, changed: dict[str, str], sentences: list[str]
) -> None:
    status, said = await line.add(**changed)

    assert status == 1, said
    for sentence in sentences:
        assert sentence in said
    assert said.count("[ERROR] : ") == 1
    assert not line.stored


@pytest_twisted.ensureDeferred
async def test_a_user_without_the_privilege_to_write_is_told(line: Line) -> None:
    line.asa.type_lines([f"username reader password {PASSWORD} privilege 3"])
    status, said = await line.add(username="reader")

    assert status == 1, said
    assert "privilege" in said
    assert not line.stored


@pytest_twisted.ensureDeferred
async def test_a_policy_service_that_is_away_is_told(line: Line) -> None:
    settings = Layout(line.root).settings_file
    settings.write_text(f'[policy]\nservers = ["{HERE}:1"]\n')
    status, said = await line.add()

    assert status == 1
    assert "could not be fetched" in said
    assert "refused" in said
    assert "check the port in [policy] servers" in said
    assert not line.stored


@pytest_twisted.ensureDeferred
async def test_a_policy_is_pushed_and_asked_about_without_a_manager(line: Line) -> None:
    await line.add(allow_special="yes")

    status, said = await line.tsadmin("plan", "office")
    assert status == 0, said
    assert "+ block 203.0.113.0/24" in said
    status, said = await line.tsadmin("plan", "office", "--force", "--json")
    assert status == 0, said
    assert '"forced": true' in said
    assert not line.asa.configuration.groups

    status, said = await line.tsadmin("update", "office", "--json")
    assert status == 0, said
    assert line.asa.configuration.groups["ThreatSTOP-Block-1"].members
    status, said = await line.tsadmin("policy", "why", "203.0.113.7")
    assert "office: 203.0.113.7 is not blocked" in said
    lines = access_list_lines("ThreatSTOP-Block", "ThreatSTOP-Allow")
    line.asa.type_lines([*lines, "access-group global_access global"])
    status, said = await line.tsadmin("update", "office")
    assert "already has the policy" in said

    status, said = await line.tsadmin("policy", "why", "203.0.113.7")
    assert "office: 203.0.113.7 is blocked" in said
    status, said = await line.tsadmin("policy", "history", "office")
    assert status == 0, said
    assert "changed, 2 entries added" in said
    status, said = await line.tsadmin("policy", "rollback", "--yes", "office", "1")
    assert status == 0, said
    assert "are now held; resume them with" in said
    status, said = await line.tsadmin("policy", "resume", "office")
    assert status == 0, said


@pytest_twisted.ensureDeferred
async def test_groups_are_taken_off_with_the_device(line: Line) -> None:
    await line.add(allow_special="yes")
    await line.tsadmin("update", "office")
    line.asa.type_lines(["access-list out extended deny ip object-group ThreatSTOP-Block any log"])
    status, said = await line.tsadmin("remove", "office", "--yes", "--purge")
    assert status == 1
    assert "ThreatSTOP-Block not deleted: " in said
    way = "no access-list out extended deny ip object-group ThreatSTOP-Block any log"
    assert way in said
    assert "device office is not removed" in said

    line.asa.type_lines([way])
    status, said = await line.tsadmin("remove", "office", "--yes", "--purge")
    assert status == 0, said
    assert "groups were removed from office" in said
    assert not line.asa.configuration.groups


@pytest_twisted.ensureDeferred
async def test_a_failed_update_is_a_sentence_and_kept(line: Line) -> None:
    await line.add(allow_special="yes")
    Layout(line.root).settings_file.write_text(f'[policy]\nservers = ["{HERE}:1"]\n')
    status, said = await line.tsadmin("update", "office")

    assert status == 1
    assert "Failed to retrieve policy" in said
    status, said = await line.tsadmin("policy", "history", "office")
    assert "Failed to retrieve policy" in said
