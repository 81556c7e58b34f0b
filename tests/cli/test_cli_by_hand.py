"""
`tsadmin block`, `allow` and `entries` against a simulated firewall, with and without a manager.
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from tests.manager.manager_process import Manager
from tests.waiting import PATIENCE_SECONDS
from tscm.base.clock import told_time
from tscm.base.secrets import Secret
from tscm.cli.main import run
from tscm.kinds.asa.lines import access_list_lines
from tscm.simulator.service import AsaOptions, SimulatedAsa

PASSWORD = "s3cret-of-the-asa"
LISTED = {"20.0.0.1", "20.0.0.9"}


@define
class Site:
    """A root with firewalls `one` and `two`, and a manager that is started where a test wants it."""

    root: Path
    manager: Manager
    asas: dict[str, SimulatedAsa]

    def protect(self) -> None:
        """Enter the access-lists that `tsadmin add` prints; the next push sees them."""
        lines = access_list_lines("ThreatSTOP-Block", "ThreatSTOP-Allow")
        for asa in self.asas.values():
            asa.type_lines([*lines, "access-group global_access global"])

    async def tsadmin(self, *words: str) -> tuple[int, str]:
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-W", "error", "-m", "tscm", "--root", str(self.root), *words],
            env={"PATH": os.environ["PATH"]},
        )
        both = (out + err).decode()
        assert "Traceback" not in both, both
        return status, both

    async def at_once(self, count: int, *words: str) -> list[tuple[int, str]]:
        calls = [Deferred.fromCoroutine(self.tsadmin(*words)) for _ in range(count)]
        return [await one for one in calls]

    async def asked(self, *words: str) -> Any:
        out, err, _ = await getProcessOutputAndValue(
            sys.executable,
            ["-W", "error", "-m", "tscm", "--root", str(self.root), *words, "--json"],
            env={"PATH": os.environ["PATH"]},
        )
        assert out, err
        return json.loads(out)

    async def start(self) -> None:
        await deferToThread(self.manager.start)

    def held(self, name: str, kind: str = "Block") -> set[str]:
        groups = self.asas[name].configuration.groups
        found: set[str] = set()
        for parent in [one for one in groups if one.endswith(f"-{kind}")]:
            for child in groups[parent].children:
                found |= {
                    member.removeprefix("network-object ") for member in groups[child].members
                }
        return {one.removeprefix("host ") for one in found} - {"192.0.2.1"}

    async def until(self, holds: Any) -> None:
        waited = 0.0
        while not holds():
            assert waited < PATIENCE_SECONDS, self.manager.said()
            await deferLater(reactor, 0.05)
            waited += 0.05


@pytest_twisted.async_yield_fixture()
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    root = tmp_path / "node"
    feeds = ""
    for name, content in (("block", sorted(LISTED)), ("allow", ["50.0.0.0/24"])):
        (tmp_path / name).write_text("\n".join(content))
        feeds += f'[[policy.feeds]]\nname = "{name}.example"\nurl = "file://{tmp_path}/{name}"\n'
    manager = Manager(
        root,
        f'address = "60.0.0.1"\n[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n[policy]\nprotect = ["60.0.9.9"]\n'
        f"retry_seconds = 0\n{feeds}",
    )
    asas = {}
    for number, name in enumerate(("one", "two"), 1):
        asa = SimulatedAsa(reactor, AsaOptions(username="admin", password=PASSWORD))
        asa.startService()
        asas[name] = asa
        manager.write_device(
            name,
            device=f"127.0.0.{number}",
            device_id=f"tdid_test{number}",
            rest_url=asa.api_url,
            fingerprint=asa.fingerprint,
            password=Secret(PASSWORD),
            policy_updates=True,
            send_logs=False,
        )
    site = Site(root, manager, asas)
    for name in asas:
        status, said = await site.tsadmin("update", name)
        assert status == 0, said
    yield site
    await deferToThread(manager.stop)
    for asa in asas.values():
        await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_the_life_of_an_entry_with_a_manager(site: Site, tmp_path: Path) -> None:
    await site.start()
    site.protect()
    for name in ("block", "allow"):
        (tmp_path / name).unlink()  # no list can be fetched any more
    status, said = await site.tsadmin(
        "block", "30.0.0.1", "--for", "4h", "--reason", "seen \x1b[31min ticket 7", "--all"
    )
    assert status == 0, said
    assert "\x1b" not in said
    assert "Entry 1: block 30.0.0.1/32 on all devices, until " in said
    for name in site.asas:
        assert site.held(name) == {*LISTED, "30.0.0.1"}
    (entry,) = (await site.asked("entries"))["entries"]
    assert (entry["in_force"], entry["waiting"]) == (["one", "two"], [])
    assert entry["until"] - entry["made_at"] == 4 * 3600
    _, shown = await site.tsadmin("entries")
    assert "one, two" in shown
    assert "4h left" in shown
    _, why = await site.tsadmin("why", "30.0.0.1", "one")
    assert "is blocked" in why
    assert "block list by hand: 30.0.0.1/32 is in force" in why
    assert "entry 1, block 30.0.0.1/32 by root" in why
    told = [line for line in why.splitlines() if "block.example" in line]
    assert [line.strip() for line in told] == [
        "block list block.example: 30.0.0.1/32 is not in the list"
    ]
    (noted,) = [one for one in await site.asked("audit") if one["operation"] == "enter"]
    assert noted["arguments"]["reason"].endswith("in ticket 7")
    assert noted["arguments"]["until"] == told_time(entry["until"])
    assert noted["actor"]
    status, said = await site.tsadmin("entries", "remove", "30.0.0.1")
    assert status == 0, said
    for name in site.asas:
        assert site.held(name) == LISTED
    assert (await site.asked("entries"))["entries"] == []


@pytest_twisted.ensureDeferred
async def test_the_life_of_an_entry_without_a_manager(site: Site) -> None:
    status, said = await site.tsadmin("block", "30.0.0.0/24", "--for", "30m", "--device", "one")
    assert status == 0, said
    assert "no manager is running on this host" in said
    assert site.held("one") == {*LISTED, "30.0.0.0 255.255.255.0"}
    assert site.held("two") == LISTED
    (entry,) = (await site.asked("entries"))["entries"]
    assert (entry["device"], entry["in_force"]) == ("one", ["one"])
    status, said = await site.tsadmin("entries", "remove", "1")
    assert status == 0, said
    assert site.held("one") == LISTED


@pytest_twisted.ensureDeferred
async def test_what_a_killed_manager_stored_is_pushed_by_the_next(site: Site) -> None:
    await site.start()
    made = await deferToThread(
        site.manager.command,
        "POST",
        "/v1/entries",
        {"action": "block", "cidr": "30.0.0.1", "device": "one", "reason": "x"},
    )
    assert made["result"]["entry"]["id"] == 1
    await deferToThread(site.manager.stop, signal.SIGKILL)
    assert site.held("one") == LISTED
    await site.start()
    await site.until(lambda: site.held("one") == {*LISTED, "30.0.0.1"})


@pytest_twisted.ensureDeferred
async def test_an_entry_ends_by_itself(site: Site) -> None:
    await site.start()
    status, said = await site.tsadmin("block", "30.0.0.1", "--for", "4h", "--device", "one")
    assert status == 0, said
    assert site.held("one") == {*LISTED, "30.0.0.1"}
    # Not a short time: a loaded machine may take longer to push it.
    with closing(sqlite3.connect(site.manager.layout.database, timeout=60)) as database:
        database.execute("UPDATE user_entries SET until = made_at + 1")
        database.commit()
    await site.until(lambda: site.held("one") == LISTED)
    for _ in range(100):
        if any(one["actor"] == "schedule" for one in await site.asked("audit")):
            break
    else:
        raise AssertionError("the audit does not say who took it off")


@pytest_twisted.ensureDeferred
async def test_the_guard_refuses_and_nothing_is_stored(site: Site) -> None:
    await site.start()
    for action, cidr, cause in (
        ("block", "60.0.9.9", "would block 60.0.9.9/32, protected by the settings"),
        ("block", "60.0.0.0/30", "would block 60.0.0.1/32, the manager"),
        ("block", "127.0.0.1", "an address of the device"),
        ("block", "10.1.2.3", "private space"),
        ("allow", "fe80::1", "link-local space"),
        ("block", "32.0.0.0/7", "wider than /8"),
        ("block", "2a00::/12", "wider than /19"),
        ("allow", "0.0.0.0/0", "default route"),
        ("block", "50.0.0.7", "the allow list (allow.example)"),
        ("block", "30.0.0.7/24", "use 30.0.0.0/24 for the network"),
        ("block", "siem.example", "is a name"),
        ("forbid", "30.0.0.1", "is not an action"),
    ):
        body = {"action": action, "cidr": cidr, "device": "one"}
        said = await deferToThread(site.manager.command, "POST", "/v1/entries", body)
        assert cause in said["error"]["sentence"], said
    status, said = await site.tsadmin("block", "30.0.0.1")
    assert status == 2
    assert "there are 2 devices; give --device NAME, or --all" in said
    status, said = await site.tsadmin("block", "60.0.9.9", "--device", "one")
    assert status == 1
    assert "nothing was stored: would block 60.0.9.9/32" in said
    status, said = await site.tsadmin("block", "30.0.0.1", "--device", "nosuch")
    assert status != 0
    assert "nosuch" in said
    assert (await site.asked("entries"))["entries"] == []


@pytest_twisted.ensureDeferred
async def test_block_and_allow_of_the_same_network(site: Site) -> None:
    site.protect()
    status, said = await site.tsadmin("block", "30.0.0.1", "--device", "one")
    assert status == 0, said
    status, said = await site.tsadmin("allow", "30.0.0.1", "--device", "one")
    assert status == 0, said
    assert "has no effect until this entry ends" in said
    _, why = await site.tsadmin("why", "30.0.0.1", "one")
    assert "is permitted" in why
    status, said = await site.tsadmin("block", "30.0.0.1", "--for", "1h", "--device", "one")
    assert status == 1
    assert "remove that entry with `tsadmin entries remove 2`" in said
    status, said = await site.tsadmin("entries", "remove", "30.0.0.1")
    assert status == 0, said
    assert (site.held("one"), site.held("one", "Allow")) == (
        LISTED,
        {"50.0.0.0 255.255.255.0"},
    )


@pytest_twisted.ensureDeferred
async def test_a_held_device_refuses_unless_told(site: Site) -> None:
    status, said = await site.tsadmin("policy", "rollback", "one", "1", "--yes")
    assert status == 0, said
    status, said = await site.tsadmin("block", "30.0.0.1", "--device", "one")
    assert status == 1
    assert "nothing was entered: on device 'one' updates are held" in said
    assert (await site.asked("entries"))["entries"] == []
    status, said = await site.tsadmin("block", "30.0.0.1", "--all")
    assert status == 1
    assert "not pushed: updates are held" in said
    assert (site.held("one"), site.held("two")) == (LISTED, {*LISTED, "30.0.0.1"})
    status, said = await site.tsadmin("block", "30.0.0.9", "--device", "one", "--held")
    assert status == 0, said
    assert "30.0.0.9" in site.held("one")


@pytest_twisted.ensureDeferred
async def test_a_device_that_does_not_answer_gets_it_later(site: Site) -> None:
    await site.start()
    await site.asas["one"].stopService()
    status, said = await site.tsadmin("block", "30.0.0.1", "--all")
    assert status != 0
    assert "the entry is stored, and the manager pushes it with its next retry" in said
    assert site.held("two") == {*LISTED, "30.0.0.1"}
    (entry,) = (await site.asked("entries"))["entries"]
    assert (entry["in_force"], entry["waiting"]) == (["two"], ["one"])


@pytest_twisted.ensureDeferred
async def test_two_who_enter_and_remove_the_same_at_once(site: Site) -> None:
    await site.start()
    ended = await site.at_once(3, "block", "30.0.0.1", "--device", "one")
    assert [status for status, _ in ended] == [0, 0, 0], ended
    assert len((await site.asked("entries"))["entries"]) == 1
    assert site.held("one") == {*LISTED, "30.0.0.1"}
    ended = await site.at_once(3, "entries", "remove", "30.0.0.1")
    assert sorted(status for status, _ in ended) == [0, 1, 1]
    assert site.held("one") == LISTED


def test_without_a_device_there_is_no_guard_and_no_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--root", str(tmp_path), "block", "30.0.0.1", "--all"]) == 2
    assert "no devices yet" in capsys.readouterr().err
    assert run(["--root", str(tmp_path), "entries"]) == 0
    assert "No entries by hand" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--for", "0m"], ["--device", "one", "--all"], ["--for", "x"]])
def test_wrong_options_are_refused_before_anybody_is_asked(
    words: list[str], tmp_path: Path
) -> None:
    assert run(["--root", str(tmp_path), "block", "30.0.0.1", *words]) == 2


@pytest_twisted.ensureDeferred
async def test_nothing_is_called_blocked_of_which_part_may_be_gone(site: Site) -> None:
    site.protect()
    status, said = await site.tsadmin("block", "30.0.0.1", "--device", "one")
    assert status == 0, said
    with closing(sqlite3.connect(site.manager.layout.database)) as database, database:
        database.execute(
            "UPDATE devices SET memory = json_set(memory, '$.upheavals', json(?))",
            ('{"199002": 1700000000.0}',),
        )
    _, why = await site.tsadmin("why", "30.0.0.1", "one")
    assert "30.0.0.1 is perhaps blocked; part of the groups may be missing since 2023-11-1" in why
    assert "by hand: 30.0.0.1/32 is perhaps in force" in why
    assert "has started (199002 at" in why
    assert "(perhaps in force)" in why
