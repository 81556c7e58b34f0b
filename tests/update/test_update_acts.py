"""
What is said of a policy that was taken off, held, paused or rolled back: by `Clock`, on a device in memory.
"""

from typing import Any

import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from twisted.python.failure import Failure

from tests.update.test_update_service import Bench, bench, ignore, result
from tscm.cli.state import outcome_words, state_pairs
from tscm.intake.figures import IntakeFigures
from tscm.metrics.families import families
from tscm.model import Json
from tscm.risks import Consent, Risk
from tscm.spool.figures import LogFigures
from tscm.standing import Verdict, row_of
from tscm.state import DeviceState, NodeFigures, Watched, WatchedDevice
from tscm.store.generations import decode_entries
from tscm.update.answers import Explanation
from tscm.update.figures import UpdateFigures, UpdateRecord
from tscm.update.records import GenerationPurged
from tscm.wire.reading import read

__all__ = ["bench"]
LISTED = "20.0.0.9"


@pytest.fixture
def loaded(bench: Bench) -> Bench:
    bench.clock.advance(1000)
    bench.add("one")
    bench.service.startService()
    result(bench.service.update_now("one", ignore))
    return bench


def results(bench: Bench) -> list[str]:
    return [one["result"] for one in bench.service.questions.history("one").updates]


def asked(bench: Bench) -> Explanation:
    found: Explanation = result(bench.service.questions.why("one", LISTED))
    return found


def figures(bench: Bench) -> UpdateFigures:
    return bench.service.figures("one")


def purged(bench: Bench) -> bool:
    in_force = figures(bench).in_force
    assert in_force is not None
    return in_force.purged


def metric(bench: Bench, name: str) -> list[float]:
    everything = Watched(
        now=bench.clock.seconds(),
        node=NodeFigures(devices=1),
        intake=IntakeFigures(),
        uploads=None,
        balanced=True,
        devices={"one": WatchedDevice(policy=figures(bench), log=LogFigures(), lag_seconds={})},
    )
    return [
        sample.value
        for family in families(everything)
        if family.name == name
        for read in text_string_to_metric_families(family.text())
        for sample in read.samples
    ]


def test_before_a_purge_all_of_it_is_in_force(loaded: Bench) -> None:
    assert asked(loaded).verdict == "blocked"
    assert metric(loaded, "tscm_policy_entries") == [2, 0]
    assert metric(loaded, "tscm_policy_good") == [1]


def test_after_a_purge_nothing_goes_on_saying_that_the_policy_is_in_force(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    found = asked(loaded)
    assert "blocked" not in found.verdict
    assert "not in force since" in found.verdict
    assert "the groups were removed" in found.sentences[0]
    assert metric(loaded, "tscm_policy_entries") == [0, 0]
    assert metric(loaded, "tscm_policy_good") == [0]
    settings: Json = {"name": "one", "policy_updates": True}
    row = row_of("one", DeviceState(policy=figures(loaded)), loaded.clock.seconds(), 3600)
    assert (row.verdict, row.entries) == (Verdict.FAILED, 0)
    shown = list(state_pairs(settings, DeviceState(policy=figures(loaded))))
    assert any("not in force since" in str(words) for _, words in shown)
    assert dict(shown)["block list"].startswith("0 entries")
    assert dict(shown)["last update"].partition(": ")[2].startswith("purged (")


def test_a_purge_and_the_hold_behind_it_stand_in_the_history(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    assert results(loaded) == ["held", "purged", "changed"]
    words = [
        outcome_words(read(UpdateRecord, one))
        for one in loaded.service.questions.history("one").updates
    ]
    assert words[0] == "held (after a purge)"
    assert "4 groups were removed from one" in words[1]


def test_the_next_update_puts_it_in_force_again(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    loaded.driver("one").protected = False
    loaded.entries, loaded.serial = ["20.0.0.1", LISTED], 2
    outcome = result(loaded.service.update_now("one", ignore))
    assert outcome.good
    assert any(
        "until this update the policy was not in force since" in note for note in outcome.notes
    )
    assert outcome.generation_number == 3
    assert (
        asked(loaded).sentences[0].startswith("block list block.example: 20.0.0.9/32 is in force")
    )
    # The lines were taken off before the purge, and nobody has entered them again.
    assert asked(loaded).verdict == "not blocked: P-Block contains it, and no access-list uses it"
    assert metric(loaded, "tscm_policy_entries") == [2, 0]
    assert results(loaded)[:2] == ["changed", "resumed"]


def test_the_same_policy_after_a_purge_is_a_generation_of_its_own(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    assert purged(loaded)
    result(loaded.service.update_now("one", ignore))
    assert not purged(loaded)
    assert figures(loaded).generations == 3


def test_nobody_goes_back_to_what_a_purge_left(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    with pytest.raises(GenerationPurged, match="generation 2"):
        loaded.service.rollback("one", 2, ignore)
    assert result(loaded.service.rollback("one", 1, ignore)).good
    assert not purged(loaded)


def test_what_a_purge_left_is_never_put_back_as_a_policy(loaded: Bench) -> None:
    result(loaded.service.purge("one", ignore))
    loaded.service.resume("one")
    loaded.service.upheaval("one", {"199002": loaded.clock.seconds()})
    loaded.clock.advance(5)
    assert decode_entries(loaded.service.questions.generation("one").block).cidrs() == [
        "20.0.0.1/32",
        f"{LISTED}/32",
    ]


def test_a_purge_that_fails_stands_in_the_history(loaded: Bench) -> None:
    loaded.driver("one").refuses_login = True
    assert isinstance(result(loaded.service.purge("one", ignore)), Failure)
    latest = loaded.service.questions.history("one").updates[0]
    assert (latest["result"], latest["act"]) == ("failed", "purge")
    assert "wrong password" in outcome_words(read(UpdateRecord, latest))
    assert asked(loaded).verdict == "blocked"


def test_a_rollback_and_what_ends_its_hold_stand_in_the_history(loaded: Bench) -> None:
    loaded.entries, loaded.serial = ["20.0.0.1", LISTED, "20.0.0.17"], 2
    result(loaded.service.update_now("one", ignore))
    result(loaded.service.rollback("one", 1, ignore))
    loaded.service.resume("one")
    loaded.service.resume("one")
    assert results(loaded) == ["resumed", "changed", "held", "changed", "changed"]
    words = [
        outcome_words(read(UpdateRecord, one))
        for one in loaded.service.questions.history("one").updates
    ]
    assert words[:3] == [
        "resumed (by an operator)",
        "changed (rollback to generation 1), 0 entries added, 1 removed",
        "held (after a rollback)",
    ]
    assert str(getattr(figures(loaded).last_update, "result", "")) == "changed"


def test_a_pause_is_told_when_it_begins_and_ends_whoever_changed_the_settings(
    loaded: Bench,
) -> None:
    loaded.add("one", policy_updates=False)
    assert results(loaded) == ["paused", "changed"]
    assert metric(loaded, "tscm_policy_good") == [1]
    loaded.service.stopService()
    loaded.add("one")  # while no manager was there
    loaded.service.startService()
    assert results(loaded) == ["resumed", "paused", "changed"]
    loaded.service.stopService()
    loaded.service.startService()
    assert len(results(loaded)) == 3


def test_a_pause_that_was_there_before_anybody_looked_is_no_news(bench: Bench) -> None:
    bench.add("one", policy_updates=False)
    bench.service.startService()
    assert results(bench) == []
    taken: Any = figures(bench).in_force
    assert taken is None


def history_words(bench: Bench) -> list[str]:
    updates = bench.service.questions.history("one").updates
    return [outcome_words(read(UpdateRecord, one)) for one in updates]


def test_the_history_names_what_was_accepted(loaded: Bench) -> None:
    assert "accepted" not in history_words(loaded)[0]
    loaded.entries, loaded.serial = [], 2
    assert not result(loaded.service.update_now("one", ignore)).good
    accepted = Consent(risks=frozenset({Risk.SHRINK, Risk.OLDER}))
    assert result(loaded.service.update_now("one", ignore, consent=accepted)).good
    after, refused, _ = history_words(loaded)
    assert after.endswith("; accepted by --accept_shrink"), after
    assert "accepted by" not in refused


def test_the_history_names_what_was_accepted_for_a_purge(loaded: Bench) -> None:
    groups = loaded.driver("one").device.groups
    for name in ("P-Block", "P-Allow"):
        groups[name] = evolve(groups[name], description="managed by tscm somebody")
    accepted = Consent(risks=frozenset({Risk.OWNER}))
    result(loaded.service.purge("one", ignore, consent=accepted))
    assert history_words(loaded)[1].endswith("; accepted by --take_over")
