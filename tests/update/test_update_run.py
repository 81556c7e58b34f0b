"""
Runs against the simulator over real sockets.
"""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_twisted
from attrs import evolve

from tests.kinds.asa.rest.asa_device import in_thread
from tests.update.update_faults import Faults
from tests.update.update_world import ALLOW, BLOCK, World, addresses
from tscm.base.secrets import Secret
from tscm.events.recent import recent_hits
from tscm.kinds.asa import planning
from tscm.kinds.asa.owner import mark
from tscm.kinds.asa.platforms import push_seconds
from tscm.policy.cidr import CidrSet, Entries
from tscm.risks import OF_LISTS, Consent, Risk
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.simulator.service import SimulatedAsa
from tscm.store.database import Store
from tscm.update.figures import Result
from tscm.update.memory import DeviceMemory


@pytest_twisted.ensureDeferred
async def test_a_first_update_makes_both_parents_and_an_unchanged_one_writes_nothing(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=[*addresses(50), "2001:db8:5::/48"])
    first = await in_thread(world.run)
    assert (first.result, first.verified, first.saved, first.error) == ("changed", True, True, None)
    assert world.converged()
    assert first.plan is not None
    assert first.plan.added == 51
    world.protect()
    await in_thread(world.run)  # the access-lists are seen once
    groups = asa.configuration.groups
    assert list(groups["ThreatSTOP-Allow"].children) == ["ThreatSTOP-Allow-1"]
    assert list(groups["ThreatSTOP-Allow-1"].members) == ["network-object host 192.0.2.1"]
    assert groups["ThreatSTOP-Block"].description == mark("tscm")

    writes = asa.counts.writes
    second = await in_thread(world.run)
    assert (second.result, second.saved, second.generation) == ("unchanged", False, None)
    assert asa.counts.writes == writes
    assert second.traffic.requests == 4  # log in, two reads, give back
    assert second.block is not None
    assert second.block.unchanged


@pytest_twisted.ensureDeferred
async def test_only_differences_are_sent(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(1000), allow=addresses(10, 5000))
    await in_thread(world.run)
    asa.counts.bytes_in = 0
    world.publish(block=addresses(1000, 10))
    changed = await in_thread(world.run)
    assert world.converged()
    assert changed.plan is not None
    assert (changed.plan.added, changed.plan.removed) == (10, 10)
    assert asa.counts.bytes_in < 3000


@pytest_twisted.ensureDeferred
async def test_a_plan_changes_nothing_and_lists_every_entry(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(3))
    planned = await in_thread(world.plan)
    assert planned.result == Result.PLANNED
    assert planned.diff is not None
    assert sorted(planned.diff.block.added) == sorted(addresses(3))
    assert planned.plan is not None
    assert planned.plan.requests >= 1
    assert planned.plan.budget == 500_000
    assert planned.plan.bytes_before < planned.plan.bytes_after < planned.plan.budget
    assert not [name for name in asa.configuration.groups if name.startswith("ThreatSTOP")]
    json.dumps(planned.to_json())
    assert "3 entries would be added" in planned.sentence()


@pytest_twisted.ensureDeferred
async def test_a_list_over_the_maximum_is_cut_and_counted(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"max_policy_size": 40})
    world.publish(block=addresses(100), allow=addresses(5, 9000))
    outcome = await in_thread(world.run)
    assert outcome.block is not None
    assert outcome.allow is not None
    assert (outcome.block.cut, outcome.block.desired, outcome.allow.cut) == (65, 35, 0)
    assert len(world.held("Block")) == 35
    assert len(world.held("Allow")) == 5


@pytest_twisted.ensureDeferred
async def test_children_hold_at_most_the_object_group_size(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"object_group_size": 30})
    world.publish(block=addresses(100))
    await in_thread(world.run)
    children = asa.configuration.groups["ThreatSTOP-Block"].children
    assert len(children) == 4
    assert max(len(asa.configuration.groups[name].members) for name in children) <= 30


@pytest_twisted.ensureDeferred
async def test_entries_that_would_do_harm_are_left_out_and_named(asa: SimulatedAsa) -> None:
    world = World(asa, node=NodeSettings(address="20.0.0.2"))
    world.publish(block=["20.0.0.0/24", "10.0.0.0/8", "21.0.0.1"])
    outcome = await in_thread(world.run)
    assert world.held("Block") == {"21.0.0.1/32"}
    assert outcome.block is not None
    assert outcome.block.left_out == 2
    assert any("20.0.0.0/24 excluded" in one and "manager" in one for one in outcome.findings)


@pytest_twisted.ensureDeferred
async def test_a_shrunken_list_is_refused_until_forced(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100))
    await in_thread(world.run)
    world.publish(block=addresses(10))
    refused = await in_thread(world.run)
    assert refused.result == Result.REFUSED
    assert "`tsadmin update fw --accept_shrink`" in str(refused.error)
    assert len(world.held("Block")) == 100
    assert world.known[BLOCK].count == 100
    assert (await in_thread(world.plan)).result == Result.REFUSED
    planned = await in_thread(world.plan, survey=True)
    assert planned.result == Result.PLANNED
    assert {one.option for one in planned.risks} == {"--accept_shrink"}
    assert planned.plan is not None
    assert planned.plan.removed == 90
    assert len(world.held("Block")) == 100
    others = Consent(risks=frozenset(Risk) - {Risk.SHRINK})
    assert (await in_thread(world.run, consent=others)).result == Result.REFUSED
    forced = await in_thread(world.run, consent=Consent(risks=frozenset({Risk.SHRINK})))
    assert forced.good
    assert forced.accepted == ("accept_shrink",)
    assert any(note.startswith("accepted by --accept_shrink: block") for note in forced.notes)
    assert world.converged()
    assert not (await in_thread(world.run)).notes


@pytest_twisted.ensureDeferred
async def test_a_serial_that_went_back_and_an_emptied_list_are_refused(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.lists[BLOCK] = (5, addresses(10))
    await in_thread(world.run)
    for damaged in ((4, addresses(10, 1)), (6, [])):
        world.lists[BLOCK] = damaged
        outcome = await in_thread(world.run)
        assert outcome.result == Result.REFUSED
        assert len(world.held("Block")) == 10


@pytest_twisted.ensureDeferred
async def test_a_failed_fetch_says_so_and_touches_nothing(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"allow_list": "nowhere.example"})
    world.publish(block=addresses(10))
    outcome = await in_thread(world.run)
    assert outcome.result == Result.FAILED
    assert "Failed to retrieve policy" in str(outcome.error)
    assert "no such name; wait 15 minutes" in str(outcome.error)
    assert not asa.counts.requests


@pytest_twisted.ensureDeferred
async def test_another_list_name_raises_no_alarm(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(100))
    await in_thread(world.run)
    world.lists["small.example"] = (1, addresses(5))
    world.changes["block_list"] = "small.example"
    outcome = await in_thread(world.run)
    assert outcome.result == Result.CHANGED
    assert len(world.held("Block")) == 5


@pytest_twisted.ensureDeferred
async def test_edits_by_hand_are_reported_and_repaired(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20), allow=addresses(2, 700))
    first = await in_thread(world.run)
    assert first.generation is not None
    child = next(iter(asa.configuration.groups["ThreatSTOP-Block"].children))
    asa.type_lines(
        [
            f"object-group network {child}",
            " network-object host 20.200.0.1",
            " no network-object host 20.0.0.0",
            " no network-object host 20.0.0.2",
        ]
    )
    outcome = await in_thread(world.run)
    assert world.converged()
    assert any(
        "changed since" in note and "entries added 1, removed 2" in note for note in outcome.notes
    )
    # Whoever edits every hour must not push out what was really applied.
    assert (outcome.result, outcome.generation) == ("changed", None)


@pytest_twisted.ensureDeferred
async def test_what_a_lost_run_wrote_whole_becomes_a_generation_in_the_next(
    asa: SimulatedAsa,
) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    await in_thread(world.run)
    kept = world.memory, world.known, world.applied
    world.publish(block=addresses(30))
    await in_thread(world.run)
    world.memory, world.known, world.applied = kept  # killed before the store was told
    outcome = await in_thread(world.run)
    assert (outcome.result, outcome.saved) == ("unchanged", True)
    assert outcome.generation is not None
    assert outcome.generation.block_entries == 30
    (note,) = outcome.notes
    assert note.endswith("entries added 10, removed 0; this matches the present lists")
    assert not (await in_thread(world.run)).saved


@pytest_twisted.ensureDeferred
async def test_foreign_groups_are_never_touched(asa: SimulatedAsa) -> None:
    asa.type_lines(
        [
            "object-group network ThreatSTOP-Custom",
            " network-object host 20.0.0.1",
            "object-group network OTHER",
            " network-object host 20.0.0.2",
        ]
    )
    before = {
        name: list(asa.configuration.groups[name].members)
        for name in ("ThreatSTOP-Custom", "OTHER")
    }
    world = World(asa)
    world.publish(block=addresses(20))
    assert (await in_thread(world.run)).good
    after = {name: list(asa.configuration.groups[name].members) for name in before}
    assert after == before


@pytest_twisted.ensureDeferred
async def test_a_mark_of_another_manager_refuses_until_forced(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    await in_thread(world.run)
    rival = World(
        asa, node=NodeSettings(node_id="rival", policy=PolicySettings(allow_special=True))
    )
    rival.publish(block=addresses(5))
    outcome = await in_thread(rival.run)
    assert outcome.result == Result.FAILED
    assert "another tscm, 'tscm'" in str(outcome.error)
    assert len(world.held("Block")) == 20
    assert "--take_over" in str(outcome.error)
    for others in (Consent(risks=OF_LISTS), Consent(risks=frozenset(Risk) - {Risk.OWNER})):
        assert not (await in_thread(rival.run, consent=others)).good
    taken = await in_thread(rival.run, consent=Consent(risks=frozenset({Risk.OWNER})))
    assert (taken.good, taken.accepted) == (True, ("take_over",))
    assert len(world.held("Block")) == 5


@pytest_twisted.ensureDeferred
async def test_a_reload_and_another_version_are_noted(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    await in_thread(world.run)
    world.memory.update(version="9.14(1)", started_at=world.memory["started_at"] - 5000)
    outcome = await in_thread(world.run)
    assert any("9.14(1)" in note for note in outcome.notes)
    assert any("reloaded" in note for note in outcome.notes)


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_ends_the_run_at_once_and_is_counted(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"password": Secret("wrong")})
    world.publish(block=addresses(20))
    outcome = await in_thread(world.run)
    assert "wrong username or password" in str(outcome.error)
    assert world.memory["login_failures"] == 1
    assert world.pauses == []
    world.changes.clear()
    assert (await in_thread(world.run)).good
    assert world.memory["login_failures"] == 0


@pytest_twisted.ensureDeferred
async def test_what_was_not_saved_is_saved_by_the_next_run(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    world.memory = {"unsaved": True}
    await in_thread(world.run)
    world.memory["unsaved"] = True
    outcome = await in_thread(world.run)
    assert (outcome.result, outcome.saved) == ("unchanged", True)
    assert not asa.device.unsaved


@pytest_twisted.ensureDeferred
async def test_saving_can_be_turned_off(asa: SimulatedAsa) -> None:
    world = World(
        asa, node=NodeSettings(policy=PolicySettings(allow_special=True, save_config=False))
    )
    world.publish(block=addresses(20))
    outcome = await in_thread(world.run)
    assert (outcome.result, outcome.saved, asa.counts.saves) == ("changed", False, 0)


@pytest.mark.parametrize("stop_after", range(6))
@pytest_twisted.ensureDeferred
async def test_a_run_stopped_anywhere_is_finished_by_the_next(
    asa: SimulatedAsa, stop_after: int
) -> None:
    world = World(asa, changes={"object_group_size": 400})
    world.publish(block=addresses(1500), allow=addresses(10, 5000))
    world.stop_after = stop_after
    outcome = await in_thread(world.run)
    if outcome.result == Result.STOPPED:
        assert "next update completes them" in str(outcome.error)
    else:
        assert world.looks <= stop_after
    world.stop_after = None
    finished = await in_thread(world.run)
    assert finished.good
    assert not any("edited" in note for note in finished.notes)
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_a_policy_over_the_agents_budget_is_refused_before_the_first_write(
    asa: SimulatedAsa,
) -> None:
    world = World(asa, changes={"max_policy_size": 100_000})
    world.publish(block=addresses(18_000))
    outcome = await in_thread(world.run)
    assert outcome.result == Result.REFUSED
    assert "500,000" in str(outcome.error)
    assert not [name for name in asa.configuration.groups if name.startswith("ThreatSTOP")]


@pytest_twisted.ensureDeferred
async def test_progress_counts_to_its_end(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(1200))
    await in_thread(world.run)
    phases = list(dict.fromkeys(one.phase for one in world.told))
    assert phases == ["fetch", "guard", "plan", "push", "read back", "save"]
    pushed = [(one.done, one.total) for one in world.told if one.phase == "push"]
    assert pushed[-1][0] == pushed[-1][1]


@pytest_twisted.ensureDeferred
async def test_a_rollback_pushes_the_kept_generation(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(20))
    first: Any = (await in_thread(world.run)).generation
    world.publish(block=addresses(20, 3))
    await in_thread(world.run)
    outcome = await in_thread(world.run, rollback=first)
    assert outcome.result == Result.CHANGED
    assert world.held("Block") == set(addresses(20))
    assert outcome.generation is not None
    assert "rolled back" in outcome.generation.note
    assert world.lists[ALLOW][1] == []


@pytest_twisted.ensureDeferred
async def test_a_rollback_blocks_nobody_who_is_protected_today(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=["20.0.0.0/24", *addresses(20)])
    first: Any = (await in_thread(world.run)).generation
    world.publish(block=addresses(20, 3))
    await in_thread(world.run)
    policy = evolve(world.node.policy, protect=("20.0.0.7",))
    world.node = evolve(world.node, policy=policy)
    outcome = await in_thread(world.run, rollback=first)
    assert outcome.result == Result.CHANGED
    held = CidrSet.of_texts(world.held("Block"))
    assert not held.covers("20.0.0.7")
    assert held.covers("20.0.0.8"), "what is around it is blocked again"
    assert any(
        "20.0.0.7/32, protected by the settings, is left out" in one for one in outcome.warnings
    )
    assert (await in_thread(world.run, rollback=first)).result == Result.UNCHANGED


@pytest_twisted.ensureDeferred
async def test_a_rollback_waits_for_a_name_that_is_not_known(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=["20.0.0.0/24", *addresses(20)])
    first: Any = (await in_thread(world.run)).generation
    world.publish(block=addresses(20))
    await in_thread(world.run)
    policy = evolve(world.node.policy, protect=("siem.invalid",))
    world.node = evolve(world.node, policy=policy)
    outcome = await in_thread(world.run, rollback=first)
    assert world.held("Block") == set(addresses(20))
    assert any("siem.invalid" in one and "new block entr" in one for one in outcome.warnings), (
        outcome
    )


@pytest.mark.parametrize("status", [400, 409, 500])
@pytest_twisted.ensureDeferred
async def test_a_group_that_the_device_will_not_delete_is_left_and_told(
    asa: SimulatedAsa, status: int
) -> None:
    asa.switches.update({"in_use_status": status})
    world = World(asa, changes={"object_group_size": 30})
    world.publish(block=addresses(90))
    await in_thread(world.run)
    world.protect()
    children = sorted(asa.configuration.groups["ThreatSTOP-Block"].children)
    asa.type_lines(["object-group network OTHER", *(f" group-object {one}" for one in children)])
    world.publish(block=addresses(50))
    outcome = await in_thread(world.run)
    assert outcome.good, outcome.error
    assert world.held("Block") == set(addresses(50))
    assert any("could not be deleted" in note for note in outcome.notes)
    writes = asa.counts.writes
    again = await in_thread(world.run)
    assert (again.result, asa.counts.writes) == ("unchanged", writes)
    asa.type_lines(["no object-group network OTHER"])
    world.publish(block=addresses(51))
    await in_thread(world.run)
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_a_batch_that_kills_the_agent_is_halved_and_the_size_remembered(
    asa: SimulatedAsa,
) -> None:
    asa.switches.update({"crash_body_bytes": 130 * 48, "agent_restart_seconds": 0.01})
    world = World(asa, real_pause=0.02)
    world.publish(block=addresses(1000))
    first = await in_thread(world.run)
    assert first.good, first.error
    assert 1 <= len(first.failures) <= 3
    assert first.failures[0].endswith("returned 500")  # overcome: nothing is left to do
    assert world.converged()
    assert 62 <= world.memory["driver"]["batch"] <= 130
    world.publish(block=addresses(1000, 600))
    second = await in_thread(world.run)
    assert second.good
    assert second.failures == ()
    assert world.converged()


@pytest_twisted.ensureDeferred
async def test_entries_typed_in_by_hand_at_any_moment_are_put_right(asa: SimulatedAsa) -> None:
    for at in range(1, 12):
        world = World(asa, changes={"object_group_size": 30, "prefix": f"E{at}"})
        world.publish(block=addresses(50))
        await in_thread(world.run)
        world.publish(block=addresses(50, 20))
        faults = Faults(asa)

        def edit(faults: Faults = faults, at: int = at) -> None:
            if faults.seen == at:
                faults.asa.type_lines(
                    [
                        f"object-group network E{at}-Block-1",
                        " network-object host 20.0.0.98",  # is to come by this very update
                        " network-object host 20.99.0.1",
                        " no network-object host 20.0.0.0",
                    ]
                )

        faults.watch = edit
        outcome = await in_thread(world.run)
        assert outcome.good, f"at {at}: {outcome.error}"
        if world.held("Block") != set(addresses(50, 20)):
            assert faults.seen < at + 4  # typed after the read back: the next run sees it
            await in_thread(world.run)
        assert world.held("Block") == set(addresses(50, 20)), f"at {at}"


@pytest_twisted.ensureDeferred
async def test_a_child_taken_away_by_hand_at_any_moment_is_made_again(asa: SimulatedAsa) -> None:
    for at in range(1, 12):
        world = World(asa, changes={"object_group_size": 30, "prefix": f"R{at}"})
        world.publish(block=addresses(50))
        await in_thread(world.run)
        world.publish(block=addresses(50, 20))
        faults = Faults(asa)

        def edit(faults: Faults = faults, at: int = at) -> None:
            if faults.seen == at:
                faults.asa.type_lines(
                    [
                        f"object-group network R{at}-Block",
                        f" no group-object R{at}-Block-1",
                        f"no object-group network R{at}-Block-1",
                    ]
                )

        faults.watch = edit
        outcome = await in_thread(world.run)
        assert outcome.good, f"at {at}: {outcome.error}"
        if world.held("Block") != set(addresses(50, 20)):
            await in_thread(world.run)
        assert world.held("Block") == set(addresses(50, 20)), f"at {at}"


@pytest_twisted.ensureDeferred
async def test_wrong_passwords_stop_before_the_account_is_locked(asa: SimulatedAsa) -> None:
    asa.switches.update({"lockout_after": 3})
    asa.device.apply_switches()
    world = World(asa, changes={"password": Secret("wrong")})
    world.publish(block=addresses(5))
    for _ in range(2):  # the service starts no third one: see its tests
        assert not (await in_thread(world.run)).good
    assert DeviceMemory.from_json(world.memory).locked_out
    world.changes.clear()
    assert (await in_thread(world.run)).good


@pytest_twisted.ensureDeferred
async def test_a_changed_certificate_stops_the_update_until_forced(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"fingerprint": None, "allow_self_signed": True})
    world.publish(block=addresses(5))
    await in_thread(world.run)
    assert world.memory["driver"]["certificate"] == asa.fingerprint
    world.memory["driver"]["certificate"] = "ab" * 32
    asa.counts.requests.clear()
    stopped = await in_thread(world.run)
    assert not stopped.good
    assert "certificate has changed" in str(stopped.error)
    assert not asa.counts.requests
    looked = await in_thread(world.plan, survey=True)  # to look is not to accept
    assert [(one.risk, one.value) for one in looked.risks] == [(Risk.CERTIFICATE, asa.fingerprint)]
    for others in (Consent(risks=frozenset(Risk)), Consent(certificate="cd" * 32)):
        assert not (await in_thread(world.run, consent=others)).good
    assert not asa.counts.requests
    taken = await in_thread(world.run, consent=Consent(certificate=asa.fingerprint))
    assert (taken.good, taken.accepted) == (True, ("accept_certificate",))
    assert (await in_thread(world.run)).good


@pytest_twisted.ensureDeferred
async def test_a_list_that_stopped_changing_is_told(asa: SimulatedAsa) -> None:
    world = World(asa)
    hour = 3600.0
    for number in range(6):
        world.publish(block=addresses(10, number))
        outcome = await in_thread(world.run, now=lambda at=number * hour: at)
        assert not any("maintained" in note for note in outcome.notes)
    outcome = await in_thread(world.run, now=lambda: 9 * hour)
    assert not any("maintained" in note for note in outcome.notes)
    outcome = await in_thread(world.run, now=lambda: 11 * hour)
    assert any("unchanged for 6 hours" in note and "maintained" in note for note in outcome.notes)


@pytest_twisted.ensureDeferred
async def test_a_list_that_only_comes_in_another_order_has_not_changed(asa: SimulatedAsa) -> None:
    world = World(asa)
    hour = 3600.0
    for number in range(6):
        world.publish(block=addresses(10, number))
        await in_thread(world.run, now=lambda at=number * hour: at)
    for at in (8 * hour, 11 * hour):
        world.publish(block=[*reversed(world.lists[BLOCK][1]), *addresses(1, 5)])
        outcome = await in_thread(world.run, now=lambda at=at: at)
        assert outcome.result == Result.UNCHANGED
    assert any("unchanged for 6 hours" in note and "maintained" in note for note in outcome.notes)


@pytest_twisted.ensureDeferred
async def test_what_hits_is_kept_when_a_list_is_cut(asa: SimulatedAsa) -> None:
    world = World(asa, changes={"max_policy_size": 5})
    world.publish(block=addresses(100))
    seen = addresses(100)[-5:]

    def hits(entries: Entries) -> Any:
        return np.array([one in seen for one in entries.cidrs()], np.int64)

    await in_thread(world.run, hits=hits)
    assert world.held("Block") == set(seen)


@pytest.mark.parametrize("broken", ["absent", "no database", "damaged", "locked"])
@pytest_twisted.ensureDeferred
async def test_a_database_whose_hits_cannot_be_read_ends_no_update(
    asa: SimulatedAsa, tmp_path: Path, broken: str
) -> None:
    database = tmp_path / "tscm.db"
    lock = None
    if broken == "no database":
        database.write_bytes(b"\0" * 4096)
    elif broken != "absent":
        store = Store(database)
        store.open()
        store.close()
    if broken == "damaged":
        content = database.read_bytes()
        database.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    if broken == "locked":
        lock = sqlite3.connect(database)
        lock.execute("PRAGMA locking_mode = EXCLUSIVE")
        lock.execute("BEGIN EXCLUSIVE")
    world = World(asa, changes={"max_policy_size": 5})
    world.publish(block=addresses(100))
    outcome = await in_thread(world.run, hits=recent_hits(database, "fw", time.time()))
    if lock is not None:
        lock.close()
    assert outcome.result == Result.CHANGED
    assert len(world.held("Block")) == 5
    (note,) = outcome.notes
    assert "cannot read recent hits" in note


@pytest_twisted.ensureDeferred
async def test_a_standby_unit_is_not_written_to(asa: SimulatedAsa) -> None:
    world = World(asa)
    world.publish(block=addresses(10))
    for role in ("standby", "active"):
        asa.device.role = role
        writes = len(asa.configuration.groups)
        outcome = await in_thread(world.run)
        if role == "standby":
            assert "not the active unit" in str(outcome.error)
            assert len(asa.configuration.groups) == writes
            assert world.pauses == []
        else:
            assert world.converged()


@pytest_twisted.ensureDeferred
async def test_groups_that_a_reload_dropped_are_made_again_and_the_reload_is_noted(
    asa: SimulatedAsa,
) -> None:
    world = World(asa, changes={"object_group_size": 30})
    world.publish(block=addresses(40))
    await in_thread(world.run)
    world.publish(block=addresses(100))  # children that come after their parent: out of order
    await in_thread(world.run)
    world.memory["started_at"] -= 600
    asa.switches.update({"reload_hazard": True})
    asa.reload()
    assert not world.converged()
    outcome = await in_thread(world.run)
    assert outcome.good, outcome.error
    assert world.converged()
    assert any("reloaded" in note for note in outcome.notes)
    assert any("have changed since" in note for note in outcome.notes)


@pytest_twisted.ensureDeferred
async def test_writes_that_are_taken_and_done_later_converge(asa: SimulatedAsa) -> None:
    asa.switches.update({"accepted_late_seconds": 0.05})
    world = World(asa, real_pause=0.2)
    world.publish(block=addresses(40))
    outcome = await in_thread(world.run)
    assert outcome.good, outcome.error
    assert world.converged()
    assert not outcome.saved
    assert any("did not confirm" in note for note in outcome.notes)
    asa.switches.update({"accepted_late_seconds": 0})
    assert (await in_thread(world.run)).saved


@pytest_twisted.ensureDeferred
async def test_a_child_renamed_by_hand_at_any_moment_is_made_again_and_the_other_left_alone(
    asa: SimulatedAsa,
) -> None:
    for at in range(1, 12):
        world = World(asa, changes={"object_group_size": 30, "prefix": f"N{at}"})
        world.publish(block=addresses(50))
        await in_thread(world.run)
        world.publish(block=addresses(50, 20))
        faults = Faults(asa)
        other = f"Mine{at}"

        def rename(faults: Faults = faults, at: int = at, other: str = other) -> None:
            groups = faults.asa.configuration.groups
            if faults.seen == at and f"N{at}-Block-1" in groups:
                faults.asa.type_lines(
                    [
                        f"object-group network {other}",
                        *(f" {one}" for one in groups[f"N{at}-Block-1"].members),
                        f"object-group network N{at}-Block",
                        f" group-object {other}",
                        f" no group-object N{at}-Block-1",
                        f"no object-group network N{at}-Block-1",
                    ]
                )

        faults.watch = rename
        first = await in_thread(world.run)
        assert first.good, f"at {at}: {first.error}"
        if faults.seen < at:  # that was every request of an update
            assert at > 8
            break
        faults.watch = lambda: None
        again = await in_thread(world.run)
        assert again.good, f"at {at}: {again.error}"
        groups = asa.configuration.groups
        ours = {name for name in groups if name.startswith(f"N{at}-Block-")}
        members = [member for name in ours for member in groups[name].members]
        assert sorted(member.split()[-1] for member in members) == sorted(
            one.removesuffix("/32") for one in addresses(50, 20)
        ), f"at {at}"
        assert ours <= set(groups[f"N{at}-Block"].children)
        assert other in groups  # it is the operator's now
        assert any("not managed by tscm" in one for one in again.warnings), f"at {at}"
    else:
        raise AssertionError("an update took more requests than were tried")


@pytest_twisted.ensureDeferred
async def test_members_of_a_pair_are_protected_and_not_pushed_to(asa: SimulatedAsa) -> None:
    world = World(asa, node=NodeSettings(), changes={"ha_members": ("20.0.0.7",)})
    world.publish(block=["20.0.0.0/24", "21.0.0.1/32"])
    outcome = await in_thread(world.run)
    assert outcome.good
    assert world.held("Block") == {"21.0.0.1/32"}
    assert any("20.0.0.7/32, an address of the device" in one for one in outcome.findings)
    assert len(world.drivers) == 1


@pytest_twisted.ensureDeferred
async def test_a_first_load_that_takes_hours_is_told_before_it_starts_and_needs_a_word(
    asa: SimulatedAsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "LONG_SECONDS", 5.0)
    world = World(asa, changes={"object_group_size": 10})
    world.publish(block=addresses(400))
    refused = await in_thread(world.run)
    assert refused.result == "refused"
    assert "hours in" in (refused.error or "")
    assert "--accept_long" in (refused.error or "")
    assert not asa.configuration.groups
    outcome = await in_thread(world.run, consent=Consent.of_words(["accept_long"]))
    assert outcome.good, outcome.error
    assert "accept_long" in outcome.accepted
    assert world.converged()
    world.publish(block=addresses(400, 1000))
    later = await in_thread(world.run, consent=Consent.of_words(["accept_shrink"]))
    assert later.good, later.error  # told, for nobody waits for it
    assert any("hours in" in note for note in later.notes)


def test_a_push_takes_long_by_its_requests_and_the_share_of_the_budget() -> None:
    assert push_seconds(100, 0, 0, 500_000) == pytest.approx(90)
    assert push_seconds(100, 500_000, 500_000, 500_000) == pytest.approx(2300)
    assert push_seconds(100, 0, 500_000, None) == pytest.approx(90)
