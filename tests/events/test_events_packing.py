"""
When roll-ups are packed: by the service itself, in moments between which lines have their turn.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent

from tests.events.by_hand import FIRST, HOUR
from tests.events.older_database import older_database
from tests.memory_log import MemoryLog
from tscm.events import service as room
from tscm.events.process import WorkerFailed, WorkerProcess
from tscm.events.report import Question, ask
from tscm.events.service import EventService
from tscm.model import Json, Origin

LINE = b"<166>Nov 23 2026 10:00:00: %ASA-6-302013: Built outbound TCP connection 1\n"
NOW = FIRST * HOUR + 1800.0


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT COUNT(*) FROM hits").fetchone()
    connection.close()
    return int(found)


def lines(path: Path) -> int:
    return ask(path, Question(device="fw", since=0, until=1e12)).lines


async def when(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        await deferLater(reactor, 0.05)
    raise AssertionError("it never came")


@asynccontextmanager
async def running(path: Path, **seconds: Any) -> AsyncIterator[EventService]:
    service = EventService(reactor, WorkerProcess(reactor, path), kept_days=100_000, **seconds)
    service.startService()
    try:
        yield service
    finally:
        await service.stopService()


@pytest_twisted.ensureDeferred
async def test_an_older_database_is_packed_without_a_single_line(tmp_path: Path) -> None:
    path = tmp_path / "tscm.db"
    older_database(path, range(FIRST, FIRST + 24 * 5), kinds=3000)
    assert rows(path) == 24 * 5 * 3000
    before = lines(path)
    async with running(path, tidy_first_seconds=0.05, pack_pause_seconds=0.01):
        await when(lambda: rows(path) == 0)
    assert lines(path) == before


@pytest_twisted.ensureDeferred
async def test_hours_counted_from_a_backlog_are_packed_when_it_is_caught_up(tmp_path: Path) -> None:
    path = tmp_path / "tscm.db"
    older_database(path, range(FIRST, FIRST + 30))

    class OldLog(MemoryLog):
        def origins(self, start: int, end: int) -> list[Origin]:
            return [Origin(start=start, end=end, received_at=FIRST * HOUR + 5.0)]

    async with running(path, settle_seconds=0.05) as service:
        log = OldLog(device="fw", name="events")
        service.follow("fw", log, "b", "a")
        log.append(LINE)
        await when(lambda: rows(path) == 0)
        assert log.position.offset == log.end
    assert lines(path) == 60


@define(eq=False)
class AskedWorker:
    """Takes note of what is asked, and has so many moments of packing to do."""

    asked: list[str] = field(factory=list)
    moments: int = 0
    fails: bool = False

    def ask(self, request: Json, data: bytes = b"") -> Deferred[Json]:
        assert not data
        self.asked.append(request["kind"])
        if request["kind"] != "pack":
            return succeed({})
        if self.fails:
            failed: Deferred[Json] = Deferred()
            failed.errback(WorkerFailed("disk is full"))
            return failed
        self.moments = max(0, self.moments - 1)
        return succeed({"more": self.moments > 0})

    def stop(self) -> None:
        return None


@define(eq=False)
class World:
    clock: Clock = field(factory=Clock)
    worker: AskedWorker = field(factory=AskedWorker)
    service: EventService = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.service = EventService(self.clock, self.worker, now=lambda: NOW)  # type: ignore[arg-type]
        self.service.startService()

    def asked(self, seconds: float) -> list[str]:
        """What is asked while the clock goes on, tenth by tenth."""
        self.worker.asked.clear()
        self.clock.pump([0.1] * round(seconds * 10))
        return list(self.worker.asked)


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.service.stopService()
    assert found.clock.getDelayedCalls() == []


def test_packing_goes_on_with_pauses_until_nothing_is_left_and_comes_again_hourly(
    world: World,
) -> None:
    world.worker.moments = 3
    assert world.asked(room.TIDY_FIRST_SECONDS - 1) == []
    assert world.asked(1.5) == ["expire", "pack"]
    assert world.asked(1) == ["pack"]
    assert world.asked(600) == ["pack"]
    assert world.asked(room.TIDY_SECONDS) == ["expire", "pack"]


def test_what_failed_to_be_packed_is_left_for_the_next_hour(world: World) -> None:
    world.worker.fails = True
    assert world.asked(room.TIDY_FIRST_SECONDS + 600) == ["expire", "pack"]
    world.worker.fails = False
    world.worker.moments = 2
    assert world.asked(room.TIDY_SECONDS) == ["expire", "pack", "pack"]


def test_lines_of_the_present_hour_bring_no_packing_forward(world: World) -> None:
    world.asked(100)
    world.service._caught_up(NOW - 1000)
    assert world.asked(600) == []
    world.service._caught_up(NOW - 1900)
    world.service._caught_up(NOW - 90_000)
    assert world.asked(600) == ["expire", "pack"]


def test_a_backlog_caught_up_while_packing_is_under_way_gets_its_turn_after_it(
    world: World,
) -> None:
    world.worker.moments = 200
    world.asked(room.TIDY_FIRST_SECONDS + 10)
    world.service._caught_up(NOW - 4000)
    asked = world.asked(600)
    assert asked[-2:] == ["expire", "pack"]
    assert asked[:-2] == ["pack"] * len(asked[:-2])


def test_a_stop_ends_packing_between_two_moments(
    world: World, logged_failures: list[LogEvent]
) -> None:
    world.worker.moments = 200
    world.asked(room.TIDY_FIRST_SECONDS + 10)
    world.service._caught_up(NOW - 4000)
    assert world.service.stopService().called
    assert world.asked(200) == []
    assert not logged_failures
