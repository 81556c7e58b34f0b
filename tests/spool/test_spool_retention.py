"""
Retention keeps up with whatever comes: it looks again with each seal, and ends when all is in bounds.
"""

import errno
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain, filled
from tscm.spool.catalogue import Catalogue, CatalogueDamaged, Segment
from tscm.spool.cursor import AGE
from tscm.spool.disk import Disk
from tscm.spool.retention import RetentionRules
from tscm.spool.service import SpoolService

LINE = 27
SEGMENT = 10 * LINE


class Room(FaultyDisk):
    """A disk with so much room left; a segment's text and index give back what they took."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.files = 1 << 40, (0, 0)

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def free_files(self, folder: Path) -> tuple[int, int]:
        return self.files

    def unlink(self, path: Path) -> None:
        there = path.exists()
        super().unlink(path)
        if there and "syslog." in path.name:
            self.free += SEGMENT
        if there and self.files[1]:
            self.files = (self.files[0] + 1, self.files[1])


def running(logs: Path, clock: Clock, disk: Disk, **bounds: Any) -> SpoolService:
    spool = make_spool(logs, clock, disk, compress=False, **bounds)
    spool.startService()
    return spool


def segments(spool: SpoolService, name: str = "asa") -> int:
    found: int = spool.figures(name).segments
    return found


def test_a_pass_does_not_end_at_a_number_of_segments(tmp_path: Path) -> None:
    clock = Clock()
    spool = running(tmp_path, clock, FaultyDisk(), max_age_days=1)
    for name in ("a", "b"):
        spool.open_device(name, BIG)
        filled(spool, name, 400)
    readers = [spool.reader(name, "forward") for name in ("a", "b")]
    clock.pump([86400 + 500, 1])
    assert [segments(spool, name) for name in ("a", "b")] == [0, 0]
    assert [reader.position.expired for reader in readers] == [4000, 4000]
    assert balanced(spool, "a")
    assert not list(tmp_path.glob("*/syslog.*"))
    closed(spool)


def test_a_log_over_its_size_is_cut_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    spool = running(tmp_path, clock, FaultyDisk(), max_mb_per_device=1)
    spool.open_device("asa", BIG)
    clock.pump([2, 3])
    for _ in range(3):
        spool.append("asa", [run_of(*numbered(0, 20_000))], clock.seconds())
        spool.seal("asa")
    clock.advance(1)
    assert segments(spool) == 1
    closed(spool)


def test_a_seal_that_leaves_too_little_room_is_answered_within_a_second(tmp_path: Path) -> None:
    clock, disk = Clock(), Room()
    spool = running(tmp_path, clock, disk, min_free_mb=1)
    for name in ("new", "old"):
        spool.open_device(name, BIG)
    clock.pump([2, 3])
    filled(spool, "old", 4, at=100)
    filled(spool, "new", 3, at=200)
    disk.free = (1 << 20) - 2 * SEGMENT
    filled(spool, "new", 1, at=300)
    clock.advance(1)
    assert [segments(spool, name) for name in ("new", "old")] == [4, 2]
    assert disk.free >= 1 << 20
    closed(spool)


def test_room_is_looked_at_each_second_while_no_segment_is_full(tmp_path: Path) -> None:
    clock, disk = Clock(), Room()
    spool = running(tmp_path, clock, disk, min_free_mb=1)
    spool.open_device("asa", BIG)
    filled(spool, "asa", 3)
    clock.pump([2, 3])
    disk.free = (1 << 20) - SEGMENT
    spool.append("asa", [run_of(b"one")], clock.seconds())
    clock.pump([1, 1])
    assert segments(spool) == 2
    closed(spool)


def test_a_disk_without_inodes_loses_the_oldest_segments(tmp_path: Path) -> None:
    clock, disk = Clock(), Room()
    spool = running(tmp_path, clock, disk, min_free_mb=1)
    spool.open_device("asa", BIG)
    filled(spool, "asa", 5)
    disk.files = (94, 1000)
    clock.pump([2, 1])
    assert segments(spool) == 2
    assert disk.files == (100, 1000)
    assert spool.figures("asa").deleted_lines == {"space": 30}
    closed(spool)


@pytest.mark.parametrize(
    ("free", "files", "wanted"),
    [
        (5 << 20, (10_000, 1 << 20), False),
        ((1 << 20) - 1, (10_000, 1 << 20), True),
        (5 << 20, (1000, 1 << 20), True),
        (5 << 20, (0, 0), False),  # a file system that makes inodes as it needs them
        (5 << 20, (99, 1000), True),
        (5 << 20, (100, 1000), False),
    ],
)
def test_room_is_bytes_and_inodes(free: int, files: tuple[int, int], *, wanted: bool) -> None:
    rules = RetentionRules(max_age_days=1, max_mb=1, min_free_mb=1)
    assert bool(rules.missing(free, *files)) is wanted


def test_bounds_that_are_lowered_come_into_force_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    spool = running(tmp_path, clock, FaultyDisk(), max_mb_per_device=100)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "forward")
    for _ in range(4):
        spool.append("asa", [run_of(*numbered(0, 20_000))], clock.seconds())
        spool.seal("asa")
    clock.pump([2, 3])
    assert segments(spool) == 4
    assert spool.apply_limits(evolve(spool.bounds, max_mb_per_device=1))
    clock.advance(1)
    assert segments(spool) == 1
    assert reader.position.expired == 60_000
    assert not spool.apply_limits(evolve(spool.bounds, fsync="seal"))
    closed(spool)


def test_a_full_disk_gets_room_though_nothing_new_can_be_written_on_it(tmp_path: Path) -> None:
    clock, disk = Clock(), Room()
    spool = running(tmp_path, clock, disk, min_free_mb=1)
    spool.open_device("asa", BIG)
    filled(spool, "asa", 5)
    disk.free = 0
    disk.room, disk.only = 0, ".new"  # what is written in place a full disk still takes
    clock.pump([1.5, 1])
    assert not list((tmp_path / "asa").glob("syslog.*"))
    disk.room, disk.free = None, 1 << 40
    clock.pump([60, 60])
    closed(spool)
    again = make_spool(tmp_path)
    again.open_device("asa", BIG)
    assert again.figures("asa").deleted_lines == {"space": 50}
    closed(again)


def test_a_disk_that_deletes_nothing_is_asked_again_with_the_next_round_only(
    tmp_path: Path,
) -> None:
    class Stubborn(Room):
        tried = 0

        def unlink(self, path: Path) -> None:
            self.tried += 1
            raise OSError(errno.EROFS, "Read-only file system")

    clock, disk = Clock(), Stubborn()
    spool = running(tmp_path, clock, disk, max_age_days=1)
    spool.open_device("asa", BIG)
    filled(spool, "asa", 1)
    clock.pump([86401, 1])
    tried = disk.tried
    clock.pump([1] * 20)
    assert disk.tried == tried
    clock.pump([60, 1])
    assert disk.tried > tried
    closed(spool)


def test_a_pass_lets_others_work_every_few_milliseconds(tmp_path: Path) -> None:
    """On a clock that goes on with each look at it, so that a slice ends by its time."""

    class Ticking(Clock):
        def seconds(self) -> float:
            self.rightNow += 0.0005
            return float(self.rightNow)

    class Watching(FaultyDisk):
        deleted_by_turn: list[int]

        def unlink(self, path: Path) -> None:
            if "syslog." in path.name and path.exists():
                self.deleted_by_turn[-1] += 1
            super().unlink(path)

    clock, disk = Ticking(), Watching()
    disk.deleted_by_turn = []
    spool = running(tmp_path, clock, disk, max_age_days=1)
    spool.open_device("asa", BIG)
    filled(spool, "asa", 60)
    publish = disk.publish

    def published(*args: object, **kept: object) -> None:  # once for each slice
        disk.deleted_by_turn.append(0)
        publish(*args, **kept)  # type: ignore[arg-type]

    disk.publish = published  # type: ignore[method-assign]
    clock.pump([86400 + 100, 1])
    assert segments(spool) == 0
    assert sum(disk.deleted_by_turn) == 60
    assert max(disk.deleted_by_turn) < 15
    closed(spool)


def test_logs_of_devices_that_are_gone_are_all_taken_up_at_once(tmp_path: Path) -> None:
    before = make_spool(tmp_path)
    for number in range(30):
        before.open_device(f"gone-{number}", BIG)
        before.append(f"gone-{number}", [run_of(b"one")], 1.0)
    closed(before)
    clock = Clock()
    spool = running(tmp_path, clock, FaultyDisk(), max_age_days=1)
    clock.advance(2 * 86400)
    clock.pump([0.25] * 12)
    assert len(spool.orphans()) == 30
    assert not list(tmp_path.glob("*/syslog.*"))
    closed(spool)


# -- the list ---------------------------------------------------------------------


def long_list(disk: Disk, path: Path, count: int, gone: int) -> Catalogue:
    catalogue = Catalogue(disk, path)
    catalogue.open()
    for number in range(count):
        catalogue.add(Segment(number * 10, 10, number, 1, 1.0, 1.0))
    for number in range(gone):
        catalogue.change(number, catalogue.at(number).deleted(AGE))
    return catalogue


def test_deleted_records_are_forgotten_and_the_rest_stays(tmp_path: Path) -> None:
    catalogue = long_list(Disk(), tmp_path / "segments", 6000, 5000)
    oldest = catalogue.oldest
    catalogue.forget_deleted()
    assert (catalogue.count, catalogue.first) == (1001, 1)
    assert catalogue.oldest == oldest == Segment(50_000, 10, 5000, 1, 1.0, 1.0)
    assert catalogue.find(49_995) is not None
    assert catalogue.find(59_995) == catalogue.last
    catalogue.close()


def test_a_full_disk_leaves_the_list_as_it_is(tmp_path: Path) -> None:
    disk = FaultyDisk()
    catalogue = long_list(disk, tmp_path / "segments", 6000, 5000)
    disk.room, disk.only = 100, "segments.new"
    catalogue.forget_deleted()
    assert (catalogue.count, catalogue.first) == (6000, 5000)
    assert [path.name for path in tmp_path.iterdir()] == ["segments"]
    disk.room = None
    catalogue.forget_deleted()
    assert (catalogue.count, catalogue.first) == (1001, 1)
    catalogue.close()


def test_neighbours_are_found_without_a_search(tmp_path: Path) -> None:
    class Reading(Disk):
        reads = 0

        def read_at(self, fd: int, size: int, at: int) -> bytes:
            self.reads += 1
            return super().read_at(fd, size, at)

    disk = Reading()
    catalogue = long_list(disk, tmp_path / "segments", 1000, 0)
    assert catalogue.find(0) == catalogue.at(0)
    disk.reads = 0
    for number in range(1000):
        assert catalogue.find(number * 10) == Segment(number * 10, 10, number, 1, 1.0, 1.0)
    assert disk.reads < 3000
    with pytest.raises(CatalogueDamaged):
        catalogue.at(1000)
    catalogue.close()


def test_lines_come_whole_while_retention_takes_what_is_before_them(tmp_path: Path) -> None:
    clock = Clock()
    spool = running(tmp_path, clock, FaultyDisk(), max_mb_per_device=1)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "forward")
    for first in range(0, 100_000, 10_000):
        spool.append("asa", [run_of(*numbered(first, 10_000))], clock.seconds())
        spool.seal("asa")
        clock.advance(0.3)
    rest = drain(reader).splitlines()
    assert rest == numbered(100_000 - len(rest), len(rest))
    assert reader.position.expired == 100_000 - len(rest)
    assert balanced(spool, "asa")
    closed(spool)
