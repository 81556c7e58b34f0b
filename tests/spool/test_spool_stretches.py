"""
Stretches for another process to read: the same lines, and the same count, as a reader gets itself.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, run_of
from tests.spool.test_spool_service import BIG, closed
from tscm.model import Stretch
from tscm.spool.disk import Disk
from tscm.spool.reader import DeviceReader
from tscm.spool.service import SpoolService
from tscm.spool.text import read_stretch


def by_stretches(reader: DeviceReader, most: int) -> bytes:
    """All that waits, by stretches where there are some, else by blocks; each confirmed."""
    found = []
    while reader.position.offset < reader.end:
        offset = reader.position.offset
        stretch = reader.stretch(offset, most)
        if stretch is None:
            block = reader.read(offset, most)
            assert block is not None
            found.append(block.data)
            reader.confirm(block.end, sent=block.lines)
            continue
        data = read_stretch(Disk(), stretch)
        assert stretch.start == offset
        assert data.count(b"\n") == stretch.lines
        found.append(data)
        reader.confirm(stretch.end, sent=0, not_selected=stretch.lines)
    return b"".join(found)


def step(spool: SpoolService, clock: Clock, deed: str, number: int) -> bytes:
    if deed == "seal":
        spool.seal("asa")
    elif deed == "second":
        clock.advance(1.0)
    elif deed == "aside":
        clock.advance(5.0)
    else:
        runs = [
            run_of(*[b"line %d of %d" % (one, number)] * (one + 1), sender=f"192.0.2.{one % 3}")
            for one in range(number % 4 + 1)
        ]
        assert spool.append("asa", runs, clock.seconds())
        return b"".join(run.data for run in runs)
    return b""


DEEDS = st.lists(
    st.sampled_from(["append", "append", "append", "seal", "second", "aside", "read", "block"]),
    max_size=40,
)


@settings(deadline=None)
@given(deeds=DEEDS, most=st.sampled_from([1, 60, 300, 1 << 20]))
def test_they_hold_what_a_reader_reads_however_it_came(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str], most: int
) -> None:
    clock = Clock()
    spool = make_spool(tmp_path_factory.mktemp("log"), clock)
    spool.startService()
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "events")
    expected = found = b""
    for number, deed in enumerate(deeds):
        if deed == "read":
            found += by_stretches(reader, most)
            assert found == expected
        elif deed == "block":  # ends wherever a line does
            block = reader.read(reader.position.offset, 40)
            if block is not None:
                found += block.data
                reader.confirm(block.end, sent=block.lines)
        else:
            expected += step(spool, clock, deed, number)
    found += by_stretches(reader, most)
    assert found == expected
    figures = spool.figures("asa")
    assert figures.readers["events"].difference == 0
    assert reader.position.sent + reader.position.not_selected == figures.stored_lines
    closed(spool)


def one_stretch(spool: SpoolService) -> Stretch:
    spool.open_device("asa", BIG)
    spool.append("asa", [run_of(b"one", b"two")], 1.0)
    found = spool.reader("asa", "events").stretch(0, 1 << 20)
    assert found is not None
    assert found.lines == 2
    return found


def test_one_is_read_after_its_segment_was_sealed_and_compressed(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.startService()
    live = one_stretch(spool)
    spool.seal("asa")
    spool.append("asa", [run_of(b"six", b"ten")], 1.0)  # as long, at the same place of another file
    assert read_stretch(Disk(), live) == b"one\ntwo\n"
    sealed = spool.reader("asa", "events").stretch(0, 1 << 20)
    assert sealed is not None
    spool.reader("asa", "events").confirm(8, sent=2)
    clock.advance(5.0)
    assert list((tmp_path / "asa").glob("*.zst"))
    assert read_stretch(Disk(), live) == read_stretch(Disk(), sealed) == b"one\ntwo\n"
    closed(spool)


def test_one_of_a_live_file_that_a_seal_could_not_name_is_read(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    stretch = one_stretch(spool)
    (tmp_path / "asa/syslog").rename(tmp_path / "asa/.spool/next")
    assert read_stretch(Disk(), stretch) == b"one\ntwo\n"


@pytest.mark.parametrize("harm", ["cut", "hole", "other", "gone"])
def test_one_whose_file_is_not_what_it_was_is_refused(tmp_path: Path, harm: str) -> None:
    spool = make_spool(tmp_path)
    stretch = one_stretch(spool)
    live = tmp_path / "asa/syslog"
    if harm == "cut":
        live.write_bytes(b"one\n")
    elif harm == "hole":
        live.write_bytes(b"\0\0\0\0two\n")
    elif harm == "other":
        live.rename(tmp_path / "asa/mine")
        live.write_bytes(b"one\nTWO\n")
    else:
        live.unlink()
    with pytest.raises(OSError, match=r"less than was written|No such file"):
        read_stretch(Disk(), stretch)


def test_there_is_none_where_nothing_waits_or_retention_was_faster(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "events")
    assert reader.stretch(0, 100) is None
    spool.append("asa", [run_of(b"one")], 1.0)
    spool.seal("asa")
    spool.append("asa", [run_of(b"two")], 1.0)
    log = spool._devices["asa"]
    log.mark_oldest(0)
    assert reader.stretch(0, 100) is None
    block = reader.read(0, 100)
    assert block is not None
    assert block.data == b"two\n"
    closed(spool)


def test_a_line_has_the_same_time_before_and_behind_the_note_in_the_index(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("asa", BIG)
    reader = spool.reader("asa", "sink")
    spool.append("asa", [run_of(b"one", sender="192.0.2.1")], 100.0)
    spool.append("asa", [run_of(b"two", sender="192.0.2.1")], 100.4)
    told = [
        (one.start, one.end, one.received_at) for one in reader.origins(len(b"one\n"), reader.end)
    ]
    assert told == [(len(b"one\n"), reader.end, 100.0)]
    clock.advance(1.0)  # the index is written
    assert [
        (one.start, one.end, one.received_at) for one in reader.origins(len(b"one\n"), reader.end)
    ] == told
