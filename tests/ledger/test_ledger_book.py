"""
The book over starts: adding up, unclean stops, damage, and the alarm.
"""

import errno
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.fuse import Fuse
from tests.spool.test_spool_kill import forked
from tscm.base.threads import Threads
from tscm.intake.figures import DatagramFigures, DeviceIntake, IntakeCounts, ListenerFigures
from tscm.ledger.balance import balance, differences_of
from tscm.ledger.book import (
    NAMES_KEPT,
    OTHERS,
    SENDERS_KEPT,
    UNTOLD,
    Book,
    Counts,
    decode_book,
    encode_book,
    read_book,
    write_book,
)
from tscm.ledger.figures import Balance, BookBalance, Gap
from tscm.ledger.keeper import CHECK_SECONDS, NOTE_SECONDS, LedgerKeeper
from tscm.model import Expired
from tscm.spool.figures import LogFigures, ReaderFigures

NUMBER = st.integers(0, 1 << 48)
NAMED = st.dictionaries(st.text(max_size=8), NUMBER, max_size=4)
BOOKS = st.builds(
    Book,
    began_at=st.floats(0, 1e10),
    at=st.floats(0, 1e10),
    clean=st.booleans(),
    starts=NUMBER,
    listeners=st.dictionaries(
        st.text(max_size=8),
        st.builds(Counts, received=NUMBER, stored=NUMBER, dropped=NAMED, kernel_drops=NUMBER),
        max_size=3,
    ),
    logs=NAMED,
    lost=NAMED,
    senders=NAMED,
    refused=NAMED,
    kernel=NAMED,
    gaps=st.lists(
        st.builds(Gap, after=st.floats(0, 9), before=st.floats(9, 99), lines=NUMBER, lost=NUMBER),
        max_size=2,
    ).map(tuple),
    gaps_total=NUMBER,
)


@settings(deadline=None, max_examples=50)
@given(BOOKS)
def test_a_book_comes_back(book: Book) -> None:
    assert decode_book(encode_book(book)) == book


@settings(deadline=None, max_examples=100)
@given(BOOKS, st.data())
def test_a_book_that_was_damaged_anywhere_is_none(book: Book, data: st.DataObject) -> None:
    whole = encode_book(book)
    at = data.draw(st.integers(0, len(whole) - 2))
    bit = 1 << data.draw(st.integers(0, 7))
    flipped = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
    assert decode_book(flipped) in (None, book)  # a space, or the case of a checksum's digit
    assert decode_book(whole[:at]) is None


class World:
    """A manager's rooms as the bookkeeper sees them; each start is a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger"
        self.clock = Clock()
        self.clock.advance(1000)
        self.log = self.gone = 0
        self.start()

    def start(self) -> None:
        self.received = self.stored = self.unknown = self.drops = 0
        self.wrong = 0
        self.keeper = LedgerKeeper(
            self.clock,
            cast(Threads, Blocking()),
            self.path,
            self.figures,
            lambda: {"192.0.2.99": self.unknown} if self.unknown else {},
            lambda: {"fw": self.log},
            lambda: {"fw": self.gone},
            self.check,
        )
        self.keeper.startService()

    def figures(self) -> IntakeCounts:
        one = DatagramFigures(
            received=self.received,
            stored=self.stored,
            dropped={"unknown sender": self.unknown},
            kernel_drops=self.drops,
        )
        return IntakeCounts(listeners={"udp": one})

    async def check(self) -> Balance:
        return balance(self.figures(), {}, book=evolve(self.keeper.book(), clean=False))

    def come(self, stored: int, unknown: int = 0) -> None:
        self.received += stored + unknown + self.wrong
        self.stored += stored
        self.log += stored
        self.unknown += unknown

    def stop(self) -> None:
        self.keeper.stopService()

    def kill(self) -> None:
        for call in self.clock.getDelayedCalls():
            call.cancel()

    @property
    def totals(self) -> BookBalance:
        found = balance(IntakeCounts(), {}, book=self.keeper.book()).book
        assert found is not None
        return found


class Blocking:
    """Threads that end at once."""

    def run(self, call: Any, *words: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        try:
            done.callback(call(*words))
        except OSError:
            done.errback(Failure())
        return done


def test_counts_go_on_over_stops(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(3):
        world.come(10, unknown=2)
        world.stop()
        world.start()
    book = world.totals
    assert (book.received, book.stored, book.dropped) == (36, 30, 6)
    assert book.dropped_by_sender == {"192.0.2.99": 6}
    assert (book.starts, book.gaps) == (4, ())
    world.kill()


def test_after_a_kill_what_the_logs_hold_counts_and_the_rest_has_bounds(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.come(10)
    world.clock.advance(NOTE_SECONDS)
    world.come(7, unknown=1)  # noted nowhere
    world.kill()
    world.clock.advance(30)
    world.start()
    book = world.totals
    assert (book.received, book.stored) == (17, 17)
    assert book.listeners[UNTOLD].stored == 7
    assert book.gaps == (Gap(after=1000 + NOTE_SECONDS, before=1040.0, lines=7),)
    world.stop()
    world.start()
    assert world.totals.gaps_total == 1
    world.kill()


def test_lines_that_a_power_cut_took_are_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.come(10)
    world.clock.advance(NOTE_SECONDS)
    world.kill()
    world.log -= 4
    world.start()
    assert world.totals.gaps[0].lost == 4
    world.kill()


def test_a_book_that_never_noted_losses_takes_those_that_are_told_for_old() -> None:
    book = Book(began_at=0.0, at=1.0, clean=True, logs={"fw": 10})  # as an earlier version wrote it
    assert book.opened({"fw": 10}, 2.0, {"fw": 4}).gaps == ()
    assert evolve(book, lost={"fw": 1}).opened({"fw": 10}, 2.0, {"fw": 4}).gaps[0].lost == 3


def test_lines_that_a_log_counts_and_has_lost_since_the_note_are_told_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.come(10)
    world.clock.advance(NOTE_SECONDS)
    world.come(5)
    world.kill()
    world.gone = 3
    world.start()
    (gap,) = world.totals.gaps
    assert (gap.lines, gap.lost) == (5, 3)
    world.stop()
    world.start()
    assert world.totals.gaps_total == 1
    world.kill()


def test_a_log_that_grew_while_nobody_ran_is_a_gap_even_after_a_clean_stop(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.stop()
    world.log += 3
    world.start()
    assert world.totals.gaps[0].lines == 3
    world.kill()


@pytest.mark.parametrize("clean", [True, False])
def test_a_gap_is_told_by_what_happened_and_with_times_that_people_read(
    *, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        told = str(Gap(after=1796018400.5, before=1796018460.0, lines=3, lost=1, clean=clean))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "2026-11-30 07:00:00+01:00" in told
    assert "1796018" not in told
    assert ("the last stop was not clean" in told) is not clean
    assert ("the logs differ from the clean stop" in told) is clean
    assert "3 lines were stored after the last checkpoint" in told
    assert "1 line is missing from the logs" in told


def test_a_note_under_way_at_a_clean_stop_does_not_come_to_lie_over_the_last_one(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    slow: list[Callable[[], None]] = []

    class Slow(Blocking):
        def run(self, call: Any, *words: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            slow.append(lambda: done.callback(call(*words)))
            return done

    world.keeper._threads = cast(Threads, Slow())
    world.come(10)
    world.clock.advance(NOTE_SECONDS)
    stopped: list[object] = []
    world.keeper.stopService().addCallback(stopped.append)
    for end in slow:
        end()
    assert stopped == [None]
    book = read_book(world.path)
    assert book is not None
    assert book.clean
    world.start()
    assert world.totals.gaps == ()
    world.kill()


def test_the_kernels_drops_of_a_socket_that_systemd_held_count_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.drops = 5
    world.stop()
    drops = LedgerKeeper.startService

    def held(keeper: LedgerKeeper) -> None:
        world.drops = 7  # the same socket: two more while nobody ran
        drops(keeper)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LedgerKeeper, "startService", held)
        world.start()
    assert world.totals.listeners["udp"].kernel_drops == 7
    world.stop()
    world.start()
    world.drops = 1  # a socket of its own
    assert world.totals.listeners["udp"].kernel_drops == 8
    world.kill()


def test_a_damaged_book_begins_anew_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.come(10)
    world.stop()
    world.path.write_bytes(b"\0" * 100)
    world.start()
    assert world.totals.received == 0
    assert world.totals.began_at == world.clock.seconds()
    world.kill()


def test_a_book_that_cannot_be_read_for_a_moment_is_not_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.come(100)
    world.stop()
    kept = world.path.read_bytes()

    def no_descriptor(_path: Path) -> Book:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("tscm.ledger.keeper.read_book", no_descriptor)
        world.start()
        world.come(7)
        world.clock.advance(NOTE_SECONDS)
        assert world.path.read_bytes() == kept
        assert "Too many open files" in world.keeper.figures().fault
    world.clock.advance(NOTE_SECONDS)
    assert world.keeper.figures().fault == ""
    assert world.keeper.book().gaps_total == 0
    assert world.totals.received == 107
    world.stop()
    again = read_book(world.path)
    assert again is not None
    assert again.clean
    assert (again.starts, again.listeners["udp"].received) == (2, 107)


def test_a_difference_is_an_alarm_until_it_is_gone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.wrong = 1
    world.come(10)
    world.clock.advance(CHECK_SECONDS)
    figures = world.keeper.figures()
    assert "listener udp by +1 lines" in figures.unbalanced
    assert figures.unbalanced_since == world.clock.seconds()
    world.received -= 1
    world.clock.advance(CHECK_SECONDS)
    assert world.keeper.figures().unbalanced == ""
    world.kill()


def test_a_disk_that_takes_no_note_is_shown_until_it_does(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.path.unlink()
    world.path.mkdir()
    world.come(1)
    world.clock.advance(NOTE_SECONDS)
    assert "cannot write the ledger" in world.keeper.figures().fault
    world.path.rmdir()
    world.clock.advance(NOTE_SECONDS)
    assert world.keeper.figures().fault == ""
    known = read_book(world.path)
    assert known is not None
    assert known.listeners["udp"].received == 1
    world.kill()


def test_without_a_new_line_nothing_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.come(1)
    world.clock.advance(NOTE_SECONDS)
    before = world.path.stat().st_ino
    world.clock.advance(NOTE_SECONDS)
    assert world.path.stat().st_ino == before
    world.come(1)
    world.clock.advance(NOTE_SECONDS)
    assert world.path.stat().st_ino != before
    world.kill()


def test_names_and_senders_are_bounded_and_none_of_their_lines_is_lost() -> None:
    book = Book.new(1.0)
    for port in range(NAMES_KEPT * 2):
        one = ListenerFigures(received=3, stored=2, dropped={"unknown sender": 1})
        intake = IntakeCounts(listeners={f"udp [::]:{port}": one})
        strangers = {f"2001:db8::{port:x}:{at:x}": 1 for at in range(100)}
        book = book.with_run(intake, strangers, {})
    assert len(book.listeners) == NAMES_KEPT
    assert sum(one.received for one in book.listeners.values()) == 3 * NAMES_KEPT * 2
    assert book.listeners[OTHERS].dropped == {"unknown sender": NAMES_KEPT + 1}
    assert len(book.senders) == SENDERS_KEPT
    assert sum(book.senders.values()) == 100 * NAMES_KEPT * 2


def test_a_log_is_held_against_what_the_listeners_stored_in_it() -> None:
    log = LogFigures(stored_lines=10, appended_lines=4)
    intake = IntakeCounts(devices={"fw": DeviceIntake(stored=4)})
    assert balance(intake, {"fw": log}).balanced
    found = balance(intake, {"fw": evolve(log, appended_lines=5)})
    assert not found.balanced
    assert differences_of(found) == ["log of fw by +1 lines against the listeners"]


def test_a_reader_that_nobody_uses_is_an_orphan() -> None:
    reader = ReaderFigures(
        expired=1, waiting_lines=1, expired_by_cause={Expired.AGE: 0, Expired.SIZE: 1}
    )
    log = LogFigures(stored_lines=2, readers={"forward": reader, "forward-1": reader})
    row = balance(
        IntakeCounts(), {"fw": log}, users={"fw": {"forward": "TCP 192.0.2.9:514"}}
    ).devices["fw"]
    assert row.readers["forward"].user == "TCP 192.0.2.9:514"
    assert [row.readers[name].orphan for name in log.readers] == [False, True]
    assert row.readers["forward"].expired_by_cause == {"size": 1}


def test_a_book_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger"
    write_book(path, Book.new(5.0))
    assert read_book(path) == Book.new(5.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_book(tmp_path / "none") is None


def noted(path: Path, fuse: Fuse, tell: Callable[[str], None]) -> None:
    sys.addaudithook(fuse.watch)
    write_book(path, Book.new(2.0))
    tell(f"steps {fuse.burnt}")


def test_a_kill_at_any_step_of_a_note_leaves_the_old_book_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    write_book(path, Book.new(1.0))
    killed, told = forked(partial(noted, path, Fuse()))
    assert not killed
    assert read_book(path) == Book.new(2.0)
    assert told["steps"] >= 3
    for step in range(1, told["steps"] + 1):
        write_book(path, Book.new(1.0))
        killed, _ = forked(partial(noted, path, Fuse(step)))
        assert killed
        assert read_book(path) in (Book.new(1.0), Book.new(2.0)), step
        write_book(path, Book.new(3.0))
        assert read_book(path) == Book.new(3.0), step
