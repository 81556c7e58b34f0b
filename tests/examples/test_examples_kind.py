"""
How a kind of firewall is added: settings of its own, and a `Kind`.  CONTRIBUTING.md points here.
"""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from attrs import define, frozen

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret, load_key
from tscm.cli.options import check_type, setting_options
from tscm.devices.stored import propose
from tscm.doctor.finding import Finding, ok, warning
from tscm.doctor.firewall import Collector, FirewallLook, Heard, Opener, look_of
from tscm.errors import SettingsFaulty
from tscm.kinds import questions as shared
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.kinds.driver import no_driver
from tscm.kinds.faults import Overloaded
from tscm.kinds.kind import Capability, Kind, NotOfThisKind, kind_of, require
from tscm.kinds.question import Question
from tscm.model import Cidr, Identity, Report
from tscm.policy.entries import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.settings import modules, values
from tscm.settings.device import DeviceSettings, secret_setting
from tscm.settings.files import read_device, write_device
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.settings.schema import setting
from tscm.update.enforcer import Brought, Enforcer
from tscm.update.figures import Result
from tscm.update.goal import Goal
from tscm.update.job import UpdateJob
from tscm.update.run import plan_update, run_update


@frozen(kw_only=True)
class PulledSettings(DeviceSettings):
    """A list that the firewall pulls: the table `[pulled]`."""

    TABLE: ClassVar[str] = "pulled"

    token: Secret = secret_setting(doc="Secret part of the list's path")
    entries: int = setting(values.whole(1), 50_000, doc="Entries that the firewall takes")

    @property
    def max_policy_size(self) -> int:
        return self.entries


@define(eq=False)
class FileEnforcer(Enforcer):
    """Publishes the goal; whoever pulls it comes later."""

    published: ClassVar[list[str]] = []
    away: ClassVar[int] = 0

    def bring(self, goal: Goal, report: Report) -> Brought:
        self.go_on()
        self.reached = True
        if FileEnforcer.away:
            FileEnforcer.away -= 1
            raise Overloaded(self.job.settings.name, "the disk is full")
        entries = [str(one) for one in goal.block.cidrs()]
        self.wrote = entries != self.published
        if not self.dry:
            self.published[:] = entries
        return Brought(version="1.2", saved=True)


@define
class PulledLook(FirewallLook):
    """What the doctor says of such a device."""

    away: str | None

    def judge(self, _: Collector) -> list[Finding]:
        return [warning("pulled", self.away) if self.away else ok("pulled", "the list is there")]

    def judge_effect(self, _: Heard) -> list[Finding]:
        return []


def look(
    settings: DeviceSettings,
    _: Opener,
    __: object,
    ___: Report,
    /,
    *,
    resting: str | None = None,
) -> FirewallLook:
    return PulledLook(resting)


def notes(settings: DeviceSettings, who: Identity) -> Sequence[str]:
    return [f"{settings.device} pulls its list"]


KIND = Kind(
    type="pulled",
    module="ts-pulled",
    version="1.2",
    settings=PulledSettings,
    questions=(
        shared.DEVICE_ID,
        shared.DEVICE,
        shared.BLOCK_LIST,
        shared.ALLOW_LIST,
        Question(name="token", words="Token :", of=PulledSettings, hidden=True),
    ),
    links=("pulled",),
    checked=frozenset(),
    enforcer=f"{__name__}:FileEnforcer",
    doctor=f"{__name__}:look",
    notes=notes,
    warnings=lambda _: (),
    setup=lambda settings, _: f"! pull https://HOST/lists/{settings.name}\n",
    way_back=lambda settings, _, __: f"! pull {settings.name} no more\n",
)
GIVEN = {
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
}


OWN = modules.declared(sys.path)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a package that names it among its entry points of `tscm.modules`."""
    places = {**OWN, "pulled": f"{__name__}:KIND"}
    monkeypatch.setattr(modules, "_places", lambda: places)


def test_its_type_its_options_and_its_questions_are_there() -> None:
    assert check_type("pulled") == "pulled"
    names = [one.name for one in setting_options(KIND)]
    assert {"token", "token_file", "entries", "syslog_sources", "forward_address"} <= set(names)
    assert "prefix" not in names
    assert KIND.needed == ("device_id", "device", "block_list", "allow_list", "token")
    with pytest.raises(SettingsFaulty, match="mikrotik, panos, pulled"):
        check_type("toaster")


def test_its_settings_stand_in_a_table_of_the_file_and_its_secret_is_sealed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    settings = propose({**GIVEN, "type": "pulled", "name": "edge", "token": "s3cret"})
    key = load_key(layout.key, create=True)
    write_device(layout, settings, key)
    table = tomllib.loads(layout.device_file("edge").read_text())
    assert table["type"] == "pulled"
    assert table["pulled"]["entries"] == 50_000
    assert table["pulled"]["token"].startswith("sealed:")
    found = read_device(layout, "edge", key)
    assert found == settings
    assert (found.max_policy_size, found.own_names) == (50_000, "")
    assert kind_of(found).setup(found, NodeSettings()).startswith("! pull https://")


def test_an_update_fetches_the_goal_and_has_the_enforcer_bring_it() -> None:
    lists = {"block.example": ["8.0.0.0/25", "8.0.0.128/25", "9.0.0.1/32"], "allow.example": []}
    pauses: list[float] = []

    def fetch(source: ListSource, known: PolicyList | None, now: float) -> PolicyList:
        name = source.name
        return PolicyList(name=name, entries=Entries.of(map(Cidr, lists[name])), source="axfr://x")

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    job = UpdateJob(
        settings=propose({**GIVEN, "type": "pulled", "name": "edge", "token": "s3cret"}),
        node=NodeSettings(policy=PolicySettings(servers=(HostPort("192.0.2.53"),))),
        fetch=fetch,
        opener=no_driver,
        look_up=lambda _: {},
        now=lambda: 1000.0,
        pause=pause,
    )
    FileEnforcer.published.clear()
    assert plan_update(job, lambda _: None).result == Result.PLANNED
    assert FileEnforcer.published == []
    FileEnforcer.away = 1
    done = run_update(job, lambda _: None)
    assert (done.result, done.error, done.saved) == (Result.CHANGED, None, True)
    assert FileEnforcer.published == ["8.0.0.0/24", "9.0.0.1/32"]
    assert done.failures == ("the disk is full",)
    assert max(pauses) == job.pause_before(1)
    assert done.generation is not None
    assert done.generation.block_entries == 2


def test_a_package_that_is_broken_takes_no_other_kind_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {**OWN, "broken": "no.such.package:KIND"}
    monkeypatch.setattr(modules, "_places", lambda: places)
    assert {one.type for one in modules.modules()} == set(OWN)
    with pytest.raises(SettingsFaulty, match="type: 'broken' cannot be loaded"):
        propose({**GIVEN, "type": "broken", "name": "edge"})
    with pytest.raises(SettingsFaulty, match="--type: 'broken' cannot be loaded"):
        check_type("broken")


def test_what_its_devices_cannot_do_is_refused_in_a_sentence() -> None:
    settings = propose({**GIVEN, "type": "pulled", "name": "edge", "token": "s3cret"})
    with pytest.raises(NotOfThisKind, match="edge is of type pulled, which cannot be purged"):
        require(settings, Capability.PURGE)
    asa = propose({**GIVEN, "name": "edge", "username": "u", "password": "p"})
    for one in Capability:
        require(asa, one)


def test_the_doctor_has_its_kind_look_and_judge() -> None:
    settings = propose({**GIVEN, "type": "pulled", "name": "edge", "token": "s3cret"})
    seen = look_of(settings)(settings, no_driver, lambda: 0.0, lambda _: None)
    collector = Collector(addresses=frozenset(), ports={})
    assert [one.link for one in seen.judge(collector)] == list(KIND.links)
    assert (seen.awaited, seen.refused, seen.judge_effect(Heard())) == (None, False, [])


def test_a_device_can_move_from_one_kind_to_another(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    key = load_key(layout.key, create=True)
    asa = propose({**GIVEN, "name": "edge", "username": "u", "password": "p", "dns_port": 5353})
    write_device(layout, asa, key)
    text = layout.device_file("edge").read_text()
    flat = text.replace("[asa]\n", "").replace("[asarest]\n", "")  # as earlier versions wrote it
    layout.device_file("edge").write_text(flat)
    assert read_device(layout, "edge", key) == asa
    moved = propose({"type": "pulled", "token": "t"}, asa)
    assert isinstance(moved, PulledSettings)
    assert (moved.dns_port, moved.entry) == (5353, asa.entry)
    write_device(layout, moved, key)
    assert read_device(layout, "edge", key) == moved
    assert "asa" not in tomllib.loads(layout.device_file("edge").read_text())
    back = propose({"type": "asarest", "username": "u", "password": "p"}, moved)
    assert isinstance(back, AsaRestSettings)
