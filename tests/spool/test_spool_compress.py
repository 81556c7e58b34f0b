import errno
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.skipping import lacking
from tests.spool.spool_room import FaultyDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.settings.layout import Layout
from tscm.spool.compress import (
    FRAME_BYTES,
    CompressedDamaged,
    Workbench,
    open_compressed,
)
from tscm.spool.disk import READ, Disk
from tscm.spool.service import SpoolService
from tscm.spool.sums import (
    Looked,
    best_line_ends,
    best_sums,
    line_ends,
    plain_line_ends,
    plain_sums,
)
from tscm.spool.text import SegmentText
from tscm.spool.tools_export import ExportFilter, export_log
from tscm.spool.tools_verify import verify_log


def packed(folder: Path, text: bytes) -> Path:
    plain, target = folder / "plain", folder / "packed.zst"
    plain.write_bytes(text)
    fd = Disk().open(plain, READ)
    source = SegmentText(Disk(), 0, len(text), fd)
    found = Workbench().compress(Disk(), source, target, len(text))
    source.close()
    assert found == Looked(zlib.crc32(text), text.count(b"\n"))
    return target


def test_what_was_compressed_reads_back_at_any_place(tmp_path: Path) -> None:
    text = b"".join(b"%07d some line of a firewall\n" % n for n in range(100_000))
    assert len(text) > 3 * FRAME_BYTES
    opened = open_compressed(Disk(), packed(tmp_path, text), 0)
    assert opened.size == len(text)
    for at in (0, 1, FRAME_BYTES - 5, FRAME_BYTES, 2 * FRAME_BYTES + 17, len(text) - 3):
        assert opened.read(1000, at) == text[at : at + 1000]
    assert opened.read(2 * FRAME_BYTES, 100) == text[100 : 2 * FRAME_BYTES + 100]
    assert opened.read(10, len(text)) == b""
    opened.close()


def test_the_ordinary_tools_read_it(tmp_path: Path) -> None:
    text = b"line\n" * 500_000
    path = packed(tmp_path, text)
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert reader.read(len(text) + 1) == text


def test_an_empty_text_is_no_special_case(tmp_path: Path) -> None:
    opened = open_compressed(Disk(), packed(tmp_path, b""), 0)
    assert (opened.size, opened.read(10, 0)) == (0, b"")
    opened.close()


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_told_and_never_read_as_something_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("zst")
    text = b"".join(b"%d line\n" % n for n in range(300))
    path = packed(folder, text)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[at:]
    path.write_bytes(raw)
    try:
        opened = open_compressed(Disk(), path, 0)
    except CompressedDamaged:
        return
    try:
        assert opened.read(len(text), 0) == text
    except CompressedDamaged:
        pass
    finally:
        opened.close()


@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(
        st.binary(max_size=300), st.integers(0, 40_000).map(lambda size: b"ab\n\xff" * size)
    ),
    cut=st.integers(0, 3),
    before=st.binary(max_size=5),
)
def test_lines_and_checksum_are_those_of_the_library(text: bytes, cut: int, before: bytes) -> None:
    size = max(0, len(text) - cut)
    wanted = (text.count(b"\n", 0, size), zlib.crc32(before + text[:size]))
    for sums in (plain_sums, best_sums()):
        assert sums(bytearray(text), size, zlib.crc32(before)) == wanted
    for ends in (plain_line_ends, best_line_ends(), line_ends):
        assert ends(text[:size]) == wanted[0]


def test_frames_of_earlier_versions_are_read(tmp_path: Path) -> None:
    text = b"".join(b"%07d some line of a firewall\n" % n for n in range(30_000))
    assert 3 * FRAME_BYTES < len(text) < 1 << 20
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(text)
    table = struct.pack("<IIIBI", len(frame), len(text), 1, 0, 0x8F92EAB1)
    path = tmp_path / "old.zst"
    path.write_bytes(frame + struct.pack("<II", 0x184D2A5E, len(table)) + table)
    opened = open_compressed(Disk(), path, 0)
    assert Workbench().look(opened, len(text)) == Looked(zlib.crc32(text), 30_000)
    opened.close()


def test_a_frame_that_does_not_read_back_is_refused(tmp_path: Path) -> None:
    class Forgetful(Disk):
        """What was written reads back with one bit changed."""

        def read_at(self, fd: int, size: int, at: int) -> bytes:
            data = super().read_at(fd, size, at)
            return data[:-1] + bytes([data[-1] ^ 1]) if data else data

    plain, text = tmp_path / "plain", b"line\n" * 1000
    plain.write_bytes(text)
    source = SegmentText(Disk(), 0, len(text), Disk().open(plain, READ))
    with pytest.raises(CompressedDamaged):
        Workbench().compress(Forgetful(), source, tmp_path / "packed", len(text))
    source.close()


def sealed(logs: Path, clock: Clock, disk: Disk | None = None, segments: int = 3) -> SpoolService:
    spool = make_spool(logs, clock, disk)
    spool.open_device("asa", BIG)
    for number in range(segments):
        spool.append("asa", [run_of(*numbered(number * 10, 10))], 1.0 + number)
        spool.seal("asa")
    spool.startService()
    return spool


def texts(logs: Path) -> list[str]:
    return sorted(path.name.removeprefix("syslog") for path in (logs / "asa").glob("syslog*"))


def test_segments_are_compressed_when_all_readers_have_passed_them(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    ahead, behind = spool.reader("asa", "ahead"), spool.reader("asa", "behind")
    drain(ahead)
    behind.confirm(270, sent=10)
    clock.pump([1] * 12)
    assert texts(tmp_path) == ["", f".{0:020d}.zst", f".{270:020d}", f".{540:020d}"]
    drain(behind)
    clock.pump([1] * 12)
    assert texts(tmp_path) == ["", *(f".{n:020d}.zst" for n in (0, 270, 540))]
    late = spool.reader("asa", "late")
    assert drain(late, 100) == b"\n".join(numbered(0, 30)) + b"\n"
    assert balanced(spool, "asa")
    assert not list((tmp_path / "asa/.spool").glob("packing.*"))
    closed(spool)


def test_plain_texts_are_deleted_in_a_thread_for_a_disk_may_take_its_time(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    drain(spool.reader("asa", "ahead"))
    inside, deleted = [False], []
    run, unlink = spool.threads.run, spool.disk.unlink

    def in_thread(*call: Any) -> Any:
        inside[0] = True
        try:
            return run(*call)
        finally:
            inside[0] = False

    def noted(path: Path) -> None:
        deleted.append((path.name, inside[0]))
        unlink(path)

    spool.threads.run, spool.disk.unlink = in_thread, noted  # type: ignore[method-assign,assignment]
    clock.pump([1] * 12)
    texts_gone = [one for one in deleted if one[0].startswith("syslog.")]
    assert texts_gone == [(f"syslog.{n:020d}", True) for n in (0, 270, 540)]
    closed(spool)


def test_search_and_export_read_what_all_readers_have_passed(tmp_path: Path) -> None:
    clock, logs = Clock(), Layout(tmp_path).logs
    logs.mkdir(parents=True)
    spool = sealed(logs, clock)
    drain(spool.reader("asa", "forward"))
    clock.pump([1] * 12)
    spool.append("asa", [run_of(*numbered(30, 5))], 40.0)
    closed(spool)
    assert texts(logs) == ["", *(f".{n:020d}.zst" for n in (0, 270, 540))]
    parts: list[bytes] = []
    done = export_log(Disk(), logs, "asa", parts.append)
    assert (done.lines, done.missing) == (35, ())
    assert b"".join(parts) == b"\n".join(numbered(0, 35)) + b"\n"
    parts.clear()
    export_log(Disk(), logs, "asa", parts.append, ExportFilter(since=2.0, until=3.0))
    assert b"".join(parts) == b"\n".join(numbered(10, 10)) + b"\n"
    whole = tsadmin(tmp_path, "spool", "export", "asa")
    assert whole == b"\n".join(numbered(0, 35)) + b"\n"
    (needle,) = numbered(12, 1)
    assert tsadmin(tmp_path, "search", "asa", needle.decode(), "--raw") == needle + b"\n"


def test_a_damaged_compressed_segment_is_named_as_its_file_is(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    clock.pump([1] * 12)
    closed(spool)
    damaged = tmp_path / f"asa/syslog.{270:020d}.zst"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    parts: list[bytes] = []
    done = export_log(Disk(), tmp_path, "asa", parts.append)
    assert b"".join(parts) == b"\n".join((*numbered(0, 10), *numbered(20, 10))) + b"\n"
    (sentence,) = done.missing
    assert sentence.startswith(f"{damaged} cannot be read: a compressed segment")
    assert [one.where for one in verify_log(Disk(), tmp_path, "asa")] == [str(damaged)]


def tsadmin(root: Path, *words: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(root), *words],
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout


def test_compressed_segments_outlive_the_list(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    clock.pump([1] * 12)
    assert texts(tmp_path)[-1].endswith(".zst")
    closed(spool)
    (tmp_path / "asa/.spool/segments").unlink()
    for path in (tmp_path / "asa/.spool").glob("*.index"):
        path.unlink()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    assert spool.figures("asa").stored_lines == 30
    assert drain(spool.reader("asa", "late")) == b"\n".join(numbered(0, 30)) + b"\n"
    closed(spool)


def test_a_reader_in_the_midst_of_a_segment_reads_on_while_it_is_compressed(
    tmp_path: Path,
) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    reader = spool.reader("asa", "late")
    block = reader.read(0, 100)
    assert block is not None
    reader.confirm(810, sent=30)  # another way of the same reader went to the end
    clock.pump([1] * 12)
    assert texts(tmp_path)[-1].endswith(".zst")
    rest = reader.read(block.end, BIG)
    assert rest is not None
    assert rest.data == b"\n".join(numbered(3, 7)) + b"\n"
    closed(spool)


def test_a_text_that_changed_after_it_was_sealed_is_kept_and_told(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    reader = spool.reader("asa", "slow")
    clock.pump([1] * 12)  # checksums are there, nothing is compressed yet
    path = tmp_path / f"asa/syslog.{270:020d}"
    raw = bytearray(path.read_bytes())
    raw[5] ^= 1
    path.write_bytes(raw)
    drain(reader)
    clock.pump([1] * 12)
    assert texts(tmp_path) == ["", f".{0:020d}.zst", f".{270:020d}", f".{540:020d}.zst"]
    assert path.read_bytes() == raw
    assert spool.figures("asa").damaged_segments == 1
    closed(spool)


def test_a_full_disk_leaves_the_plain_text(tmp_path: Path) -> None:
    clock, disk = Clock(), FaultyDisk()
    spool = sealed(tmp_path, clock, disk)
    disk.only, disk.room = "packing", 30
    clock.pump([1] * 12)
    assert texts(tmp_path) == ["", *(f".{n:020d}" for n in (0, 270, 540))]
    assert not list((tmp_path / "asa/.spool").glob("packing.*"))
    disk.room = None
    clock.pump([1] * 12)
    assert texts(tmp_path) == ["", *(f".{n:020d}.zst" for n in (0, 270, 540))]
    closed(spool)


@pytest.mark.parametrize("together", [True, False])
def test_no_plain_text_goes_before_its_compressed_one_is_on_the_disk(
    tmp_path: Path, *, together: bool
) -> None:
    class Watched(FaultyDisk):
        """Notes what was synced, and whether the plain text was still there."""

        def __init__(self) -> None:
            super().__init__()
            self.volumes = self.files = 0
            self.refuses = False

        @property
        def syncs_volumes(self) -> bool:
            return together

        def fsync(self, fd: int) -> None:
            self.files += 1
            self._refuse()

        def sync_volume(self, fd: int) -> None:
            self.volumes += 1
            self._refuse()

        def _refuse(self) -> None:
            assert len(texts(tmp_path)) == 13
            if self.refuses:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    clock, disk = Clock(), Watched()
    disk.refuses = True
    spool = sealed(tmp_path, clock, disk, segments=12)
    clock.pump([1] * 6)
    assert not [name for name in texts(tmp_path) if name.endswith(".zst")]
    assert not list((tmp_path / "asa/.spool").glob("packing.*"))
    disk.refuses = False
    disk.volumes = disk.files = 0
    clock.pump([1] * 6)
    assert len([name for name in texts(tmp_path) if name.endswith(".zst")]) >= 8
    assert (disk.volumes > 0) == together
    assert balanced(spool, "asa")
    closed(spool)


def test_retention_takes_compressed_segments_too(tmp_path: Path) -> None:
    clock = Clock()
    spool = sealed(tmp_path, clock)
    clock.pump([1] * 12)
    clock.pump([40 * 86400, 61])
    assert texts(tmp_path) == [""]
    assert spool.figures("asa").segments == 0
    closed(spool)


def test_zstdcat_reads_it_where_it_is_installed(tmp_path: Path) -> None:
    text = b"line\n" * 300_000
    path = packed(tmp_path, text)
    try:
        found = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip(lacking("zstd", "zstd"))
    assert found.stdout == text
