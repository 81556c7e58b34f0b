"""
What is in force while the lists cannot be used: by `Clock`, on a device in memory.
"""

import pytest
from attrs import evolve

from tests.update.test_update_service import Bench, bench, ignore, result
from tests.update.test_update_upheaval import held, loaded, lose, say
from tscm.cli.state import outcome_words
from tscm.errors import DeviceFault
from tscm.update.figures import Result, UpdateRecord
from tscm.wire.reading import read

__all__ = ["bench", "loaded"]
INTERVAL = 3600.0


def refuse_lists(bench: Bench) -> None:
    """From now on the guard refuses the block list: it is empty."""
    bench.entries, bench.serial = [], bench.serial + 1


def test_what_somebody_takes_off_by_hand_is_put_back_while_the_lists_are_refused(
    loaded: Bench,
) -> None:
    refuse_lists(loaded)
    lose(loaded)
    assert held(loaded) == 1
    loaded.clock.advance(INTERVAL)
    assert held(loaded) == 2
    latest = loaded.policies.updates("one")
    assert [(one["result"], one["kept"]) for one in latest[:2]] == [
        ("changed", True),
        ("refused", False),
    ]
    assert len(loaded.service.questions.history("one").generations) == 1


def test_the_state_still_tells_that_the_lists_were_refused(loaded: Bench) -> None:
    first = loaded.service.figures("one").last_good
    refuse_lists(loaded)
    lose(loaded)
    loaded.clock.advance(INTERVAL)
    figures = loaded.service.figures("one")
    assert figures.last_update is not None
    assert (figures.last_update.result, figures.last_update.kept) == (Result.REFUSED, False)
    assert figures.last_good == first  # when lists were good last
    kept = read(UpdateRecord, loaded.policies.updates("one")[0])
    assert "changed (its lists could not be used), 1 entry added" in outcome_words(kept)


def test_a_repair_after_a_reload_does_not_hide_that_the_lists_were_refused(loaded: Bench) -> None:
    refuse_lists(loaded)
    loaded.clock.advance(INTERVAL)
    for _ in range(12):  # more than are looked at first
        lose(loaded)
        say(loaded)
        loaded.clock.advance(400)
    assert loaded.policies.updates("one")[0]["cause"]
    last = loaded.service.figures("one").last_update
    assert last is not None
    assert last.result is Result.REFUSED


def test_a_repair_that_fails_is_told_in_the_place_of_a_good_update(loaded: Bench) -> None:
    refuse_lists(loaded)
    lose(loaded)
    loaded.driver("one").faults = [DeviceFault("one", "it is full")]
    loaded.clock.advance(INTERVAL)
    last = loaded.service.figures("one").last_update
    assert last is not None
    assert (last.result, last.kept) == (Result.FAILED, True)
    assert "it is full" in str(last.error)


def test_a_device_with_nothing_in_force_is_not_asked(bench: Bench) -> None:
    bench.clock.advance(1000)
    refuse_lists(bench)
    bench.add("one")
    bench.service.startService()
    bench.clock.advance(INTERVAL)
    assert [one["kept"] for one in bench.policies.updates("one")] == [False]
    assert bench.drivers == {}


@pytest.mark.parametrize("how", ["paused", "held"])
def test_where_nothing_may_be_pushed_nothing_is_put_back(loaded: Bench, how: str) -> None:
    if how == "paused":
        settings = loaded.service._device("one").settings
        loaded.service.set_device(evolve(settings, policy_updates=False))
    else:
        loaded.service.holds.hold("one", "root", None, "change freeze")
    refuse_lists(loaded)
    lose(loaded)
    loaded.clock.advance(INTERVAL)
    assert held(loaded) == 1


def test_an_update_by_hand_that_is_refused_changes_nothing(loaded: Bench) -> None:
    refuse_lists(loaded)
    lose(loaded)
    assert result(loaded.service.update_now("one", ignore)).result is Result.REFUSED
    assert held(loaded) == 1
