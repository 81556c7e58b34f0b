"""
A device that is moved from one way to another: its groups, their mark, its history and what is known of it stay.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tscm.simulator.service import AsaOptions, SimulatedAsa

if TYPE_CHECKING:
    from tests.cli.conftest import Start

pytestmark = pytest.mark.peer("ssh")


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
    (root / "etc/tscm/tscm.toml").write_text("".join(feeds))


def end(child: Any) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    return child.exitstatus, " ".join(child.before.split())


@pytest_twisted.ensureDeferred
async def test_a_device_goes_from_rest_to_http_to_ssh_and_back_without_a_change_to_its_groups(
    asa: SimulatedAsa, start: "Start", lists: None, root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret-one\n")
    add = (
        *("add", "--type=asarest", "--device_id=tdid_abcd1234", "--device=127.0.0.1"),
        *("--block_list=block.example", "--allow_list=allow.example", "--username=admin"),
        *(f"--password_file={secret}", "--send_logs=no", f"--fingerprint={asa.fingerprint}"),
        *(f"--rest_url={asa.api_url}", "fw"),
    )

    def unchanged() -> None:
        before = asa.device.running_config()
        status, said = end(start("update", "fw", fakes=False))
        assert status == 0, said
        assert "reloaded" not in said
        assert asa.device.running_config() == before

    def work() -> None:
        status, said = end(start(*add, fakes=False))
        assert status == 0, said
        assert end(start("update", "fw", fakes=False))[0] == 0

        wrong = start("configure", "fw", "--type=asahttp", "--http_port=1", fakes=False)
        status, said = end(wrong)
        assert status == 1, said
        assert "no TCP connection" in said

        port = f"--http_port={asa.port}"
        status, said = end(start("configure", "fw", "--type=asahttp", port, fakes=False))
        assert status == 0, said
        assert "groups and history stay as they are" in said
        unchanged()

        child = start("configure", "fw", "--type=asa", f"--ssh_port={asa.ssh_port}", fakes=False)
        child.expect(r"Enable password : \(Enter for none\)")
        child.sendline("s3cret-one")
        child.expect("host key SHA256:")
        child.expect("Pin it")
        child.sendline("y")
        status, said = end(child)
        assert status == 0, said
        unchanged()

        back = ("configure", "fw", "--type=asarest", f"--rest_url={asa.api_url}")
        child = start(*back, f"--fingerprint={asa.fingerprint}", fakes=False)
        child.expect("Token Auth")
        child.sendline("")
        child.expect("Allow Self-Signed")
        child.sendline("")
        status, said = end(child)
        assert status == 0, said
        unchanged()

        status, said = end(start("policy", "history", "fw", "--json", fakes=False))
        found = json.loads(said[said.index("{") :])
        assert len(found["generations"]) == 1, said

    await deferToThread(work)
    assert 'type = "asarest"' in (root / "etc/tscm/devices/fw.toml").read_text()


@pytest_twisted.ensureDeferred
async def test_options_of_the_way_that_is_left_are_refused(
    asa: SimulatedAsa, start: "Start", lists: None
) -> None:
    def work() -> None:
        status, said = end(start("configure", "fw", "--type=toaster", fakes=False))
        assert (status, "'toaster' is not a device type" in said) == (2, True)
        status, said = end(start("configure", "fw", "fx", "--type=asa", fakes=False))
        assert (status, "every device has its own" in said) == (2, True)

    await deferToThread(work)
