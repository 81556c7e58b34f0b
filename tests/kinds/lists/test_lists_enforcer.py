"""
A firewall that pulls has its list published as an ASA has its groups pushed: fetched, guarded, cut, planned, kept.
"""

import gzip
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field

from tscm.base.host_port import HostPort
from tscm.devices.stored import propose
from tscm.errors import ListUnavailable
from tscm.kinds.lists.purge import purge_lists
from tscm.model import Cidr
from tscm.policy.entries import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource
from tscm.services.publication import plain_path, read_publication, zipped_path
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.store.generations import Generation
from tscm.update.figures import Edits, Result
from tscm.update.job import UpdateJob
from tscm.update.outcome import UpdateOutcome
from tscm.update.run import plan_update, run_update

NODE = NodeSettings(policy=PolicySettings(servers=(HostPort("192.0.2.53"),), allow_special=True))
GIVEN = {
    "name": "edge",
    "device_id": "tdid_abcd1234",
    "device": "192.0.2.10",
    "block_list": "block.example",
    "allow_list": "allow.example",
}


def no_driver(*_: object, **__: object) -> Any:
    raise AssertionError("nobody is reached")


@define
class World:
    """What the lists hold, and what is kept between runs."""

    folder: Path
    settings: DeviceSettings
    block: list[str] | None = field(factory=list)
    allow: list[str] = field(factory=list)
    applied: Generation | None = None
    at: float = 1000.0

    def fetch(self, source: ListSource, known: PolicyList | None, now: float) -> PolicyList:
        texts = self.block if source.name == "block.example" else self.allow
        if texts is None:
            raise ListUnavailable(source.name, "the server does not answer")
        entries = Entries.of([Cidr(one) for one in texts])
        return PolicyList(name=source.name, entries=entries, source="axfr://x")

    def job(self, **more: Any) -> UpdateJob:
        return UpdateJob(
            settings=self.settings,
            node=NODE,
            applied=self.applied,
            fetch=self.fetch,
            opener=no_driver,
            look_up=lambda _: {},
            now=lambda: self.at,
            pause=lambda _: False,
            published=self.folder,
            **more,
        )

    def keep(self, outcome: UpdateOutcome) -> UpdateOutcome:
        """As the store does."""
        self.at += 100
        if outcome.generation is not None:
            number = 1 if self.applied is None else self.applied.number + 1
            self.applied = evolve(outcome.generation, number=number)
        return outcome

    def update(self, **more: Any) -> UpdateOutcome:
        return self.keep(run_update(self.job(**more), lambda _: None))

    def plan(self, **more: Any) -> UpdateOutcome:
        return plan_update(self.job(**more), lambda _: None)

    @property
    def place(self) -> Path:
        return self.folder / "edge"

    def text(self, name: str = "block.txt") -> str:
        found = read_publication(self.place)
        assert found is not None
        one = found.files[name]
        plain = plain_path(self.place, one).read_bytes()
        assert gzip.decompress(zipped_path(self.place, one).read_bytes()) == plain
        return plain.decode()

    def generation(self) -> int:
        found = read_publication(self.place)
        assert found is not None
        assert self.applied is not None
        assert found.generation == self.applied.number
        return found.generation


def world(tmp_path: Path, kind: str = "generic", **more: Any) -> World:
    return World(tmp_path / "lists", propose({"type": kind, **GIVEN, **more}))


def test_a_list_is_planned_published_and_left_alone_where_it_is_right(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block, site.allow = ["20.0.0.0/25", "20.0.0.128/25", "30.0.0.1"], ["20.0.0.7"]
    planned = site.plan()
    assert (planned.result, planned.plan and planned.plan.steps) == (Result.PLANNED, 1)
    assert planned.diff is not None
    assert planned.diff.allow == Edits(added=("20.0.0.7/32",))
    assert not site.folder.exists()

    done = site.update()
    assert (done.result, done.error, done.verified) == (Result.CHANGED, None, True)
    assert done.generation is not None
    assert done.generation.block_entries == 2
    assert "20.0.0.7\n" not in site.text()
    assert site.text().endswith("30.0.0.1\n")
    assert site.text("allow.txt") == "20.0.0.7\n"
    assert site.generation() == 1
    names = sorted(site.place.iterdir())

    again = site.update()
    assert (again.result, again.generation) == (Result.UNCHANGED, None)
    assert sorted(site.place.iterdir()) == names

    site.block = ["30.0.0.1", "30.0.0.5"]
    assert site.update().result == Result.CHANGED
    assert site.text() == "30.0.0.1\n30.0.0.5\n"
    assert site.generation() == 2
    assert len(list(site.place.iterdir())) == len(names)


def test_a_source_that_fails_leaves_what_is_published(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block = ["30.0.0.1"]
    site.update()
    nothing: list[str] = []
    for broken in (None, nothing):
        site.block = broken
        done = site.update()
        assert done.result in {Result.FAILED, Result.REFUSED}
        assert site.text() == "30.0.0.1\n"
    assert site.generation() == 1


def test_a_rollback_publishes_the_generation_of_then_as_a_new_one(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block = ["30.0.0.1"]
    site.update()
    first = site.applied
    site.block = ["30.0.0.1", "40.0.0.1"]
    site.update()
    done = site.update(rollback=first)
    assert done.result == Result.CHANGED
    assert site.text() == "30.0.0.1\n"
    assert site.generation() == 3


def test_a_purge_publishes_the_placeholder_and_never_nothing(tmp_path: Path) -> None:
    site = world(tmp_path, "firepower")
    site.block = ["30.0.0.1"]
    site.update()
    done = purge_lists(site.job(), lambda _: None)
    assert done.complete
    assert done.left is not None
    assert done.left.purged
    assert site.text() == "# block list, 0 entries\n192.0.2.1\n"
    site.applied = evolve(done.left, number=2)
    assert site.generation() == 2
    found = read_publication(site.place)
    assert found is not None
    assert found.purged
    assert site.update().result == Result.CHANGED
    assert site.text() == "# block list, 1 entry\n30.0.0.1\n"
    found = read_publication(site.place)
    assert found is not None
    assert not found.purged


def test_what_is_damaged_or_gone_is_published_again(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block = ["30.0.0.1"]
    site.update()
    found = read_publication(site.place)
    assert found is not None
    one = found.files["block.txt"]
    for path in (plain_path(site.place, one), zipped_path(site.place, one)):
        path.write_bytes(b"")
        done = site.update()
        assert done.result == Result.CHANGED
        assert any("damaged" in note for note in done.notes)
        assert site.text() == "30.0.0.1\n"
    for path in site.place.iterdir():
        path.unlink()
    assert site.update().result == Result.CHANGED
    assert site.text() == "30.0.0.1\n"


def test_the_list_is_cut_to_what_the_consumer_reads(tmp_path: Path) -> None:
    site = world(tmp_path, "panos", max_policy_size=3)
    site.block = [f"30.0.0.{2 * n}" for n in range(10)]
    done = site.update()
    assert done.block is not None
    assert (done.block.desired, done.block.cut) == (3, 7)
    assert len(site.text().splitlines()) == 3


def test_a_list_over_the_limit_is_refused_in_one_sentence(tmp_path: Path) -> None:
    site = world(tmp_path, max_policy_size=3)
    site.block, site.allow = ["30.0.0.0/16"], ["30.0.0.1"]
    done = site.update()
    assert done.result == Result.REFUSED
    assert "block.txt would have 16 entries without what the allow list covers" in str(done.error)
    assert not site.folder.exists()
    with pytest.raises(Exception, match="out of range"):
        propose({"type": "panos", **GIVEN, "max_policy_size": 150_001})


def test_an_update_that_is_bound_to_a_plan_publishes_that_or_nothing(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block = ["30.0.0.1"]
    bound = site.plan().plan_id
    site.block = ["30.0.0.1", "30.0.0.9"]
    assert site.update(plan=bound).outdated
    assert not site.folder.exists()
    site.block = ["30.0.0.1"]
    assert site.update(plan=bound).result == Result.CHANGED


def test_a_disk_that_takes_nothing_fails_the_update_in_a_sentence(tmp_path: Path) -> None:
    site = world(tmp_path)
    site.block = ["30.0.0.1"]
    site.folder.write_bytes(b"no folder")
    done = site.update()
    assert done.result == Result.FAILED
    assert "its lists cannot be published" in str(done.error)
    assert "Traceback" not in str(done.error)


def test_check_point_is_told_of_networks_that_its_csv_leaves_out(tmp_path: Path) -> None:
    site = world(tmp_path, "checkpoint")
    site.block = ["30.0.0.0/24", "2a00::/32"]
    done = site.update()
    assert any("block.csv does not hold 1 network of IPv6" in note for note in done.notes)
    assert "30.0.0.0-30.0.0.255,IP Range" in site.text("block.csv")
    assert "2a00::/32" in site.text("block.txt")
