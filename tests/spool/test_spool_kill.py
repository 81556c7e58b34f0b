"""
Kill -9 at every step that the spool takes on the disk: a child process dies there, and another
one has to find everything in order.
"""

import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from twisted.internet.task import Clock
from typing_extensions import Buffer

from tests.spool.spool_room import KillingDisk, SteppingDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, drain
from tscm.spool import catalogue
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService

LINE = 27
DAY = 86400


@pytest.fixture(autouse=True)
def short_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of segments is made anew after a few deleted ones already."""
    monkeypatch.setattr(catalogue, "_TOMBSTONES_MAX", 1)


def opened(logs: Path, clock: Clock, disk: Disk) -> SpoolService:
    spool = make_spool(logs, clock, disk, max_age_days=1)
    spool.open_device("asa", 12 * LINE)
    spool.startService()
    return spool


def work(logs: Path, disk: Disk, tell: Callable[[str], None]) -> None:
    """
    All that a log goes through, telling what was promised and to whom.
    """
    clock = Clock()
    number = 0
    for _ in range(2):
        spool = opened(logs, clock, disk)
        forward = spool.reader("asa", "forward")
        upload = spool.reader("asa", "upload")
        for batch in (3, 2, 8, 1, 5):
            if spool.append("asa", [run_of(*numbered(number, batch))], clock.seconds()):
                number += batch
                tell(f"stored {number}")
            clock.advance(1)
            while block := forward.read(forward.position.offset, 4 * LINE):
                tell(f"sent {int(block.data.splitlines()[-1][-6:]) + 1}")
                forward.confirm(block.end, sent=block.lines)
                tell(f"passed {forward.position.offset}")
        spool.seal("asa")
        while block := upload.read(upload.position.offset, BIG, sealed_only=True):
            upload.confirm(block.end, sent=1, not_selected=block.lines - 1)
        clock.pump([5, 5, 56])
        spool.append("asa", [run_of(*numbered(number, 2))], clock.seconds())
        number += 2
        tell(f"stored {number}")
        spool.stopService()
        clock.advance(DAY)
    spool = opened(logs, clock, disk)
    clock.pump([2, 61])
    drain(spool.reader("asa", "removed"))
    spool.drop_reader("asa", "removed")
    spool.stopService()


def put(pipe: int, text: str) -> None:
    os.write(pipe, text.encode() + b"\n")


def forked(job: Callable[[Callable[[str], None]], object]) -> tuple[bool, dict[str, int]]:
    """Run *job* in a process of its own; whether it was killed, and the last it told."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            job(lambda text: put(writing, text))
        except BaseException:  # the child must not run on into pytest
            traceback.print_exc(file=sys.__stderr__)
            os._exit(3)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = dict(line.split() for line in pipe.read().splitlines())
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status), {what: int(number) for what, number in told.items()}


def told_by_child(logs: Path, disk: Disk) -> tuple[bool, dict[str, int]]:
    return forked(lambda tell: work(logs, disk, tell))


def numbers(data: bytes) -> list[int]:
    return [int(line[-6:]) for line in data.splitlines()]


def check(logs: Path, told: dict[str, int]) -> None:
    """What must hold after any stop."""
    clock = Clock()
    clock.advance(10 * DAY)
    spool = make_spool(logs, clock, max_age_days=1000)
    spool.open_device("asa", BIG)
    stored = told.get("stored", 0)
    figures = spool.figures("asa")
    assert stored <= figures.stored_lines <= stored + 8
    assert not list((logs / "asa/.spool").glob("torn*")) or figures.torn_bytes
    assert spool.append("asa", [run_of(b"fresh line, number 999999")], 1.0)
    assert balanced(spool, "asa")

    forward = spool.reader("asa", "forward")
    assert forward.position.offset >= told.get("passed", 0)
    passed = forward.position.offset // LINE
    rest = numbers(drain(forward, 100))
    sent = told.get("sent", 0)
    assert passed <= max(sent, forward.position.expired)  # nothing is skipped
    assert rest == [*range(passed, figures.stored_lines), 999999]
    kept = numbers(drain(spool.reader("asa", "everything")))
    assert kept == [*range(kept[0], figures.stored_lines), 999999]
    assert balanced(spool, "asa")
    seen = spool.figures("asa")
    spool.stopService()
    again = make_spool(logs, clock)
    again.open_device("asa", BIG)
    # Appended lines are of the process.
    assert evolve(again.figures("asa"), appended_lines=0) == evolve(seen, appended_lines=0)
    again.stopService()


def steps_of_the_work(logs: Path) -> int:
    disk = KillingDisk(1 << 30, half=False)
    clock_steps = disk.left
    work(logs, disk, lambda _: None)
    return clock_steps - disk.left


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
def test_kill_at_any_step_loses_nothing_that_was_promised(tmp_path: Path, *, half: bool) -> None:
    total = steps_of_the_work(tmp_path / "whole")
    assert total > 100
    for step in range(1, total + 1):
        logs = tmp_path / str(step)
        killed, told = told_by_child(logs, KillingDisk(step, half=half))
        assert killed, step
        try:
            check(logs, told)
        except AssertionError as error:
            raise AssertionError(f"killed at step {step} of {total}: {told}") from error


class NotingDisk(SteppingDisk):
    """A disk that notes at what each of its steps is, digits aside."""

    def __init__(self) -> None:
        super().__init__(1 << 30, half=False)
        self.seen: set[str] = set()
        self._paths: dict[int, Path] = {}

    def _note(self, what: str, path: Path) -> None:
        self.seen.add(f"{what} {re.sub('[0-9]+', 'N', path.name)}")

    def open(self, path: Path, flags: int) -> int:
        fd = super().open(path, flags)
        self._paths[fd] = path
        return fd

    def pwrite(self, fd: int, data: Buffer, at: int) -> int:
        self._note("write", self._paths[fd])
        return super().pwrite(fd, data, at)

    def rename(self, old: Path, new: Path) -> None:
        self._note("rename", new)
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        if path.exists():
            self._note("unlink", path)
        super().unlink(path)


def test_the_work_that_is_killed_takes_every_kind_of_step(tmp_path: Path) -> None:
    disk = NotingDisk()
    work(tmp_path, disk, lambda _: None)
    assert disk.seen == {
        "write syslog",  # append
        "write state.new",
        "rename state.before",
        "rename state",
        "write next",  # seal
        "rename syslog.N",
        "rename syslog",
        "write segments",
        "write N.index",  # index
        "write N.index.new",
        "rename N.index",
        "write cursor.forward",  # cursors
        "write cursor.upload",
        "write cursor.removed",
        "unlink cursor.removed",
        "write packing.N",  # compressing aside
        "rename syslog.N.zst",
        "unlink syslog.N",
        "unlink syslog.N.zst",  # retention
        "unlink N.index",
        "write segments.new",
        "rename segments",
    }


def test_work_without_a_kill_ends_in_order(tmp_path: Path) -> None:
    killed, told = told_by_child(tmp_path, KillingDisk(1 << 30, half=False))
    assert not killed
    check(tmp_path, told)
