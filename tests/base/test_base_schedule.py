"""
`PeriodicService`: time by `Clock`.
"""

import errno
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from tscm.base.schedule import SLICE_SECONDS, PeriodicService, in_slices, spread


def test_a_failed_run_does_not_end_the_schedule(logged_failures: list[LogEvent]) -> None:
    clock, runs = Clock(), []

    async def refresh() -> None:
        runs.append(clock.seconds())
        if len(runs) == 1:
            raise OSError("name server is away")

    service = PeriodicService(clock, 60, refresh, label="refresh")
    service.startService()
    clock.pump([60, 60])
    service.stopService()

    assert runs == [0, 60, 120]
    assert clock.getDelayedCalls() == []
    assert logged_failures.pop()["label"] == "refresh"


def test_a_want_of_descriptors_is_a_sentence_told_once_until_a_run_succeeds() -> None:
    clock, events = Clock(), list[LogEvent]()
    lacks = iter([True, True, False, True])

    async def look() -> None:
        if next(lacks):
            raise OSError(errno.EMFILE, "Too many open files")

    service = PeriodicService(clock, 1, look, label="the look")
    globalLogPublisher.addObserver(cast("ILogObserver", events.append))
    try:
        service.startService()
        clock.pump([1, 1, 1])
        service.stopService()
    finally:
        globalLogPublisher.removeObserver(cast("ILogObserver", events.append))
    told = [formatEvent(event) for event in events if event.get("label") == "the look"]
    assert (
        told
        == [
            "the look failed: no free file descriptors; raise LimitNOFILE, or lower "
            "max_connections; retrying"
        ]
        * 2
    )
    assert not any("log_failure" in event for event in events)


def test_runs_never_overlap_and_stop_waits_for_the_one_under_way() -> None:
    clock = Clock()
    under_way: list[Deferred[None]] = []

    async def slow() -> None:
        under_way.append(Deferred())
        await under_way[-1]

    service = PeriodicService(clock, 10, slow)
    service.startService()
    clock.pump([10, 10, 10])
    assert len(under_way) == 1
    under_way[0].callback(None)
    clock.pump([10])
    assert len(under_way) == 2

    stopped = service.stopService()
    assert stopped is not None
    assert stopped.called  # the run was cancelled and nothing of ours is left
    assert clock.getDelayedCalls() == []


def test_run_soon_brings_the_next_run_forward() -> None:
    clock, runs = Clock(), []

    async def note() -> None:
        runs.append(clock.seconds())

    service = PeriodicService(clock, 100, note, delay=50)
    service.startService()
    clock.advance(10)
    service.run_soon()
    clock.advance(0)
    assert runs == [10]
    clock.advance(30)
    service.run_soon()
    assert runs == [10, 40]
    clock.advance(99)
    assert runs == [10, 40]
    clock.advance(1)
    assert runs == [10, 40, 140]
    service.stopService()
    assert clock.getDelayedCalls() == []


def test_the_time_of_a_name_is_its_own_and_stays() -> None:
    times = [spread(f"device{n}", 3600) for n in range(40)]
    assert times == [spread(f"device{n}", 3600) for n in range(40)]
    assert all(0 <= one < 3600 for one in times)
    assert len({int(one // 360) for one in times}) > 5


def test_work_in_slices_lets_everything_else_have_its_turn() -> None:
    clock = Clock()
    done: list[object] = []

    async def work() -> None:
        async for number in in_slices(clock, range(10)):
            clock.rightNow += SLICE_SECONDS / 3  # what the work takes
            done.append(number)

    clock.callLater(0, done.append, "a line")
    working = Deferred.fromCoroutine(work())
    assert done == [0, 1, 2]
    clock.advance(0)
    assert done.index("a line") == 3
    while not working.called:
        clock.advance(0)
    assert [one for one in done if isinstance(one, int)] == list(range(10))
    assert clock.getDelayedCalls() == []
