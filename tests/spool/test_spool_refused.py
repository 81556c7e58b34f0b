"""
The disk refuses any one step, or a row of them, and works again: nothing raises where it must not,
and nothing that was promised is missing.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.task import Clock

from tests.spool.spool_room import RefusingDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced
from tscm.spool.disk import Disk
from tscm.spool.reader import DeviceReader
from tscm.spool.service import SpoolService

LINE = 27
T = TypeVar("T")


def patiently(call: Callable[[], T]) -> T:
    """What may raise `OSError` is tried again, as its callers do."""
    for _ in range(20):
        try:
            return call()
        except OSError:
            continue
    return call()


def opened(logs: Path, clock: Clock, disk: Disk) -> SpoolService:
    spool = make_spool(logs, clock, disk)
    patiently(lambda: spool.open_device("asa", 12 * LINE))
    spool.startService()
    return spool


def pass_all(reader: DeviceReader) -> list[int]:
    found: list[int] = []
    while block := reader.read(reader.position.offset, 100):
        end, lines = block.end, block.lines
        patiently(lambda end=end, lines=lines: reader.confirm(end, sent=lines))  # type: ignore[misc]
        found += [int(line[-6:]) for line in block.data.splitlines()]
    return found


def work(logs: Path, disk: Disk) -> tuple[list[int], list[int]]:
    """Numbers of the lines that were taken, and of those that a reader was given."""
    clock = Clock()
    taken: list[int] = []
    given: list[int] = []
    number = 0
    for _ in range(2):
        spool = opened(logs, clock, disk)
        reader = patiently(lambda spool=spool: spool.reader("asa", "forward"))  # type: ignore[misc]
        for batch in (3, 5, 4, 6, 2):
            numbers = range(number, number + batch)
            if spool.append("asa", [run_of(*numbered(number, batch))], clock.seconds()):
                taken += numbers
            number += batch
            clock.advance(1)
            given += pass_all(reader)
        spool.seal("asa")
        clock.pump([5, 5, 1])
        given += pass_all(reader)
        assert balanced(spool, "asa")
        spool.stopService()
    return taken, given


def steps(logs: Path) -> int:
    disk = RefusingDisk(1 << 30, errno.EIO, 1)
    work(logs, disk)
    return (1 << 30) - disk.left


@pytest.mark.parametrize(
    ("number", "times"), [(errno.ENOSPC, 1), (errno.EMFILE, 4)], ids=["once", "in a row"]
)
def test_a_refusal_at_any_step_costs_at_most_what_was_refused(
    tmp_path: Path, number: int, times: int
) -> None:
    total = steps(tmp_path / "whole")
    assert total > 80
    for step in range(1, total + 1):
        logs = tmp_path / str(step)
        taken, given = work(logs, RefusingDisk(step, number, times))
        assert given == taken, f"refused at step {step} of {total}"
        spool = make_spool(logs)
        spool.open_device("asa", BIG)
        reader = spool.reader("asa", "everything")
        assert pass_all(reader) == taken, f"refused at step {step} of {total}"
        assert balanced(spool, "asa")
        assert reader.position.expired == 0
        spool.stopService()


class VolumesAway(Disk):
    """A folder that is not there is one whose volume is away."""

    def is_on_volume(self, fd: int, folder: Path) -> bool:
        return False


def test_a_folder_that_cannot_be_read_keeps_no_other_log_from_retention(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock, VolumesAway(), max_age_days=1)
    for name in ("bad", "good"):
        spool.open_device(name, BIG)
        assert spool.append(name, [run_of(b"an old line")], 1.0)
        assert spool.seal(name)
    away = tmp_path / "elsewhere"
    (tmp_path / "bad").rename(away)
    spool.startService()
    clock.advance(2 * 86400)
    clock.pump([60, 60])
    assert spool.figures("good").segments == 0
    assert "No such file" in str(spool.figures("bad").fault)
    away.rename(tmp_path / "bad")
    clock.pump([60, 60])
    assert spool.figures("bad").segments == 0
    spool.stopService()
