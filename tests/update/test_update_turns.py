"""
Whose turn it is, by `Clock` and threads whose calls end when the test says so.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tscm.base.secrets import Secret
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.model import Progress
from tscm.update.enforcer import UpdateStopped
from tscm.update.turns import MAX_LENT, SILENT_SECONDS, Turns, Updated

PLACES = 2
SETTINGS = AsaRestSettings(
    name="fw",
    device_id="tdid_test1",
    device="198.51.100.1",
    block_list="block.example",
    allow_list="allow.example",
    username="admin",
    password=Secret("secret"),
)


@define(eq=False)
class EndlessThreads:
    """Threads whose calls go on until they are ended."""

    under_way: list[Deferred[None]] = field(factory=list)

    def run(self, _: Callable[..., Any]) -> Deferred[None]:
        self.under_way.append(Deferred())
        return self.under_way[-1]

    def end(self, count: int) -> None:
        for _ in range(count):
            self.under_way.pop(0).callback(None)


@define(eq=False)
class Row:
    """Many devices before a few places."""

    clock: Clock = field(factory=Clock)
    threads: EndlessThreads = field(factory=EndlessThreads)
    turns: Turns = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.turns = Turns(self.clock, self.threads, PLACES)  # type: ignore[arg-type]  # a twin

    def ask(self, count: int) -> list[Updated]:
        devices = [Updated(SETTINGS) for _ in range(count)]
        for one in devices:
            Deferred.fromCoroutine(self.turns.in_thread(one, lambda: None))
        return devices


@pytest.fixture
def row() -> Iterator[Row]:
    made = Row()
    yield made
    while made.threads.under_way:  # those that wait get a thread then, and end too
        made.threads.end(1)


def test_silent_devices_lend_their_places_to_those_that_wait(row: Row) -> None:
    row.ask(4)
    assert len(row.threads.under_way) == PLACES
    row.clock.advance(SILENT_SECONDS)
    assert len(row.threads.under_way) == 4


def test_a_run_that_gets_on_keeps_its_place_however_long_it_takes(row: Row) -> None:
    devices = row.ask(4)
    for number in range(100):
        for one in devices:
            one.progress = Progress(phase="push", text="changing groups", done=number)
        row.clock.advance(SILENT_SECONDS)
    assert len(row.threads.under_way) == PLACES


def test_no_more_places_are_lent_than_there_are_threads_for(row: Row) -> None:
    row.ask(MAX_LENT + PLACES + 3)
    for _ in range(MAX_LENT + 5):
        row.clock.advance(SILENT_SECONDS)
    assert len(row.threads.under_way) == MAX_LENT + PLACES
    row.threads.end(1)
    row.clock.advance(SILENT_SECONDS)
    assert len(row.threads.under_way) == MAX_LENT + PLACES


def test_places_that_were_lent_come_back_once_and_not_twice(row: Row) -> None:
    row.ask(4)
    row.clock.advance(SILENT_SECONDS)
    row.threads.end(4)
    assert row.clock.getDelayedCalls() == []
    row.ask(4)
    assert len(row.threads.under_way) == PLACES


def test_what_is_stopped_ends_at_the_next_safe_point_and_nothing_after_it_does(row: Row) -> None:
    one = Updated(SETTINGS)
    row.turns.stop(one, "anna")
    assert not row.turns.over(one)  # nothing is in progress
    seen = []

    async def work() -> None:
        await one.rest(row.clock, 60)
        seen.append((row.turns.over(one), one.stopped_by))

    row.turns.take(one, work)
    row.turns.stop(one, "anna")  # which ends the pause
    row.turns.take(one, work)
    row.clock.advance(60)
    assert seen == [(True, "anna"), (False, "")]


def test_who_stopped_it_is_told() -> None:
    assert str(UpdateStopped("fw", "anna by tscm-web")) == (
        "the update of fw was stopped by anna by tscm-web; changes made so far are safe, and the next "
        "update completes them"
    )
    assert "repeat the rollback" in str(UpdateStopped("fw", rollback=True))
