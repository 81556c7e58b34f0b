"""
A log of which much has to be read at a start: opened in a thread, its lines stored meanwhile.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, RefusingDisk, SteppingDisk, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.base.threads import Threads
from tscm.errors import LogOpening
from tscm.settings.node import SpoolBounds
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService

HELD = 400
LONG = "%ASA-6-106100: " + "x" * 10_000


class Crash(BaseException):
    """As of kill -9."""


class Crashing(SteppingDisk):
    """A disk whose n-th step is the last."""

    def last(self) -> None:
        raise Crash


class Counting(Disk):
    """A disk that counts what is read of it."""

    def __init__(self) -> None:
        self.read = 0

    def read_at(self, fd: int, size: int, at: int) -> bytes:
        data = super().read_at(fd, size, at)
        self.read += len(data)
        return data


def _chain(done: Deferred[Any], made: Deferred[Any]) -> None:
    done.chainDeferred(made)


@define(eq=False)
class Waiting:
    """Threads whose calls are done when the test says so."""

    calls: list[Callable[[], None]] = field(factory=list)

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        made: Deferred[Any] = Deferred()
        self.calls.append(lambda: _chain(execute(call, *args), made))
        return made

    def work(self) -> None:
        calls, self.calls = self.calls, []
        for one in calls:
            one()


@define(eq=False)
class World:
    """A folder of logs, and what is started on it."""

    logs: Path
    clock: Clock = field(factory=Clock)
    threads: Waiting = field(factory=Waiting)
    at_once_bytes: int = 4000

    def spool(self, disk: Disk | None = None) -> SpoolService:
        return SpoolService(
            self.logs,
            SpoolBounds(fsync="off", min_free_mb=0),
            self.clock,
            cast(Threads, self.threads),
            disk or Disk(),
            at_once_bytes=self.at_once_bytes,
        )

    def crashed(self, text: str = "%ASA-6-106100: line") -> None:
        """A manager that had a large live file was killed."""
        spool = self.spool()
        spool.open_device("asa", BIG)
        spool.reader("asa", "siem")
        spool.append("asa", [run_of(*numbered(0, HELD, text))], 1.0)
        spool._devices["asa"].live.flush_index()
        spool._devices["asa"].live.release()

    def opening(self, spool: SpoolService, first: int = HELD) -> None:
        """Its log is being opened, and ten lines come for it."""
        with pytest.raises(LogOpening, match="being repaired"):
            spool.open_device("asa", BIG)
        assert spool.append("asa", [run_of(*numbered(first, 10), sender="192.0.2.9")], 5.0)

    def ready(self, spool: SpoolService) -> None:
        self.threads.work()
        spool.open_device("asa", BIG)

    @property
    def early(self) -> Path:
        return self.logs / "asa/.spool/early"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.crashed()
    return made


def everything(spool: SpoolService, reader: str = "siem") -> list[bytes]:
    return drain(spool.reader("asa", reader)).splitlines()


def test_little_is_read_before_others_go_on(tmp_path: Path) -> None:
    world = World(tmp_path, at_once_bytes=100_000)
    world.crashed(LONG)
    disk = Counting()
    spool = world.spool(disk)
    world.opening(spool)
    assert disk.read < 1_500_000, "of 4 MB, which an opening reads more than once"
    world.ready(spool)
    assert disk.read > 4_000_000
    closed(spool)


def test_others_begin_at_once_and_what_comes_meanwhile_stands_behind(world: World) -> None:
    spool = world.spool()
    world.opening(spool)
    spool.open_device("other", BIG)
    assert spool.append("other", [run_of(b"one")], 5.0)
    world.opening(spool, HELD + 10)
    told: list[tuple[str, int]] = []
    spool.on_opened = lambda name, lines: told.append((name, lines))
    world.ready(spool)
    assert told == [("asa", HELD)]
    assert spool.append("asa", [run_of(*numbered(HELD + 20, 10))], 9.0)
    reader = spool.reader("asa", "siem")
    found = []
    while block := reader.read(reader.position.offset, 1 << 20):
        found.append(block)
        reader.confirm(block.end, sent=block.lines)
    assert b"".join(one.data for one in found).splitlines() == numbered(0, HELD + 30)
    figures = spool.figures("asa")
    assert figures.stored_lines == HELD + 30
    assert figures.appended_lines == 30
    assert figures.gaps_total == 1
    assert figures.unknown_lines == 0
    assert balanced(spool, "asa")
    assert not world.early.exists()
    closed(spool)
    again = world.spool()
    again.open_device("asa", BIG)
    assert everything(again, "late") == numbered(0, HELD + 30)
    assert again.figures("asa").gaps_total == 1
    closed(again)


def test_who_sent_the_early_lines_stays_known(world: World) -> None:
    spool = world.spool()
    world.opening(spool)
    world.ready(spool)
    live = spool._devices["asa"].live
    assert live.encoder.senders == {"192.0.2.9": 1}
    assert live.first_at == 5.0
    closed(spool)


@pytest.mark.parametrize("clean", [True, False])
def test_a_stop_in_the_midst_leaves_the_early_lines_for_the_next_start(
    world: World, *, clean: bool
) -> None:
    spool = world.spool()
    world.opening(spool)
    if clean:
        closed(spool)
    world.threads.calls.clear()
    spool = world.spool()
    world.opening(spool, HELD + 10)
    world.ready(spool)
    assert everything(spool) == numbered(0, HELD + 20)
    assert spool.figures("asa").appended_lines == 10, "those of this process"
    assert balanced(spool, "asa")
    assert not world.early.exists()
    closed(spool)


def test_a_crash_at_any_step_loses_no_early_line_and_none_comes_twice(
    tmp_path: Path, logged_failures: list[Any]
) -> None:
    for step in range(1, 60):
        world = World(tmp_path / str(step))
        world.crashed()
        disk = Crashing(1 << 30, half=bool(step % 2))
        spool = world.spool(disk)
        world.opening(spool)
        disk.left = step
        world.threads.work()
        if disk.left > 0:
            break
        world.at_once_bytes = 1 << 30
        again = world.spool()
        again.open_device("asa", BIG)
        assert everything(again) == numbered(0, HELD + 10), step
        assert balanced(again, "asa")
        assert not world.early.exists()
        closed(again)
    else:
        raise AssertionError("it never came through")
    assert step > 8
    logged_failures.clear()


def test_a_disk_that_refuses_for_a_while_keeps_the_early_lines_and_is_tried_again(
    tmp_path: Path,
) -> None:
    failed = 0
    for step in range(1, 60):
        world = World(tmp_path / str(step))
        world.crashed()
        disk = RefusingDisk(1 << 30, 28, 3)
        spool = world.spool(disk)
        world.opening(spool)
        disk.left = step
        world.threads.work()
        disk.left = 1 << 30
        if "asa" not in spool.devices():
            failed += 1
            with pytest.raises(OSError, match="No space"):
                spool.open_device("asa", BIG)
            assert spool.append("asa", [run_of(*numbered(HELD + 10, 5))], 6.0)
            world.clock.advance(61)
            with pytest.raises(LogOpening):
                spool.open_device("asa", BIG)
            world.ready(spool)
            assert everything(spool) == numbered(0, HELD + 15), step
        else:
            spool.open_device("asa", BIG)
            assert everything(spool) == numbered(0, HELD + 10), step
        assert balanced(spool, "asa")
        closed(spool)
    assert failed


def test_a_device_that_ends_meanwhile_keeps_its_lines(world: World) -> None:
    spool = world.spool()
    world.opening(spool)
    spool.close_device("asa")
    assert not spool.append("asa", [run_of(b"nobody's")], 6.0)
    world.threads.work()
    assert spool.devices() == []
    with pytest.raises(LogOpening):
        spool.open_device("asa", BIG)
    world.ready(spool)
    assert everything(spool) == numbered(0, HELD + 10)
    closed(spool)


def test_the_log_of_a_device_that_is_gone_is_opened_in_a_thread_too(world: World) -> None:
    spool = world.spool()
    assert spool._orphans.adopt_removed_logs(world.logs, ["asa"], [], 9.0)
    assert spool.orphans() == []
    with pytest.raises(LogOpening):
        spool.open_device("asa", BIG)
    world.threads.work()
    (orphan,) = spool.orphans()
    assert orphan.stored_lines == HELD
    spool.open_device("asa", BIG)
    assert everything(spool) == numbered(0, HELD)
    closed(spool)


def test_what_somebody_wrote_behind_the_early_lines_is_kept_aside(world: World) -> None:
    spool = world.spool()
    world.opening(spool)
    with (world.early / "syslog").open("ab") as file:
        file.write(b"half a line")
    world.threads.calls.clear()
    spool = world.spool(FaultyDisk())
    world.opening(spool, HELD + 10)
    world.ready(spool)
    assert everything(spool) == numbered(0, HELD + 20)
    (torn,) = (world.logs / "asa/.spool").glob("torn.*")
    assert torn.read_bytes() == b"half a line"
    closed(spool)
