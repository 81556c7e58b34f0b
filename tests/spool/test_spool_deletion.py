"""
The log of a removed device is deleted whole, or stays whole.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, make_spool, run_of
from tscm.errors import DeviceBeingRemoved
from tscm.spool.deletion import delete_log
from tscm.spool.disk import Disk
from tscm.spool.names import log_names
from tscm.spool.service import SpoolService

BIG = 1 << 20


def a_log(spool: SpoolService, name: str, *lines: bytes) -> None:
    spool.open_device(name, BIG)
    spool.append(name, [run_of(*lines)], 1.0)


def closed(spool: SpoolService) -> None:
    spool.stopService()


def test_all_of_it_goes_and_nothing_else(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    a_log(spool, "gone", b"one", b"two")
    spool.seal("gone")
    spool.append("gone", [run_of(b"three")], 2.0)
    a_log(spool, "here", b"four")
    closed(spool)

    told = delete_log(Disk(), tmp_path, "gone")

    assert (told.kept_lines, told.kept_bytes, told.readers) == (3, 14, ())
    assert [one.name for one in tmp_path.iterdir()] == ["here"]
    with pytest.raises(FileNotFoundError):
        delete_log(Disk(), tmp_path, "gone")


def test_a_crash_leaves_a_whole_log_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make_spool(tmp_path)
    for name in ("gone", "also"):
        a_log(spool, name, b"one")
    closed(spool)
    disk = FaultyDisk()
    disk.refuse["rename"] = 5
    with pytest.raises(OSError, match="Input/output"):
        delete_log(disk, tmp_path, "gone")
    assert log_names(tmp_path) == ["also", "gone"]

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            delete_log(Disk(), tmp_path, "gone")
    assert log_names(tmp_path) == ["also"], "what is left is no log"
    delete_log(Disk(), tmp_path, "also")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_deleted_through_a_link(tmp_path: Path) -> None:
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    spool = make_spool(elsewhere)
    a_log(spool, "gone", b"one")
    closed(spool)
    logs.mkdir()
    (logs / "gone").symlink_to(elsewhere / "gone")
    with pytest.raises(NotADirectoryError, match="symbolic link"):
        delete_log(Disk(), logs, "gone")
    (logs / ".deleted.x.0").symlink_to(elsewhere / "gone")
    (logs / "inner").mkdir()
    (logs / "inner" / ".spool").symlink_to(elsewhere / "gone" / ".spool")
    delete_log(Disk(), logs, "inner")
    assert (elsewhere / "gone/syslog").read_bytes() == b"one\n"
    assert (elsewhere / "gone/.spool/state").exists()


class Later:
    """Threads whose calls are made when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Any]] = []

    def run(self, call: Any, *args: Any) -> Deferred[Any]:
        ended: Deferred[Any] = Deferred()
        self.waiting.append((ended, lambda: call(*args)))
        return ended

    def go_on(self) -> None:
        ended, call = self.waiting.pop(0)
        ended.callback(call())


def test_a_device_of_the_name_waits_until_it_is_gone_and_begins_with_its_first_line(
    tmp_path: Path,
) -> None:
    threads = Later()
    spool = make_spool(tmp_path, Clock(), threads=threads)
    a_log(spool, "asa", b"one", b"two")
    refused: list[Any] = []
    ensureDeferred(spool.delete_log("asa")).addErrback(refused.append)
    assert isinstance(refused[0].value, DeviceBeingRemoved)
    spool.forget_device("asa")

    gone: list[Any] = []
    ensureDeferred(spool.delete_log("asa")).addCallback(gone.append)
    with pytest.raises(DeviceBeingRemoved):
        spool.open_device("asa", BIG)
    assert not spool._orphans.adopt_removed_logs(tmp_path, ["asa"], [], 9.0)
    threads.go_on()

    assert gone[0].kept_lines == 2
    assert not spool._orphans.adopt_removed_logs(tmp_path, ["asa"], [], 9.0), (
        "names that were read before"
    )
    assert list(tmp_path.iterdir()) == []
    assert spool.stored_lines() == {}
    a_log(spool, "asa", b"three")
    figures = spool.figures("asa")
    assert (figures.stored_lines, figures.appended_lines) == (1, 3)
    closed(spool)
