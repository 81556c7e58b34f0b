"""
What the readers of a log have in common: when they are woken, and what hinders them.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from tscm.consumers.loop import Backoff, ReaderLoop
from tscm.consumers.trouble import Trouble
from tscm.model import Position


@define
class Log:
    """A log that grows by hand."""

    end: int = 0
    position: Position = Position()
    notices: list[Callable[[], None]] = field(factory=list)

    def when_more(self, notice: Callable[[], None]) -> None:
        self.notices.append(notice)

    def grow(self, size: int) -> None:
        self.end += size
        notices, self.notices = self.notices, []
        for notice in notices:
            notice()


def loop(clock: Clock, log: Any, woken: list[float]) -> ReaderLoop:
    return ReaderLoop(clock, log, 2.0, lambda: woken.append(clock.seconds()))


def test_what_comes_close_together_is_one_waking() -> None:
    clock, log, woken = Clock(), Log(), list[float]()
    reading = loop(clock, log, woken)
    reading.start()
    log.grow(1)
    clock.advance(1)
    reading.watch()
    reading.watch()
    assert len(log.notices) == 1  # asked for once
    log.grow(1)
    clock.pump([1, 1, 1])
    assert woken == [2.0]


def test_who_was_stopped_is_not_woken_and_may_begin_again() -> None:
    clock, log, woken = Clock(), Log(), list[float]()
    reading = loop(clock, log, woken)
    reading.start()
    log.grow(1)
    reading.stop()
    clock.advance(5)
    assert woken == []
    assert clock.getDelayedCalls() == []
    reading.start()
    log.grow(1)
    clock.advance(2)
    assert woken == [7.0]


def test_who_lingers_not_at_all_is_woken_at_once() -> None:
    clock, log, woken = Clock(), Log(), list[float]()
    reading = ReaderLoop(clock, log, 0.0, lambda: woken.append(clock.seconds()))  # type: ignore[arg-type]
    reading.start()
    log.grow(1)
    assert woken == [0.0]


def test_rests_grow_and_end_with_a_try() -> None:
    clock, tries = Clock(), list[float]()
    reading = ReaderLoop(
        clock,
        Log(),  # type: ignore[arg-type]
        2.0,
        lambda: None,
        backoff=Backoff(1.0, 60.0),
        retry=lambda: tries.append(clock.seconds()),
    )
    reading.start()
    for seconds in (1.0, 2.0, 4.0):
        reading.failed("refused")
        reading.rest()
        assert reading.trouble.retry_at == clock.seconds() + seconds
        clock.advance(seconds)
    assert tries == [1.0, 3.0, 7.0]
    assert not reading.resting
    reading.failed("overloaded")
    reading.rest(least_seconds=100)
    assert reading.trouble.retry_at == 107.0
    reading.hurry()
    reading.hurry()
    assert tries == [1.0, 3.0, 7.0, 7.0]
    reading.rest()
    reading.stop()
    assert clock.getDelayedCalls() == []


def test_trouble_counts_in_a_row_and_remembers_the_last_error() -> None:
    once = Trouble().failed("refused", 100.0)
    twice = once.failed("timed out", 160.0).retried(9.0)
    assert (twice.failures, twice.since, twice.last_error_at) == (2, 100.0, 160.0)
    assert twice.sentence("lines wait", 4.0) == "timed out; lines wait, next attempt in 5 s"
    over = twice.over()
    assert (over.failures, over.since, over.last_error) == (0, None, "timed out")
    assert over.failed("again", 300.0).since == 300.0
