"""
Scheduled backups: when one is due and which go; and those of a manager.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.manager.manager_process import SETTINGS, Manager, wait_for
from tscm.backup.leftovers import remove_leftovers
from tscm.backup.scheduled import (
    RETRY_SECONDS,
    backups_among,
    expired,
    file_name,
    is_due,
    made_at,
)

DAY = 86400.0
TIMES = st.integers(1_700_000_000, 1_900_000_000)


@given(TIMES)
def test_a_name_tells_its_time(at: int) -> None:
    assert made_at(file_name(at)) == at


@pytest.mark.parametrize(
    "name", ["tscm.toml", "tscm-backup-20261399T000000Z.tar.zst", ".tscm-backup-x.1.new", ""]
)
def test_other_files_are_no_backups(name: str) -> None:
    assert made_at(name) is None
    assert expired([name] * 3, 1) == []


@given(st.lists(TIMES, max_size=9), TIMES)
def test_one_is_due_when_the_newest_is_older_than_the_interval(times: list[int], now: int) -> None:
    names = [file_name(at) for at in times]
    due = is_due(names, now, DAY, None)
    assert due == all(not now - DAY < at <= now for at in times)
    assert not is_due(names, now, DAY, now - RETRY_SECONDS / 2)
    assert is_due(names, now, DAY, now - RETRY_SECONDS) == due
    assert is_due(names, now, DAY, now + 5.0) == due  # the clock was set back


@given(st.lists(TIMES, max_size=9, unique=True), st.integers(1, 9))
def test_the_newest_stay(times: list[int], keep: int) -> None:
    names = [file_name(at) for at in times]
    gone = expired(names, keep)
    assert len(gone) == max(0, len(names) - keep)
    left = [name for name in names if name not in gone]
    assert not gone or not left or max(gone) < min(left)
    assert backups_among(names) == sorted(names)


def test_leftovers_of_ended_processes_go(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".a.{ended.pid}.new").touch()
    (tmp_path / ".a.1.new").touch()
    (tmp_path / ".a.x.new").touch()
    (tmp_path / "a").touch()
    remove_leftovers(tmp_path, "a.*")
    assert {one.name for one in tmp_path.iterdir()} == {".a.1.new", ".a.x.new", "a"}


def test_a_manager_makes_them_and_keeps_as_many_as_it_is_told(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "backups"
    root.mkdir()
    folder.mkdir()
    for day in range(1, 4):
        (folder / file_name(1_700_000_000 + day * DAY)).touch()
    (folder / "mine.txt").touch()
    text = f"{SETTINGS}[backup]\nfolder = '{folder}'\nkeep = 2\n"
    manager = Manager(root, text)
    manager.write_device("fw")
    manager.start()
    try:
        wait_for(lambda: len(list(folder.glob("tscm-backup-*"))) == 2, manager.said)
    finally:
        manager.stop()
    newest = max(folder.glob("tscm-backup-*"))
    checked = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(tmp_path / "x"), "restore", "--check", newest],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert (folder / "mine.txt").exists()


def test_a_backup_that_fails_is_told_and_the_manager_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    manager = Manager(tmp_path, f"{SETTINGS}[backup]\nfolder = '{tmp_path}/file/x'\n")
    manager.start()
    try:
        wait_for(lambda: "the scheduled backup failed" in manager.said(), manager.said)
        assert manager.ask("/v1/status")
    finally:
        manager.stop()
