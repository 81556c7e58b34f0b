import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from tests.spool.spool_room import AtOnce, FaultyDisk, make_spool, numbered, run_of
from tscm.errors import NoSuchDevice
from tscm.model import Block, Expired, LogReader, Position, Spool
from tscm.spool.disk import Disk
from tscm.spool.index import read_index
from tscm.spool.reader import DeviceReader
from tscm.spool.seals import MOST_OVER_BYTES, SEALS_A_SECOND
from tscm.spool.service import SpoolService

BIG = 1 << 30


def drain(reader: LogReader, size: int = 1 << 20, *, sealed_only: bool = False) -> bytes:
    """Read and confirm all that there is."""
    found = []
    while block := reader.read(reader.position.offset, size, sealed_only=sealed_only):
        found.append(block.data)
        reader.confirm(block.end, sent=block.lines)
    return b"".join(found)


def balanced(spool: SpoolService, device: str) -> bool:
    figures = spool.figures(device)
    return all(
        one.sent + one.not_selected + one.expired + one.waiting_lines == figures.stored_lines
        and one.difference == 0
        for one in figures.readers.values()
    )


def closed(spool: SpoolService) -> None:
    done: Deferred[None] = spool.stopService()
    ended: list[object] = []
    done.addBoth(ended.append)
    assert ended == [None]


def test_it_is_the_spool_that_intake_sees(tmp_path: Path) -> None:
    spool: Spool = make_spool(tmp_path)
    assert not spool.append("nobody", [run_of(b"x")], 1.0)


def test_lines_stand_in_the_live_file_as_they_came(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    assert spool.append("asa", [run_of(b"one"), run_of(b"two", b"three", sender="b")], 1.0)
    assert spool.append("asa", [run_of(b"four")], 2.0)
    assert (tmp_path / "asa/syslog").read_bytes() == b"one\ntwo\nthree\nfour\n"
    assert spool.figures("asa").stored_lines == 4
    closed(spool)


def test_a_reader_gets_whole_lines_in_blocks(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    lines = numbered(0, 100)
    spool.append("asa", [run_of(*lines)], 1.0)
    reader: LogReader = spool.reader("asa", "forward")
    block = reader.read(0, 100)
    assert block == Block(
        device="asa", start=0, end=81, data=b"\n".join(lines[:3]) + b"\n", lines=3, escaped=False
    )
    assert drain(reader, 100) == b"\n".join(lines) + b"\n"
    assert reader.position == Position(offset=reader.end, sent=100)
    closed(spool)


def test_a_line_longer_than_the_block_comes_whole(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    long = b"x" * 100_000
    spool.append("asa", [run_of(b"short", long, b"end")], 1.0)
    reader = spool.reader("asa", "forward")
    assert drain(reader, 10) == b"short\n" + long + b"\nend\n"
    spool.append("asa", [run_of(long)], 1.0)
    spool.seal("asa")
    assert drain(reader, 10) == long + b"\n"
    closed(spool)


def test_escapes_show_in_the_block(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"plain"), run_of(b"a\x10nb", escaped=True)], 1.0)
    reader = spool.reader("asa", "forward")
    first, both = reader.read(0, 6), reader.read(0, 100)
    assert first is not None
    assert both is not None
    assert (first.escaped, both.escaped) == (False, True)
    closed(spool)


def test_the_segment_is_sealed_when_it_reaches_the_size(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", 100)
    for number in range(4):
        spool.append("asa", [run_of(*numbered(number * 2, 2))], 1.0)
    names = sorted(path.name for path in (tmp_path / "asa").iterdir())
    assert names == [".spool", "syslog", f"syslog.{0:020d}", f"syslog.{4 * 27:020d}"]
    assert (tmp_path / "asa/syslog").read_bytes() == b""
    assert (tmp_path / f"asa/syslog.{0:020d}").stat().st_size == 4 * 27
    closed(spool)


def test_offsets_go_on_over_segments_and_restarts(tmp_path: Path) -> None:
    expected = b""
    for start in range(3):
        spool = make_spool(tmp_path)
        spool.open_device("asa", 100)
        for number in range(10):
            lines = numbered(start * 100 + number * 3, 3)
            spool.append("asa", [run_of(*lines)], 1.0)
            expected += b"\n".join(lines) + b"\n"
        closed(spool)
    spool = make_spool(tmp_path)
    spool.open_device("asa", 100)
    reader = spool.reader("asa", "late")
    assert drain(reader) == expected
    assert reader.position == Position(offset=len(expected), sent=90)
    assert spool.figures("asa").gaps_total == 0
    closed(spool)


def test_the_position_outlives_a_restart(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"one", b"two", b"three")], 1.0)
    reader = spool.reader("asa", "forward")
    reader.confirm(4, sent=1)
    reader.confirm(8, sent=0, not_selected=1)
    closed(spool)
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    assert spool.readers("asa") == ["forward"]
    reader = spool.reader("asa", "forward")
    assert reader.position == Position(offset=8, sent=1, not_selected=1)
    assert drain(reader) == b"three\n"
    assert balanced(spool, "asa")
    closed(spool)


def test_an_upload_sees_sealed_segments_only(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"one")], 1.0)
    reader = spool.reader("asa", "upload")
    assert reader.read(0, 100, sealed_only=True) is None
    assert spool.seal("asa")
    assert not spool.seal("asa")
    assert drain(reader, sealed_only=True) == b"one\n"
    closed(spool)


def test_the_live_segment_is_sealed_after_its_time_but_only_when_lines_stand_in_it(
    tmp_path: Path,
) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, rotate_seconds=900)
    spool.open_device("busy", BIG)
    spool.open_device("idle", BIG)
    spool.startService()
    clock.pump([1] * 10)
    spool.append("busy", [run_of(b"one")], clock.seconds())
    clock.pump([1] * 895)
    assert spool.figures("busy").segments == 0
    clock.pump([1] * 10)
    assert spool.figures("busy").segments == 1
    clock.pump([60] * 60)
    assert spool.figures("busy").segments == 1
    assert spool.figures("idle").segments == 0
    closed(spool)
    assert not clock.getDelayedCalls()


def test_readers_are_told_once_and_not_within_the_append(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    told: list[int] = []
    reader = spool.reader("asa", "forward")
    reader.when_more(lambda: told.append(1))
    spool.append("asa", [run_of(b"one")], 1.0)
    assert told == []
    spool.append("asa", [run_of(b"two")], 1.0)
    clock.advance(0)
    assert told == [1]
    spool.append("asa", [run_of(b"three")], 1.0)
    clock.advance(0)
    assert told == [1]
    reader.when_more(lambda: told.append(2))
    spool.seal("asa")
    clock.advance(0)
    assert told == [1, 2]
    closed(spool)


def test_a_reader_that_fails_on_a_notice_hinders_no_other(
    tmp_path: Path, logged_failures: list[object]
) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    told: list[int] = []
    spool.reader("asa", "bad").when_more(lambda: print(1 // 0))
    spool.reader("asa", "good").when_more(lambda: told.append(1))
    assert spool.append("asa", [run_of(b"one")], 1.0)
    clock.advance(0)
    assert told == [1]
    assert "ZeroDivisionError" in str(logged_failures.pop())
    closed(spool)


def test_a_new_reader_begins_where_it_was_asked_to(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"one", b"two")], 1.0)
    assert spool.reader("asa", "all").position == Position()
    assert spool.reader("asa", "new", at_end=True).position == Position(offset=8, not_selected=2)
    assert spool.reader("asa", "all") is spool.reader("asa", "all", at_end=True)
    assert balanced(spool, "asa")
    closed(spool)


def test_a_dropped_reader_is_forgotten_and_nobody_else_is(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.reader("asa", "a")
    spool.reader("asa", "b")
    spool.drop_reader("asa", "a")
    assert spool.readers("asa") == ["b"]
    closed(spool)
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    assert spool.readers("asa") == ["b"]
    closed(spool)


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", ".hidden", "x.new", "a" * 101])
def test_a_readers_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    with pytest.raises(ValueError):
        spool.reader("asa", name)
    closed(spool)


def test_a_device_that_is_not_open_is_named(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    with pytest.raises(NoSuchDevice):
        spool.figures("asa")
    assert not spool.append("asa", [run_of(b"x", b"y")], 1.0)
    assert spool.unknown_lines == 2


def test_a_position_behind_the_end_is_refused(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"one")], 1.0)
    reader = spool.reader("asa", "forward")
    with pytest.raises(ValueError):
        reader.confirm(5, sent=1)
    closed(spool)


def test_the_index_tells_who_sent_what_and_when(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    spool.startService()
    name = "2001:0db8:1111:2222:3333:4444:5555:6666"
    spool.append("asa", [run_of(b"one"), run_of(b"two", b"three", sender=name)], 5.0)
    spool.append("asa", [run_of(b"four", sender=name, escaped=True)], 7.5)
    clock.advance(1)
    data = (tmp_path / f"asa/.spool/{0:020d}.index").read_bytes()
    index = read_index(data)
    assert index is not None
    assert index.good_bytes == len(data)
    assert [(r.offset, r.lines, r.received_at, r.sender, r.escaped) for r in index.runs] == [
        (0, 1, 5.0, "192.0.2.1", False),
        (4, 2, 5.0, name, False),
        (14, 1, 7.5, name, True),
    ]
    closed(spool)


# -- the disk -----------------------------------------------------------------


def test_a_full_disk_takes_lines_again_when_there_is_room(tmp_path: Path) -> None:
    disk, clock = FaultyDisk(), Clock()
    spool = make_spool(tmp_path, clock, disk)
    spool.open_device("asa", BIG)
    spool.startService()
    reader = spool.reader("asa", "forward")
    disk.only, disk.room = "syslog", 10
    assert spool.append("asa", [run_of(b"one")], 1.0)
    assert not spool.append("asa", [run_of(b"much too long", b"for what is left")], 1.0)
    assert (tmp_path / "asa/syslog").read_bytes() == b"one\n"
    assert spool.figures("asa").fault == "cannot be written: No space left on device"
    disk.room = None
    assert spool.append("asa", [run_of(b"two")], 1.0)
    assert drain(reader) == b"one\ntwo\n"
    assert spool.figures("asa").refused_lines == 2
    clock.pump([1, 1])
    assert spool.figures("asa").fault is None
    closed(spool)


def test_a_write_in_part_that_cannot_be_taken_back_leaves_no_trace(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make_spool(tmp_path, disk=disk)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "forward")
    disk.only, disk.room = "syslog", 10
    disk.refuse = {"truncate": errno.EIO}
    assert not spool.append("asa", [run_of(b"four", b"long lines", b"of some length")], 1.0)
    assert not spool.append("asa", [run_of(b"x")], 1.0)
    disk.room, disk.refuse = None, {}
    assert spool.append("asa", [run_of(b"one")], 1.0)
    assert (tmp_path / "asa/syslog").read_bytes() == b"one\n"
    assert drain(reader) == b"one\n"
    assert spool.figures("asa").fault is None
    closed(spool)


def test_a_bad_disk_under_one_device_touches_no_other(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make_spool(tmp_path, disk=disk)
    spool.open_device("bad", BIG)
    spool.open_device("good", BIG)
    disk.only, disk.refuse = "/bad/", {"pwrite": errno.EIO, "truncate": errno.EIO}
    assert not spool.append("bad", [run_of(b"one")], 1.0)
    assert spool.append("good", [run_of(b"one")], 1.0)
    assert drain(spool.reader("good", "forward")) == b"one\n"
    disk.refuse = {}
    assert spool.append("bad", [run_of(b"two")], 1.0)
    assert drain(spool.reader("bad", "forward")) == b"two\n"
    closed(spool)


@pytest.mark.parametrize("call", ["open", "pwrite", "rename"])
def test_a_seal_that_the_disk_refuses_is_made_up_for_later(tmp_path: Path, call: str) -> None:
    disk = FaultyDisk()
    clock = Clock()
    spool = make_spool(tmp_path, clock, disk=disk)
    spool.open_device("asa", BIG)
    spool.startService()
    spool.append("asa", [run_of(b"one")], 1.0)
    disk.only, disk.refuse = "asa/", {call: errno.ENOSPC}
    assert not spool.seal("asa")
    disk.refuse = {}
    assert spool.append("asa", [run_of(b"two")], 1.0)
    assert spool.seal("asa")
    assert spool.append("asa", [run_of(b"three")], 1.0)
    assert drain(spool.reader("asa", "forward")) == b"one\ntwo\nthree\n"
    assert balanced(spool, "asa")
    closed(spool)


def test_a_seal_that_broke_off_half_way_goes_on_with_the_next_file(tmp_path: Path) -> None:
    disk = FaultyDisk()
    clock = Clock()
    spool = make_spool(tmp_path, clock, disk=disk)
    spool.open_device("asa", BIG)
    spool.startService()
    spool.append("asa", [run_of(b"one")], 1.0)
    disk.only, disk.refuse = "/next", {"rename": errno.EIO}
    assert spool.seal("asa")
    assert spool.append("asa", [run_of(b"two")], 1.0)
    assert not (tmp_path / "asa/syslog").exists()
    reader = spool.reader("asa", "forward")
    assert drain(reader) == b"one\ntwo\n"
    disk.refuse = {}
    spool.seal("asa")
    assert spool.append("asa", [run_of(b"three")], 1.0)
    assert (tmp_path / "asa/syslog").read_bytes() == b"three\n"
    assert drain(reader) == b"three\n"
    closed(spool)


def test_a_read_that_the_disk_refuses_is_tried_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    clock = Clock()
    spool = make_spool(tmp_path, clock, disk=disk)
    spool.open_device("asa", BIG)
    spool.startService()
    spool.append("asa", [run_of(b"one")], 1.0)
    reader = spool.reader("asa", "forward")
    disk.refuse = {"pread": errno.EIO}
    assert reader.read(0, 100) is None
    told: list[int] = []
    reader.when_more(lambda: told.append(1))
    disk.refuse = {}
    clock.pump([1, 1])
    assert told == [1]
    assert drain(reader) == b"one\n"
    closed(spool)


# -- retention ----------------------------------------------------------------


def filled(spool: SpoolService, device: str, segments: int, at: float = 1.0) -> None:
    for number in range(segments):
        assert spool.append(device, [run_of(*numbered(number * 10, 10))], at + number)
        assert spool.seal(device)


def test_what_is_too_old_goes_and_counts_as_expired(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, max_age_days=1)
    spool.open_device("asa", BIG)
    spool.startService()
    reader = spool.reader("asa", "upload")
    filled(spool, "asa", 3)
    block = reader.read(0, 27 * 4)
    assert block is not None
    reader.confirm(block.end, sent=block.lines)
    clock.pump([86400, 1.5, 60])
    assert spool.figures("asa").segments == 0
    assert reader.position == Position(offset=27 * 30, sent=4, expired=26)
    figures = spool.figures("asa")
    assert figures.readers["upload"].expired_by_cause[Expired.AGE] == 26
    assert figures.deleted_lines == {"age": 30}
    assert balanced(spool, "asa")
    assert sorted(path.name for path in (tmp_path / "asa").iterdir()) == [".spool", "syslog"]
    closed(spool)


def test_a_log_over_its_size_loses_the_oldest(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, max_mb_per_device=1)
    spool.open_device("asa", BIG)
    spool.startService()
    reader = spool.reader("asa", "forward")
    for _ in range(3):
        spool.append("asa", [run_of(*numbered(0, 20_000))], clock.seconds())
        spool.seal("asa")
    clock.pump([60, 60])
    assert spool.figures("asa").segments == 1
    assert reader.position == Position(offset=27 * 40_000, expired=40_000)
    assert spool.figures("asa").readers["forward"].expired_by_cause[Expired.SIZE] == 40_000
    assert drain(reader) == b"\n".join(numbered(0, 20_000)) + b"\n"
    assert balanced(spool, "asa")
    closed(spool)


def test_below_the_watermark_the_oldest_of_all_devices_go_first(tmp_path: Path) -> None:
    class Filling(FaultyDisk):
        free = 1 << 40

        def free_bytes(self, folder: Path) -> int:
            return self.free

        def unlink(self, path: Path) -> None:
            if "syslog." in path.name and path.exists():
                self.free += 27 * 10
            super().unlink(path)

    disk, clock = Filling(), Clock()
    spool = make_spool(tmp_path, clock, disk, min_free_mb=1, compress=False)
    for name in ("a", "b"):
        spool.open_device(name, BIG)
    spool.startService()
    filled(spool, "a", 3, at=100)
    filled(spool, "b", 3, at=200)
    reader = spool.reader("a", "forward")
    disk.free = (1 << 20) - 27 * 40
    clock.pump([2, 60])
    assert spool.figures("a").segments == 0
    assert spool.figures("b").segments == 2
    assert spool.figures("a").readers["forward"].expired_by_cause[Expired.SPACE] == 30
    assert reader.position.expired == 30
    closed(spool)


def test_lines_that_expire_on_their_way_are_counted_once(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, max_age_days=1)
    spool.open_device("asa", BIG)
    spool.startService()
    reader: DeviceReader = spool.reader("asa", "forward")
    filled(spool, "asa", 2)
    spool.append("asa", [run_of(*numbered(90, 10))], 2.0)
    first = reader.read(0, 1 << 20)
    assert first is not None
    second = reader.read(first.end, 1 << 20)
    assert second is not None
    third = reader.read(second.end, 1 << 20)
    assert third is not None
    clock.pump([86400, 1.5, 60])
    assert reader.position.expired == 20
    reader.confirm(first.end, sent=10)  # overtaken: nothing happens
    reader.confirm(third.end, sent=30)
    assert balanced(spool, "asa")
    assert reader.position.sent == 30
    assert reader.position.expired == 0
    closed(spool)


def test_a_reader_that_comes_after_retention_counts_what_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, max_age_days=1)
    spool.open_device("asa", BIG)
    spool.startService()
    filled(spool, "asa", 2)
    clock.pump([86400, 1.5, 60])
    spool.append("asa", [run_of(b"new")], clock.seconds())
    reader = spool.reader("asa", "late")
    assert reader.position == Position(offset=27 * 20, expired=20)
    assert drain(reader) == b"new\n"
    assert balanced(spool, "asa")
    closed(spool)


@pytest.mark.parametrize("policy", ["off", "interval", "seal"])
def test_lines_reach_the_disk_as_the_policy_says(tmp_path: Path, policy: str) -> None:
    class Counting(FaultyDisk):
        synced = 0

        def fsync(self, fd: int) -> None:
            self.synced += 1
            super().fsync(fd)

    disk, clock = Counting(), Clock()
    spool = make_spool(tmp_path, clock, disk, fsync=policy, fsync_ms=500, compress=False)
    spool.open_device("asa", BIG)
    spool.startService()
    spool.append("asa", [run_of(b"one")], 1.0)
    clock.pump([0.5] * 6)
    after_append = disk.synced
    spool.seal("asa")
    clock.pump([0.5] * 6)
    after_seal = disk.synced
    closed(spool)
    assert (after_append > 0) == (policy == "interval")
    assert (after_seal > after_append) == (policy != "off")
    assert (disk.synced > 0) == (policy != "off")
    assert isinstance(spool.threads, AtOnce)


@pytest.mark.parametrize("together", [True, False])
def test_lines_of_very_many_logs_all_reach_the_disk(tmp_path: Path, *, together: bool) -> None:
    class Counting(FaultyDisk):
        """Which logs were synced by themselves, and how often a volume was."""

        def __init__(self) -> None:
            super().__init__()
            self.files: set[str] = set()
            self.volumes = 0

        @property
        def syncs_volumes(self) -> bool:
            return together

        def fsync(self, fd: int) -> None:
            self.files.add(str(Path(f"/proc/self/fd/{fd}").readlink()))

        def sync_volume(self, fd: int) -> None:
            self.volumes += 1

    disk, clock = Counting(), Clock()
    spool = make_spool(tmp_path, clock, disk, fsync="interval", fsync_ms=1000, compress=False)
    names = [f"asa{number}" for number in range(300)]
    for name in names:
        spool.open_device(name, BIG)
    spool.startService()
    for name in names:
        spool.append(name, [run_of(b"one")], 1.0)
    clock.pump([1.0] * 4)
    if together:
        assert (disk.volumes, len(disk.files)) == (1, 0)
    else:
        assert {str(tmp_path / name / "syslog") for name in names} <= disk.files
    closed(spool)


@pytest.mark.parametrize("logs", [3, 100])
def test_a_sync_without_a_descriptor_is_told(tmp_path: Path, logs: int) -> None:
    class Full(FaultyDisk):
        """No descriptor is left for what is to be synced."""

        full = False

        @property
        def syncs_volumes(self) -> bool:
            return True

        def sync_volume(self, fd: int) -> None:
            pass

        def duplicate(self, fd: int) -> int:
            if self.full:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return super().duplicate(fd)

    disk, clock = Full(), Clock()
    spool = make_spool(tmp_path, clock, disk, fsync="interval", fsync_ms=1000, compress=False)
    names = [f"asa{number}" for number in range(logs)]
    for name in names:
        spool.open_device(name, BIG)
    spool.startService()
    for name in names:
        spool.append(name, [run_of(b"one")], 1.0)
    disk.full = True
    with capturedLogs() as told:
        clock.pump([1.0] * 4)
    disk.full = False
    closed(spool)
    formats = [(one["log_format"], one.get("count")) for one in told]
    assert [count for text, count in formats if "no file descriptor" in text] == [logs]


def test_a_volume_is_synced_as_a_whole_or_the_system_says_why_not() -> None:
    disk = Disk()
    if not disk.syncs_volumes:
        pytest.skip("this kernel does not tell of files that it could not write")
    fd = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    disk.sync_volume(fd)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.sync_volume(-1)


def test_files_that_could_not_be_deleted_are_tried_again_and_swept_at_the_next_start(
    tmp_path: Path,
) -> None:
    disk, clock = FaultyDisk(), Clock()
    spool = make_spool(tmp_path, clock, disk, max_age_days=1, compress=False)
    spool.open_device("asa", BIG)
    spool.startService()
    filled(spool, "asa", 2)
    (tmp_path / "asa/syslog.1").write_bytes(b"not ours")
    disk.refuse = {"unlink": errno.EROFS}
    clock.pump([86400, 1.5, 61])
    assert spool.figures("asa").segments == 0
    assert len(list((tmp_path / "asa").glob("syslog.0*"))) == 2
    closed(spool)
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    spool.startService()
    clock.pump([1, 1])
    assert sorted(path.name for path in (tmp_path / "asa").iterdir()) == [
        ".spool",
        "syslog",
        "syslog.1",
    ]
    assert len(list((tmp_path / "asa/.spool").glob("*.index"))) == 1
    closed(spool)


@pytest.mark.parametrize("with_a_new_one", [False, True])
def test_a_live_file_that_logrotate_took_is_put_back(
    tmp_path: Path, *, with_a_new_one: bool
) -> None:
    spool = make_spool(tmp_path)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "forward")
    spool.append("asa", [run_of(b"one")], 1.0)
    live = tmp_path / "asa/syslog"
    live.rename(tmp_path / "asa/syslog.1")
    if with_a_new_one:
        live.write_bytes(b"of somebody else\n")
    spool.append("asa", [run_of(b"two")], 1.0)
    assert spool.seal("asa")
    assert (tmp_path / f"asa/syslog.{0:020d}").read_bytes() == b"one\ntwo\n"
    spool.append("asa", [run_of(b"three")], 1.0)
    assert drain(reader) == b"one\ntwo\nthree\n"
    assert live.read_bytes() == b"three\n"
    aside = [path.read_bytes() for path in (tmp_path / "asa/.spool").glob("torn.*")]
    assert aside == ([b"of somebody else\n"] if with_a_new_one else [])
    closed(spool)


def test_the_log_of_a_forgotten_device_ends_by_retention(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, max_age_days=1)
    spool.open_device("gone", BIG)
    spool.open_device("here", BIG)
    (tmp_path / "notes").mkdir()
    spool.startService()
    reader = spool.reader("gone", "forward")
    spool.append("gone", [run_of(b"one", b"two")], 1.0)
    spool.forget_device("gone")
    assert reader.read(0, 100) is None
    reader.confirm(8, sent=2)  # what was on its way ends without harm
    clock.pump([2, 60])
    (orphan,) = spool.orphans()
    assert (orphan.name, orphan.stored_lines, orphan.kept_bytes) == ("gone", 2, 8)
    assert orphan.readers == {}
    clock.pump([86400, 61])
    assert spool.orphans()[0].kept_bytes == 0
    assert not list((tmp_path / "gone").glob("syslog.*"))
    spool.open_device("gone", BIG)
    spool.append("gone", [run_of(b"three")], clock.seconds())
    assert spool.orphans() == []
    late = spool.reader("gone", "late")
    assert drain(late) == b"three\n"
    assert late.position == Position(offset=14, sent=1, expired=2)
    assert balanced(spool, "gone")
    closed(spool)


def test_a_size_reached_many_times_a_second_seals_once_a_second(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, seal_seconds=1.0)
    spool.startService()
    spool.open_device("asa", 100)
    spool.open_device("quiet", 100)
    counts = []
    for _ in range(4):
        for _ in range(50):
            spool.append("asa", [run_of(*numbered(0, 4))], 1.0)
            clock.advance(0.02)
        spool.append("quiet", [run_of(*numbered(0, 4))], 1.0)
        counts.append((spool.figures("asa").segments, spool.figures("quiet").segments))
    assert [quiet for _, quiet in counts] == [1, 2, 3, 4]  # at once: its last seal was long ago
    busy = [now for now, _ in counts]
    assert all(1 <= now - before <= 2 for before, now in pairwise([0, *busy])), busy
    assert spool.figures("asa").stored_lines == 4 * 50 * 4
    clock.advance(3)
    assert spool.figures("asa").live_bytes < 100  # nobody waits for more to come
    reader = spool.reader("asa", "late")
    assert drain(reader) == (b"\n".join(numbered(0, 4)) + b"\n") * 200
    closed(spool)


def test_a_segment_sealed_by_hand_begins_its_size_anew(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, seal_seconds=1.0)
    spool.startService()
    spool.open_device("asa", 100)
    for _ in range(2):
        spool.append("asa", [run_of(*numbered(0, 4))], 1.0)
    spool.seal("asa")
    spool.append("asa", [run_of(*numbered(0, 1))], 1.0)
    clock.advance(3)
    assert spool.figures("asa").segments == 2
    assert spool.figures("asa").live_bytes == 27
    spool.append("asa", [run_of(*numbered(0, 4))], 1.0)
    assert spool.figures("asa").segments == 3
    closed(spool)


def test_many_logs_that_reach_their_size_together_are_sealed_in_turn(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, seal_seconds=1.0)
    spool.startService()
    names = [f"asa{number}" for number in range(80)]
    for name in names:
        spool.open_device(name, 100)
    for name in names:
        spool.append(name, [run_of(*numbered(0, 4))], 1.0)
    counts = []
    for _ in range(4):
        counts.append([spool.figures(name).segments for name in names])
        clock.advance(1)
    sealed = [sum(count) for count in counts]
    assert sealed == [SEALS_A_SECOND, 2 * SEALS_A_SECOND, 80, 80]
    assert counts[1][: 2 * SEALS_A_SECOND] == [1] * 2 * SEALS_A_SECOND  # the longest full first
    for name in names:
        assert drain(spool.reader(name, "late")) == b"\n".join(numbered(0, 4)) + b"\n"
    closed(spool)


def test_a_log_far_beyond_its_size_waits_for_no_others(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, seal_seconds=1.0)
    spool.startService()
    names = [f"asa{number:03}" for number in range(200)]
    for name in (*names, "huge"):
        spool.open_device(name, 100)
        spool.append(name, [run_of(*numbered(0, 4))], 1.0)
    spool.append("huge", [run_of(b"x" * MOST_OVER_BYTES)], 1.0)
    assert spool.figures("huge").segments == 0
    clock.advance(1)
    assert spool.figures("huge").segments == 1
    assert sum(spool.figures(name).segments for name in names) == 2 * SEALS_A_SECOND
    closed(spool)
