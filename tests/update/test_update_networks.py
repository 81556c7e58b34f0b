"""
Files of networks that the operator names: known good ones, his own, those of a source.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_world import World, addresses
from tscm.risks import Consent, Risk
from tscm.settings.networks import NetworksFile
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.update.answers import Excluded, LeftOut
from tscm.update.figures import Result
from tscm.update.inquiry import dropped, explain
from tscm.update.networks import NetworksUnreadable, known_networks
from tscm.update.outcome import UpdateFailed

GROWTH = Consent(risks=frozenset({Risk.GROWTH}))


def node(*files: NetworksFile, **policy: Any) -> NodeSettings:
    return NodeSettings(policy=PolicySettings(allow_special=True, networks=files, **policy))


def file(
    folder: Path, purpose: str, *networks: str, confidence: float = 0.0, name: str | None = None
) -> NetworksFile:
    name = name or purpose
    path = folder / f"{name}.netset"
    path.write_text("".join(f"{one}\n" for one in networks))
    return NetworksFile(name=name, file=str(path), purpose=purpose, confidence=confidence)


@pytest_twisted.ensureDeferred
async def test_known_good_networks_are_pointed_at_or_refused(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    refuse = file(tmp_path, "refuse", "20.0.0.0/30")
    warn = file(tmp_path, "warn", "20.0.0.8/30")
    world = World(asa, node=node(refuse, warn))
    world.publish(block=addresses(10), allow=["20.0.0.1/32"])
    for outcome in (await in_thread(world.plan), await in_thread(world.run)):
        assert outcome.block is not None
        assert outcome.allow is not None
        assert outcome.block.causes == {"overlaps warning list refuse": 2}
        assert outcome.block.warnings == {"overlaps warning list warn": 2}
        assert (outcome.block.left_out, outcome.block.warned, outcome.allow.left_out) == (2, 2, 0)
        assert "block.example: 20.0.0.0/32 excluded: overlaps warning list refuse" in (
            outcome.findings
        )
        assert "block.example: 20.0.0.8/32 kept: overlaps warning list warn" in outcome.findings
    assert world.held("Block") == set(addresses(10)[2:])
    gone = await in_thread(dropped, world.job())
    cause = "overlaps warning list refuse"
    assert gone.block.count == 0
    excluded = tuple(Excluded(entry=f"20.0.0.{n}/32", cause=cause) for n in (0, 2))
    assert gone.block.left_out == LeftOut(count=2, entries=excluded)
    gone = await in_thread(dropped, world.job(), "20.0.0.2")
    assert gone.block.left_out.count == 1
    said = await in_thread(explain, world.job(), "20.0.0.2")
    assert "overlaps warning list refuse" in said.sentences[0]


@pytest_twisted.ensureDeferred
async def test_without_the_networks_that_must_not_be_blocked_nothing_is_pushed(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    refuse = NetworksFile(name="refuse", file=str(tmp_path / "gone"), purpose="refuse")
    world = World(asa, node=node(refuse))
    world.publish(block=addresses(10))
    outcome = await in_thread(world.run)
    assert outcome.result == Result.FAILED
    assert "must not be blocked, from" in str(outcome.error)
    assert asa.counts.writes == 0
    with pytest.raises(UpdateFailed, match="No such file") as failed:
        outcome.raise_if_failed()
    assert failed.value.exit_status == outcome.exit_status == 2


@pytest_twisted.ensureDeferred
async def test_any_other_file_that_cannot_be_read_is_told_and_left_out(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    page = file(tmp_path, "warn", "<html><body>moved</body></html>")
    gone = NetworksFile(name="gone", file=str(tmp_path / "gone"), purpose="own")
    half = file(tmp_path, "warn", "20.0.0.0/30", "20.0.0.300", name="half")
    world = World(asa, node=node(page, gone, half))
    world.publish(block=addresses(10))
    outcome = await in_thread(world.run)
    assert outcome.good
    assert world.held("Block") == set(addresses(10))
    assert outcome.block is not None
    assert outcome.block.warned == 2
    assert [note for note in outcome.notes if "cannot read networks of warn" in note]
    assert [note for note in outcome.notes if "gone" in note and "No such file" in note]
    assert [note for note in outcome.notes if "half: 1 words are not CIDRs" in note]


@pytest_twisted.ensureDeferred
async def test_own_entries_stay_first_then_those_of_a_source_that_is_believed(
    asa: SimulatedAsa, tmp_path: Path
) -> None:
    entries = addresses(100)
    own = file(tmp_path, "own", *entries[90:92])
    better = file(tmp_path, "confidence", *entries[50:60], confidence=5, name="better")
    worse = file(tmp_path, "confidence", *entries[:40], confidence=-5, name="worse")
    world = World(asa, node=node(own, better, worse), changes={"max_policy_size": 20})
    world.publish(block=entries)
    await in_thread(world.run)
    held = world.held("Block")
    assert held >= {*entries[90:92], *entries[50:60]}
    assert not held & set(entries[:40])
    assert len(held) == 20


@pytest_twisted.ensureDeferred
async def test_a_list_that_grew_beyond_the_limit_is_refused_until_forced(asa: SimulatedAsa) -> None:
    world = World(asa, node=node(max_growth_percent=100))
    world.publish(block=addresses(10))
    await in_thread(world.run)
    world.publish(block=addresses(21))
    refused = await in_thread(world.run)
    assert refused.result == Result.REFUSED
    assert "grew from 10 to 21 entries, more than 100%" in str(refused.error)
    assert world.held("Block") == set(addresses(10))
    assert (await in_thread(world.run, consent=GROWTH)).good
    assert world.converged()
    world.node = node()
    world.publish(block=addresses(500))
    assert (await in_thread(world.run)).good


def test_a_file_is_read_again_when_it_is_another(tmp_path: Path) -> None:
    one = file(tmp_path, "warn", "20.0.0.0/30")
    assert len(known_networks([one]).warning_lists[0].networks) == 1
    file(tmp_path, "warn", "20.0.0.0/30", "21.0.0.0/30")
    assert len(known_networks([one]).warning_lists[0].networks) == 2
    Path(one.file).unlink()
    assert known_networks([one]).warning_lists == ()


def test_every_format_of_a_feed_serves(tmp_path: Path) -> None:
    path = tmp_path / "warning list.json"
    path.write_text(json.dumps({"list": ["192.0.2.0/24", "198.51.100.0/24"]}))
    one = NetworksFile(name="misp", file=str(path), purpose="refuse", format="json", pick="list.*")
    assert len(known_networks([one]).warning_lists[0].networks) == 2
    path.write_text("{")
    with pytest.raises(NetworksUnreadable, match=r"misp.*warning list\.json"):
        known_networks([one])
