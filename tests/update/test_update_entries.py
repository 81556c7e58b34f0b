"""
The manager's duty for entries by hand: pushed and taken off in time, whatever happens to clock and device.
"""

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from tests.update.test_update_service import HOUR, Bench, ignore, result
from tscm.kinds.faults import Unreachable
from tscm.model import Cidr
from tscm.policy.by_hand import HandEntry
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.entries import DUTY, GRACE_SECONDS, LOOK_SECONDS
from tscm.update.hold import Hold
from tscm.update.outcome import UpdateOutcome

HAND = "30.0.0.1/32"
LISTED = {"20.0.0.1/32", "20.0.0.9/32"}


class SetClock(Clock):
    """A steady clock, and a time of day that can be set."""

    set_by = 0.0

    def wall_seconds(self) -> float:
        return self.seconds() + self.set_by


class Duty(Bench):
    """Some devices with a policy, none of whose publishers answers any more."""

    told: list[UpdateOutcome]

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.told = []
        self.service.entries._told = self.told.append

    def fetch(self, *arguments: Any) -> Any:
        found = super().fetch(*arguments)
        self.fetched = getattr(self, "fetched", 0) + 1
        return found

    def settle(self, *names: str, **changes: Any) -> None:
        for name in names:
            self.add(name, **changes)
            assert result(self.service.update_now(name, ignore)).good
        self.fetched = 0

    def enter(self, cidr: str = HAND, **changes: Any) -> HandEntry:
        now = self.service.entries.time()
        seconds = changes.pop("seconds", None)
        new = HandEntry(
            action="block",
            cidr=Cidr(cidr),
            who="root",
            made_at=now,
            until=None if seconds is None else now + seconds,
        )
        return self.service.entries.keep(evolve(new, **changes))[0]

    def push(self, name: str, *, told: bool = False) -> UpdateOutcome:
        outcome: UpdateOutcome = result(
            self.service.entries.push(name, ignore, told=told, asker=DUTY)
        )
        return outcome

    def blocked(self, name: str) -> set[str]:
        groups = self.driver(name).device.groups
        members = {one for group in groups.values() for one in group.members}
        return {str(one) for one in members} - {"192.0.2.1/32"}

    def wait(self, seconds: float) -> None:
        """In steps as small as the timer's."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(min(1.0, end - self.clock.seconds()))


@pytest.fixture
def duty(tmp_path: Path) -> Any:
    store = Store(tmp_path / "tscm.db")
    store.open()
    duty = Duty(Policies(store), clock=SetClock())
    duty.clock.advance(1_000_000.25)
    yield duty
    duty.service.stopService()
    store.close()
    assert duty.clock.getDelayedCalls() == []


def test_an_entry_is_pushed_at_once_by_who_enters_it_and_ends_by_itself(duty: Duty) -> None:
    duty.settle("one", "two")
    duty.service.startService()
    duty.enter(seconds=100.0)
    for name in ("one", "two"):
        assert duty.push(name).by_hand == (1,)
        assert duty.blocked(name) == {*LISTED, HAND}
    duty.wait(99)
    assert HAND in duty.blocked("one")
    duty.wait(1.5)
    assert duty.blocked("one") == duty.blocked("two") == LISTED
    assert duty.fetched == 0
    assert [one.device for one in duty.told] == ["one", "two"], "the audit has who took it off"
    assert duty.policies.by_hand.all() == [], "and nothing of it is kept"


def test_the_manager_pushes_what_nobody_else_did(duty: Duty) -> None:
    duty.settle("one", "two")
    duty.service.startService()
    duty.enter(device="one")
    duty.wait(GRACE_SECONDS - 1)
    assert duty.blocked("one") == LISTED
    duty.wait(2)
    assert duty.blocked("one") == {*LISTED, HAND}
    assert duty.blocked("two") == LISTED
    duty.wait(600)
    assert len(duty.told) == 1, "what is in force is not pushed again"


def test_what_was_stored_before_a_kill_is_pushed_at_the_start(duty: Duty) -> None:
    duty.settle("one")
    duty.enter()
    duty.service.startService()  # the service was never told to push
    duty.wait(1)
    assert duty.blocked("one") == {*LISTED, HAND}


def test_an_entry_that_ended_while_nothing_ran_is_taken_off_at_the_start(duty: Duty) -> None:
    duty.settle("one")
    duty.enter(seconds=50.0)
    duty.push("one")
    duty.clock.advance(1000)
    duty.service.startService()
    duty.wait(1)
    assert duty.blocked("one") == LISTED


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR], ids=["back", "forth"])
def test_a_clock_that_is_set_neither_ends_an_entry_nor_lengthens_it(
    duty: Duty, jump: float
) -> None:
    duty.settle("one")
    duty.service.startService()
    duty.enter(seconds=HOUR / 4)
    duty.enter("30.0.0.9/32")
    duty.push("one")
    duty.wait(HOUR / 8)
    duty.clock.set_by = jump  # type: ignore[attr-defined]
    assert result(duty.service.update_now("one", ignore)).by_hand == (1, 2), "also before a look"
    duty.wait(HOUR / 8 - 30)
    assert HAND in duty.blocked("one")
    duty.wait(LOOK_SECONDS + 31)
    assert duty.blocked("one") == {*LISTED, "30.0.0.9/32"}


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR], ids=["back", "forth"])
def test_what_is_entered_right_after_the_clock_was_set_has_its_own_time(
    duty: Duty, jump: float
) -> None:
    duty.settle("one")
    duty.service.startService()
    duty.wait(3)
    duty.clock.set_by = jump  # type: ignore[attr-defined]
    duty.enter(seconds=100.0)
    duty.push("one")
    duty.wait(95)
    assert HAND in duty.blocked("one")
    duty.wait(LOOK_SECONDS + 6)
    assert duty.blocked("one") == LISTED


def test_a_device_that_is_away_gets_it_when_it_is_back_and_no_list_is_asked_for(
    duty: Duty,
) -> None:
    duty.settle("one")
    duty.service.startService()
    driver = duty.driver("one")
    driver.away = True
    duty.enter()
    failed = duty.push("one")
    assert (failed.result, failed.error) == ("failed", str(Unreachable("one", "no route")))
    duty.wait(200)
    driver.away = False
    duty.wait(400)
    assert duty.blocked("one") == {*LISTED, HAND}
    assert duty.fetched == 0
    tries = len(duty.told)
    assert 2 <= tries <= 4, "the tries get rarer"


def test_an_expired_entry_is_shown_until_the_last_device_has_lost_it(duty: Duty) -> None:
    duty.settle("one")
    duty.service.startService()
    duty.enter(seconds=50.0)
    duty.push("one")
    duty.driver("one").away = True
    duty.wait(120)
    (kept,) = duty.policies.by_hand.all()
    assert kept.ended == "expired"
    assert HAND in duty.blocked("one")
    duty.driver("one").away = False
    duty.wait(1000)
    assert duty.blocked("one") == LISTED
    assert duty.policies.by_hand.all() == []


def hold(duty: Duty) -> None:
    assert result(duty.service.rollback("one", 1, ignore)).good
    assert duty.service.figures("one").held


def test_a_held_device_gets_nothing_unless_told_and_loses_what_ended(duty: Duty) -> None:
    duty.settle("one")
    hold(duty)
    duty.service.startService()
    duty.enter(seconds=500.0)
    assert duty.push("one").result == "unchanged"
    duty.wait(100)
    assert duty.blocked("one") == LISTED
    assert duty.push("one", told=True).by_hand == (1,)
    assert duty.blocked("one") == {*LISTED, HAND}
    assert duty.service.figures("one").held, "the hold remains"
    duty.wait(500)
    assert duty.blocked("one") == LISTED
    assert duty.service.figures("one").held


def test_what_waited_for_a_hold_comes_when_it_ends_by_itself(duty: Duty) -> None:
    duty.settle("one")
    duty.service.startService()
    now = duty.clock.seconds()
    duty.service.entries.records.keep_hold("one", Hold(since=now, until=now + 200, by="root"))
    duty.enter()
    duty.wait(190)
    assert duty.blocked("one") == LISTED
    duty.wait(LOOK_SECONDS + 11)
    assert duty.blocked("one") == {*LISTED, HAND}
    assert duty.fetched == 0


def test_resume_brings_what_waited(duty: Duty) -> None:
    duty.settle("one")
    hold(duty)
    duty.service.startService()
    duty.enter()
    duty.wait(100)
    assert duty.blocked("one") == LISTED
    duty.service.resume("one")
    duty.wait(LOOK_SECONDS + 1)
    assert duty.blocked("one") == {*LISTED, HAND}


def test_a_purge_leaves_nothing_and_nothing_comes_back_by_itself(duty: Duty) -> None:
    duty.settle("one")
    duty.service.startService()
    duty.enter(seconds=50.0)
    duty.push("one")
    result(duty.service.purge("one", ignore))
    assert duty.service.figures("one").entries_by_hand == 0
    duty.wait(300)
    assert duty.driver("one").device.groups == {}


def test_a_device_that_is_removed_takes_its_entries_along(duty: Duty) -> None:
    duty.settle("one", "two")
    duty.service.startService()
    duty.enter(device="one")
    duty.enter("30.0.0.9/32")
    duty.service.forget_device("one")
    duty.wait(60)
    assert [one.cidr for one in duty.policies.by_hand.all()] == ["30.0.0.9/32"]
    assert duty.blocked("two") == {*LISTED, "30.0.0.9/32"}


def test_scheduled_updates_bring_entries_too_and_a_good_one_counts_as_it_did(duty: Duty) -> None:
    duty.settle("one")
    before = duty.service.figures("one").last_good
    duty.enter()
    duty.push("one")
    figures = duty.service.figures("one")
    assert figures.last_good == before, "no list was fetched"
    assert figures.last_update is not None
    assert figures.last_update.only_entries
    assert figures.entries_by_hand == 1
    duty.entries, duty.serial = [*duty.entries, "20.0.0.17"], 2
    assert result(duty.service.update_now("one", ignore)).good
    assert duty.blocked("one") == {*LISTED, "20.0.0.17/32", HAND}


def test_a_database_that_fails_is_waited_for(duty: Duty) -> None:
    duty.settle("one")
    duty.service.startService()
    duty.enter()
    duty.policies._store._damaged = False
    store = duty.policies._store
    connection, store._connection = store._connection, None
    store.fault = Unreachable("one", "no disk")
    duty.wait(100)
    store._connection, store.fault = connection, None
    duty.wait(60)
    assert duty.blocked("one") == {*LISTED, HAND}


def test_a_push_of_entries_waits_for_no_updates_of_other_devices(duty: Duty) -> None:
    names = [f"fw{number}" for number in range(8)]
    duty.settle(*names)
    duty.threads.at_once = False
    for name in names[:4]:
        duty.service.update_now(name, ignore)
    assert len(duty.threads.waiting) == 2, "as many as the setting says"
    duty.enter()
    pushes = [duty.service.entries.push(name, ignore, told=False, asker=DUTY) for name in names[4:]]
    assert len(duty.threads.waiting) == 2 + len(pushes)
    while duty.threads.waiting:
        duty.threads.go()
    assert all(result(push).good for push in pushes)


def test_a_thousand_entries_are_one_push(duty: Duty) -> None:
    duty.settle("one")
    duty.service.startService()
    for number in range(1000):
        duty.enter(f"30.{number >> 7}.{number & 127}.1/32")
    duty.wait(GRACE_SECONDS + 2)
    assert len(duty.blocked("one")) == 1002
    assert len(duty.told) == 1
