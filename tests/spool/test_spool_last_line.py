from pathlib import Path

from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, run_of


def test_the_newest_line_is_shown_and_counts_for_nothing(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("fw", 1 << 20)
    reader = spool.reader("fw", "sink-a")
    assert reader.last_line() is None
    assert spool.append("fw", [run_of(b"one", b"two\x00x", b"three")], 5.0)
    found = reader.last_line()
    assert found is not None
    assert (found.data, found.lines, found.end) == (b"three\n", 1, reader.end)
    (origin,) = reader.origins(found.start, found.end)
    assert origin.end == found.end

    block = reader.read(0, 1 << 16)
    assert block is not None
    reader.confirm(block.end, sent=3)
    assert (reader.position.sent, reader.position.expired) == (3, 0)

    assert spool.append("fw", [run_of(b"y" * 70_000)], 6.0)
    assert reader.last_line() is None  # longer than what is looked at
    assert spool.append("fw", [run_of(b"z")], 7.0)
    found = reader.last_line()
    assert found is not None
    assert found.data == b"z\n"
    spool.seal("fw")
    assert reader.last_line() is None


def test_a_batch_that_ends_within_a_block_balances(tmp_path: Path) -> None:
    clock = Clock()
    spool = make_spool(tmp_path, clock)
    spool.open_device("fw", 1 << 20)
    reader = spool.reader("fw", "sink-a")
    assert spool.append("fw", [run_of(b"one", b"two", b"three")], 5.0)
    spool.append("fw", [run_of(b"four")], 6.0)
    whole = reader.read(0, 1 << 16)
    assert whole is not None
    first = reader.read(0, len(b"one\ntwo\n"))
    assert first is not None
    assert first.data == b"one\ntwo\n"
    reader.last_line()
    reader.confirm(first.end, sent=1, not_selected=1)
    rest = reader.read(first.end, 1 << 16)
    assert rest is not None
    reader.confirm(rest.end, sent=2)
    position = reader.position
    assert (position.sent, position.not_selected, position.expired) == (3, 1, 0)
