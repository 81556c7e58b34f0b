"""
Kill -9 at every step of putting a log right: the next start finds no more to do than this one.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.spool.spool_room import KillingDisk, make_spool, numbered, run_of
from tests.spool.test_spool_kill import forked
from tests.spool.test_spool_recovery import INDEX, killed, opened, sealed_log
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tests.spool.test_spool_tools import flip
from tscm.spool.catalogue import RECORD_BYTES
from tscm.spool.disk import Disk


def torn_tail(logs: Path) -> None:
    spool = opened(logs)
    spool.append("asa", [run_of(*numbered(0, 50))], 1.0)
    killed(spool)
    with (logs / "asa/syslog").open("ab") as live:
        live.write(b"half a line")


def damaged_index(logs: Path) -> None:
    sealed_log(logs)
    flip(logs / f"asa/.spool/{1080:020d}.index", 40)
    (logs / "asa" / INDEX).unlink()


def damaged_cursor(logs: Path) -> None:
    sealed_log(logs)
    flip(logs / "asa/.spool/cursor.forward", 8)


def damaged_list(logs: Path) -> None:
    sealed_log(logs)
    flip(logs / "asa/.spool/segments", 3 * RECORD_BYTES)


def list_cut(logs: Path) -> None:
    sealed_log(logs)
    os.truncate(logs / "asa/.spool/segments", 2 * RECORD_BYTES + 10)


def lines_lost_after_they_were_sent(logs: Path) -> None:
    spool = opened(logs)
    spool.append("asa", [run_of(*numbered(0, 50))], 1.0)
    spool.reader("asa", "forward").confirm(40 * 27, sent=40)
    killed(spool)
    os.truncate(logs / "asa/syslog", 27 * 10)


def seal_broken_off_before_the_name(logs: Path) -> None:
    sealed_log(logs)
    (logs / "asa/syslog").unlink()
    (logs / f"asa/syslog.{810:020d}").rename(logs / "asa/syslog")
    (logs / "asa/.spool/next").write_bytes(b"")


def seal_broken_off_before_the_new_live(logs: Path) -> None:
    sealed_log(logs)
    (logs / "asa/syslog").rename(logs / "asa/.spool/next")


def segments_lost_their_end(logs: Path) -> None:
    """One wholly, one in the midst of a line; both after they were sent or not, by the reader."""
    sealed_log(logs)
    os.truncate(logs / f"asa/syslog.{0:020d}", 27 * 3 + 5)
    (logs / f"asa/syslog.{540:020d}").unlink()
    os.truncate(logs / f"asa/syslog.{810:020d}", 11)


STATES = [
    segments_lost_their_end,
    torn_tail,
    damaged_index,
    damaged_cursor,
    damaged_list,
    list_cut,
    lines_lost_after_they_were_sent,
    seal_broken_off_before_the_name,
    seal_broken_off_before_the_new_live,
]


def recover(logs: Path, disk: Disk, _tell: object = None) -> None:
    spool = make_spool(logs, Clock(), disk)
    spool.open_device("asa", BIG)


def outcome(logs: Path) -> tuple[bytes, bytes, dict[str, object]]:
    """What readers are given, and the figures that do not count recoveries."""
    spool = opened(logs)
    rest = drain(spool.reader("asa", "forward"))
    everything = drain(spool.reader("asa", "everything"))
    assert spool.append("asa", [run_of(b"fresh")], 1.0)
    assert balanced(spool, "asa")
    figures = spool.figures("asa")
    closed(spool)
    same = ("stored_lines", "stored_bytes", "segments", "readers", "deleted_lines")
    return rest, everything, {name: getattr(figures, name) for name in same}


def steps(logs: Path) -> int:
    disk = KillingDisk(1 << 30, half=False)
    recover(logs, disk)
    return (1 << 30) - disk.left


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("state", STATES)
def test_a_kill_in_the_midst_of_putting_right_changes_nothing(
    tmp_path: Path, state: Callable[[Path], None], *, half: bool
) -> None:
    state(tmp_path / "whole")
    expected = outcome(tmp_path / "whole")
    state(tmp_path / "count")
    total = steps(tmp_path / "count")
    assert total >= 3
    for step in range(1, total + 1):
        logs = tmp_path / str(step)
        state(logs)
        disk = KillingDisk(step, half=half)
        killed_there, _ = forked(partial(recover, logs, disk))
        assert killed_there
        assert outcome(logs) == expected, f"killed at step {step} of {total}"
