"""
A live file, or an index, that somebody made much longer than it is: at a start and while lines come in.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from tests.spool.spool_room import SteppingDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.spool import overlong
from tscm.spool.disk import Disk
from tscm.spool.index_file import read_records
from tscm.spool.names import LogFolder
from tscm.spool.service import SpoolService
from tscm.spool.tools_repair import repair_log

HUGE = 3 << 30
ENOUGH = 256 << 20
"""What a look at such a file may read at most, all in all."""


class Counting(Disk):
    """A disk that counts the bytes of texts and indexes that were read and written."""

    def __init__(self) -> None:
        self.touched = 0

    def pread(self, fd: int, size: int, at: int) -> bytes:
        data = os.pread(fd, size, at)
        self.touched += len(data)
        return data

    def pwrite(self, fd: int, data: bytes, at: int) -> int:  # type: ignore[override]
        self.touched += len(data)
        return os.pwrite(fd, data, at)


class Crash(BaseException):
    """As of kill -9."""


class Crashing(SteppingDisk):
    """A disk whose n-th step is the last."""

    def last(self) -> None:
        raise Crash


@define
class Log:
    """A log of ten lines, closed or open."""

    folder: Path
    clock: Clock = field(factory=Clock)

    @property
    def live(self) -> Path:
        return self.folder / "asa/syslog"

    def begin(
        self,
        disk: Disk | None = None,
        rotate_bytes: int = BIG,
        unknown_bytes: int = 1 << 30,
    ) -> SpoolService:
        spool = make_spool(self.folder, self.clock, disk)
        spool.unknown_bytes = min(spool.unknown_bytes, unknown_bytes)
        spool.startService()
        spool.open_device("asa", rotate_bytes)
        return spool

    def all_lines(self, spool: SpoolService) -> list[bytes]:
        return drain(spool.reader("asa", "everything")).splitlines()

    def torn(self) -> list[Path]:
        return sorted((self.folder / "asa/.spool").glob("torn*"))


@pytest.fixture
def holes(tmp_path: Path) -> None:
    """Skip where the disk does not tell of holes: there a huge file is read as what it holds."""
    probe = tmp_path / "probe"
    with probe.open("wb") as file:
        file.truncate(64 << 20)
        knows = Disk().next_data(file.fileno(), 0) is None
    probe.unlink()
    if not knows:
        pytest.skip("this disk does not tell where a file has holes")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    one = Log(tmp_path)
    spool = one.begin()
    assert spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    closed(spool)
    return one


def made_huge(live: Path) -> None:
    os.truncate(live, HUGE)


def made_huge_with_something_at_the_end(live: Path) -> None:
    with live.open("r+b") as file:
        file.seek(HUGE - 4)
        file.write(b"end\n")


SOMEBODY = [made_huge, made_huge_with_something_at_the_end]


@pytest.mark.usefixtures("holes")
@pytest.mark.parametrize("somebody", SOMEBODY)
def test_a_start_reads_little_of_a_huge_live_file(
    log: Log, somebody: Callable[[Path], None]
) -> None:
    somebody(log.live)
    disk = Counting()
    spool = log.begin(disk)
    assert disk.touched < ENOUGH
    assert log.all_lines(spool) == numbered(0, 10)
    assert log.live.stat().st_size == 27 * 10
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    assert log.all_lines(spool)[-1:] == numbered(10, 1)
    assert balanced(spool, "asa")
    closed(spool)
    assert sum(path.stat().st_blocks * 512 for path in log.torn()) < 1 << 20


@pytest.mark.usefixtures("holes")
@pytest.mark.parametrize("somebody", SOMEBODY)
def test_a_look_while_it_runs_reads_little_too(log: Log, somebody: Callable[[Path], None]) -> None:
    disk = Counting()
    spool = log.begin(disk)
    somebody(log.live)
    disk.touched = 0
    log.clock.pump([1] * 61)
    assert disk.touched < ENOUGH
    assert log.live.stat().st_size == 27 * 10
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    assert log.all_lines(spool) == numbered(0, 11)
    closed(spool)


@pytest.mark.parametrize("running", [False, True])
def test_of_a_large_tail_not_a_byte_is_lost_nor_copied(
    log: Log, monkeypatch: pytest.MonkeyPatch, *, running: bool
) -> None:
    monkeypatch.setattr(overlong, "COPIED_MOST", 10_000)
    disk = Counting()
    spool = log.begin(disk) if running else None
    tail = b"x" * 100_000
    with log.live.open("ab") as file:
        file.write(tail)
    disk.touched = 0
    if spool is None:
        spool = log.begin(disk)
    else:
        log.clock.pump([1] * 61)
    assert disk.touched < 150_000
    (torn,) = log.torn()
    assert torn.read_bytes().endswith(tail)
    assert log.live.read_bytes().splitlines() == numbered(0, 10)
    assert not log.live.samefile(torn)
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    assert log.all_lines(spool) == numbered(0, 11)
    closed(spool)


def test_a_crash_at_any_step_loses_neither_lines_nor_the_tail(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlong, "COPIED_MOST", 10_000)
    tail = b"x" * 100_000
    with log.live.open("ab") as file:
        file.write(tail)

    for step in range(1, 30):
        disk = Crashing(step, half=False)
        try:
            spool = log.begin(disk)
        except Crash:
            continue
        disk.left = 1 << 30
        assert log.all_lines(spool) == numbered(0, 10)
        closed(spool)
        break
    else:
        raise AssertionError("it never came through")
    assert step > 3
    assert any(torn.read_bytes().endswith(tail) for torn in log.torn())


def test_no_more_of_a_file_is_read_than_its_index_can_be_behind(log: Log) -> None:
    with log.live.open("ab") as file:
        file.writelines(line + b"\n" for line in numbered(10, 1000))
    spool = log.begin(rotate_bytes=100, unknown_bytes=1000)
    found = log.all_lines(spool)
    assert found == numbered(0, len(found))
    assert 40 < len(found) < 60
    closed(spool)
    (torn,) = log.torn()
    assert torn.read_bytes().splitlines() == numbered(len(found), 1010 - len(found))


def test_a_repair_looks_at_all_of_it(log: Log) -> None:
    with log.live.open("ab") as file:
        file.writelines(line + b"\n" for line in numbered(10, 1000))
    repair_log(Disk(), log.folder, "asa", 1.0)
    spool = log.begin()
    assert log.all_lines(spool) == numbered(0, 1010)
    closed(spool)


@pytest.mark.parametrize("keep", [True, False])
def test_a_huge_index_is_read_as_far_as_it_is_one(log: Log, *, keep: bool) -> None:
    index = LogFolder(log.folder / "asa").index(0)
    if not keep:
        index.write_bytes(b"")
    os.truncate(index, HUGE)
    disk = Counting()
    assert len(read_records(disk, index) or b"") < 4 << 20
    spool = log.begin(disk)
    assert disk.touched < ENOUGH
    assert log.all_lines(spool) == numbered(0, 10)
    closed(spool)
    assert index.stat().st_size < 1 << 20
