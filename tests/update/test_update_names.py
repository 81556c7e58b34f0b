"""
Names of those whom a block list must not reach, where the resolver does not answer.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve

from tests.changed import changed
from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import BLOCK, World, addresses
from tscm.base.secrets import Secret
from tscm.devices.checks import refuse_unknown_names
from tscm.devices.reach import NETWORK, Reach
from tscm.errors import SettingsFaulty
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import READER, ForwardTarget
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.figures import Result
from tscm.update.known_name import ADDRESSES_MOST, ALARM_SECONDS, KnownName
from tscm.update.lookups import THREADS_MOST, LookUps
from tscm.update.names import age_words
from tscm.wire.writing import as_json

SIEM = "siem.example"
COVER = "45.99.1.0/24"


def world(asa: SimulatedAsa, **policy: str) -> World:
    node = NodeSettings(policy=PolicySettings(allow_special=True, protect=(SIEM,), **policy))  # type: ignore[arg-type]  # texts
    return World(asa, node=node, names={SIEM: ("45.99.1.7",)})


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_not_answered_keeps_its_addresses(asa: SimulatedAsa) -> None:
    one = world(asa)
    one.publish(block=addresses(10))
    await in_thread(one.run)
    one.names.clear()
    one.publish(block=[*addresses(11), COVER])
    outcome = await in_thread(one.run)
    assert outcome.good
    assert one.held("Block") == set(addresses(11))
    assert any(f"{COVER} excluded" in found for found in outcome.findings)
    assert any(
        f"{SIEM}, protected by the settings, does not resolve" in w for w in outcome.warnings
    )


@pytest_twisted.ensureDeferred
async def test_new_entries_wait_while_no_address_is_known(asa: SimulatedAsa) -> None:
    one = world(asa)
    one.publish(block=addresses(10))
    await in_thread(one.run)
    one.names.clear()
    one.known_names.clear()  # as in a database that is new to it
    one.publish(block=[*addresses(9), *addresses(3, 100), COVER])
    for outcome in (await in_thread(one.plan), await in_thread(one.run)):
        assert outcome.good
        assert any("4 new block entries wait until it resolves" in w for w in outcome.warnings)
        assert outcome.block is not None
        assert outcome.block.waiting == 4
    assert one.held("Block") == set(addresses(9)), "what the list lost is gone"
    one.names[SIEM] = ("45.99.1.7",)
    assert (await in_thread(one.run)).good
    assert one.held("Block") == {*addresses(9), *addresses(3, 100)}


@pytest_twisted.ensureDeferred
async def test_a_first_load_does_not_begin_with_an_unknown_name(asa: SimulatedAsa) -> None:
    one = world(asa)
    one.names.clear()
    one.publish(block=[COVER])
    refused = await in_thread(one.run)
    assert refused.result == Result.REFUSED
    assert f"{SIEM}, protected by the settings (policy.protect), does not resolve" in str(
        refused.error
    )
    assert refused.names is not None
    assert refused.names[0].failing_since is not None


@pytest_twisted.ensureDeferred
async def test_the_operator_may_want_a_warning_instead(asa: SimulatedAsa) -> None:
    one = world(asa, unknown_names="warn")
    one.names.clear()
    one.publish(block=[COVER])
    outcome = await in_thread(one.run)
    assert (outcome.good, one.held("Block")) == (True, {COVER})
    assert any("entries that cover it are not excluded" in w for w in outcome.warnings)


@pytest_twisted.ensureDeferred
async def test_the_host_that_a_redirection_led_to_is_protected(asa: SimulatedAsa) -> None:
    one = world(asa)
    one.names["cdn.example"] = ("45.99.2.9",)

    def fetch(source: ListSource, known: PolicyList | None, now: float, /) -> PolicyList | None:
        texts = ["45.99.2.0/24", *addresses(2)] if source.name == BLOCK else []
        marks = "https://feeds.example/a#via=cdn.example&etag=x"
        return PolicyList(name=source.name, entries=Entries.of(texts), source=marks)

    one.names["feeds.example"] = ("45.99.3.9",)
    outcome = await in_thread(one.run, fetch=fetch)
    assert outcome.good
    assert one.held("Block") == set(addresses(2))


def test_what_a_name_had_within_a_day_stays_protected() -> None:
    day = ALARM_SECONDS
    name = KnownName(name="n").after(("8.0.0.1",), 0.0).after(("8.0.0.2",), day / 2)
    assert set(name.addresses) == {"8.0.0.1", "8.0.0.2"}
    assert set(name.after(("8.0.0.2",), day).addresses) == {"8.0.0.2"}
    failing = name.after((), day).after((), 3 * day)
    assert set(failing.addresses) == set(name.addresses), (
        "however old, where nothing newer is known"
    )
    assert (failing.resolved_at, failing.failing_since) == (day / 2, day)
    assert failing.overdue(2 * day)
    assert not failing.overdue(1.5 * day)
    assert failing.after(("8.0.0.3",), 3 * day).failing_since is None
    many = name.after([f"8.1.{n}.1" for n in range(200)], day)
    assert len(many.addresses) == ADDRESSES_MOST


def test_names_are_looked_up_at_once_and_late_ones_are_left() -> None:
    going_on, both, under_way = threading.Event(), threading.Event(), set()

    def resolve(name: str) -> tuple[str, ...]:
        if name == "good.example":
            return ("8.0.0.1",)
        under_way.add(name)
        if len(under_way) >= 2:
            both.set()
        going_on.wait(60)
        return ("8.0.0.2",)

    look_ups = LookUps(resolve, 0.3)
    try:
        found = look_ups(["slow.example", "slower.example", "good.example"])
        assert both.wait(60), "one does not wait for the other"
        assert found == {"slow.example": (), "slower.example": (), "good.example": ("8.0.0.1",)}
        look_ups([f"slow{n}.example" for n in range(3 * THREADS_MOST)])
        look_ups(["slow.example"])
        assert len(under_way) <= THREADS_MOST
    finally:
        going_on.set()


def test_what_is_known_of_names_outlives_the_manager(tmp_path: Path) -> None:
    store = Store(tmp_path / "tscm.db")
    store.open()
    policies = Policies(store)
    name = KnownName(name=SIEM).after(("8.0.0.1",), 5.0).after((), 9.0)
    policies.keep_names("fw", [as_json(KnownName(name="old.example"))])
    policies.keep_names("fw", [as_json(name)])
    assert [KnownName(**one) for one in policies.names("fw")] == [name]
    policies.forget("fw")
    assert policies.names("fw") == []
    store.close()


SETTINGS = AsaRestSettings(
    name="fw",
    device_id="tdid_test1",
    device="192.0.2.1",
    block_list="block.example",
    allow_list="allow.example",
    username="admin",
    password=Secret("secret"),
    syslog_forward=True,
    forward=(ForwardTarget(reader=READER, address="siem.example"),),
)


def test_a_name_that_never_resolved_is_refused_before_it_is_stored(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    node = NodeSettings(policy=PolicySettings(protect=("p.example", "known.example")))

    def look_up(names: object) -> Mapping[str, tuple[str, ...]]:
        asked.append(names)
        return {"known.example": ("8.0.0.1",)}

    asked: list[object] = []
    reach = Reach(look_up=look_up)
    with pytest.raises(SettingsFaulty) as refused:
        refuse_unknown_names(layout, node, SETTINGS, reach=reach)
    assert "--forward_address: 'siem.example' does not resolve" in str(refused.value)
    assert "policy.protect in " in str(refused.value)
    refuse_unknown_names(layout, node, evolve(SETTINGS, log_rotate_size=60), SETTINGS, reach=reach)
    assert len(asked) == 1, "a change of something else asks nobody"
    other = evolve(SETTINGS, log_proxy="http://proxy.example:3128")
    with pytest.raises(SettingsFaulty, match="--log_proxy"):
        refuse_unknown_names(layout, node, other, SETTINGS, reach=reach)
    assert NETWORK.look_up(["localhost"])["localhost"]


def test_another_siem_that_cannot_be_looked_up_is_told_before_it_is_stored(tmp_path: Path) -> None:
    layout, node = Layout(tmp_path), NodeSettings()
    asked: list[str] = []

    def told(
        settings: DeviceSettings, present: DeviceSettings | None = None, *known: str
    ) -> list[str]:
        def look_up(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
            asked.extend(names)
            return dict.fromkeys(known, ("8.0.0.1",))

        return refuse_unknown_names(layout, node, settings, present, reach=Reach(look_up=look_up))

    moved = changed(SETTINGS, forward_port=6514, forward_also=("tcp://10.0.0.1:514",))
    (sentence,) = told(moved, SETTINGS)
    assert sentence.startswith("The SIEM 'siem.example' (--forward_address) does not resolve")
    assert "lines are kept" in sentence
    assert asked == ["siem.example"]
    assert told(moved, SETTINGS, "siem.example") == []
    off = changed(SETTINGS, syslog_forward=False, forward_also=("tcp://more.example:514",))
    sentences = told(off)
    assert ["siem.example" in sentences[0], "more.example" in sentences[1]] == [True, True]
    assert "nothing would reach it if forwarding were enabled now" in sentences[0]
    assert told(evolve(off, device="10.0.0.2"), off) == [], "a change of something else asks nobody"


def test_an_age_has_its_number() -> None:
    assert [age_words(one) for one in (0.0, 1.2, 90.0, 7200.0)] == [
        "0 seconds",
        "1 second",
        "90 seconds",
        "2 hours",
    ]
