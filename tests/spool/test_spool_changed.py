"""
Text that somebody changes within a live file: an editor that writes in place, `dd conv=notrunc`.
"""

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, closed, drain
from tscm.ledger.balance import differences_of
from tscm.ledger.figures import Balance, DeviceBalance, ReaderBalance
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService
from tscm.spool.state import CHANGED, Gap
from tscm.spool.tools_verify import verify_log


def with_lines(logs: Path, clock: Clock) -> SpoolService:
    spool = make_spool(logs, clock)
    spool.startService()
    spool.open_device("asa", BIG)
    assert spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    return spool


def edited(file: Path, *, lines: bool = True, at: int = 60) -> None:
    """In place, at another time than it was written before."""
    before = file.stat().st_mtime_ns
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"\n\n\n" if lines else b"xyz")
    os.utime(file, ns=(before + 10**9, before + 10**9))


def changes(spool: SpoolService) -> list[int]:
    figures = spool.figures("asa")
    found = [gap.offset for gap in figures.gaps if gap.cause == CHANGED]
    assert figures.changed_texts == len(found)
    return found


def test_a_change_is_noted_within_a_minute_where_no_line_comes(tmp_path: Path) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, clock)
    clock.pump([1] * 61)
    edited(tmp_path / "asa/syslog")
    clock.pump([1] * 121)
    assert changes(spool) == [0]
    drain(spool.reader("asa", "late"))
    assert spool.seal("asa")
    clock.pump([1] * 12)
    assert changes(spool) == [0]
    closed(spool)
    again = make_spool(tmp_path)
    again.open_device("asa", BIG)
    assert changes(again) == [0]
    closed(again)


def test_where_lines_come_it_is_noted_at_the_seal(tmp_path: Path) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, clock)
    edited(tmp_path / "asa/syslog")
    assert spool.append("asa", [run_of(*numbered(10, 1))], 2.0)
    assert spool.seal("asa")
    assert spool.append("asa", [run_of(*numbered(11, 1))], 3.0)
    clock.pump([1] * 12)
    assert changes(spool) == [0]
    closed(spool)


@pytest.mark.parametrize("compress", [True, False])
def test_what_was_not_changed_is_not_told_as_such(tmp_path: Path, *, compress: bool) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, compress=compress)
    spool.startService()
    spool.open_device("asa", BIG)
    for n in range(3):
        assert spool.append("asa", [run_of(*numbered(10 * n, 10))], float(n))
        clock.pump([1] * 61)
        os.utime(tmp_path / "asa/syslog")
        clock.pump([1] * 61)
        assert spool.seal("asa")
        clock.pump([1] * 12)
    drain(spool.reader("asa", "late"))
    clock.pump([1] * 12)
    assert changes(spool) == []
    closed(spool)


def test_verify_names_the_file_live_and_sealed(tmp_path: Path) -> None:
    clock = Clock()
    spool = with_lines(tmp_path, clock)
    clock.pump([1] * 3)
    edited(tmp_path / "asa/syslog")
    (live,) = told(tmp_path)
    assert live.endswith(
        "/asa/syslog contains 13 lines, but its index describes 10: another process modified "
        "its text"
    )
    assert spool.seal("asa")
    clock.pump([1] * 2)
    (sealed,) = told(tmp_path)
    assert f"syslog.{0:020d}" in sealed
    assert sealed.endswith(" contains 13 of 10 lines: another process modified its text")
    closed(spool)


def told(logs: Path) -> list[str]:
    found = verify_log(Disk(), logs, "asa", rest=lambda _: None)
    return [f"{one.where} {one.wrong}" for one in found if "another process" in one.wrong]


def test_a_difference_of_a_reader_comes_with_its_cause() -> None:
    device = DeviceBalance(
        gaps=(Gap(offset=0, lines=0, after=0.0, before=0.0, cause=CHANGED),),
        readers={"forward": ReaderBalance(difference=3)},
    )
    assert differences_of(Balance(devices={"fw": device})) == [
        "reader forward of fw by +3 lines; another process modified the text of its log"
    ]
