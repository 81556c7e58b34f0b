"""
The event reader with its worker process and a real database.
"""

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import LogEvent

from tests.memory_log import MemoryLog
from tscm.events.figures import EventFigures
from tscm.events.judge import Hit, Sum
from tscm.events.process import WorkerFailed, WorkerProcess
from tscm.events.rollups import Rollups
from tscm.events.service import EventService
from tscm.model import Json, Origin, Progress
from tscm.policy.cidr import Entries
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies


def denied(address: str, inside: str = "10.0.0.1", hits: int = 1) -> bytes:
    return (
        b"<166>Nov 23 2026 10:00:00: %%ASA-6-106100: access-list g denied tcp outside/%s(40001)"
        b" -> inside/%s(443) hit-cnt %d first hit [0x1, 0x0]\n"
        % (address.encode(), inside.encode(), hits)
    )


OTHER = b"<166>Nov 23 2026 10:00:00: %ASA-6-302013: Built outbound TCP connection 1\n"


@define(eq=False, slots=False)
class TimedLog(MemoryLog):
    """A log whose thirds came at three times."""

    hours: list[float] = field(factory=lambda: [1000.0])

    def origins(self, start: int, end: int) -> list[Origin]:
        cuts = [self.end * n // len(self.hours) for n in range(len(self.hours) + 1)]
        data = bytes(self._data)
        cuts = [
            data.rfind(b"\n", 0, max(0, cut - self._base)) + 1 + self._base for cut in cuts[:-1]
        ] + [self.end]
        return [
            Origin(start=max(start, first), end=min(end, last), received_at=at)
            for first, last, at in zip(cuts, cuts[1:], self.hours, strict=False)
            if max(start, first) < min(end, last)
        ]


@define
class World:
    """A database with one generation, and the service on it."""

    database: Path
    service: EventService
    worker: WorkerProcess
    logs: dict[str, TimedLog] = field(factory=dict)

    def follow(self, name: str = "fw") -> "TimedLog":
        log = self.logs[name] = TimedLog(device=name, name="events")
        self.service.follow(name, log, "b.example", "a.example")
        return log

    async def when_passed(self, log: MemoryLog) -> None:
        for _ in range(400):
            if log.position.offset == log.end:
                return
            await deferLater(reactor, 0.05)
        raise AssertionError(f"{log.position} of {log.end}: {self.service.figures(log.device)}")

    def counted(self, name: str = "fw") -> dict[Hit, Sum]:
        connection = open_database(str(self.database))
        try:
            return {hit: total for _, hit, total in Rollups(connection).every(name)}
        finally:
            connection.close()

    def by_hour(self, name: str = "fw") -> dict[int, int]:
        found: dict[int, int] = {}
        connection = open_database(str(self.database))
        for hour, _, total in Rollups(connection).every(name):
            found[hour] = found.get(hour, 0) + total.lines
        connection.close()
        return found

    def pid(self) -> int:
        pipe = self.worker._pipe
        assert pipe is not None
        assert pipe.transport is not None
        return int(pipe.transport.pid)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    store = Store(tmp_path / "tscm.db")
    store.open()
    for name in ("fw", "other"):
        Policies(store).save_generation(
            name,
            Generation(
                applied_at=500.0,
                block_entries=2,
                allow_entries=1,
                block=pack(Entries.of(["203.0.113.0/24", "192.0.2.7"])),
                allow=pack(Entries.of(["198.51.100.7"])),
            ),
        )
    store.close()
    return tmp_path / "tscm.db"


@pytest_twisted.async_yield_fixture()
async def world(database: Path) -> AsyncIterator[World]:
    worker = WorkerProcess(reactor, database)
    service = EventService(reactor, worker)
    service.startService()
    yield World(database, service, worker)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_lines_become_roll_ups_and_the_cursor_follows(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"), OTHER, denied("203.0.113.7", hits=9), denied("8.8.8.8"))
    await world.when_passed(log)
    assert list(world.counted().values()) == [Sum(2, 10)]
    assert (log.position.sent, log.position.not_selected) == (2, 2)
    log.append(denied("192.0.2.7"))
    await world.when_passed(log)
    assert sum(one.lines for one in world.counted().values()) == 3
    assert world.service.figures("fw").counted["others"] == 1


@pytest_twisted.ensureDeferred
async def test_a_worker_that_is_killed_counts_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.service._rounds.retry_first_seconds = 0.05
    log = world.follow()
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    for n in range(4):
        os.kill(world.pid(), signal.SIGKILL)
        log.append(denied("203.0.113.7"), denied("192.0.2.7"), OTHER)
        await world.when_passed(log)
        assert sum(one.lines for one in world.counted().values()) == 1 + 2 * (n + 1)


@pytest_twisted.ensureDeferred
async def test_a_stop_between_database_and_cursor_costs_nothing(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    await world.service.leave("fw")
    behind = MemoryLog(device="fw", name="events")  # a cursor that was never moved
    behind.append(denied("203.0.113.7"))
    world.service.follow("fw", behind, "b.example", "a.example")
    behind.append(denied("203.0.113.8"))
    await world.when_passed(behind)
    assert sum(one.lines for one in world.counted().values()) == 2
    assert behind.position.sent == 2


@pytest_twisted.ensureDeferred
async def test_a_lost_database_counts_on_from_the_cursor(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"), OTHER)
    await world.when_passed(log)
    await world.service.leave("fw")
    await world.service.forget("fw")
    world.service.follow("fw", log, "b.example", "a.example")
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    assert sum(one.lines for one in world.counted().values()) == 1
    assert (log.position.sent, log.position.not_selected) == (2, 1)


@pytest_twisted.ensureDeferred
async def test_a_log_that_was_deleted_is_counted_from_its_new_beginning(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"), OTHER)
    await world.when_passed(log)
    await world.service.leave("fw")
    fresh = MemoryLog(device="fw", name="events")
    world.service.follow("fw", fresh, "b.example", "a.example")
    fresh.append(denied("203.0.113.8"))
    await world.when_passed(fresh)
    assert sum(one.lines for one in world.counted().values()) == 2
    assert (fresh.position.sent, fresh.position.not_selected) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_what_retention_took_is_not_waited_for(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    await world.service.leave("fw")
    log.append(OTHER, denied("192.0.2.7"))
    log.expire(log.end - len(denied("192.0.2.7")))
    world.service.follow("fw", log, "b.example", "a.example")
    await world.when_passed(log)
    assert sum(one.lines for one in world.counted().values()) == 2


@pytest_twisted.ensureDeferred
async def test_devices_are_counted_apart(world: World) -> None:
    one, two = world.follow("fw"), world.follow("other")
    one.append(denied("203.0.113.7"))
    two.append(denied("203.0.113.7"), denied("203.0.113.7"))
    await world.when_passed(one)
    await world.when_passed(two)
    assert [total.lines for total in world.counted("fw").values()] == [1]
    assert [total.lines for total in world.counted("other").values()] == [2]


@pytest_twisted.ensureDeferred
async def test_a_database_that_fails_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.service._rounds.retry_first_seconds = 0.05
    log = world.follow()
    with sqlite3.connect(world.database) as connection:
        connection.execute("ALTER TABLE hits RENAME TO away")
    log.append(denied("203.0.113.7"))
    for _ in range(200):
        if world.service.figures("fw").fault:
            break
        await deferLater(reactor, 0.05)
    assert "no such table" in str(world.service.figures("fw").fault)
    with sqlite3.connect(world.database) as connection:
        connection.execute("ALTER TABLE away RENAME TO hits")
    connection.close()
    await world.when_passed(log)
    assert sum(one.lines for one in world.counted().values()) == 1
    assert world.service.figures("fw").fault is None


def test_expiry_takes_old_hours_and_unused_words(database: Path) -> None:
    from tscm.events.judge import Force, judge
    from tscm.events.rollups import EventPosition
    from tscm.syslog.asa_bulk import policy_rows

    force = Force.of(1, 0.0, ("b", Entries.of(["203.0.113.0/24"])), ("a", Entries.of([])))
    connection = open_database(str(database))
    rollups = Rollups(connection)
    for hour, inside in ((100, "10.0.0.1"), (200, "10.0.0.2")):
        tally = judge(policy_rows(denied("203.0.113.7", inside)), [force])
        rollups.add("fw", {hour: tally}, EventPosition(offset=hour))
    assert rollups.totals("fw") == {"blocked": {"lines": 2, "hits": 2}}
    assert rollups.expire(150) == 1
    assert [hour for hour, _, _ in rollups.every("fw")] == [200]
    words = {text for (text,) in connection.execute("SELECT text FROM words")}
    assert "10.0.0.1" not in words
    assert "10.0.0.2" in words
    assert rollups.position("fw").offset == 200
    connection.close()


@pytest_twisted.ensureDeferred
async def test_counting_anew_gives_equal_totals(world: World) -> None:
    log = world.follow()
    log.hours = [100 * 3600.0, 101 * 3600.0 + 5, 103 * 3600.0]
    for n in range(12):
        log.append(denied("203.0.113.7", hits=n), denied("192.0.2.7"), OTHER, denied("8.8.8.8"))
    await world.when_passed(log)
    before, by_hour = world.counted(), world.by_hour()
    assert len(by_hour) == 3
    connection = open_database(str(world.database))
    connection.execute("UPDATE hits SET hits = hits + 7, lines = lines + 1 WHERE hour > 0")
    connection.close()
    told: list[Progress] = []
    done = await world.service.rebuild("fw", told.append)
    assert world.counted() == before
    assert world.by_hour() == by_hour
    assert done.hours == 3
    assert told[-1].done == told[-1].total == log.end
    log.append(denied("192.0.2.7"))
    await world.when_passed(log)
    assert sum(world.by_hour().values()) == 25
    connection = open_database(str(world.database))
    assert Rollups(connection).totals("fw")["blocked"]["lines"] == 25
    connection.close()


@pytest_twisted.ensureDeferred
async def test_hours_that_retention_has_begun_to_take_stay_as_they_are(world: World) -> None:
    log = world.follow()
    log.hours = [100 * 3600.0, 101 * 3600.0]
    log.append(*[denied("203.0.113.7")] * 6)
    await world.when_passed(log)
    by_hour = world.by_hour()
    await world.service.leave("fw")
    log.expire(len(denied("203.0.113.7")))
    world.service.follow("fw", log, "b.example", "a.example")
    await world.service.rebuild("fw", lambda _: None)
    assert world.by_hour() == by_hour


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), ZeroDivisionError()])
async def test_no_fault_ends_the_reading_however_often_it_comes(
    world: World,
    fault: Exception,
    monkeypatch: pytest.MonkeyPatch,
    logged_failures: list[LogEvent],
) -> None:
    world.service._rounds.retry_most_seconds = 0.05
    log = world.follow()
    really, tries = log.confirm, 0

    def refuse(offset: int, *, sent: int, not_selected: int = 0) -> None:
        nonlocal tries
        tries += 1
        one = world.service._followed["fw"]
        one.reading.trouble = evolve(
            one.reading.trouble, failures=one.reading.trouble.failures + 2000
        )  # days of it
        if tries < 3:
            raise fault
        really(offset, sent=sent, not_selected=not_selected)

    monkeypatch.setattr(log, "confirm", refuse)
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    assert sum(one.lines for one in world.counted().values()) == 1
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_few_blocks_are_on_their_way_however_many_devices_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, under_way, most, largest = WorkerProcess.ask, 0, 0, 0
    world.service._rounds.block_bytes = 1000

    def ask(worker: WorkerProcess, request: Json, data: bytes = b"") -> Deferred[Json]:
        nonlocal under_way, most, largest
        answer = really(worker, request, data)
        if data:
            under_way += 1
            most, largest = max(most, under_way), max(largest, len(data))

            def answered(found: object) -> object:
                nonlocal under_way
                under_way -= 1
                return found

            answer.addBoth(answered)
        return answer

    monkeypatch.setattr(WorkerProcess, "ask", ask)
    logs = [world.follow(f"fw{n}") for n in range(12)]
    for log in logs:
        log.append(*[denied("203.0.113.7")] * 5)
    for log in logs:
        await world.when_passed(log)
    assert 1 < most <= 2
    assert largest <= 1000 + len(denied("203.0.113.7"))


@pytest_twisted.ensureDeferred
async def test_two_devices_counted_anew_at_once_are_not_mixed(world: World) -> None:
    one, other = world.follow("fw"), world.follow("other")
    for log, lines in ((one, 3), (other, 7)):
        log.hours = [100 * 3600.0]
        log.append(*[denied("203.0.113.7")] * lines)
        await world.when_passed(log)
    await gatherResults(
        [
            Deferred.fromCoroutine(world.service.rebuild(name, lambda _: None))
            for name in ("fw", "other", "fw")
        ]
    )
    assert (world.by_hour("fw"), world.by_hour("other")) == ({100: 3}, {100: 7})


@pytest_twisted.ensureDeferred
async def test_a_device_removed_while_it_is_counted_anew_is_not_read_again(world: World) -> None:
    log = world.follow()
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    counting = Deferred.fromCoroutine(world.service.rebuild("fw", lambda _: None))
    await world.service.leave("fw")
    with pytest.raises(WorkerFailed, match="was removed"):
        await counting
    assert world.service.figures("fw") == EventFigures()
    with pytest.raises(WorkerFailed, match="are not being read"):
        await world.service.rebuild("fw", lambda _: None)


def keep(database: Path, applied_at: float, block: bytes) -> None:
    """One more generation of the device."""
    store = Store(database)
    store.open()
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=applied_at,
            block_entries=2,
            allow_entries=0,
            block=block,
            allow=pack(Entries.of([])),
        ),
    )
    store.close()


@pytest_twisted.ensureDeferred
async def test_lines_of_a_damaged_generation_count_as_others_and_the_reader_goes_on(
    world: World,
) -> None:
    keep(world.database, 10_000.0, b"damaged")
    keep(world.database, 20_000.0, pack(Entries.of(["203.0.113.0/24"])))
    log = world.follow()
    log.hours = [15_000.0]
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    assert world.counted() == {}
    assert (log.position.sent, log.position.not_selected) == (0, 1)
    fault = str(world.service.figures("fw").fault)
    assert "generation 2 of fw is damaged" in fault
    assert "`tsadmin update fw`" in fault
    log.hours = [25_000.0]
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    assert [one.lines for one in world.counted().values()] == [1]
    assert world.service.figures("fw").fault is None


@pytest_twisted.ensureDeferred
async def test_counting_anew_leaves_the_hours_of_a_damaged_generation(world: World) -> None:
    log = world.follow()
    log.hours = [5000.0]
    log.append(denied("203.0.113.7"))
    await world.when_passed(log)
    before = world.by_hour()
    assert before == {1: 1}
    connection = open_database(str(world.database))
    connection.execute("UPDATE generations SET block = x'00' WHERE device = 'fw'")
    connection.close()
    keep(world.database, 5500.0, pack(Entries.of(["192.0.2.0/24"])))
    gone = world.worker.stop()  # a new one has nothing at hand
    assert gone is not None
    await gone
    done = await world.service.rebuild("fw", lambda _: None)
    assert done.hours == 0
    assert world.by_hour() == before
