"""
Whether something in a folder may have changed, as the kernel tells it and where it does not.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor as installed
from twisted.internet.inotify import INotify, INotifyError

from tscm.base.folder_watch import FolderWatch, volume_kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "devices"
    made.mkdir()
    return made


@pytest.fixture
def watch(folder: Path) -> Iterator[FolderWatch]:
    made = FolderWatch(installed, folder)
    yield made
    made.stop()


def test_each_sort_of_change_is_told_once(watch: FolderWatch, folder: Path) -> None:
    assert watch.changed(), "what was there before is unknown"
    assert not watch.changed()
    file, other = folder / "fw.toml", folder / "other"
    for change in (
        lambda: file.write_text("a"),
        lambda: file.write_text("b"),
        lambda: os.utime(file, (1, 1)),
        lambda: file.chmod(0o600),
        lambda: file.rename(other),
        lambda: other.rename(file),
        file.unlink,
    ):
        change()
        assert watch.changed()
        assert not watch.changed()


def test_reading_is_no_change(watch: FolderWatch, folder: Path) -> None:
    (folder / "fw.toml").write_text("a")
    watch.changed()
    (folder / "fw.toml").read_text()
    (folder / "fw.toml").stat()
    assert list(folder.iterdir())
    assert not watch.changed()


def test_a_folder_that_is_away_or_another_one_is_told(watch: FolderWatch, folder: Path) -> None:
    watch.changed()
    folder.rename(folder.with_name("away"))
    assert watch.changed()
    assert watch.changed(), "as long as it is away"
    assert not watch.works
    folder.mkdir()
    assert watch.changed()
    assert watch.works
    assert not watch.changed()
    (folder / "fw.toml").write_text("a")
    assert watch.changed()


def test_a_folder_that_another_takes_the_place_of_at_once_is_watched_anew(
    watch: FolderWatch, folder: Path
) -> None:
    watch.changed()
    new = folder.with_name("new")
    new.mkdir()
    folder.rename(folder.with_name("old"))
    new.rename(folder)
    assert watch.changed()
    assert not watch.changed()
    (folder / "fw.toml").write_text("a")
    assert watch.changed()


def test_a_folder_that_is_made_again_under_its_number_is_watched_anew(
    watch: FolderWatch, folder: Path
) -> None:
    watch.changed()
    folder.rmdir()
    folder.mkdir()
    found = folder.stat()
    watch._watched = (found.st_dev, found.st_ino)  # ext4 gives the number again, others do not
    assert watch.changed()
    watch.changed()
    (folder / "fw.toml").write_text("a")
    assert watch.changed()
    assert watch.works


def test_more_changes_than_the_kernel_queues_are_one_change(
    watch: FolderWatch, folder: Path
) -> None:
    watch.changed()
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))
    assert most < 100_000, "else this takes long"
    one, two = folder / "one", folder / "two"
    one.touch()
    for _ in range(most // 2 + 100):
        one.rename(two)
        one, two = two, one
    assert watch.changed()
    while watch.changed():
        pass
    one.unlink()
    assert watch.changed()


def test_without_inotify_it_says_that_anything_may_have_changed(
    watch: FolderWatch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise INotifyError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(INotify, "watch", refused)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            assert watch.changed()
            assert not watch.works
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert watch.changed()
    assert watch.works
    assert not watch.changed()


def test_a_network_file_system_is_not_watched(folder: Path, tmp_path: Path) -> None:
    device = folder.stat().st_dev
    mounts = tmp_path / "mountinfo"
    line = "36 35 {}:{} / /mnt rw,noatime shared:1 - {} server:/export rw\n"
    for kind in ("nfs4", "fuse.sshfs"):
        mounts.write_text(
            "a line of another shape\n" + line.format(os.major(device), os.minor(device), kind)
        )
        assert volume_kind(device, mounts) == kind
        watch = FolderWatch(installed, folder, mounts)
        assert watch.changed()
        assert watch.changed()
        assert not watch.works
    assert volume_kind(device, tmp_path / "none") == ""
