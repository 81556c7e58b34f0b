"""
A hold of an operator's: no scheduled update while it lasts, told on every face, over by itself at its time.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.update.test_update_acts import asked, figures, loaded, results
from tests.update.test_update_service import HOUR, Bench, bench, ignore, result
from tscm.base.time_words import read_end
from tscm.cli.state import state_pairs
from tscm.errors import NoSuchDevice
from tscm.standing import Verdict, row_of
from tscm.state import DeviceState
from tscm.update.hold import Hold
from tscm.update.memory import DeviceMemory, no_push

__all__ = ["bench", "loaded"]
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone(timedelta(hours=1)))


def publish(bench: Bench) -> None:
    bench.entries, bench.serial = ["20.0.0.1", "20.0.0.7"], bench.serial + 1


def pushed(bench: Bench) -> bool:
    return "20.0.0.7/32" in bench.driver("one").device.groups["P-Block-1"].members


def test_it_ends_by_itself_at_its_time_and_the_schedule_goes_on(loaded: Bench) -> None:
    until = loaded.clock.seconds() + 3 * HOUR
    loaded.service.holds.hold("one", "root", until, "change freeze")
    publish(loaded)
    loaded.clock.advance(2.5 * HOUR)
    assert not pushed(loaded)
    assert str(figures(loaded).hold).endswith("by root: change freeze")
    loaded.clock.advance(1.5 * HOUR)
    assert pushed(loaded)
    assert figures(loaded).hold is None
    assert results(loaded)[1:3] == ["resumed", "held"]


def test_without_an_end_it_lasts_until_resume(loaded: Bench) -> None:
    loaded.service.holds.hold("one", "root", None, "")
    publish(loaded)
    loaded.clock.advance(30 * HOUR)
    assert not pushed(loaded)
    loaded.service.resume("one")
    loaded.clock.advance(HOUR)
    assert pushed(loaded)


def test_an_update_that_somebody_asks_for_is_made_and_the_hold_stays(loaded: Bench) -> None:
    loaded.service.holds.hold("one", "root", None, "")
    publish(loaded)
    assert result(loaded.service.update_now("one", ignore)).good
    assert pushed(loaded)
    assert figures(loaded).hold is not None


def test_the_last_hold_counts_where_two_operators_hold(loaded: Bench) -> None:
    loaded.service.holds.hold("one", "root", None, "first")
    loaded.service.holds.hold("one", "admin", loaded.clock.seconds() + HOUR, "second")
    hold = figures(loaded).hold
    assert hold is not None
    assert (hold.by, hold.reason) == ("admin", "second")


def test_it_is_told_in_status_show_and_why(loaded: Bench) -> None:
    loaded.service.holds.hold("one", "root", loaded.clock.seconds() + HOUR, "change freeze")
    state = DeviceState(policy=figures(loaded))
    settings = {"name": "one", "policy_updates": True}
    row = row_of("one", state, loaded.clock.seconds(), 3600)
    assert row.verdict is Verdict.HELD
    assert any("by root: change freeze" in one for one in row.causes)
    assert any("change freeze" in str(words) for _, words in state_pairs(settings, state))
    assert "by root: change freeze" in str(asked(loaded).held)


def test_it_survives_a_restart_and_other_settings(loaded: Bench) -> None:
    loaded.service.holds.hold("one", "root", None, "why")
    loaded.add("one", username="another")
    loaded.add("one", device="192.0.2.77")
    hold = figures(loaded).hold
    assert hold is not None
    assert hold.reason == "why"


def test_an_unknown_device_is_refused(bench: Bench) -> None:
    with pytest.raises(NoSuchDevice):
        bench.service.holds.hold("nobody", "root", None, "")


@pytest.mark.parametrize(
    "kept",
    [{}, {"since": "x"}, {"since": True}, {"until": 5.0}, {"since": None, "reason": 5}],
)
def test_a_damaged_hold_holds_nothing(kept: dict[str, Any]) -> None:
    assert DeviceMemory.from_json({"hold": kept}).operators_hold is None


@pytest.mark.parametrize("until", [None, 1e6, 1e18])
@pytest.mark.parametrize("reason", ["", "x" * 300, "\x1b[31m"])
def test_the_store_gives_back_what_it_was_given(until: float | None, reason: str) -> None:
    hold = Hold(since=5.0, until=until, reason=reason, by="root")
    memory = DeviceMemory.from_json(DeviceMemory(hold=hold.to_json()).to_json())
    assert memory.operators_hold == hold
    assert str(hold).startswith("held")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4h", "2026-11-30T16:00:00+01:00"),
        ("2d", "2026-12-02T12:00:00+01:00"),
        ("17:30", "2026-11-30T17:30:00+01:00"),
        ("9:15", "2026-12-01T09:15:00+01:00"),
        ("2026-12-24", "2026-12-24T00:00:00+01:00"),
    ],
)
def test_a_time_to_come_as_it_is_typed(text: str, found: str) -> None:
    assert read_end(text, NOW) == datetime.fromisoformat(found).timestamp()


@pytest.mark.parametrize("text", ["", "soon", "999999w", "25:99", "-4h"])
def test_what_is_no_time_to_come(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; allowed"):
        read_end(text, NOW)


def test_why_nothing_may_be_pushed(loaded: Bench) -> None:
    hold = Hold(since=0.0, until=10.0, reason="r", by="root")
    memory = DeviceMemory(hold=hold.to_json())
    settings = loaded.add("two")
    assert "by root: r" in no_push(settings, memory, 9.0)
    assert not no_push(settings, memory, 10.0)
