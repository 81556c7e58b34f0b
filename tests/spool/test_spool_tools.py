import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, numbered, run_of
from tests.spool.test_spool_recovery import INDEX, killed, opened, sealed_log
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.spool import tools_export, tools_last
from tscm.spool.catalogue import RECORD_BYTES
from tscm.spool.disk import Disk
from tscm.spool.names import log_names
from tscm.spool.tools_export import ExportFilter, export_log
from tscm.spool.tools_list import list_logs, view_log
from tscm.spool.tools_repair import repair_log
from tscm.spool.tools_verify import verify_log

DISK = Disk()


class ReadOnly(Disk):
    """A disk that must not be changed."""

    def open(self, path: Path, flags: int) -> int:
        assert not flags & (os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_WRONLY)
        return super().open(path, flags)


def harms(logs: Path) -> list[tuple[str, str]]:
    return [(Path(one.where).name, one.harm) for one in verify_log(ReadOnly(), logs, "asa")]


def exported(logs: Path, wanted: ExportFilter | None = None, *, restored: bool = False) -> bytes:
    parts: list[bytes] = []
    found = export_log(ReadOnly(), logs, "asa", parts.append, wanted, restored=restored)
    data = b"".join(parts)
    assert found.bytes == len(data)
    return data


def test_a_log_is_told_in_a_line(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    (one,) = list_logs(ReadOnly(), tmp_path)
    assert (one.name, one.stored_lines, one.kept_lines, one.segments) == ("asa", 50, 50, 4)
    assert (one.kept_bytes, one.disk_bytes) == (len(expected), len(expected))
    assert (one.first_at, one.last_at, one.readers, one.clean) == (10.0, 20.0, ("forward",), True)
    assert log_names(tmp_path / "nowhere") == []


def test_of_lines_without_an_index_the_files_own_time_is_told(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(b"line")], 10.0)
    closed(spool)
    (tmp_path / f"asa/.spool/{0:020d}.index").unlink()
    os.utime(tmp_path / "asa/syslog", (77.0, 77.0))
    (one,) = list_logs(ReadOnly(), tmp_path)
    assert (one.stored_lines, one.first_at, one.last_at) == (1, 77.0, 77.0)


def test_a_log_in_order_has_no_findings(tmp_path: Path) -> None:
    sealed_log(tmp_path)
    assert harms(tmp_path) == []
    view = view_log(ReadOnly(), tmp_path, "asa")
    assert (view.lines, view.end) == (50, 50 * 27)
    cursor, damaged = view.cursors["forward"]
    assert cursor is not None
    assert (cursor.offset, damaged) == (270, 0)


def test_looking_at_a_log_that_is_written_is_no_harm(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    assert [harm for _, harm in harms(tmp_path)] == ["note"]
    assert exported(tmp_path) == b"\n".join(numbered(0, 10)) + b"\n"
    closed(spool)


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x20
    path.write_bytes(raw)


def test_each_kind_of_damage_is_found_and_what_can_be_is_mended(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    folder = tmp_path / "asa"
    flip(folder / ".spool/segments", RECORD_BYTES + 8)
    flip(folder / INDEX, 40)
    flip(folder / ".spool/cursor.forward", 520)
    flip(folder / ".spool/state", 20)
    assert sorted(harms(tmp_path)) == [
        (f"{0:020d}.index", "mended"),
        ("cursor.forward", "mended"),
        ("segments", "mended"),
        ("state", "mended"),
    ]
    done = repair_log(DISK, tmp_path, "asa", 99.0)
    assert len(done) == 3
    assert harms(tmp_path) == []
    spool = opened(tmp_path)
    assert drain(spool.reader("asa", "late")) == expected
    assert balanced(spool, "asa")
    closed(spool)
    assert repair_log(DISK, tmp_path, "asa", 99.0) == []


def test_a_list_of_segments_of_gigabytes_is_not_read_whole(tmp_path: Path) -> None:
    sealed_log(tmp_path)
    catalogue = tmp_path / "asa/.spool/segments"
    os.truncate(catalogue, 3 << 30)

    class Counting(ReadOnly):
        read = 0

        def pread(self, fd: int, size: int, at: int) -> bytes:
            data = super().pread(fd, size, at)
            Counting.read += len(data)
            return data

    (one,) = list_logs(Counting(), tmp_path)
    assert one.segments == 4
    assert Counting.read < 4 << 20
    found = verify_log(Counting(), tmp_path, "asa")
    assert sum(Path(one.where).name == "segments" for one in found) < 1100
    assert Counting.read < 16 << 20


class Held:
    """A text in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, at: int) -> bytes:
        return self.data[at : at + size]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("gap", [5, 50, 500])
def test_what_is_longer_than_a_line_can_be_is_left_out(gap: int) -> None:
    data = b"one\ntwo\n" + b"\0" * gap + b"\nthree\nfo" + b"\0" * gap + b"ur\nfive\n"
    whole = data if gap < 100 else b"one\ntwo\nthree\nfive\n"
    found = list(tools_export._pieces(Held(data), [(0, len(data))], chunk=10, most=100))
    assert b"".join(block for _, block in found) == whole
    assert all(data[at : at + len(block)] == block for at, block in found)
    back = list(tools_last._lines_back(Held(data), len(data), chunk=10, most=100))
    assert b"".join(block for _, block in reversed(back)) == whole
    assert all(data[at : at + len(block)] == block for at, block in back)


def test_a_missing_segment_is_written_down_and_taken_back_when_it_returns(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    path = tmp_path / f"asa/syslog.{540:020d}"
    path.rename(tmp_path / "away")
    assert harms(tmp_path) == [(path.name, "lost")]
    assert repair_log(DISK, tmp_path, "asa", 99.0) == [
        "segment 540 is missing: 10 lines are marked as lost"
    ]
    assert harms(tmp_path) == []
    assert exported(tmp_path) == expected[:540] + expected[810:]
    (tmp_path / "away").rename(path)
    assert repair_log(DISK, tmp_path, "asa", 99.0) == ["segment 540 was found again"]
    assert exported(tmp_path) == expected
    spool = opened(tmp_path)
    assert drain(spool.reader("asa", "forward")) == expected[270:]
    assert balanced(spool, "asa")
    closed(spool)


def test_a_flipped_byte_in_a_sealed_text_is_found(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    spool.startService()
    spool.reader("asa", "slow")
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    spool.seal("asa")
    clock.pump([1] * 12)
    closed(spool)
    assert harms(tmp_path) == []
    flip(tmp_path / f"asa/syslog.{0:020d}", 5)
    assert harms(tmp_path) == [(f"syslog.{0:020d}", "lost")]


def test_torn_bytes_are_shown_until_somebody_looked(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(b"one")], 1.0)
    killed(spool)
    with (tmp_path / "asa/syslog").open("ab") as live:
        live.write(b"half")
    closed(opened(tmp_path))
    assert harms(tmp_path) == [(f"torn.{4:020d}.0", "note")]


def test_a_wrong_count_of_a_reader_is_found(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(b"one", b"two")], 1.0)
    spool.reader("asa", "forward").confirm(8, sent=3)
    assert spool.figures("asa").readers["forward"].difference == -1
    closed(spool)
    assert harms(tmp_path) == [("cursor.forward", "lost")]


def test_lines_are_exported_by_sender_and_time(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number, sender in enumerate(["a", "b", "a", "b"]):
        line = b"line\x10n%d" % number
        spool.append("asa", [run_of(line, sender=sender, escaped=True)], 10.0 * number)
        if number == 1:
            spool.seal("asa")
    closed(spool)
    assert exported(tmp_path, ExportFilter(sender="a")) == b"line\x10n0\nline\x10n2\n"
    assert exported(tmp_path, ExportFilter(since=10.0, until=30.0)) == b"line\x10n1\nline\x10n2\n"
    assert exported(tmp_path, ExportFilter(sender="b", since=20.0)) == b"line\x10n3\n"
    assert exported(tmp_path, ExportFilter(sender="b", since=20.0), restored=True) == b"line\n3\n"
    (tmp_path / f"asa/.spool/{0:020d}.index").unlink()
    assert exported(tmp_path, ExportFilter(sender="a")) == b"line\x10n2\n"
    assert exported(tmp_path, ExportFilter(sender="a", unknown=True)).count(b"\n") == 3


def test_an_export_goes_on_behind_a_segment_that_is_away(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    (tmp_path / f"asa/syslog.{270:020d}").unlink()
    parts: list[bytes] = []
    found = export_log(ReadOnly(), tmp_path, "asa", parts.append)
    assert b"".join(parts) == expected[:270] + expected[540:]
    assert found.missing == (
        f"{tmp_path}/asa/syslog.{270:020d} is missing; the rest was exported; "
        "see `tsadmin spool verify asa`",
    )


def test_a_record_that_goes_bad_while_the_log_is_open_does_not_stop_its_readers(
    tmp_path: Path,
) -> None:
    expected = sealed_log(tmp_path, segments=9)
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    flip(tmp_path / "asa/.spool/segments", 6 * RECORD_BYTES + 3)
    spool.startService()
    reader = spool.reader("asa", "forward")
    found, told = b"", [1]
    while reader.position.offset < reader.end:
        assert told
        told.clear()
        found += drain(reader)
        reader.when_more(lambda: told.append(1))
        clock.pump([1, 1])
    assert found == expected[270:]
    assert balanced(spool, "asa")
    assert spool.figures("asa").rebuilt == 1
    closed(spool)


def test_no_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        view_log(DISK, tmp_path, "asa")
