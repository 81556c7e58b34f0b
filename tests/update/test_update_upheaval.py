"""
What the service does when a firewall says that it reloaded: by `Clock`, on a device in memory.
"""

from collections.abc import Mapping

import pytest
from attrs import evolve
from twisted.logger import capturedLogs, formatEvent

from tests.update.test_update_acts import metric
from tests.update.test_update_service import Bench, address_of, bench, ignore, result
from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import Group
from tscm.update.alert import AT_ONCE, LEAVING_SECONDS, PATIENCE_SECONDS, SPACING_SECONDS
from tscm.update.answers import Explanation
from tscm.update.figures import ACTS
from tscm.update.memory import DeviceMemory
from tscm.update.outcome import UpdateOutcome

__all__ = ["bench"]
CHILD = "P-Block-1"
BACK = "199002"


def say(bench: Bench, message: str = BACK, name: str = "one") -> None:
    bench.service.upheaval(name, {message: bench.clock.seconds()})


def lose(bench: Bench) -> None:
    """As a reload does that leaves out what stands out of order."""
    groups = bench.driver("one").device.groups
    groups[CHILD] = evolve(groups[CHILD], members=groups[CHILD].members[1:])


def held(bench: Bench) -> int:
    return len(bench.driver("one").device.groups[CHILD].members)


def causes(bench: Bench) -> list[str]:
    return [one["cause"] for one in bench.policies.updates("one", without=ACTS)]


@pytest.fixture
def loaded(bench: Bench) -> Bench:
    """Updated once, in the middle between two scheduled updates."""
    bench.clock.advance(1000)
    bench.add("one")
    bench.service.startService()
    result(bench.service.update_now("one", ignore))
    assert held(bench) == 2
    return bench


def test_what_a_reload_lost_is_put_back_within_seconds_and_the_cause_is_kept(
    loaded: Bench,
) -> None:
    lose(loaded)
    say(loaded)
    loaded.clock.advance(5)
    assert held(loaded) == 2
    latest = loaded.policies.updates("one")[0]
    assert latest["result"] == "changed"
    assert "it has started (199002 at" in latest["cause"]
    figures = loaded.service.figures("one")
    assert not figures.upheavals
    assert figures.last_good is not None
    assert figures.last_good.cause == ""  # nobody asked for the lists


def test_all_entries_for_the_firewall_are_checked_whichever_its_lines_belong_to(
    loaded: Bench,
) -> None:
    loaded.add("twin", prefix="Q", rest_url=f"https://{address_of('one')}/api")
    loaded.add("other")
    for name in ("twin", "other"):
        assert result(loaded.service.update_now(name, ignore)).good
    loaded.clock.advance(SPACING_SECONDS)
    for name in ("one", "twin", "other"):
        loaded.driver(name).device.groups.clear()
    say(loaded)
    loaded.clock.advance(5)
    groups = {name: len(loaded.driver(name).device.groups) for name in ("one", "twin", "other")}
    assert groups["one"] > 0
    assert groups["twin"] > 0
    assert groups["other"] == 0, "it is another firewall"


def test_no_list_is_fetched_for_it(loaded: Bench) -> None:
    lose(loaded)
    loaded.entries, loaded.serial = [], 2  # the guard would refuse it
    say(loaded)
    loaded.clock.advance(5)
    assert held(loaded) == 2
    assert len(loaded.service.questions.history("one").generations) == 1


def test_a_forged_flood_costs_one_check_in_some_minutes(loaded: Bench) -> None:
    loaded.clock.advance(SPACING_SECONDS)
    for _ in range(600):
        say(loaded)
        loaded.clock.advance(1)
    out_of_turn = [one for one in causes(loaded) if one]
    assert 1 < len(out_of_turn) <= 600 // SPACING_SECONDS + AT_ONCE


def test_a_unit_that_is_away_is_checked_within_a_minute_after_it_answers(loaded: Bench) -> None:
    loaded.driver("one").away = True
    lose(loaded)
    say(loaded)
    for _ in range(60):
        loaded.clock.advance(10)
    assert len(causes(loaded)) == 1  # nobody at home is no update that failed
    assert loaded.service.figures("one").since_start.ended["failed"] == 0
    assert loaded.service.figures("one").upheavals
    loaded.driver("one").away = False
    for _ in range(6):
        loaded.clock.advance(10)
    assert held(loaded) == 2


def test_a_unit_that_says_it_will_reload_is_checked_when_it_is_back_without_a_word(
    loaded: Bench,
) -> None:
    say(loaded, "199006")
    loaded.clock.advance(30)
    assert len(causes(loaded)) == 1
    loaded.driver("one").away = True
    loaded.clock.advance(LEAVING_SECONDS)
    lose(loaded)
    loaded.driver("one").away = False
    for _ in range(6):
        loaded.clock.advance(10)
    assert held(loaded) == 2


@pytest.mark.parametrize("why", ["paused", "held", "locked out"])
def test_where_nothing_may_be_pushed_it_is_told_and_nothing_is_touched(
    loaded: Bench, why: str
) -> None:
    if why == "paused":
        loaded.add("one", policy_updates=False)
    else:
        changed = {"held": {"held": True}, "locked out": {"login_failures": 2}}[why]
        memory = DeviceMemory.from_json(loaded.policies.memory("one"))
        loaded.policies.save_memory("one", evolve(memory, **changed).to_json())  # type: ignore[arg-type]
    lose(loaded)
    say(loaded)
    for _ in range(10):
        loaded.clock.advance(60)
    assert held(loaded) == 1
    assert len(causes(loaded)) == 1
    assert "it has started (199002" in loaded.service.figures("one").upheavals


def test_what_was_heard_before_a_stop_is_checked_after_the_next_start(loaded: Bench) -> None:
    lose(loaded)
    say(loaded)
    loaded.service.stopService()
    loaded.clock.advance(100)
    assert held(loaded) == 1
    loaded.service.startService()
    loaded.clock.advance(5)
    assert held(loaded) == 2


def test_an_update_that_was_good_meanwhile_answers_it(loaded: Bench) -> None:
    loaded.clock.advance(SPACING_SECONDS)
    say(loaded, "199006")
    say(loaded)
    outcome = result(loaded.service.update_now("one", ignore))
    assert isinstance(outcome, UpdateOutcome)
    loaded.clock.advance(30)
    assert causes(loaded) == ["", ""]
    assert not loaded.service.figures("one").upheavals


def test_a_check_that_fails_is_kept_and_told(loaded: Bench) -> None:
    lose(loaded)
    loaded.driver("one").faults = [DeviceFault("one", "it is full")]
    say(loaded)
    loaded.clock.advance(5)
    assert loaded.policies.updates("one")[0]["result"] == "failed"
    assert loaded.service.figures("one").upheavals
    for _ in range(20):
        loaded.clock.advance(10)
    assert len(causes(loaded)) == 2


def test_another_choice_of_lists_stays_to_be_asked_about(loaded: Bench) -> None:
    shape = loaded.policies.memory("one")["shape"]
    loaded.add("one", block_list="other.example")
    say(loaded)
    loaded.clock.advance(5)
    assert len(causes(loaded)) == 2
    assert loaded.policies.memory("one")["shape"] == shape


def groups_of(bench: Bench) -> Mapping[str, Group]:
    return bench.driver("one").device.groups


def test_a_device_without_any_generation_gets_a_whole_update(bench: Bench) -> None:
    bench.clock.advance(1000)
    bench.add("one")
    bench.service.startService()
    say(bench)
    bench.clock.advance(5)
    assert CHILD in groups_of(bench)


def hold_for(bench: Bench, why: str) -> None:
    name = "one"
    if why == "resume":
        bench.service.holds.hold(name, "root", None, "change freeze")
    elif why == "its time":
        bench.service.holds.hold(name, "root", bench.clock.seconds() + 600, "change freeze")
    elif why == "settings":
        bench.add(name, policy_updates=False)
    else:
        changed = {"rollback": {"held": True}, "lock-out": {"login_failures": 2}}[why]
        memory = DeviceMemory.from_json(bench.policies.memory(name))
        bench.policies.save_memory(name, evolve(memory, **changed).to_json())  # type: ignore[arg-type]


def end_hold(bench: Bench, why: str) -> None:
    if why == "its time":
        bench.clock.advance(600 - 300)
    elif why == "settings":
        bench.add("one", policy_updates=True)
    else:
        bench.service.resume("one")


WAYS = ["resume", "its time", "settings", "rollback", "lock-out"]


def advance(bench: Bench, seconds: int) -> None:
    """Second by second, as calls that are due call for others."""
    for _ in range(seconds):
        bench.clock.advance(1)


@pytest.mark.parametrize("why", WAYS)
def test_what_was_heard_during_a_hold_is_repaired_when_the_hold_ends(
    loaded: Bench, why: str
) -> None:
    hold_for(loaded, why)
    lose(loaded)
    say(loaded)
    advance(loaded, 300)
    assert held(loaded) == 1
    end_hold(loaded, why)
    advance(loaded, 10)
    assert held(loaded) == 2
    assert not loaded.service.figures("one").upheavals


def test_a_device_that_is_away_when_a_long_hold_ends_is_looked_at_again(loaded: Bench) -> None:
    hold_for(loaded, "rollback")
    lose(loaded)
    say(loaded)
    for _ in range(60):
        loaded.clock.advance(PATIENCE_SECONDS / 30)
    loaded.driver("one").away = True
    loaded.service.resume("one")
    advance(loaded, 60)
    loaded.driver("one").away = False
    advance(loaded, 60)
    assert held(loaded) == 2


def test_a_hold_that_another_one_follows_is_no_end(loaded: Bench) -> None:
    hold_for(loaded, "resume")
    lose(loaded)
    say(loaded)
    advance(loaded, 10)
    hold_for(loaded, "rollback")
    loaded.service.holds.hold("one", "root", loaded.clock.seconds() + 5, "")
    advance(loaded, 60)
    assert held(loaded) == 1
    loaded.service.resume("one")
    advance(loaded, 10)
    assert held(loaded) == 2


def test_a_hold_and_its_end_are_no_way_round_the_bound_on_checks(loaded: Bench) -> None:
    for _ in range(20):
        hold_for(loaded, "resume")
        say(loaded)
        advance(loaded, 5)
        loaded.service.resume("one")
        advance(loaded, 5)
    assert len([one for one in causes(loaded) if one]) <= AT_ONCE + 200 // SPACING_SECONDS


def test_the_hold_is_told_once_however_many_lines_come(
    loaded: Bench,
) -> None:
    hold_for(loaded, "resume")
    with capturedLogs() as events:
        for _ in range(100):
            say(loaded)
            loaded.clock.advance(1)
    told = [one for one in map(formatEvent, events) if "may be missing" in one]
    assert len(told) == 1
    assert "updates are held by root: change freeze, so they are checked when" in told[0]


def answer(bench: Bench) -> Explanation:
    found: Explanation = result(bench.service.questions.why("one", "20.0.0.9"))
    return found


def test_while_nobody_checked_it_nothing_says_that_it_is_in_force(loaded: Bench) -> None:
    assert answer(loaded).verdict == "blocked"
    assert answer(loaded).unchecked is None
    assert metric(loaded, "tscm_policy_unchecked_seconds") == [0]
    hold_for(loaded, "resume")
    lose(loaded)
    say(loaded)
    advance(loaded, 60)
    found = answer(loaded)
    assert found.verdict.startswith("perhaps blocked; part of the groups may be missing since ")
    assert found.verdict.endswith("and they have not been checked")
    assert "is perhaps in force" in found.sentences[0]
    assert "it has started (199002 at" in str(found.unchecked)
    assert "check them with `tsadmin update one`" in str(found.unchecked)
    assert metric(loaded, "tscm_policy_unchecked_seconds") == [60]
    untouched = result(loaded.service.questions.why("one", "198.18.0.1"))
    assert untouched.verdict == "not touched by this policy"
    loaded.service.resume("one")
    advance(loaded, 10)
    assert answer(loaded).verdict == "blocked"
    assert metric(loaded, "tscm_policy_unchecked_seconds") == [0]


def test_no_perhaps_stands_before_what_no_access_list_uses(loaded: Bench) -> None:
    memory = DeviceMemory.from_json(loaded.policies.memory("one"))
    kept = evolve(memory, unused=("P-Block",), held=True)
    loaded.policies.save_memory("one", kept.to_json())
    say(loaded)
    assert answer(loaded).verdict.startswith(
        "not blocked: P-Block contains it, and no access-list uses"
    )
