"""
From `tsadmin lists add` to the groups of a firewall: a manager with its own policy service.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.cli.test_cli_by_hand import Site
from tests.manager.manager_process import Manager
from tests.ports import held_port
from tscm.base.secrets import Secret
from tscm.services.entries import add_entry
from tscm.settings.layout import Layout
from tscm.simulator.service import AsaOptions, SimulatedAsa

PASSWORD = "s3cret-of-the-asa"


@pytest_twisted.async_yield_fixture()
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    root = tmp_path / "node"
    port = held_port()
    manager = Manager(
        root,
        'address = "60.0.0.1"\n[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n[policy]\n'
        f'servers = ["127.0.0.1:{port}"]\nretry_seconds = 0\n[portal]\ndns = ["127.0.0.1:{port}"]\n',
    )
    add_entry(Layout(root).portal, nickname="one", address="127.0.0.1")
    asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD))
    asa.startService()
    manager.write_device(
        "one",
        device="127.0.0.1",
        device_id="tdid_test1",
        rest_url=asa.api_url,
        fingerprint=asa.fingerprint,
        password=Secret(PASSWORD),
        block_list="block.default.tscm.internal",
        allow_list="allow.default.tscm.internal",
        policy_updates=True,
        send_logs=False,
    )
    site = Site(root, manager, {"one": asa})
    await site.start()
    yield site
    await deferToThread(manager.stop)
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_a_change_of_a_list_reaches_the_firewall_by_itself(site: Site) -> None:
    status, said = await site.tsadmin("lists", "add", "own-block", "20.0.0.1", "20.0.0.2")
    assert status == 0, said
    await site.until(lambda: site.held("one") == {"20.0.0.1", "20.0.0.2"})
    status, said = await site.tsadmin("lists", "add", "own-block", "20.0.0.9", "--for", "3s")
    assert status == 0, said
    await site.until(lambda: "20.0.0.9" in site.held("one"))
    await site.until(lambda: site.held("one") == {"20.0.0.1", "20.0.0.2"})
    (policy,) = (await site.asked("portal", "policies"))["policies"]
    assert (policy["block_entries"], policy["held"]) == (2, "")
    why = await site.asked("portal", "why", "20.0.0.1")
    assert [one["part"] for one in why["holders"]] == ["list:own-block"]
    assert why["lists"][0]["who"]


@pytest_twisted.ensureDeferred
async def test_an_edit_that_cannot_be_published_says_so(site: Site) -> None:
    folder = Layout(site.root).portal / "published"
    (folder / "odd.txt").mkdir(parents=True, exist_ok=True)
    status, said = await site.tsadmin("lists", "add", "own-block", "20.0.0.1")
    assert status == 0, said
    assert "it is not published yet: " in said
    (folder / "odd.txt").rmdir()
    status, said = await site.tsadmin("lists", "add", "own-block", "20.0.0.2")
    assert status == 0, said
    assert "not published" not in said
