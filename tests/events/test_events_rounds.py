"""
Which device's lines go to the worker when: by a clock, and a worker that only takes note.
"""

from collections.abc import Iterator

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.memory_log import MemoryLog
from tscm.events.process import WorkerFailed
from tscm.events.rounds import BLOCK_BYTES, LINGER_SECONDS, Followed, Rounds, linger
from tscm.model import Json

LINE = b"<166>Nov 23 2026 10:00:00: %ASA-6-302013: Built outbound TCP connection 1\n"


@define(eq=False)
class NotedWorker:
    """Answers as the worker does when told to; fails requests with a device that is poison."""

    asked: list[tuple[list[Json], Deferred[Json]]] = field(factory=list)
    positions: dict[str, int] = field(factory=dict)
    poison: set[str] = field(factory=set)
    refuses: bool = False
    at_once: bool = True

    def ask(self, request: Json, data: bytes = b"") -> Deferred[Json]:
        if self.refuses:
            raise OSError(11, "Resource temporarily unavailable")
        assert request["kind"] == "many"
        assert sum(part["size"] for part in request["parts"]) == len(data)
        answer: Deferred[Json] = Deferred()
        self.asked.append((request["parts"], answer))
        if self.at_once:
            self.answer()
        return answer

    def answer(self) -> None:
        parts, answer = next(one for one in self.asked if not one[1].called)
        if self.poison.intersection(part["device"] for part in parts):
            answer.errback(WorkerFailed("the event worker exited"))
        else:
            answer.callback({"parts": [{"answer": self._part(part)} for part in parts]})

    def _part(self, part: Json) -> Json:
        name = part["device"]
        self.positions[name] = part.get("end", self.positions.get(name, 0))
        offset = self.positions[name]
        return {"offset": offset, "sent": 0, "not_selected": offset // len(LINE)}

    def requests(self) -> list[list[str]]:
        return [[part["device"] for part in parts] for parts, _ in self.asked]


@define(eq=False)
class World:
    clock: Clock = field(factory=Clock)
    worker: NotedWorker = field(factory=NotedWorker)
    rounds: Rounds = field(init=False)
    logs: list[MemoryLog] = field(factory=list)
    devices: list[Followed] = field(factory=list)
    caught_up: list[float] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.rounds = Rounds(self.clock, self.worker, self.caught_up.append)  # type: ignore[arg-type]

    def follow(self, count: int) -> None:
        for number in range(count):
            log = MemoryLog(device=f"fw{number}", name="events")
            self.logs.append(log)
            self.devices.append(self.rounds.follow(log, ("block", "allow")))
            self.rounds.begin(self.devices[-1])

    def append(self, *numbers: int) -> None:
        for number in numbers:
            self.logs[number].append(LINE)

    def waiting(self) -> list[int]:
        return [number for number, log in enumerate(self.logs) if log.position.offset < log.end]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    found: list[str] = []

    @implementer(ILogObserver)
    class Observer:
        def __call__(self, event: LogEvent) -> None:
            if str(event.get("log_format", "")).startswith("events of"):
                found.append(str(event["devices"]))

    observe = Observer()
    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def test_lines_of_many_devices_go_in_one_request_a_second_later_at_most(world: World) -> None:
    world.follow(200)
    world.worker.asked.clear()
    for at, number in enumerate(range(0, 200, 4)):
        world.append(number)
        world.clock.advance(LINGER_SECONDS / 100 if at else 0)
    assert world.worker.asked == []
    world.clock.advance(LINGER_SECONDS / 2 + 0.02)
    assert world.waiting() == []
    assert world.worker.requests() == [[f"fw{number}" for number in range(0, 200, 4)]]


def test_rounds_of_very_many_devices_come_less_often_but_within_three_seconds(world: World) -> None:
    assert [linger(count) for count in (0, 300, 600, 1000, 5000)] == pytest.approx(
        [1.0, 1.0, 1.8, 3.0, 3.0]
    )
    world.follow(600)
    for number in range(600):
        world.append(number)
    world.clock.advance(LINGER_SECONDS)
    world.worker.asked.clear()
    world.append(7)
    world.clock.advance(1.7)
    assert world.worker.asked == []
    world.clock.advance(0.2)
    assert world.worker.requests() == [["fw7"]]
    world.append(8)
    world.clock.advance(LINGER_SECONDS)  # the last round had one device
    assert world.waiting() == []


def test_one_that_is_behind_by_more_than_a_block_does_not_wait_for_a_round(world: World) -> None:
    world.follow(2)
    world.logs[0].append(*[LINE] * (3 * BLOCK_BYTES // len(LINE)))
    world.append(1)
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == []
    largest = max(sum(part["size"] for part in parts) for parts, _ in world.worker.asked)
    assert largest < BLOCK_BYTES + len(LINE)


def test_one_that_is_behind_does_not_keep_the_others_waiting(world: World) -> None:
    world.follow(3)
    world.worker.at_once = False
    world.worker.asked.clear()
    world.logs[0].append(*[LINE] * (20 * BLOCK_BYTES // len(LINE)))
    world.append(1, 2)
    world.clock.advance(LINGER_SECONDS)
    for _ in range(3):
        world.worker.answer()
    assert world.waiting() == [0]


def test_whoever_the_worker_ended_over_goes_alone(world: World, warnings: list[str]) -> None:
    world.follow(5)
    world.worker.poison = {"fw3"}
    world.append(0, 1, 2, 3, 4)
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == [0, 1, 2, 3, 4]
    world.clock.pump([5.0, LINGER_SECONDS])
    assert world.waiting() == [3]
    assert ["fw3"] in world.worker.requests()
    assert warnings == ["fw0, fw1, fw2 and 2 more"]
    world.append(0, 1, 2, 4)
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == [3]
    world.worker.poison.clear()
    world.clock.pump([300.0, LINGER_SECONDS])
    assert world.waiting() == []


def test_one_that_goes_alone_has_nobody_beside_it(world: World) -> None:
    world.follow(3)
    world.worker.poison = {"fw0"}
    world.append(0)
    world.clock.advance(LINGER_SECONDS)
    world.worker.at_once = False
    world.append(1)
    world.clock.advance(LINGER_SECONDS)  # fw1 is under way when fw0 may be tried again
    world.clock.advance(5.0)
    assert world.worker.requests()[-1] == ["fw1"]
    world.worker.answer()
    assert world.worker.requests()[-1] == ["fw0"]
    world.append(2)
    world.clock.advance(LINGER_SECONDS)
    assert world.worker.requests()[-1] == ["fw0"]
    world.worker.answer()
    assert world.worker.requests()[-1] == ["fw2"]


def test_a_process_that_cannot_be_started_is_tried_again_for_all(world: World) -> None:
    world.worker.refuses = True
    world.follow(1500)
    world.append(*range(1500))
    world.clock.advance(LINGER_SECONDS)
    assert "Resource temporarily" in str(world.devices[7].reading.trouble.last_error)
    world.worker.refuses = False
    world.clock.pump([300.0, LINGER_SECONDS])
    assert world.waiting() == []
    assert world.devices[7].reading.trouble.last_error is None


def test_one_that_was_left_is_not_asked_for_again(world: World) -> None:
    world.follow(2)
    world.append(0, 1)
    assert world.rounds.end(world.devices[0]).called
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == [0]
    world.append(0)
    assert world.rounds.end(world.devices[1]).called
    world.append(1)
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == [0, 1]
    assert world.clock.getDelayedCalls() == []


def test_leaving_waits_for_what_is_under_way_and_that_is_confirmed(world: World) -> None:
    world.follow(1)
    world.worker.at_once = False
    world.append(0)
    world.clock.advance(LINGER_SECONDS)
    left = world.rounds.end(world.devices[0])
    assert not left.called
    world.worker.answer()
    assert left.called
    assert world.waiting() == []


def test_one_that_begins_again_before_it_has_heard_is_asked_for_once(world: World) -> None:
    world.follow(1)
    world.rounds.end(world.devices[0])
    world.append(0)
    world.rounds.begin(world.devices[0])
    world.append(0)
    world.clock.advance(LINGER_SECONDS)
    assert world.waiting() == []
    assert all(len(parts) == 1 for parts, _ in world.worker.asked)


def test_a_device_is_told_caught_up_once_when_its_last_block_is_counted(world: World) -> None:
    world.follow(1)
    world.worker.at_once = False
    world.logs[0].append_block(LINE * (2 * BLOCK_BYTES // len(LINE)))
    world.clock.advance(LINGER_SECONDS)
    asked = 0
    while world.waiting():
        assert world.caught_up == []
        world.worker.answer()
        asked += 1
    assert asked > 1
    assert world.caught_up == [1000.0]
    world.append(0)
    world.clock.advance(LINGER_SECONDS)
    world.worker.answer()
    assert world.caught_up == [1000.0, 1000.0]
