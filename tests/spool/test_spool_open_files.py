"""
More logs than descriptors: files are closed while nobody uses them, and no line is lost by that.
"""

import random
from collections.abc import Callable
from os import mkfifo, truncate
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred

from tests.spool.spool_room import AtOnce, FaultyDisk, make_spool, numbered, run_of
from tests.spool.test_spool_opening import World
from tests.spool.test_spool_service import balanced, closed, drain
from tscm.errors import LogOpening
from tscm.spool.disk import Disk
from tscm.spool.open_files import OpenFiles, shares
from tscm.spool.service import SpoolService

BIG = 1 << 30


@define(eq=False)
class Owner:
    used: bool = False
    spared: bool = True
    open: bool = field(default=True, init=False)

    def park(self) -> bool:
        self.open = not self.spared
        return self.spared


@given(st.integers(1, 5), st.lists(st.integers(0, 9), max_size=60))
def test_never_are_more_open_than_may_be(most: int, uses: list[int]) -> None:
    files, owners = OpenFiles(most), [Owner() for _ in range(10)]
    for one in owners:
        one.open = False
    for number in uses:
        one = owners[number]
        if not one.open:
            files.make_room()
            one.open = True
            files.opened(one)
        one.used = True
        assert len(files) == sum(other.open for other in owners) <= most
        assert one.open


def test_who_cannot_spare_his_file_keeps_it() -> None:
    files, held = OpenFiles(2), [Owner(spared=False) for _ in range(3)]
    for one in held:
        files.make_room()
        files.opened(one)
    assert len(files) == 3
    assert all(one.open for one in held)


def test_who_used_his_file_keeps_it_before_who_did_not() -> None:
    files, idle, busy = OpenFiles(2), Owner(), Owner(used=True)
    files.opened(busy)
    files.opened(idle)
    files.make_room()
    assert (busy.open, idle.open) == (True, False)


@pytest.mark.parametrize("allowed", [64, 256, 1024, 20_000, 65_536, 1 << 20])
def test_logs_leave_descriptors_for_everything_else(allowed: int) -> None:
    share = shares(allowed, 4096)
    assert share.texts + share.lists <= allowed - min(1024, allowed // 4)
    assert share.texts >= share.lists


def crowd(
    root: Path, names: list[str], rotate: int = BIG, disk: Disk | None = None
) -> SpoolService:
    """A spool with more logs than it may have files open."""
    spool = make_spool(root, disk=disk)
    spool.share_files(64, 0)
    for name in names:
        spool.open_device(name, rotate)
    return spool


def open_logs(root: Path) -> int:
    """Files of logs that this process has open."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        try:
            found += str(one.readlink()).startswith(str(root))
        except OSError:  # the one of this very look
            continue
    return found


@pytest.mark.parametrize("rotate", [BIG, 200])
def test_each_line_of_each_device_is_stored_and_read(tmp_path: Path, rotate: int) -> None:
    names = [f"fw{number}" for number in range(100)]
    spool = crowd(tmp_path, names, rotate)
    luck, sent = random.Random(1), dict.fromkeys(names, b"")
    readers = {name: spool.reader(name, "forward") for name in names}
    for number in range(1500):
        name = luck.choice(names)
        line = b"line %d" % number
        assert spool.append(name, [run_of(line)], float(number))
        sent[name] += line + b"\n"
        assert open_logs(tmp_path) <= 64
    assert spool.crowded is not None
    for name in names:
        assert drain(readers[name]) == sent[name]
        assert balanced(spool, name)
        assert spool.seal(name) or not spool.figures(name).live_bytes
    closed(spool)
    again = crowd(tmp_path, names)
    for name in names:
        assert drain(again.reader(name, "later")) == sent[name]
        assert again.figures(name).gaps_total == 0
    closed(again)


def idle_log(root: Path, disk: Disk | None = None, sealed: int = 0) -> tuple[SpoolService, Path]:
    """A log of two lines, and of *sealed* ones before, whose files are closed, as others took their place."""
    spool = crowd(root, ["fw"], disk=disk)
    for number in range(sealed):
        assert spool.append("fw", [run_of(b"sealed %d" % number)], 1.0)
        assert spool.seal("fw")
    assert spool.append("fw", [run_of(b"one", b"two")], 1.0)
    press(spool)
    return spool, root / "fw" / "syslog"


def press(spool: SpoolService) -> None:
    """Use the files of more logs than may be open."""
    for number in range(60):
        spool.open_device(f"other{number}", BIG)
        spool.append(f"other{number}", [run_of(b"x")], 1.0)


@pytest.mark.parametrize("how", ["deleted", "moved", "truncated", "cut"])
def test_a_file_that_went_while_it_was_closed_costs_its_lines_and_no_later_one(
    tmp_path: Path, how: str
) -> None:
    spool, file = idle_log(tmp_path)
    assert not any("/fw/syslog" in str(one.readlink()) for one in links())
    if how == "deleted":
        file.unlink()
    elif how == "moved":
        file.rename(tmp_path / "elsewhere")
        file.touch()
    else:
        file.write_bytes(b"" if how == "truncated" else b"on")
    assert spool.append("fw", [run_of(b"three")], 2.0)
    figures = spool.figures("fw")
    assert figures.stored_lines == 3
    assert figures.truncations == 1
    assert drain(spool.reader("fw", "late")) == b"three\n"
    assert balanced(spool, "fw")
    closed(spool)


def test_what_another_program_appends_meanwhile_is_no_line_of_the_log(tmp_path: Path) -> None:
    spool, file = idle_log(tmp_path)
    with file.open("ab") as out:
        out.write(b"foreign\n")
    assert spool.append("fw", [run_of(b"three")], 2.0)
    assert file.read_bytes() == b"one\ntwo\nthree\n"
    (torn,) = (file.parent / ".spool").glob("torn.*")
    assert torn.read_bytes() == b"foreign\n"
    closed(spool)


class VolumeAway(Disk):
    """A folder that is not there is one whose volume is away."""

    def is_on_volume(self, fd: int, folder: Path) -> bool:
        return False

    def volume_for(self, folder: Path) -> int:
        return -1


def test_a_folder_whose_volume_is_away_refuses_lines_and_takes_them_again(tmp_path: Path) -> None:
    spool, file = idle_log(tmp_path, VolumeAway())
    away = tmp_path / "away"
    file.parent.rename(away)
    assert not spool.append("fw", [run_of(b"three")], 2.0)
    assert spool.figures("fw").refused_lines == 1
    away.rename(file.parent)
    assert spool.append("fw", [run_of(b"four")], 3.0)
    assert file.read_bytes() == b"one\ntwo\nfour\n"
    closed(spool)


@pytest.mark.parametrize("gone", ["", ".spool"])
@pytest.mark.parametrize("when", ["append", "look"])
def test_a_folder_that_went_while_its_files_were_closed_is_made_again(
    tmp_path: Path, gone: str, when: str
) -> None:
    spool, file = idle_log(tmp_path, sealed=3)
    reader = spool.reader("fw", "forward")
    rmtree(file.parent / gone)
    if when == "look":
        ensureDeferred(spool.look_at_files())
    assert spool.append("fw", [run_of(b"three")], 2.0)
    ensureDeferred(spool.look_at_files())
    assert spool.seal("fw")
    assert spool.append("fw", [run_of(b"four")], 3.0)
    assert spool.figures("fw").stored_lines == 7
    kept = b"" if not gone else b"sealed 0\nsealed 1\nsealed 2\none\ntwo\n"
    assert drain(reader) == kept + b"three\nfour\n"
    assert balanced(spool, "fw")
    closed(spool)
    again = make_spool(tmp_path)
    again.open_device("fw", BIG)
    assert again.figures("fw").truncations == (not gone)
    assert drain(again.reader("fw", "late")) == kept + b"three\nfour\n"
    closed(again)


@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_a_list_of_segments_that_went_while_it_was_closed_is_made_again(
    tmp_path: Path, how: str
) -> None:
    spool, file = idle_log(tmp_path, sealed=3)
    place = file.parent / ".spool/segments"
    if how == "deleted":
        place.unlink()
    else:
        truncate(place, 64)
    reader = spool.reader("fw", "late")
    text = drain(reader) + drain(reader)  # the first read meets the fault
    assert text == b"sealed 0\nsealed 1\nsealed 2\none\ntwo\n"
    assert spool.seal("fw")
    assert spool.figures("fw").rebuilt == 1
    assert balanced(spool, "fw")
    closed(spool)


def test_a_seal_finds_that_the_list_went_and_the_next_one_succeeds(tmp_path: Path) -> None:
    spool, file = idle_log(tmp_path, sealed=3)
    (file.parent / ".spool/segments").unlink()
    assert not spool.seal("fw")
    assert spool.seal("fw")
    assert balanced(spool, "fw")
    closed(spool)


@pytest.mark.parametrize(
    "kind", ["file", "long file", "file of the same form", "link", "pipe", "folder"]
)
def test_what_took_the_place_of_a_closed_file_is_kept_aside(tmp_path: Path, kind: str) -> None:
    spool, file = idle_log(tmp_path)
    away = tmp_path / "elsewhere"
    file.rename(away)
    if kind == "link":
        file.symlink_to(away)
    elif kind == "pipe":
        mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "file of the same form":
        file.write_bytes(b"six\nten\n")
    else:
        file.write_bytes(b"a line of another program\n" * (1 if kind == "file" else 9))
    assert spool.append("fw", [run_of(b"three")], 2.0)
    assert drain(spool.reader("fw", "late")) == b"three\n"
    assert file.read_bytes() == b"three\n"
    assert away.read_bytes() == b"one\ntwo\n"
    assert spool.figures("fw").stored_lines == 3
    assert balanced(spool, "fw")
    assert len(list((file.parent / ".spool").glob("torn.*"))) == 1
    closed(spool)


def test_a_copy_in_the_place_of_a_closed_file_is_the_file(tmp_path: Path) -> None:
    spool, file = idle_log(tmp_path)
    copy = tmp_path / "copy"
    copy.write_bytes(file.read_bytes())
    copy.rename(file)
    assert spool.append("fw", [run_of(b"three")], 2.0)
    assert drain(spool.reader("fw", "late")) == b"one\ntwo\nthree\n"
    assert spool.figures("fw").truncations == 0
    closed(spool)


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_file_that_lies_elsewhere_is_not_closed_before_it_is_put_right(
    tmp_path: Path, how: str
) -> None:
    spool = crowd(tmp_path, ["fw"])
    assert spool.append("fw", [run_of(b"one", b"two")], 1.0)
    file = tmp_path / "fw/syslog"
    if how == "deleted":
        file.unlink()
    else:
        file.rename(tmp_path / "elsewhere")
    press(spool)
    ensureDeferred(spool.look_at_files())
    assert file.read_bytes() == b"one\ntwo\n"
    closed(spool)


def test_logs_that_a_full_disk_refuses_do_not_stay_open(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = crowd(tmp_path, [f"fw{number}" for number in range(100)], disk=disk)
    disk.room = 0
    for number in range(100):
        assert not spool.append(f"fw{number}", [run_of(b"x")], 1.0)
    assert open_logs(tmp_path) <= 64
    disk.room = None
    for number in range(100):
        assert spool.append(f"fw{number}", [run_of(b"x")], 1.0)
    closed(spool)


def test_a_large_file_that_was_truncated_while_it_was_closed_is_read_in_a_thread(
    tmp_path: Path,
) -> None:
    spool, file = idle_log(tmp_path)
    log = spool._devices["fw"]
    log.repaired_at_once = 4
    begun: list[str] = []
    log.on_large = lambda: begun.append("fw")
    truncate(file, 7)
    assert spool.append("fw", [run_of(b"three")], 2.0)
    assert begun == ["fw"]
    log.repair_at_once()
    assert drain(spool.reader("fw", "late")) == b"one\nthree\n"
    assert balanced(spool, "fw")
    closed(spool)


def test_logs_of_devices_that_are_gone_share_the_descriptors(tmp_path: Path) -> None:
    names = [f"gone{number}" for number in range(100)]
    before = crowd(tmp_path, names)
    for name in names:
        assert before.append(name, [run_of(b"one")], 1.0)
        before.reader(name, "forward")
    closed(before)
    spool = crowd(tmp_path, ["fw"])
    while spool._orphans.adopt_removed_logs(tmp_path, names, ["fw"], 2.0):
        assert open_logs(tmp_path) <= 64
    assert [one.readers for one in spool.orphans()] == [{"forward": 1}] * 100
    assert open_logs(tmp_path) <= 64
    assert [spool.drop_orphan(name, "forward") for name in names] == [1] * 100
    spool.open_device("gone7", BIG)
    assert spool.append("gone7", [run_of(b"two")], 3.0)
    assert drain(spool.reader("gone7", "late")) == b"one\ntwo\n"
    closed(spool)


def test_logs_that_are_being_repaired_share_the_descriptors(tmp_path: Path) -> None:
    """Their early text is parked when its name changes."""
    names = [f"fw{number}" for number in range(100)]
    before = make_spool(tmp_path)
    for name in names:
        before.open_device(name, BIG)
        assert before.append(name, [run_of(*numbered(0, 400))], 1.0)
        before._devices[name].live.flush_index()
        before._devices[name].live.release()
    world = World(tmp_path)
    spool = world.spool()
    spool.share_files(64, 0)
    for name in names:
        with pytest.raises(LogOpening):
            spool.open_device(name, BIG)
    for name in [*names, *names]:
        assert spool.append(name, [run_of(b"early")], 2.0)
        assert open_logs(tmp_path) <= 64
    world.threads.work()
    assert open_logs(tmp_path) <= 64
    for name in names:
        assert drain(spool.reader(name, "late")).endswith(b"399\nearly\nearly\n")
        assert balanced(spool, name)
    closed(spool)


class SyncedDisk(Disk):
    """Counts the volumes that are synced, and syncs none."""

    volumes = 0

    @property
    def syncs_volumes(self) -> bool:
        return True

    def sync_volume(self, fd: int) -> None:
        self.volumes += 1


class Watched(AtOnce):
    """Notes how many files of logs are open when a thread begins."""

    def __init__(self, root: Path) -> None:
        self.root, self.most = root, 0

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.most = max(self.most, open_logs(self.root))
        return super().run(call, *args)


@pytest.mark.parametrize("fsync", ["interval", "seal"])
def test_a_stop_syncs_more_logs_than_there_are_descriptors(tmp_path: Path, fsync: str) -> None:
    disk, threads = SyncedDisk(), Watched(tmp_path)
    spool = make_spool(tmp_path, disk=disk, threads=threads, fsync=fsync)
    spool.share_files(64, 0)
    for number in range(100):
        spool.open_device(f"fw{number}", BIG)
        assert spool.append(f"fw{number}", [run_of(b"x")], 1.0)
    ended = spool.stopService()
    assert ended.called
    assert disk.volumes >= 1
    assert 0 < threads.most <= 16


def links() -> list[Path]:
    found = []
    for one in Path("/proc/self/fd").iterdir():
        try:
            one.readlink()
        except OSError:
            continue
        found.append(one)
    return found
