"""
What lies in a log's folder in the place of its files: pipes, devices, and files without end.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spool.test_spool_recovery import opened, sealed_log
from tests.spool.test_spool_service import closed
from tscm.base.safe_files import UnfitFile
from tscm.spool.disk import CREATE, CREATE_EMPTY, READ, READ_WRITE, Disk
from tscm.spool.names import LogFolder

DISK = Disk()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe, held open so that nobody who opens it would wait."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    yield path
    os.close(held)


@pytest.mark.parametrize("flags", [READ, READ_WRITE, CREATE, CREATE_EMPTY])
def test_a_pipe_and_a_device_are_refused_at_once(pipe: Path, flags: int) -> None:
    with pytest.raises(UnfitFile, match="a named pipe"):
        DISK.open(pipe, flags)
    with pytest.raises(UnfitFile, match="a device"):
        DISK.open(Path("/dev/zero"), flags)


@pytest.mark.parametrize("flags", [READ, READ_WRITE, CREATE, CREATE_EMPTY])
def test_no_link_is_followed(tmp_path: Path, flags: int) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(UnfitFile, match="a symbolic link"):
        DISK.open(tmp_path / "link", flags)
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize("name", ["state", "cursor.forward", "segments"])
def test_a_pipe_in_a_log_stops_nobody_but_the_log(tmp_path: Path, name: str) -> None:
    sealed_log(tmp_path)
    path = LogFolder(tmp_path / "asa").spool / name
    path.unlink()
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    with pytest.raises(UnfitFile, match="a named pipe"):
        opened(tmp_path)
    os.close(held)


def test_a_state_and_a_cursor_without_end_are_damaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed_log(tmp_path)
    spool = LogFolder(tmp_path / "asa").spool
    for name in ("state", "state.before", "cursor.forward"):
        os.truncate(spool / name, 16 << 20)
    taken: list[int] = []
    read_at = Disk.read_at

    def noted(self: Disk, fd: int, size: int, at: int) -> bytes:
        taken.append(size)
        return read_at(self, fd, size, at)

    monkeypatch.setattr(Disk, "read_at", noted)
    closed(opened(tmp_path))
    assert max(taken) <= 1 << 20
