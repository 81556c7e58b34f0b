import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.spool.spool_room import FaultyDisk, make_spool, numbered, run_of
from tests.spool.test_spool_service import BIG, balanced, closed, drain
from tscm.model import Expired, Position
from tscm.spool.catalogue import RECORD_BYTES
from tscm.spool.cursor import SLOT_BYTES
from tscm.spool.service import SpoolService
from tscm.spool.state import Gap

INDEX = f".spool/{0:020d}.index"


def killed(spool: SpoolService) -> None:
    """
    End a spool as kill -9 does: nothing more is written, descriptors are gone.
    """
    for name in spool.devices():
        log = spool._devices.pop(name)
        for reader in log.readers.values():
            reader.close()
        log.live.catalogue.close()
        os.close(log.live.fd)
        log.live.fd = -1


def opened(logs: Path, at: float = 0.0) -> SpoolService:
    clock = Clock()
    clock.advance(at)
    spool = make_spool(logs, clock)
    spool.open_device("asa", BIG)
    return spool


def with_lines(logs: Path, count: int = 10) -> bytes:
    """A log that was killed with *count* lines in its live segment, nothing of them indexed."""
    spool = opened(logs)
    spool.append("asa", [run_of(*numbered(0, count))], 5.0)
    killed(spool)
    return (logs / "asa/syslog").read_bytes()


def test_a_line_that_was_appended_outlives_a_kill(tmp_path: Path) -> None:
    expected = with_lines(tmp_path)
    spool = opened(tmp_path)
    assert drain(spool.reader("asa", "forward")) == expected
    assert spool.figures("asa").unknown_lines == 10
    assert balanced(spool, "asa")
    closed(spool)


def test_an_unclean_stop_is_a_gap_with_its_bounds(tmp_path: Path) -> None:
    with_lines(tmp_path)
    os.utime(tmp_path / "asa/syslog", (50.0, 50.0))
    spool = opened(tmp_path, at=100.0)
    assert spool.figures("asa").gaps == (
        Gap(offset=270, lines=10, after=50.0, before=100.0, cause="stop", lost=0),
    )
    closed(spool)
    spool = opened(tmp_path, at=200.0)
    assert spool.figures("asa").gaps_total == 1
    closed(spool)


def test_a_torn_tail_is_cut_and_kept_aside(tmp_path: Path) -> None:
    expected = with_lines(tmp_path)
    with (tmp_path / "asa/syslog").open("ab") as live:
        live.write(b"half a line")
    spool = opened(tmp_path)
    spool.append("asa", [run_of(b"next")], 6.0)
    assert drain(spool.reader("asa", "forward")) == expected + b"next\n"
    figures = spool.figures("asa")
    assert (figures.torn_bytes, figures.torn_files) == (11, 1)
    assert (tmp_path / f"asa/.spool/torn.{270:020d}.0").read_bytes() == b"half a line"
    closed(spool)


def test_a_log_that_is_nothing_but_a_torn_line_starts_empty(tmp_path: Path) -> None:
    (tmp_path / "asa/.spool").mkdir(parents=True)
    (tmp_path / "asa/syslog").write_bytes(b"\0" * 5000)
    spool = opened(tmp_path)
    assert spool.figures("asa").stored_bytes == 0
    assert spool.figures("asa").torn_bytes == 5000
    closed(spool)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_an_index_cut_or_flipped_anywhere_loses_no_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    spool = opened(logs)
    for number in range(5):
        spool.append("asa", [run_of(*numbered(number, 2), sender=f"192.0.2.{number}")], number * 9)
    closed(spool)
    index = logs / "asa" / INDEX
    raw = bytearray(index.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[at:]
    index.write_bytes(raw)
    spool = opened(logs)
    spool.append("asa", [run_of(b"more")], 99.0)
    assert spool.figures("asa").stored_lines == 11
    assert len(drain(spool.reader("asa", "forward")).splitlines()) == 11
    assert balanced(spool, "asa")
    closed(spool)
    spool = opened(logs)
    assert spool.figures("asa").stored_lines == 11
    closed(spool)


def test_a_damaged_cursor_falls_back_to_the_one_before(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    reader = spool.reader("asa", "forward")
    for number in range(1, 6):
        reader.confirm(number * 27, sent=1)
    killed(spool)
    path = tmp_path / "asa/.spool/cursor.forward"
    raw = bytearray(path.read_bytes())
    newest = reader.cursor.sequence % 2 * SLOT_BYTES
    raw[newest + 20] ^= 0xFF
    path.write_bytes(raw)
    spool = opened(tmp_path)
    assert spool.reader("asa", "forward").position == Position(offset=4 * 27, sent=4)
    assert spool.figures("asa").damaged_cursors == 1
    closed(spool)
    raw = bytearray(path.read_bytes())
    path.write_bytes(bytes(len(raw)))
    spool = opened(tmp_path)
    assert spool.reader("asa", "forward").position == Position()
    assert balanced(spool, "asa")
    closed(spool)


def sealed_log(logs: Path, segments: int = 4) -> bytes:
    spool = opened(logs)
    reader = spool.reader("asa", "forward")
    for number in range(segments):
        spool.append("asa", [run_of(*numbered(number * 10, 10))], 10.0 + number)
        assert spool.seal("asa")
    block = reader.read(0, BIG)
    assert block is not None
    reader.confirm(block.end, sent=block.lines)
    spool.append("asa", [run_of(*numbered(segments * 10, 10))], 20.0)
    closed(spool)
    return b"\n".join(numbered(0, segments * 10 + 10)) + b"\n"


@pytest.mark.parametrize("damage", ["gone", "flipped", "cut", "empty"])
def test_a_damaged_list_of_segments_is_made_anew(tmp_path: Path, damage: str) -> None:
    expected = sealed_log(tmp_path)
    path = tmp_path / "asa/.spool/segments"
    raw = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        raw[-RECORD_BYTES + 3] ^= 1
        path.write_bytes(raw)
    elif damage == "cut":
        path.write_bytes(raw[: RECORD_BYTES * 3 + 7])
    else:
        path.write_bytes(b"")
    spool = opened(tmp_path)
    reader = spool.reader("asa", "forward")
    assert reader.position == Position(offset=270, sent=10)
    assert drain(reader) == expected[270:]
    assert spool.figures("asa").stored_lines == 50
    assert balanced(spool, "asa")
    closed(spool)


def test_lines_that_a_power_cut_took_after_they_were_sent_are_not_counted_twice(
    tmp_path: Path,
) -> None:
    spool = opened(tmp_path)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    ahead, behind = spool.reader("asa", "ahead"), spool.reader("asa", "behind")
    ahead.confirm(270, sent=10)
    behind.confirm(27, sent=1)
    killed(spool)
    os.truncate(tmp_path / "asa/syslog", 27 * 4)
    spool = opened(tmp_path)
    spool.append("asa", [run_of(b"new")], 2.0)
    ahead, behind = spool.reader("asa", "ahead"), spool.reader("asa", "behind")
    assert drain(ahead) == b"new\n"
    assert drain(behind) == b"\n".join(numbered(1, 3)) + b"\nnew\n"
    assert ahead.position == Position(offset=274, sent=11)
    assert behind.position == Position(offset=274, sent=5, expired=6)
    assert balanced(spool, "asa")
    closed(spool)


def test_a_missing_segment_is_passed_and_counted(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    (tmp_path / f"asa/syslog.{540:020d}").unlink()
    spool = opened(tmp_path)
    reader = spool.reader("asa", "forward")
    assert drain(reader) == expected[270:540] + expected[810:]
    assert reader.position == Position(offset=len(expected), sent=40, expired=10)
    assert spool.figures("asa").readers["forward"].expired_by_cause[Expired.LOST] == 10
    assert balanced(spool, "asa")
    closed(spool)


def test_a_segment_that_became_shorter_costs_what_is_missing(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    os.truncate(tmp_path / f"asa/syslog.{540:020d}", 27 * 3 + 5)
    spool = opened(tmp_path)
    reader = spool.reader("asa", "forward")
    assert drain(reader) == expected[270 : 540 + 81] + expected[810:]
    assert reader.position == Position(offset=len(expected), sent=43, expired=7)
    assert balanced(spool, "asa")
    closed(spool)


def test_a_damaged_state_is_no_hindrance(tmp_path: Path) -> None:
    expected = sealed_log(tmp_path)
    for name in ("state", "state.before"):
        (tmp_path / "asa/.spool" / name).write_bytes(b"\xff{")
    spool = opened(tmp_path)
    assert drain(spool.reader("asa", "late")) == expected
    assert spool.figures("asa").gaps_total == 1
    closed(spool)


def test_files_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    sealed_log(tmp_path)
    strange = ["notes.txt", "syslog.1", "syslog.gz", ".spool/cursor.forward.new", ".spool/x"]
    for name in strange:
        (tmp_path / "asa" / name).write_bytes(b"mine")
    (tmp_path / "asa/.spool/segments").unlink()
    closed(opened(tmp_path))
    for name in strange:
        assert (tmp_path / "asa" / name).read_bytes() == b"mine"


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_one_file_beside_the_text_may_be_damaged_anywhere(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    expected = sealed_log(logs)
    path = data.draw(st.sampled_from(sorted((logs / "asa/.spool").iterdir())), label="file")
    raw = bytearray(path.read_bytes())
    harm = data.draw(st.sampled_from(["flip", "cut", "zero", "grow"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if harm == "flip":
        raw[at] ^= data.draw(st.integers(1, 255))
    elif harm == "cut":
        del raw[at:]
    elif harm == "zero":
        raw[at:] = bytes(len(raw) - at)
    else:
        raw += data.draw(st.binary(min_size=1, max_size=100))
    path.write_bytes(raw)
    spool = opened(logs)
    reader = spool.reader("asa", "forward")
    assert reader.position in {Position(), Position(offset=270, sent=10)}
    rest, more = drain(reader), b""
    while reader.position.offset < reader.end:  # a damaged list is made anew on the way
        more = drain(reader)
        assert more
        rest += more
    assert rest in {expected, expected[270:]}
    assert spool.append("asa", [run_of(b"fresh")], 30.0)
    assert drain(spool.reader("asa", "late")) == expected + b"fresh\n"
    assert spool.figures("asa").stored_lines == 51
    assert balanced(spool, "asa")
    closed(spool)
    spool = opened(logs)
    assert spool.figures("asa").stored_lines == 51
    assert balanced(spool, "asa")
    closed(spool)


@pytest.mark.parametrize("more", [0, 3])
def test_a_seal_that_was_given_up_and_left_its_record_is_taken_back(
    tmp_path: Path, more: int
) -> None:
    disk = FaultyDisk()
    spool = make_spool(tmp_path, disk=disk)
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(*numbered(0, 10))], 1.0)
    spool.reader("asa", "forward").confirm(54, sent=2)
    disk.only, disk.refuse = "asa/", {"rename": errno.EIO, "truncate": errno.EIO}
    assert not spool.seal("asa")
    if more:
        spool.append("asa", [run_of(*numbered(10, more))], 1.0)
    killed(spool)
    spool = opened(tmp_path)
    assert spool.figures("asa").stored_lines == 10 + more
    reader = spool.reader("asa", "forward")
    assert drain(reader) == b"\n".join(numbered(2, 8 + more)) + b"\n"
    assert reader.position.expired == 0
    assert balanced(spool, "asa")
    closed(spool)
