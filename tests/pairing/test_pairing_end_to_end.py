"""
One portal, two managers, three roots: from an entry at the portal to the groups of two firewalls, and back.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.cli.test_cli_by_hand import Site
from tests.manager.manager_process import Manager
from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS
from tscm.faces.client import ManagerBackend
from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import EntryHandedOut, EntryRow, EntryRows, PairedDevice
from tscm.operations.entry_arguments import (
    CodeWanted,
    EntryAdded,
    EntryChanged,
    EntryNamed,
    Paired,
)
from tscm.operations.operation import Operation
from tscm.operations.table.pairing import BONDS, PAIR
from tscm.operations.table.portal_entries import (
    ADD_ENTRY,
    CHANGE_ENTRY,
    ISSUE_CODE,
    PORTAL_ENTRIES,
    UNPAIR_ENTRY,
)
from tscm.settings.files import read_device
from tscm.simulator.service import AsaOptions, SimulatedAsa

PASSWORD = "s3cret-of-the-asa"


@define
class Sites:
    """The portal's root, those of the managers, and a firewall for each of these."""

    portal: Site
    url: str
    managers: dict[str, Site]
    asas: dict[str, SimulatedAsa] = field(factory=dict)

    async def at(self, site: Site, *words: str, status: int = 0) -> str:
        ended, said = await site.tsadmin(*words)
        assert ended == status, said
        return said

    async def call(self, site: Site, operation: Operation[Any, Any], args: Any) -> Any:
        """Over the control socket, as `tsadmin` does: a process for each question would cost more than the test."""
        backend = ManagerBackend(site.manager.layout.control_socket)
        return await deferToThread(backend.call, operation, args)

    async def row(self, nickname: str) -> EntryRow:
        rows: EntryRows = await self.call(self.portal, PORTAL_ENTRIES, Nothing())
        return next(one for one in rows.entries if one.nickname == nickname)

    async def set(self, nickname: str, **settings: str) -> None:
        await self.call(self.portal, CHANGE_ENTRY, EntryChanged(item=nickname, settings=settings))

    async def settings(self, name: str) -> Any:
        """Of a device, as its manager has them in force."""
        return read_device(self.managers[name].manager.layout, name, None)

    async def until(self, holds: Any) -> None:
        waited = 0.0
        while not await holds():
            said = [one.manager.said()[-2000:] for one in (self.portal, *self.managers.values())]
            assert waited < PATIENCE_SECONDS, "\n----\n".join(said)
            await deferLater(reactor, 0.3)
            waited += 0.3

    async def entered(self, name: str) -> EntryHandedOut:
        new = EntryAdded(
            item=name,
            fields={"address": "127.0.0.1", "policy": "default", "integration": "auto"},
            settings={
                "type": "asarest", "device": "127.0.0.1", "rest_url": self.asas[name].api_url,
                "username": "admin", "send_logs": "no",
            },
        )  # fmt: skip
        await self.call(self.portal, ADD_ENTRY, new)
        told: EntryHandedOut = await self.call(self.portal, ISSUE_CODE, CodeWanted(item=name))
        return told

    async def paired(self, name: str, told: EntryHandedOut) -> PairedDevice:
        asked = Paired(
            portal=self.url,
            device_id=told.entry.device_id,
            auto_key=told.auto_key,
            local={"password": PASSWORD, "fingerprint": self.asas[name].fingerprint},
        )
        done: PairedDevice = await self.call(self.managers[name], PAIR, asked)
        return done


@pytest_twisted.async_yield_fixture()
async def sites(tmp_path: Path) -> AsyncIterator[Sites]:
    dns, pairing = held_port(), held_port()
    portal = Manager(
        tmp_path / "portal",
        'node_id = "portal"\n[listen]\nudp = []\ntcp = []\n[portal]\n'
        f'dns = ["127.0.0.1:{dns}"]\npairing = ["127.0.0.1:{pairing}"]\n',
    )
    found = Sites(Site(tmp_path / "portal", portal, {}), f"https://127.0.0.1:{pairing}", {})
    for name in ("east", "west"):
        manager = Manager(
            tmp_path / name,
            f'node_id = "{name}"\naddress = "60.0.0.1"\n[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n'
            f'[policy]\nservers = ["127.0.0.1:{dns}"]\nretry_seconds = 0\n',
        )
        asa = found.asas[name] = SimulatedAsa(
            reactor, AsaOptions(username="admin", password=PASSWORD)
        )
        asa.startService()
        found.managers[name] = Site(tmp_path / name, manager, {name: asa})
    everyone = [found.portal, *found.managers.values()]
    try:
        for one in everyone:  # one at a time: each start is bounded
            await one.start()
        yield found
    finally:
        for ending in [deferToThread(one.manager.stop) for one in everyone]:
            await ending
        for asa in found.asas.values():
            await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_two_managers_follow_one_portal(sites: Sites) -> None:
    portal, east, west = sites.portal, sites.managers["east"], sites.managers["west"]
    await sites.at(portal, "lists", "add", "own-block", "20.0.0.1")
    keys = {name: await sites.entered(name) for name in ("east", "west")}
    assert (await sites.row("east")).stage == "waiting"
    said = await sites.at(
        east,
        "add", "--type", "auto", "--device_id", keys["east"].entry.device_id, "--auto_key",
        keys["east"].auto_key, "--portal", sites.url, "--password", PASSWORD,
        "--fingerprint", sites.asas["east"].fingerprint,
    )  # fmt: skip
    assert "paired with" in said
    done = await sites.paired("west", keys["west"])
    assert (done.name, done.notes) == ("west", ())
    # Lists are asked for with a key that both sides compute.
    settings = await sites.settings("west")
    assert settings.tsig_name == keys["west"].entry.device_id
    # Its answer lost, a manager repeats the command, and is the same one.
    again = await sites.paired("west", keys["west"])
    assert (again.added, again.notes) == (None, ())

    async def both_follow() -> bool:
        rows = [await sites.row(name) for name in ("east", "west")]
        return all(
            row.stage == "paired" and row.standing and row.standing.applied == row.version
            for row in rows
        )

    await sites.until(both_follow)
    row = await sites.row("east")
    assert row.manager == "east"
    assert row.standing
    assert not row.standing.fault

    # A list that changes at the portal is in force at both, without anybody asking.
    await sites.at(portal, "lists", "add", "own-block", "20.0.0.2")
    for name, site in sites.managers.items():
        await site.until(lambda site=site, name=name: "20.0.0.2" in site.held(name))

    # The code is used up: whoever shows it again learns so, and the portal's audit has it.
    refused = await sites.at(
        west,
        "add", "--type", "auto", "--device_id", keys["east"].entry.device_id, "--auto_key",
        keys["east"].auto_key, "--portal", sites.url, "--password", PASSWORD, "thief",
        status=3,
    )  # fmt: skip
    assert "used already" in refused
    audit = await sites.at(portal, "audit")
    assert "manager 'west' from 127.0.0.1 rejected" in audit
    assert "manager 'east' from 127.0.0.1 used it first" in audit
    assert keys["east"].auto_key not in audit
    assert keys["east"].auto_key not in await sites.at(east, "audit")

    assert (await east.asked("show", "east"))["portal"] == sites.url

    # Settings are the portal's: refused here, followed from there.
    refused = await sites.at(east, "configure", "east", "--prefix", "Other", status=2)
    assert "can be changed at the portal" in refused
    await sites.set("east", prefix="Other")

    async def prefix_follows() -> bool:
        return bool((await sites.settings("east")).prefix == "Other")

    await sites.until(prefix_follows)

    # What would send the password to another place is not done by the portal alone.
    await sites.set("east", rest_url="https://192.0.2.99/api")

    async def fault_is_told() -> bool:
        standing = (await sites.row("east")).standing
        return standing is not None and "another place" in standing.fault

    await sites.until(fault_is_told)
    assert (await sites.settings("east")).rest_url == sites.asas["east"].api_url

    # Unpaired at the portal: the settings stay, and are the manager's own.
    await sites.call(portal, UNPAIR_ENTRY, EntryNamed(item="west"))

    async def unpaired() -> bool:
        return not (await sites.call(west, BONDS, Nothing())).bonds

    await sites.until(unpaired)
    await sites.at(west, "configure", "west", "--log_rotate_size", "200")
    # And at the manager: the portal knows.
    await sites.at(east, "unpair", "east", "--yes")
    row = await sites.row("east")
    assert row.stage == "unpaired"
    assert PASSWORD not in str(row)
    for path in portal.root.rglob("*"):
        if path.is_file() and "simulator" not in str(path):
            assert PASSWORD.encode() not in path.read_bytes(), path
