"""
A log whose files fail under a running process and then lie there anew, as after a repaired volume.
"""

import errno
import os
from pathlib import Path

from typing_extensions import Buffer

from tests.spool.spool_room import make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, drain
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService


class Volume(Disk):
    """
    While it is *away* nothing can be opened; what was open before that never works again.
    """

    def __init__(self) -> None:
        self.away = False
        self.dead: set[int] = set()
        self._opened: set[int] = set()

    def fail(self) -> None:
        self.away, self.dead = True, set(self._opened)

    def _alive(self, fd: int) -> None:
        if fd < 0 or fd in self.dead:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open(self, path: Path, flags: int) -> int:
        if self.away:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fd = super().open(path, flags)
        self.dead.discard(fd)
        self._opened.add(fd)
        return fd

    def pread(self, fd: int, size: int, at: int) -> bytes:
        self._alive(fd)
        return os.pread(fd, size, at)

    def pwrite(self, fd: int, data: Buffer, at: int) -> int:
        self._alive(fd)
        return os.pwrite(fd, data, at)

    def truncate(self, fd: int, size: int) -> None:
        self._alive(fd)
        super().truncate(fd, size)


def with_segments(logs: Path, volume: Volume) -> SpoolService:
    """Two sealed segments and a live one; a reader that has passed the first line."""
    spool = make_spool(logs, disk=volume)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "forward")
    for first in (0, 10, 20):
        assert spool.append("asa", [run_of(*numbered(first, 10))], 1.0)
        if first < 20:
            assert spool.seal("asa")
    block = reader.read(0, 27)
    assert block is not None
    reader.confirm(block.end, sent=block.lines)
    return spool


def test_lines_cursor_and_list_go_on_where_the_files_lie_anew(tmp_path: Path) -> None:
    volume = Volume()
    spool = with_segments(tmp_path, volume)
    volume.fail()
    assert not spool.append("asa", [run_of(b"refused")], 1.0)
    volume.away = False
    assert spool.append("asa", [run_of(b"taken")], 1.0)
    assert spool.seal("asa")
    reader = spool.reader("asa", "forward")
    assert reader.read(reader.position.offset, BIG) is None  # its segment was open before
    rest = drain(reader).splitlines()
    assert rest == [*numbered(1, 29), b"taken"]
    assert balanced(spool, "asa")
    spool.stopService()
    again = make_spool(tmp_path)
    again.open_device("asa", BIG)
    assert again.figures("asa").segments == 3
    assert again.reader("asa", "forward").position == reader.position
    assert balanced(again, "asa")


def test_figures_are_told_while_nothing_can_be_read(tmp_path: Path) -> None:
    volume = Volume()
    spool = with_segments(tmp_path, volume)
    before = spool.figures("asa")
    assert spool.append("asa", [run_of(b"another")], 1.0)
    volume.fail()
    assert spool.reader("asa", "forward").read(300, 27) is None
    figures = spool.figures("asa")
    assert figures.stored_lines == before.stored_lines + 1
    assert figures.first_offset == 0
    assert "Input/output error" in str(figures.fault)


def test_a_live_file_that_became_shorter_is_not_written_on_behind_a_hole(tmp_path: Path) -> None:
    volume = Volume()
    spool = with_segments(tmp_path, volume)
    volume.fail()
    assert not spool.append("asa", [run_of(b"refused")], 1.0)
    os.truncate(tmp_path / "asa/syslog", 54)
    volume.away = False
    assert not spool.append("asa", [run_of(b"refused too")], 1.0)
    assert "lost its last 216 bytes" in str(spool.figures("asa").fault)
    assert (tmp_path / "asa/syslog").stat().st_size == 54
    spool.stopService()
    again = make_spool(tmp_path)
    again.open_device("asa", BIG)
    assert again.append("asa", [run_of(b"fresh")], 1.0)
    kept = drain(again.reader("asa", "everything")).splitlines()
    assert kept == [*numbered(0, 22), b"fresh"]
    assert balanced(again, "asa")
