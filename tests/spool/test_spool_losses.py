"""
A start after a power cut: any file may have lost its end, and all that was acknowledged is accounted for.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spool.spool_room import numbered, run_of
from tests.spool.test_spool_recovery import killed, opened
from tests.spool.test_spool_service import balanced, closed, drain
from tests.spool.test_spool_tools import DISK, harms
from tscm.ledger.book import Book
from tscm.ledger.figures import Gap
from tscm.model import Expired
from tscm.spool import measure
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService
from tscm.spool.tools_repair import repair_log

LINE = 27
LINES = 300
"""In each segment: two pages of text, almost."""
SEGMENTS = 4
PAGE = 4096


def written(logs: Path) -> tuple[Book, list[bytes]]:
    """
    A killed log of four sealed segments and a live one, what the book noted of it, and its lines.

    One reader has passed two and a half segments, and one nothing.
    """
    spool = opened(logs)
    for number in range(SEGMENTS + 1):
        assert spool.append("asa", [run_of(*numbered(number * LINES, LINES))], 10.0 + number)
        if number < SEGMENTS:
            assert spool.seal("asa")
    ahead, _ = spool.reader("asa", "ahead"), spool.reader("asa", "behind")
    while ahead.position.offset < LINES * LINE * 5 // 2:
        block = ahead.read(ahead.position.offset, LINES * LINE // 2)
        assert block is not None
        ahead.confirm(block.end, sent=block.lines)
    book = Book(began_at=0.0, at=20.0, logs=spool.stored_lines(), lost=spool.lost_lines())
    killed(spool)
    return book, numbered(0, LINES * (SEGMENTS + 1))


def on_disk(logs: Path) -> list[bytes]:
    """Whole lines in the segments and the live file, oldest first."""
    folder = logs / "asa"
    files = [*sorted(folder.glob("syslog.*")), folder / "syslog"]
    texts = [file.read_bytes() for file in files]
    return [line for text in texts for line in text[: text.rfind(b"\n") + 1].splitlines()]


def accounted(spool: SpoolService, logs: Path, book: Book, issued: list[bytes]) -> int:
    """What was noted is on the disk or told as lost: to the line, in the book and for each reader."""
    left = on_disk(logs)
    assert set(left) <= set(issued)
    after = book.opened(spool.stored_lines(), 99.0, spool.lost_lines())
    gap = after.gaps[-1] if after.gaps else Gap(after=0.0, before=0.0)
    figures = spool.figures("asa")
    deleted = figures.deleted_lines
    # Text, list and state gone together: nobody can tell any more what was not retention's.
    by_retention = sum(deleted.values()) - deleted.get("lost", 0)
    assert gap.lost + by_retention + len(left) == len(issued) + gap.lines
    assert figures.stored_lines == len(left) + sum(deleted.values())
    assert balanced(spool, "asa")
    return int(by_retention)


def goes_on(spool: SpoolService, logs: Path) -> None:
    """Every reader is given all that is left, whatever was lost on its way, and a fresh line."""
    assert spool.append("asa", [run_of(b"fresh")], 100.0)
    passed = {name: spool.reader("asa", name).position for name in ("ahead", "behind")}
    for name, before in passed.items():
        reader = spool.reader("asa", name)
        taken: list[bytes] = []
        while more := drain(reader):
            taken += more.splitlines()
        assert reader.position.offset == reader.end
        assert taken[-1:] == [b"fresh"]
        assert len(taken) == reader.position.sent - before.sent
        if not before.offset:
            assert taken == on_disk(logs)
    assert balanced(spool, "asa")


def files(logs: Path) -> list[Path]:
    folder = logs / "asa"
    return sorted(
        one for one in (*folder.iterdir(), *(folder / ".spool").iterdir()) if one.is_file()
    )


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_what_a_power_cut_took_of_any_files_is_told_to_the_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    book, issued = written(logs)
    chosen = data.draw(st.lists(st.sampled_from(files(logs)), min_size=1, max_size=6, unique=True))
    for path in chosen:
        size = path.stat().st_size
        left = data.draw(st.integers(0, size), label=path.name)
        if data.draw(st.booleans(), label="to a page"):
            left -= left % PAGE
        os.truncate(path, left)
    spool = opened(logs, at=99.0)
    by_retention = accounted(spool, logs, book, issued)
    states = {"segments", "state"}
    assert not by_retention or states <= {one.name for one in chosen}
    goes_on(spool, logs)
    told = spool.stored_lines(), spool.lost_lines(), on_disk(logs)
    killed(spool)
    spool = opened(logs, at=200.0)
    assert (spool.stored_lines(), spool.lost_lines(), on_disk(logs)) == told  # found once
    assert balanced(spool, "asa")
    closed(spool)


def cut(logs: Path, start: int, size: int) -> None:
    os.truncate(logs / f"asa/syslog.{start:020d}", size)


def test_a_segment_that_is_short_at_a_start_is_counted_at_once_whoever_has_read_it(
    tmp_path: Path,
) -> None:
    book, issued = written(tmp_path)
    cut(tmp_path, 0, LINE * 100 + 3)  # behind it one reader, before it the other
    spool = opened(tmp_path, at=99.0)
    figures = spool.figures("asa")
    assert figures.deleted_lines == {"lost": 200}
    assert (figures.torn_bytes, figures.torn_files) == (3, 1)
    assert book.opened(spool.stored_lines(), 99.0, spool.lost_lines()).gaps[-1].lost == 200
    accounted(spool, tmp_path, book, issued)
    goes_on(spool, tmp_path)
    readers = spool.figures("asa").readers
    assert readers["behind"].expired_by_cause[Expired.LOST] == 200
    assert readers["ahead"].expired == 0
    closed(spool)
    assert harms(tmp_path) == [(f"torn.{LINE * 100:020d}.0", "note")]


def test_a_reader_within_the_lost_end_of_a_segment_neither_skips_nor_counts_twice(
    tmp_path: Path,
) -> None:
    book, issued = written(tmp_path)  # it stands at line 750
    cut(tmp_path, LINE * LINES * 2, LINE * 100)
    spool = opened(tmp_path, at=99.0)
    accounted(spool, tmp_path, book, issued)
    goes_on(spool, tmp_path)
    assert spool.reader("asa", "ahead").position.sent == 750 + 2 * LINES + 1
    assert spool.figures("asa").readers["ahead"].expired_by_cause[Expired.LOST] == 150
    closed(spool)


class CountingDisk(Disk):
    """A disk that counts how often it was asked for a file's size."""

    def __init__(self) -> None:
        self.asked = 0

    def size_of(self, path: Path) -> int | None:
        self.asked += 1
        return super().size_of(path)


def test_a_start_looks_at_the_newest_segments_only(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number in range(200):
        assert spool.append("asa", [run_of(*numbered(number, 1))], number * 900.0)
        assert spool.seal("asa")
    disk = CountingDisk()
    log = spool._devices["asa"].live
    cut(tmp_path, 199 * LINE, 0)
    cut(tmp_path, 0, 0)  # older than anything a file system holds back
    losses = measure.find_losses(disk, log.folder, log.catalogue)
    assert [one.number for one in losses] == [199]
    assert disk.asked == measure.LEAST
    closed(spool)


def test_a_segment_that_repair_finds_again_is_lost_no_more(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / f"asa/syslog.{LINE * LINES:020d}"
    path.rename(tmp_path / "away")
    spool = opened(tmp_path)
    assert spool.lost_lines() == {"asa": LINES}
    closed(spool)
    (tmp_path / "away").rename(path)
    assert repair_log(DISK, tmp_path, "asa", 99.0) == [f"segment {LINE * LINES} was found again"]
    spool = opened(tmp_path)
    assert spool.lost_lines() == {"asa": 0}
    closed(spool)


def test_repair_tells_of_a_segment_that_lost_its_end(tmp_path: Path) -> None:
    written(tmp_path)
    cut(tmp_path, 0, LINE * 100)
    assert f"a segment ends at {LINE * 100}: 200 lines after it are marked as lost" in repair_log(
        DISK, tmp_path, "asa", 99.0
    )
    assert harms(tmp_path) == []


def test_a_list_made_anew_learns_from_a_reader_what_no_index_tells_any_more(
    tmp_path: Path,
) -> None:
    book, issued = written(tmp_path)
    for path in (tmp_path / "asa/.spool").glob("*.index"):
        path.unlink()
    os.truncate(tmp_path / "asa/.spool/segments", 0)
    cut(tmp_path, LINE * LINES * 2, 0)  # in it stands a reader that has passed 150 of its lines
    spool = opened(tmp_path, at=99.0)
    accounted(spool, tmp_path, book, issued)
    assert spool.lost_lines() == {"asa": 150}  # of the others the book knows
    goes_on(spool, tmp_path)
    closed(spool)


def test_what_stood_before_the_oldest_text_is_retentions_as_far_as_it_was_counted(
    tmp_path: Path,
) -> None:
    book, issued = written(tmp_path)
    os.truncate(tmp_path / "asa/.spool/segments", 0)
    cut(tmp_path, 0, 0)
    spool = opened(tmp_path, at=99.0)
    assert accounted(spool, tmp_path, book, issued) == 0
    assert spool.lost_lines() == {"asa": LINES}
    goes_on(spool, tmp_path)
    closed(spool)
