"""
`spool verify` beside a manager: what is being written, sealed and deleted is no loss.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.spool.spool_room import numbered, run_of
from tests.spool.test_spool_recovery import opened
from tests.spool.test_spool_service import closed, drain
from tscm.spool.disk import MOST_READ, Disk
from tscm.spool.service import SpoolService
from tscm.spool.tools_verify import verify_log

STEPS = 40


@define(eq=False)
class Meanwhile(Disk):
    """A disk on which *work* is done when it is asked for the *at*th time."""

    at: int
    work: Callable[[], Any]
    asked: int = field(default=0, init=False)

    def _step(self) -> None:
        self.asked += 1
        if self.asked == self.at:
            self.work()

    def read_file(self, path: Path, most: int = MOST_READ) -> bytes | None:
        self._step()
        return super().read_file(path, most)

    def names(self, path: Path) -> list[str]:
        self._step()
        return super().names(path)

    def open(self, path: Path, flags: int) -> int:
        self._step()
        return super().open(path, flags)

    def size(self, fd: int) -> int:
        self._step()
        return super().size(fd)


def goes_on(spool: SpoolService, *, seal: bool) -> Callable[[], None]:
    """Lines come, are read and confirmed, and the log is sealed, as a manager does it."""
    number = [100]

    def work() -> None:
        for _ in range(2):
            spool.append("asa", [run_of(*numbered(number[0], 20))], 3.0)
            number[0] += 20
            drain(spool.reader("asa", "forward"))
            if seal:
                spool.seal("asa")

    return work


@pytest.mark.parametrize("seal", [False, True])
def test_whatever_happens_in_the_midst_of_a_look_is_no_harm(tmp_path: Path, *, seal: bool) -> None:
    asked = 0
    for at in range(1, STEPS):
        folder = tmp_path / str(at)
        spool = opened(folder)
        spool.append("asa", [run_of(*numbered(0, 40))], 1.0)
        spool.seal("asa")
        spool.append("asa", [run_of(*numbered(40, 40))], 2.0)
        drain(spool.reader("asa", "forward"))
        disk = Meanwhile(at, goes_on(spool, seal=seal))
        found = verify_log(disk, folder, "asa", lambda _: None)
        assert [one for one in found if one.harm != "note"] == [], at
        asked = max(asked, disk.asked)
        closed(spool)
    assert asked > 15


def test_what_retention_takes_in_the_midst_of_a_look_is_not_missing(tmp_path: Path) -> None:
    for at in range(1, STEPS):
        folder = tmp_path / str(at)
        spool = opened(folder)
        for first in range(0, 60, 20):
            spool.append("asa", [run_of(*numbered(first, 20))], 1.0)
            spool.seal("asa")

        def delete(spool: SpoolService = spool, folder: Path = folder) -> None:
            log = spool._device("asa")
            segment = log.mark_oldest(0)
            log.pass_readers()
            (folder / "asa/.spool" / f"{segment.start:020d}.index").unlink()
            (folder / "asa" / f"syslog.{segment.start:020d}").unlink()

        found = verify_log(Meanwhile(at, delete), folder, "asa", lambda _: None)
        assert [one for one in found if one.harm != "note"] == [], at
        closed(spool)


def test_a_seal_that_a_crash_cut_short_loses_nothing(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(*numbered(0, 40))], 1.0)
    spool.seal("asa")
    closed(spool)
    folder = tmp_path / "asa"
    (folder / "syslog").rename(folder / ".spool/next")
    (folder / f"syslog.{0:020d}").rename(folder / "syslog")
    rested: list[float] = []
    found = verify_log(Disk(), tmp_path, "asa", rested.append)
    assert all(one.harm != "lost" for one in found), found
    assert any("being rotated" in one.wrong for one in found)


def test_damage_is_told_beside_a_manager_too(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(*numbered(0, 40))], 1.0)
    spool.seal("asa")
    spool.append("asa", [run_of(*numbered(40, 40))], 2.0)
    path = tmp_path / "asa" / f"syslog.{0:020d}"
    path.write_bytes(path.read_bytes()[:-27])
    work = goes_on(spool, seal=True)
    found = verify_log(Disk(), tmp_path, "asa", lambda _: work())
    assert [(Path(one.where).name, one.harm) for one in found if one.harm != "note"] == [
        (path.name, "lost")
    ]
    closed(spool)
