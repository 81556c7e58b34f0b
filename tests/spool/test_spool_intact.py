"""
Live log files that somebody else moves, deletes, truncates or writes to, under a running manager.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, SteppingDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService
from tscm.spool.tools_verify import verify_log


def moved(live: Path) -> None:
    live.rename(live.with_name("syslog.1"))


def deleted(live: Path) -> None:
    live.unlink()


def replaced(live: Path) -> None:
    live.rename(live.with_name("syslog.1"))
    live.write_bytes(b"of somebody else\n")


def with_lines(logs: Path, count: int, clock: Clock | None = None) -> SpoolService:
    spool = make_spool(logs, clock or Clock())
    spool.startService()
    spool.open_device("asa", BIG)
    assert spool.append("asa", [run_of(*numbered(0, count))], 1.0)
    return spool


def again(logs: Path) -> SpoolService:
    spool = make_spool(logs)
    spool.open_device("asa", BIG)
    return spool


def all_lines(spool: SpoolService) -> list[bytes]:
    return drain(spool.reader("asa", "everything")).splitlines()


@pytest.mark.parametrize("somebody", [moved, deleted, replaced])
def test_a_clean_stop_loses_no_line_of_a_file_that_lies_elsewhere(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    spool = with_lines(tmp_path, 900)
    somebody(tmp_path / "asa/syslog")
    closed(spool)
    spool = again(tmp_path)
    assert spool.figures("asa").gaps_total == 0
    assert all_lines(spool) == numbered(0, 900)
    closed(spool)


@pytest.mark.parametrize("somebody", [moved, deleted, replaced])
def test_a_file_that_lies_elsewhere_is_put_back_within_a_minute(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, 10, clock)
    somebody(tmp_path / "asa/syslog")
    clock.pump([1] * 61)
    assert (tmp_path / "asa/syslog").read_bytes().splitlines() == numbered(0, 10)
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    assert all_lines(spool) == numbered(0, 11)
    closed(spool)


def linked(live: Path) -> None:
    """As somebody does who wants it on another disk."""
    elsewhere = live.parent.parent / "elsewhere"
    live.rename(elsewhere)
    live.symlink_to(elsewhere)


def led_nowhere(live: Path) -> None:
    live.unlink()
    live.symlink_to(live.parent.parent / "nowhere")


def made_a_folder(live: Path) -> None:
    live.unlink()
    live.mkdir()


def made_a_pipe(live: Path) -> None:
    live.unlink()
    os.mkfifo(live)


NO_FILES = [linked, led_nowhere, made_a_folder, made_a_pipe]


@pytest.mark.parametrize("somebody", NO_FILES)
def test_what_is_no_file_makes_way_for_the_live_file(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, 10, clock)
    somebody(tmp_path / "asa/syslog")
    clock.pump([1] * 61)
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    closed(spool)
    assert (tmp_path / "asa/syslog").read_bytes().splitlines() == numbered(0, 11)
    assert not (tmp_path / "asa/syslog").is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("somebody", NO_FILES)
def test_at_a_start_what_is_no_file_is_kept_aside_and_nothing_is_written_through_it(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    closed(with_lines(tmp_path, 10))
    somebody(tmp_path / "asa/syslog")
    spool = again(tmp_path)
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    closed(spool)
    assert (tmp_path / "asa/syslog").is_file()
    assert (tmp_path / "asa/syslog").read_bytes().splitlines() == numbered(10, 1)
    if somebody is linked:
        assert (tmp_path / "elsewhere").read_bytes().splitlines() == numbered(0, 10)
    assert not (tmp_path / "nowhere").exists()
    assert len(list((tmp_path / "asa/.spool").glob("torn.*"))) == 1
    closed(again(tmp_path))


def moved_with_its_folder(live: Path) -> None:
    live.parent.rename(live.parent.with_name("gone"))


def deleted_with_its_folder(live: Path) -> None:
    shutil.rmtree(live.parent)


def left_alone(live: Path) -> None:
    shutil.rmtree(live.parent / ".spool")


@pytest.mark.parametrize("somebody", [moved_with_its_folder, deleted_with_its_folder, left_alone])
def test_a_folder_that_somebody_took_is_made_anew_with_the_live_lines_and_all_positions(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, 10, clock)
    assert spool.seal("asa")
    assert spool.append("asa", [run_of(*numbered(10, 10))], 1.5)
    reader = spool.reader("asa", "siem")
    drain(reader)
    assert spool.append("asa", [run_of(*numbered(20, 5))], 1.6)
    somebody(tmp_path / "asa/syslog")
    clock.pump([1] * 61)
    assert spool.append("asa", [run_of(*numbered(25, 5))], 2.0)
    assert spool.seal("asa")
    assert spool.append("asa", [run_of(*numbered(30, 5))], 3.0)
    closed(spool)
    spool = again(tmp_path)
    assert spool.figures("asa").stored_lines == 35
    assert drain(spool.reader("asa", "siem")).splitlines() == numbered(20, 15)
    found = all_lines(spool)
    assert found[-25:] == numbered(10, 25)
    assert balanced(spool, "asa")
    closed(spool)


def test_a_folder_whose_volume_is_away_is_made_on_no_other(tmp_path: Path) -> None:
    class Elsewhere(Disk):
        def is_on_volume(self, fd: int, folder: Path) -> bool:
            assert super().is_on_volume(fd, folder)
            return False

    clock = Clock()
    spool = make_spool(tmp_path, clock, disk=Elsewhere())
    spool.startService()
    spool.open_device("asa", BIG)
    moved_with_its_folder(tmp_path / "asa/syslog")
    clock.pump([1] * 61)
    assert spool.append("asa", [run_of(*numbered(0, 1))], 1.0)
    assert not (tmp_path / "asa").exists()
    assert spool.figures("asa").fault
    (tmp_path / "gone").rename(tmp_path / "asa")
    closed(spool)
    spool = again(tmp_path)
    assert all_lines(spool) == numbered(0, 1)
    closed(spool)


def test_a_pipe_in_the_place_of_the_live_file_lets_no_tool_wait(tmp_path: Path) -> None:
    closed(with_lines(tmp_path, 10))
    made_a_pipe(tmp_path / "asa/syslog")
    assert verify_log(Disk(), tmp_path, "asa")


def emptied(live: Path, left: int = 0) -> None:
    os.truncate(live, left)


LINE = 27


def test_what_is_written_behind_a_truncation_is_read_and_the_rest_is_a_gap(tmp_path: Path) -> None:
    spool = with_lines(tmp_path, 10)
    slow, quick = spool.reader("asa", "slow"), spool.reader("asa", "quick")
    block = quick.read(0, BIG)
    assert block is not None
    quick.confirm(block.end, sent=block.lines)
    part = slow.read(0, LINE * 3)
    assert part is not None
    slow.confirm(part.end, sent=3)
    emptied(tmp_path / "asa/syslog")
    spool.append("asa", [run_of(*numbered(10, 5))], 2.0)
    assert drain(quick).splitlines() == numbered(10, 5)
    assert drain(slow).splitlines() == numbered(10, 5)
    assert (slow.position.sent, slow.position.expired) == (8, 7)
    assert (quick.position.sent, quick.position.expired) == (15, 0)
    assert balanced(spool, "asa")
    figures = spool.figures("asa")
    assert figures.stored_lines == 15
    assert (figures.gaps_total, figures.truncations) == (0, 1)
    (gap,) = figures.gaps
    assert (gap.cause, gap.lost) == ("truncated", 10)
    assert (tmp_path / "asa/syslog").read_bytes().splitlines() == numbered(10, 5)
    closed(spool)
    assert verify_log(Disk(), tmp_path, "asa") == []
    spool = again(tmp_path)
    assert spool.figures("asa").stored_lines == 15
    assert all_lines(spool) == numbered(10, 5)
    assert balanced(spool, "asa")
    closed(spool)


def test_the_balance_holds_at_every_moment_of_a_truncation(tmp_path: Path) -> None:
    spool = with_lines(tmp_path, 10)
    reader = spool.reader("asa", "slow")
    part = reader.read(0, LINE * 3)
    assert part is not None
    reader.confirm(part.end, sent=3)
    emptied(tmp_path / "asa/syslog")
    assert balanced(spool, "asa")
    spool.append("asa", [run_of(*numbered(10, 5))], 2.0)
    emptied(tmp_path / "asa/syslog")
    spool.append("asa", [run_of(*numbered(15, 5))], 2.0)
    assert balanced(spool, "asa")
    assert spool.figures("asa").truncations == 2
    assert drain(reader).splitlines() == numbered(15, 5)
    assert balanced(spool, "asa")
    closed(spool)


@pytest.mark.parametrize("written", [0, 4])
@pytest.mark.parametrize("left", [0, 1, LINE, 4 * LINE + 5, 9 * LINE])
@pytest.mark.parametrize("how", ["seal", "stop", "minute"])
def test_whole_lines_before_a_truncation_stay(
    tmp_path: Path, left: int, written: int, how: str
) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, 10, clock)
    spool.reader("asa", "early")
    clock.advance(1)
    emptied(tmp_path / "asa/syslog", left)
    if written:
        spool.append("asa", [run_of(*numbered(10, written), sender="192.0.2.7")], 3.0)
    if how == "seal":
        spool.seal("asa")
    elif how == "minute":
        clock.pump([1] * 61)
    if how != "stop":
        assert balanced(spool, "asa")
    closed(spool)
    assert [str(one) for one in verify_log(Disk(), tmp_path, "asa")] == []
    spool = again(tmp_path)
    kept = left // LINE
    assert spool.figures("asa").stored_lines == 10 + written
    assert spool.figures("asa").deleted_lines == {"lost": 10 - kept}
    early = spool.reader("asa", "early")
    assert drain(early).splitlines() == [*numbered(0, kept), *numbered(10, written)]
    assert early.position.expired == 10 - kept
    assert balanced(spool, "asa")
    closed(spool)


def test_a_truncation_within_what_came_since_the_last_look_is_found(tmp_path: Path) -> None:
    spool = with_lines(tmp_path, 10)
    reader = spool.reader("asa", "forward")
    spool.figures("asa")
    assert spool.append("asa", [run_of(*numbered(10, 10))], 2.0)
    emptied(tmp_path / "asa/syslog", 15 * LINE + 3)
    assert spool.append("asa", [run_of(*numbered(20, 5))], 2.0)
    assert drain(reader).splitlines() == [*numbered(0, 15), *numbered(20, 5)]
    assert spool.figures("asa").deleted_lines == {"lost": 5}
    assert balanced(spool, "asa")
    closed(spool)


def test_who_sent_what_is_behind_a_hole_is_still_told(tmp_path: Path) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, 10, clock)
    clock.advance(1)
    emptied(tmp_path / "asa/syslog")
    spool.append("asa", [run_of(*numbered(10, 2), sender="192.0.2.7")], 30.0)
    clock.advance(1)
    reader = spool.reader("asa", "late")
    block = reader.read(reader.position.offset, BIG)
    assert block is not None
    (origin,) = reader.origins(block.start, block.end)
    assert (origin.sender, origin.received_at) == ("192.0.2.7", 30.0)
    spool.append("asa", [run_of(*numbered(12, 2), sender="192.0.2.8")], 31.0)
    block = reader.read(block.end, BIG)
    assert block is not None
    (origin,) = reader.origins(block.start, block.end)
    assert origin.sender == "192.0.2.8"
    closed(spool)


def test_an_upload_gets_what_is_behind_a_hole_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, rotate_seconds=100)
    spool.startService()
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    emptied(tmp_path / "asa/syslog")
    spool.append("asa", [run_of(*numbered(10, 5))], 2.0)
    clock.pump([1] * 61)
    clock.pump([1] * 120)
    reader = spool.reader("asa", "upload")
    block = reader.read(reader.position.offset, BIG, sealed_only=True)
    assert block is not None
    assert block.data.splitlines() == numbered(10, 5)
    closed(spool)


def test_what_somebody_writes_to_a_live_file_is_kept_aside(tmp_path: Path) -> None:
    spool = with_lines(tmp_path, 3)
    with (tmp_path / "asa/syslog").open("ab") as file:
        file.write(b"a note of an operator, longer than the line that follows it\n")
    spool.append("asa", [run_of(b"four")], 1.0)
    closed(spool)
    spool = again(tmp_path)
    assert spool.figures("asa").stored_lines == 4
    assert all_lines(spool) == [*numbered(0, 3), b"four"]
    (torn,) = (tmp_path / "asa/.spool").glob("torn.*")
    assert torn.read_bytes().endswith(b"it\n")
    closed(spool)


def test_a_full_disk_leaves_a_truncated_log_for_a_later_look(tmp_path: Path) -> None:
    disk, clock = FaultyDisk(), Clock()
    spool = make_spool(tmp_path, clock, disk)
    spool.startService()
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    emptied(tmp_path / "asa/syslog")
    spool.append("asa", [run_of(*numbered(10, 5))], 1.0)
    disk.room, disk.only = 0, ".spool"
    clock.pump([1] * 61)
    assert "cannot" in str(spool.figures("asa").fault)
    disk.room = None
    clock.pump([1] * 61)
    assert all_lines(spool) == numbered(10, 5)
    assert balanced(spool, "asa")
    closed(spool)


class Stopping(SteppingDisk):
    """A disk whose process ends at its n-th step, as an exception that nothing catches."""

    def last(self) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("step", range(1, 30))
@pytest.mark.parametrize("left", [0, 4 * LINE + 5])
def test_a_crash_in_the_midst_of_it_loses_nothing_more(
    tmp_path: Path, step: int, left: int
) -> None:
    disk = Stopping(1 << 30, half=False)
    spool = make_spool(tmp_path, Clock(), disk)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    spool._devices["asa"].live.flush_index()
    spool._devices["asa"].repair()
    emptied(tmp_path / "asa/syslog", left)
    spool.append("asa", [run_of(*numbered(10, 5))], 1.0)
    disk.left = step
    with contextlib.suppress(KeyboardInterrupt):
        spool._devices["asa"].repair()
    spool = again(tmp_path)
    assert all_lines(spool) == [*numbered(0, left // LINE), *numbered(10, 5)]
    assert spool.figures("asa").stored_lines == 15
    assert spool.figures("asa").deleted_lines == {"lost": 10 - left // LINE}
    assert balanced(spool, "asa")
    closed(spool)
    assert verify_log(Disk(), tmp_path, "asa") == []


def test_a_log_that_was_closed_meanwhile_is_told_with_its_last_lines(tmp_path: Path) -> None:
    spool = with_lines(tmp_path, 3)
    spool.append("asa", [run_of(b"four")], 1.0)
    spool.close_device("asa")
    assert spool.stored_lines() == {"asa": 4}
    assert spool.lost_lines() == {"asa": 0}
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"five")], 1.0)
    assert spool.stored_lines() == {"asa": 5}
    closed(spool)


class Later:
    """Threads whose calls wait until somebody lets them go."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()

        def go() -> None:
            try:
                result.callback(call(*args))
            except Exception:
                result.errback()

        self.calls.append(go)
        return result

    def go(self) -> None:
        calls, self.calls = self.calls, []
        for one in calls:
            one()


def with_a_large_log(logs: Path) -> tuple[SpoolService, Later, Clock]:
    """A log of 900 lines that was looked at, of which not even a kilobyte is read in the reactor thread from now on."""
    later, clock = Later(), Clock()
    spool = make_spool(logs, clock, threads=later)
    spool.open_device("asa", BIG)
    assert spool.append("asa", [run_of(*numbered(0, 900))], 1.0)
    spool.figures("asa")
    spool._devices["asa"].repaired_at_once = 1000
    spool._repairs.read_last = 200
    return spool, later, clock


def written_to(live: Path) -> None:
    with live.open("ab") as file:
        file.write(b"of somebody else\n" * 100)


@pytest.mark.parametrize("somebody", [moved, deleted, replaced, written_to])
def test_a_large_live_log_is_put_back_by_a_thread_while_lines_are_stored(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    live = tmp_path / "asa/syslog"
    somebody(live)
    spool.figures("asa")
    assert len(later.calls) == 1
    assert spool.append("asa", [run_of(*numbered(900, 20))], 2.0)
    assert not spool.seal("asa"), "its file is not where it should be"
    later.go()  # what stood there
    assert spool.append("asa", [run_of(*numbered(920, 5))], 3.0)
    later.go()  # what came meanwhile
    assert live.read_bytes() == run_of(*numbered(0, 925)).data
    assert spool.append("asa", [run_of(*numbered(925, 5))], 4.0)
    assert live.read_bytes() == run_of(*numbered(0, 930)).data
    later.go()
    assert not list((tmp_path / "asa/.spool").glob("copy.*"))
    assert spool.seal("asa")
    assert balanced(spool, "asa")
    assert all_lines(spool) == run_of(*numbered(0, 930)).data.splitlines()
    closed(spool)


def test_a_stop_in_the_midst_of_a_large_copy_loses_no_line(tmp_path: Path) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    deleted(tmp_path / "asa/syslog")
    spool.figures("asa")
    closed(spool)
    later.go()
    later.go()
    assert (tmp_path / "asa/syslog").read_bytes() == run_of(*numbered(0, 900)).data
    (tmp_path / "asa/.spool/copy.77.new").write_bytes(b"left by a stop")
    spool = again(tmp_path)
    assert len(all_lines(spool)) == 900
    assert not list((tmp_path / "asa/.spool").glob("copy.*"))


@pytest.mark.parametrize("somebody", [moved, deleted, written_to])
def test_a_copy_of_a_log_that_is_truncated_meanwhile_has_what_is_left(
    tmp_path: Path, somebody: Callable[[Path], None]
) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    live = os.open(tmp_path / "asa/syslog", os.O_RDWR)
    somebody(tmp_path / "asa/syslog")
    spool.figures("asa")
    os.truncate(live, 100 * LINE + 5)
    os.close(live)
    later.go()
    assert spool.append("asa", [run_of(*numbered(900, 20))], 2.0)
    while later.calls:
        later.go()
    figures = spool.figures("asa")
    assert (figures.truncations, figures.deleted_lines) == (1, {"lost": 800})
    assert balanced(spool, "asa")
    assert all_lines(spool) == run_of(*numbered(0, 100), *numbered(900, 20)).data.splitlines()
    assert not list((tmp_path / "asa/.spool").glob("copy.*"))
    closed(spool)


@pytest.mark.parametrize("early", [0, 7])
@pytest.mark.parametrize("left", [0, 3, LINE, 450 * LINE + 5, 899 * LINE])
def test_a_large_log_that_was_truncated_is_read_by_a_thread_while_lines_are_stored(
    tmp_path: Path, left: int, early: int
) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    reader = spool.reader("asa", "slow")
    emptied(tmp_path / "asa/syslog", left)
    if early:
        assert spool.append("asa", [run_of(*numbered(900, early))], 2.0)
    written = 900 + early
    spool.figures("asa")
    assert len(later.calls) == 1
    assert spool.append("asa", [run_of(*numbered(written, 20))], 2.0)
    assert not spool.seal("asa"), "it is not known yet what its file holds"
    assert spool.figures("asa").truncations == 0
    later.go()  # what stood there
    assert spool.append("asa", [run_of(*numbered(written + 20, 5))], 3.0)
    later.go()  # what came meanwhile
    written += 25
    kept = left // LINE
    figures = spool.figures("asa")
    assert (figures.truncations, figures.deleted_lines) == (1, {"lost": 900 - kept})
    assert drain(reader).splitlines() == [*numbered(0, kept), *numbered(900, written - 900)]
    assert reader.position.expired == 900 - kept
    assert balanced(spool, "asa")
    while later.calls:
        later.go()
    assert spool.seal("asa")
    assert not list((tmp_path / "asa/.spool").glob("copy.*"))
    closed(spool)
    assert verify_log(Disk(), tmp_path, "asa") == []


def test_a_large_log_that_is_truncated_again_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    emptied(tmp_path / "asa/syslog", 800 * LINE)
    spool.figures("asa")
    assert spool.append("asa", [run_of(*numbered(900, 10))], 2.0)
    later.go()  # what stood there
    emptied(tmp_path / "asa/syslog", 300 * LINE)
    assert spool.append("asa", [run_of(*numbered(910, 10))], 2.0)
    later.go()
    spool.figures("asa")
    assert later.calls
    while later.calls:
        later.go()
    figures = spool.figures("asa")
    assert figures.deleted_lines == {"lost": 610}
    assert balanced(spool, "asa")
    assert all_lines(spool) == run_of(*numbered(0, 300), *numbered(910, 10)).data.splitlines()
    closed(spool)


def test_a_stop_while_a_large_truncated_log_is_read_loses_no_more(tmp_path: Path) -> None:
    spool, later, _ = with_a_large_log(tmp_path)
    emptied(tmp_path / "asa/syslog", 500 * LINE)
    spool.figures("asa")
    assert spool.append("asa", [run_of(*numbered(900, 20))], 2.0)
    closed(spool)
    while later.calls:
        later.go()
    spool = again(tmp_path)
    assert spool.figures("asa").deleted_lines == {"lost": 400}
    assert all_lines(spool) == run_of(*numbered(0, 500), *numbered(900, 20)).data.splitlines()
    assert balanced(spool, "asa")
    closed(spool)
