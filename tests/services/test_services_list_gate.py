"""
Who may pull what, what is held already, who is late: judged without a socket.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tscm.services.figures import PulledBy, PullFigures
from tscm.services.list_bodies import Bodies, NoRoom
from tscm.services.list_gate import (
    Asked,
    Door,
    http_date,
    is_held,
    judge,
    read_path,
    tag_of,
    takes_gzip,
)
from tscm.services.publication import File
from tscm.services.pull_trouble import troubles, turns
from tscm.services.pulls import OTHERS, PEERS_KEPT, PullBook
from tscm.store.database import Store
from tscm.store.pulls import GENERATIONS_KEPT, StoredPulls

FILE = File(digest="ab" * 32, md5="cd" * 16, size=10, zipped_size=5, kind="text/plain", entries=1)
NOW, MINUTE = 1_000_000.0, 60.0
PULLED = PulledBy(
    peer="192.0.2.10", file="block.txt", generation=4, first_at=NOW, last_at=NOW, count=3
)
PULLS = PullFigures(
    interval_seconds=60 * MINUTE,
    since=NOW - 86400,
    served_at=("0.0.0.0:8443",),
    generation=4,
    generation_at=NOW - 500,
    entries=10,
    pulled=(PULLED,),
)


def said(pulls: PullFigures, at: float) -> list[str]:
    return [one.sentence for one in troubles(pulls, at)]


@given(st.binary(max_size=200))
def test_a_path_has_three_parts_or_is_none(path: bytes) -> None:
    asked = read_path(path)
    if asked is not None:
        for part in (asked.device, asked.secret, asked.file):
            assert part
            assert part.isascii()
            assert part.isprintable()
            assert "/" not in part


@given(st.text(max_size=80), st.text(max_size=40))
def test_nobody_comes_in_by_another_secret(secret: str, peer: str) -> None:
    door = Door.of(_settings())
    refusal = judge(door, Asked("edge", secret, "block.txt"), peer, None)
    assert refusal is not None
    assert refusal.status == 404


def _settings(**more: Any) -> Any:
    from tscm.kinds.lists.settings import PanosSettings
    from tscm.settings.schema import read_table

    given = {
        "type": "panos",
        "name": "edge",
        "device_id": "tdid_a1",
        "device": "192.0.2.10",
        "block_list": "b.example",
        "allow_list": "a.example",
        "pull_secret": "secret-of-the-path-0",
        **more,
    }
    settings, faults = read_table(PanosSettings, given)
    assert settings is not None, faults
    return settings


def test_without_a_secret_nobody_is_judged_by_an_empty_one() -> None:
    door = Door.of(_settings(pull_secret=None))
    refusal = judge(door, Asked("edge", "", "block.txt"), "192.0.2.10", None)
    assert refusal is not None
    assert refusal.status == 503


@pytest.mark.parametrize("peer", ["192.0.2.10", "::ffff:192.0.2.10"])
def test_an_address_is_the_same_in_both_spellings(peer: str) -> None:
    door = Door.of(_settings(pull_sources="192.0.2.0/24"))
    asked = Asked("edge", "secret-of-the-path-0", "block.txt")
    assert judge(door, asked, peer, None) is None
    refusal = judge(door, asked, "198.51.100.1", None)
    assert refusal is not None
    assert refusal.status == 403
    assert judge(door, asked, "no address", None) is not None


def test_what_is_held_is_told_by_tag_and_by_time() -> None:
    own, zipped = tag_of(FILE, zipped=False), tag_of(FILE, zipped=True)
    for header in (own, zipped, f"W/{own}", "*", f'"x", {own}'):
        assert is_held(FILE, 1000.0, [header.encode()], None)
    for header in ('"x"', own[1:-1], '""'):
        assert not is_held(FILE, 1000.0, [header.encode()], http_date(9999).encode())
    assert is_held(FILE, 1000.9, [], http_date(1000).encode())
    assert not is_held(FILE, 1001.0, [], http_date(1000).encode())
    for wrong in (b"", b"yesterday", b"\xff", b"Thu, 99 Jan 1970 00:00:00 GMT"):
        assert not is_held(FILE, 1000.0, [], wrong)


@given(st.binary(max_size=100))
def test_no_header_is_too_strange(header: bytes) -> None:
    is_held(FILE, 1000.0, [header], None)
    is_held(FILE, 1000.0, [], header)
    takes_gzip([header])


def test_gzip_is_given_only_where_it_is_taken() -> None:
    for yes in (b"gzip", b"deflate, GZIP;q=0.5", b"x-gzip"):
        assert takes_gzip([yes])
    for no in (b"", b"gzip;q=0", b"gzip; q=0.000", b"identity", b"*"):
        assert not takes_gzip([no])


def test_a_consumer_is_late_after_three_of_its_intervals() -> None:
    assert said(PULLS, NOW + 179 * MINUTE) == []
    (late,) = said(PULLS, NOW + 181 * MINUTE)
    assert "have not been pulled since" in late
    assert "every 60 min" in late
    never = evolve(PULLS, pulled=())
    assert said(never, NOW) == []
    (late,) = said(never, NOW + 181 * MINUTE)
    assert late.startswith("no firewall has pulled its lists")
    fresh = evolve(PULLS, since=NOW + 170 * MINUTE)  # the manager was down meanwhile
    assert said(fresh, NOW + 181 * MINUTE) == []


def test_a_consumer_with_an_old_generation_is_told_when_it_should_have_the_new_one() -> None:
    newer = evolve(PULLS, generation=5, generation_at=NOW)
    assert said(newer, NOW + 89 * MINUTE) == []
    (old,) = said(newer, NOW + 91 * MINUTE)
    assert "still has generation 4" in old
    assert "5 is published" in old


def test_what_is_served_nowhere_is_grave() -> None:
    (one,) = troubles(evolve(PULLS, served_at=()), NOW)
    assert one.grave
    (one,) = troubles(evolve(PULLS, fault="it is gone"), NOW)
    assert not one.grave


@given(st.floats(0, 400), st.floats(0, 400), st.booleans(), st.booleans())
def test_what_was_said_holds_until_its_time(
    came: float, later: float, pulled: bool, newer: bool
) -> None:
    pulls = evolve(
        PULLS,
        generation=5 if newer else 4,
        pulled=(evolve(PULLED, last_at=NOW - came * MINUTE),) if pulled else (),
    )
    until = min(turns(pulls, NOW), default=float("inf"))
    at = NOW + later * MINUTE
    if at < until:
        assert said(pulls, at) == said(pulls, NOW)


class Later:
    """Threads whose calls end when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, call))
        return done

    def end(self) -> None:
        done, call = self.waiting.pop(0)
        try:
            done.callback(call())
        except OSError:
            done.errback()


def test_a_body_is_read_once_for_all_who_ask_and_again_where_that_failed() -> None:
    threads = Later()
    bodies = Bodies(threads, most=100)  # type: ignore[arg-type]
    found: list[bytes] = []
    faults: list[Any] = []

    def ask(load: Callable[[], bytes]) -> None:
        one = Deferred.fromCoroutine(bodies.lend("a", 10, load))
        one.addCallbacks(found.append, faults.append)

    def broken() -> bytes:
        raise OSError

    ask(broken)
    ask(lambda: b"x" * 10)
    ask(lambda: b"y" * 10)
    assert len(threads.waiting) == 1
    threads.end()
    assert len(faults) == 1
    assert len(threads.waiting) == 1
    threads.end()
    assert found == [b"x" * 10] * 2
    assert threads.waiting == []


def test_what_is_being_sent_is_never_dropped_for_room() -> None:
    threads = Later()
    bodies = Bodies(threads, most=25)  # type: ignore[arg-type]
    faults: list[Any] = []

    def ask(key: str) -> None:
        one = Deferred.fromCoroutine(bodies.lend(key, 10, lambda: b"x" * 10))
        one.addErrback(faults.append)
        if threads.waiting:
            threads.end()

    ask("a")
    ask("b")
    ask("c")
    assert [one.type for one in faults] == [NoRoom]
    bodies.give_back("a")
    ask("c")
    assert len(faults) == 1
    assert bodies.size == 20


def test_who_pulled_is_bounded_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "tscm.db")
    store.open()
    book = PullBook(StoredPulls(store))
    for n in range(PEERS_KEPT + 9):
        book.pulled("edge", f"192.0.2.{n}", "block.txt", 1, NOW + n)
    assert {one.peer for one in book.latest("edge")} > {OTHERS}
    assert len(book.latest("edge")) == PEERS_KEPT + 1
    book.write()
    again = PullBook(StoredPulls(store))
    again.pulled("edge", "192.0.2.0", "block.txt", 1, NOW + 500)  # before the database is read
    again.load()
    assert again.latest("edge")[0] == PulledBy(
        peer="192.0.2.0",
        file="block.txt",
        generation=1,
        first_at=NOW,
        last_at=NOW + 500,
        count=2,
    )
    again.pulled("edge", "192.0.2.0", "block.txt", 1 + GENERATIONS_KEPT, NOW + 600)
    again.write()
    assert {one.generation for one in StoredPulls(store).all()} == {1 + GENERATIONS_KEPT}
    assert again.latest("edge", ["block.csv"]) == ()
    again.forget("edge")
    again.write()
    assert again.latest("edge") == ()
    store.close()


def test_a_database_that_cannot_be_used_loses_no_pull(tmp_path: Path) -> None:
    store = Store(tmp_path / "tscm.db")
    store.open()
    book = PullBook(StoredPulls(store))
    book.load()
    book.pulled("edge", "192.0.2.1", "block.txt", 1, NOW)
    with store.transaction() as cursor:
        cursor.execute("ALTER TABLE pulls RENAME TO gone")
    book.write_or_wait()
    with store.transaction() as cursor:
        cursor.execute("ALTER TABLE gone RENAME TO pulls")
    book.write_or_wait()
    assert [one.peer for one in StoredPulls(store).all()] == ["192.0.2.1"]
    store.close()
