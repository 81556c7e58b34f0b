"""
Whose the groups on a firewall are: the mark on the parents, and the entry that it names.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.base.secrets import Secret
from tscm.kinds.asa.owner import OwnedByAnother
from tscm.kinds.asa.purge import purge_device
from tscm.kinds.asa.rest.settings import AsaRestSettings, asa_rest
from tscm.model import Identity
from tscm.risks import Consent, Risk
from tscm.settings.device import DeviceSettings
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.answers import History
from tscm.update.job import Claimed, Seen
from tscm.update.lookups import LookUp
from tscm.update.memory import SERIALS_KEPT, DeviceMemory
from tscm.update.records import UpdateRecords

SITE = "0a1b2c3d"
ENTRY = "00000000000a"
OTHER = "00000000000b"
OWN = {"installation": SITE, "entry": ENTRY}


def marks(asa: SimulatedAsa) -> set[str]:
    groups = asa.configuration.groups
    return {groups[f"ThreatSTOP-{kind}"].description for kind in ("Block", "Allow")}


@pytest.fixture
def world(asa: SimulatedAsa) -> World:
    made = World(asa)
    made.publish(block=addresses(40), allow=addresses(3, 900))
    return made


@pytest_twisted.ensureDeferred
async def test_groups_bear_site_and_entry(world: World) -> None:
    assert (await in_thread(world.run, **OWN)).good
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}


@pytest_twisted.ensureDeferred
async def test_a_mark_of_the_site_alone_is_ours_and_is_rewritten(world: World) -> None:
    await in_thread(world.run, installation=SITE)
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}"}, "as earlier versions wrote it"
    world.protect()
    before = world.held("Block")
    done = await in_thread(world.run, **OWN)
    assert (done.good, done.warnings, done.risks) == (True, (), ())
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}
    assert world.held("Block") == before
    assert (await in_thread(world.run, **OWN)).result == "unchanged"


@pytest_twisted.ensureDeferred
async def test_two_entries_of_one_firewall_do_not_wipe_each_other(world: World) -> None:
    await in_thread(world.run, installation=SITE, entry=OTHER)
    before, mark = world.held("Block"), marks(world.asa)
    world.publish(block=addresses(40, 500))
    mine = {**OWN, "others": {OTHER: "office"}}
    refused = await in_thread(world.run, **mine)
    assert not refused.good
    assert refused.error is not None
    assert "belong to office, another device of this manager" in refused.error
    assert "--take_over" in refused.error
    assert (world.held("Block"), marks(world.asa)) == (before, mark)
    accepted = Consent(risks=frozenset({Risk.OWNER}))
    taken = await in_thread(world.run, **mine, consent=accepted)
    assert taken.good
    assert "take_over" in taken.accepted
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}


def claims(seen: list[Seen], other: str | None) -> Claimed:
    """*other* is the same firewall, by its serial number."""

    def claimed(_: DeviceSettings, found: Seen, __: LookUp, /) -> tuple[str, str] | None:
        seen.append(found)
        return None if other is None else (other, "serial number X")

    return claimed


@pytest_twisted.ensureDeferred
async def test_an_old_mark_that_another_entry_claims_is_not_taken(world: World) -> None:
    await in_thread(
        world.run, installation=SITE
    )  # the other entry's, as an earlier version made them
    before, mark = world.held("Block"), marks(world.asa)
    world.publish(block=addresses(40, 500))
    world.memory = {}  # of this entry nothing is known, its serial number neither
    seen: list[Seen] = []
    mine = {**OWN, "claimed": claims(seen, "office")}
    refused = await in_thread(world.run, **mine)
    assert not refused.good
    assert refused.error is not None
    assert "office is the same firewall with the same prefix (serial number X)" in refused.error
    assert "`tsadmin update fw --take_over`" in refused.error
    assert (world.held("Block"), marks(world.asa)) == (before, mark)
    with pytest.raises(OwnedByAnother, match="office is the same firewall"):
        await in_thread(purge_device, world.job(**mine), lambda _: None)
    assert world.held("Block") == before
    accepted = Consent(risks=frozenset({Risk.OWNER}))
    assert (await in_thread(world.run, **mine, consent=accepted)).good
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}


@pytest_twisted.ensureDeferred
async def test_a_serial_number_that_the_run_itself_learns_is_compared_before_it_writes(
    world: World,
) -> None:
    await in_thread(world.run, installation=SITE)
    before = world.held("Block")
    world.publish(block=addresses(40, 500))
    world.memory = {}
    serial = world.asa.device.serial

    def claimed(_: DeviceSettings, found: Seen, __: LookUp, /) -> tuple[str, str] | None:
        return ("office", f"serial number {serial}") if serial in found.serials else None

    refused = await in_thread(world.run, **OWN, claimed=claimed)
    assert refused.error is not None
    assert f"(serial number {serial})" in refused.error
    assert world.held("Block") == before


@pytest_twisted.ensureDeferred
async def test_of_two_entries_the_one_that_left_the_groups_as_they_are_goes_on(
    world: World,
) -> None:
    await in_thread(world.run, installation=SITE)
    world.publish(block=addresses(40, 500))
    seen: list[Seen] = []
    done = await in_thread(world.run, **OWN, claimed=claims(seen, "office"))
    assert done.good
    assert seen == [], "nobody else made them"
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}


@pytest_twisted.ensureDeferred
async def test_an_old_mark_that_nobody_else_claims_is_ours_also_after_a_hand_edit(
    world: World,
) -> None:
    await in_thread(world.run, installation=SITE)
    del world.memory["layout"]
    seen: list[Seen] = []
    assert (await in_thread(world.run, **OWN, claimed=claims(seen, None))).good
    assert {one for found in seen for one in found.serials} == {world.asa.device.serial}


@pytest_twisted.ensureDeferred
async def test_groups_of_an_entry_that_is_gone_are_adopted_and_that_is_told(world: World) -> None:
    await in_thread(world.run, installation=SITE, entry=OTHER)
    world.protect()
    done = await in_thread(world.run, **OWN)
    assert done.good
    assert any(OTHER in one and "no longer has" in one for one in done.warnings)
    assert marks(world.asa) == {f"managed by tscm tscm/{SITE}/{ENTRY}"}
    assert (await in_thread(world.run, **OWN)).warnings == ()


@pytest.mark.parametrize("found", [f"tscm/ffffffff/{OTHER}", "tscm/ffffffff", f"other/{SITE}"])
@pytest_twisted.ensureDeferred
async def test_the_mark_of_another_site_needs_the_word(world: World, found: str) -> None:
    await in_thread(world.run, **OWN)
    world.asa.type_lines(
        ["object-group network ThreatSTOP-Allow", f" description managed by tscm {found}"]
    )
    refused = await in_thread(world.run, **OWN)
    assert not refused.good
    assert refused.error is not None
    assert f"managed by another tscm, {found!r}" in refused.error
    accepted = Consent(risks=frozenset({Risk.OWNER}))
    assert (await in_thread(world.run, **OWN, consent=accepted)).good


@pytest_twisted.ensureDeferred
async def test_the_serial_number_is_learnt_also_where_nothing_changes(world: World) -> None:
    await in_thread(world.run)
    assert DeviceMemory.from_json(world.memory).serials == (world.asa.device.serial,)
    del world.memory["serials"]  # as a version left it that knew of none
    assert (await in_thread(world.run)).result == "unchanged"
    assert DeviceMemory.from_json(world.memory).serials == (world.asa.device.serial,)


def test_serial_numbers_of_a_pair_are_a_set_and_a_single_device_has_one() -> None:
    alone = DeviceMemory().with_serial(Identity(serial="A"))
    assert alone.with_serial(Identity(serial="B")).serials == ("B",), "it was replaced"
    pair = alone.with_serial(Identity(serial="B", role="active"))
    assert pair.serials == ("A", "B")
    assert pair.with_serial(Identity(serial="A")).serials == ("A", "B")
    assert pair.with_serial(Identity()) == pair
    for number in range(100):
        pair = pair.with_serial(Identity(serial=f"N{number}", role="active"))
    assert len(pair.serials) == SERIALS_KEPT


def test_each_start_of_the_simulator_has_a_serial_number_of_its_own() -> None:
    from twisted.internet import reactor

    def serial(**options: str) -> str:
        return SimulatedAsa(reactor, AsaOptions(**options)).device.serial  # type: ignore[arg-type]

    assert serial() != serial()
    assert serial(serial="JMX1") == "JMX1"


# -- what is known of a device, by its entry ------------------------------------


@pytest.fixture
def policies(tmp_path: Path) -> Iterator[Policies]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    yield Policies(store)
    store.close()


def settings(name: str = "fw", entry: str | None = None) -> DeviceSettings:
    return AsaRestSettings(
        name=name,
        device_id="tdid_test1",
        device="198.51.100.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
        entry=entry,
    )


def test_a_new_device_inherits_nothing_from_an_old_one_of_its_name(policies: Policies) -> None:
    records = UpdateRecords(policies)
    records.recognise(settings(entry=ENTRY))
    records.change_memory("fw", held=True, broken=True, driver={"certificate": "aa"})
    policies.save_update("fw", 1.0, 2.0, "failed", {"result": "failed"})
    assert records.recognise(settings(entry=ENTRY)) == ENTRY
    assert records.memory("fw").held
    assert records.recognise(settings(entry=OTHER)) == OTHER
    assert records.memory("fw") == DeviceMemory()
    assert records.history("fw") == History()


def test_a_file_without_an_id_leaves_the_device_what_it_has(policies: Policies) -> None:
    records = UpdateRecords(policies)
    records.change_memory("fw", held=True)  # known since before there were ids
    made = records.recognise(settings())
    assert records.recognise(settings()) == made
    assert records.recognise(settings(entry=made)) == made
    assert records.memory("fw").held


def test_a_copy_of_a_file_is_another_entry(policies: Policies) -> None:
    records = UpdateRecords(policies)

    def stored() -> tuple[str, ...]:
        return ("fw", "copy")

    records.recognise(settings(entry=ENTRY), stored)
    copied = records.recognise(settings("copy", ENTRY), stored)
    assert copied != ENTRY
    assert records.recognise(settings("copy", ENTRY), stored) == copied
    assert records.recognise(settings(entry=ENTRY), stored) == ENTRY
    assert records.recognise(settings("new", ENTRY), lambda: ("new",)) == ENTRY


def test_a_start_with_many_devices_asks_for_their_names_only_where_a_file_is_a_copy(
    policies: Policies,
) -> None:
    asked = 0

    def stored() -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        return ("fw", "copy")

    records = UpdateRecords(policies)
    for _ in range(3):
        records.recognise(settings(entry=ENTRY), stored)
        records.recognise(settings("other"), stored)
    assert asked == 0
    records.recognise(settings("copy", ENTRY), stored)
    assert asked == 1


def test_the_file_of_a_device_tells_its_endpoint_in_one_way() -> None:
    plain = settings()
    assert plain.endpoint == "198.51.100.1:443"
    for url in ("https://198.51.100.1/api", "https://198.51.100.1:443/api"):
        assert evolve(asa_rest(plain), rest_url=url).endpoint == plain.endpoint
    assert (
        evolve(asa_rest(plain), rest_url="https://FW.Example.:8443/api").endpoint
        == "fw.example:8443"
    )
    assert evolve(plain, device="2001:DB8:0::1").endpoint == "[2001:db8::1]:443"
