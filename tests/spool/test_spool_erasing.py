"""
Erased lines are gone from every segment, and nothing else is: offsets, counts, readers and checksums stay right.
"""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, make_spool, numbered, run_of
from tscm.errors import NoSuchDevice
from tscm.spool.catalogue import COMPRESSED
from tscm.spool.disk import Disk
from tscm.spool.eraser import Erased, erase_closed
from tscm.spool.erasing import blank
from tscm.spool.names import LogFolder
from tscm.spool.service import SpoolService
from tscm.spool.tools_export import export_log
from tscm.spool.tools_list import view_log
from tscm.spool.tools_verify import verify_log
from tscm.syslog.mentions import about_address, about_user

BIG = 1 << 30
ABOUT = about_address("192.0.2.7")
HIS = b"%ASA-6-302013: Built for outside:192.0.2.7/443"
OTHER = b"%ASA-6-302013: Built for outside:192.0.2.70/443"


def text_of(logs: Path, name: str = "asa") -> bytes:
    found: list[bytes] = []
    export_log(Disk(), logs, name, found.append)
    return b"".join(found)


def wrong(logs: Path, name: str = "asa") -> list[str]:
    return [str(one) for one in verify_log(Disk(), logs, name) if one.harm != "note"]


def told(_: int, __: int) -> None:
    pass


def erase(spool: SpoolService, name: str = "asa") -> Erased:
    done: list[Any] = []
    ensureDeferred(spool.erase(name, ABOUT, told)).addBoth(done.append)
    if not isinstance(done[0], Erased):
        done[0].raiseException()
    found: Erased = done[0]
    return found


def filled(logs: Path, clock: Clock, **values: Any) -> SpoolService:
    """Two sealed segments and a live one, each with a line of his."""
    spool = make_spool(logs, clock, **values)
    spool.open_device("asa", BIG)
    for at in (1.0, 2.0, 3.0):
        spool.append("asa", [run_of(*numbered(0, 50), HIS, OTHER, *numbered(50, 50))], at)
        if at < 3.0:
            spool.seal("asa")
    return spool


def test_his_lines_are_overwritten_everywhere_and_every_other_octet_stays(tmp_path: Path) -> None:
    spool = filled(tmp_path, Clock())
    reader = spool.reader("asa", "events")
    before = text_of(tmp_path)

    assert erase(spool) == Erased(lines=3, segments=3)

    assert text_of(tmp_path) == before.replace(HIS, blank(len(HIS)))
    spool.append("asa", [run_of(HIS)], 4.0)  # what comes later is another question
    assert spool.positions("asa")[0] == len(before) + len(HIS) + 1
    block = reader.read(0, BIG)
    assert block is not None
    assert HIS not in block.data
    assert erase(spool) == Erased(lines=1, segments=1), "what is erased is not counted twice"
    spool.stopService()
    assert not wrong(tmp_path)


def test_compressed_segments_stay_compressed_and_nothing_of_the_old_text_is_left(
    tmp_path: Path,
) -> None:
    clock = Clock()
    spool = filled(tmp_path, clock, compress=True)
    spool.startService()
    clock.pump([1.0] * 12)
    view = view_log(Disk(), tmp_path, "asa")
    assert all(one.flags & COMPRESSED for one in view.kept)

    assert erase(spool).lines == 3

    spool.stopService()
    folder = LogFolder(tmp_path / "asa")
    assert not folder.segment(0).exists()
    assert not folder.packing(0).exists()
    assert HIS not in text_of(tmp_path)
    assert not wrong(tmp_path)


def test_no_compression_of_the_old_text_takes_the_place_of_the_erased_one(tmp_path: Path) -> None:
    class Held:
        """A thread that works when the test says so."""

        waiting: list[tuple[Deferred[Any], Any, Any]] = []
        holding = False

        def run(self, call: Any, *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            if self.holding:
                self.waiting.append((done, call(*args), args))
            else:
                done.callback(call(*args))
            return done

    threads, clock = Held(), Clock()
    spool = filled(tmp_path, clock, compress=True, threads=threads)
    spool.startService()
    threads.holding = True
    clock.pump([1.0] * 6)
    assert threads.waiting, "a compression is in progress"
    threads.holding = False
    done: list[Any] = []
    ensureDeferred(spool.erase("asa", ABOUT, told)).addBoth(done.append)
    for one, result, _ in list(threads.waiting):
        one.callback(result)
    clock.pump([1.0] * 6)
    assert done[0].lines == 3
    assert HIS not in text_of(tmp_path)
    spool.stopService()
    assert not wrong(tmp_path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_crash_between_any_two_steps_leaves_a_sound_log_with_either_text(
    tmp_path: Path, *, compress: bool
) -> None:
    for step in range(8):
        logs = tmp_path / f"{compress}-{step}"
        clock = Clock()
        spool = filled(logs, clock, compress=compress)
        spool.startService()
        clock.pump([1.0] * 12)
        spool.stopService()

        class Stopping(FaultyDisk):
            steps = 0

            def write_all(self, fd: int, data: bytes, at: int, last: int = step) -> None:
                self.count(last)
                super().write_all(fd, data, at)

            def rename(self, old: Path, new: Path, last: int = step) -> None:
                self.count(last)
                super().rename(old, new)

            def count(self, last: int) -> None:
                if "packing" in str(self.paths) and self.steps > last:
                    raise KeyboardInterrupt
                self.steps += "packing" in str(self.paths)

        disk = Stopping()
        with contextlib.suppress(KeyboardInterrupt):
            erase_closed(disk, logs, "asa", ABOUT, 5.0)
        spool = make_spool(logs, Clock(), compress=compress)
        spool.open_device("asa", BIG)
        spool.stopService()
        assert not wrong(logs), step
        erase_closed(Disk(), logs, "asa", ABOUT, 6.0)
        assert HIS not in text_of(logs), step
        assert not wrong(logs), step


def test_a_full_disk_leaves_the_segment_as_it_is_and_is_told(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = filled(tmp_path, Clock(), disk=disk)
    disk.only, disk.room = "packing", 100
    found = erase(spool)
    assert (found.lines, len(found.missing)) == (0, 3)
    assert "No space left" in found.missing[0]
    assert text_of(tmp_path).count(HIS) == 3
    assert not list((tmp_path / "asa/.spool").glob("packing*"))
    disk.room = None
    assert erase(spool).lines == 3


def test_the_log_of_a_removed_device_is_erased_without_a_manager_too(tmp_path: Path) -> None:
    filled(tmp_path, Clock()).stopService()
    (tmp_path / "asa/.spool/torn.00000000000000000000.0").write_bytes(HIS)
    found = erase_closed(Disk(), tmp_path, "asa", ABOUT, 5.0)
    assert found.lines == 3
    assert [Path(one).name[:5] for one in found.aside] == ["torn."]
    assert HIS not in text_of(tmp_path)
    assert not wrong(tmp_path)
    assert erase_closed(Disk(), tmp_path, "asa", about_user("nobody"), 6.0).lines == 0


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchDevice):
        erase(make_spool(tmp_path), "nosuch")


@given(st.integers(0, 100))
def test_what_stands_in_the_place_of_a_line_is_as_long_and_no_line_end(size: int) -> None:
    assert len(blank(size)) == size
    assert b"\n" not in blank(size)
