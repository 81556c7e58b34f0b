"""
User lists in the database: versions, undo, two editors, an interrupted edit, and what was there before.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tscm.model import Cidr
from tscm.policy.by_hand import HandEntry
from tscm.policy.user_lists import EditHeld, ListChanged, ListEntry, ListFaulty, Mode, read_text
from tscm.store import user_list_rows, user_lists
from tscm.store.by_hand import HandEntries
from tscm.store.database import Store, StoreUnusable, upgrades
from tscm.store.user_list_values import NoSuchList, UserEntry, Who, Wish
from tscm.store.user_lists import VERSIONS_KEPT, UserLists

ME = Who(name="ann", at=10.0, reason="ticket")
SHRINK = Wish(shrink=True)
ANY = Wish()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(tmp_path / "tscm.db")
    one.open()
    yield one
    one.close()


@pytest.fixture
def lists(store: Store) -> UserLists:
    found = UserLists(store.path)
    found.create("partners", "allow", "theirs", ME)
    return found


def entries(*texts: str) -> tuple[ListEntry, ...]:
    parsed = read_text("\n".join(texts), 1.0)
    assert not parsed.faults
    return parsed.entries


def shown(lists: UserLists, search: str = "", version: int | None = None) -> list[str]:
    page = lists.page("partners", 20.0, search=search, version=version, top=1000)
    return [one.network for one in page.entries]


def test_an_edit_is_a_version_with_its_author(lists: UserLists) -> None:
    lists.edit("partners", entries("192.0.2.1", "192.0.2.8/29 # lab"), Mode.ADD, ME, ANY)
    edit, version = lists.edit("partners", entries("192.0.2.1"), Mode.ADD, ME, ANY)
    assert (edit.same, version.version) == (1, 2), "what changes nothing is no version"
    newest, first = lists.versions("partners")
    assert (newest.version, newest.who, newest.reason, newest.added) == (2, "ann", "ticket", 2)
    assert first.did == "created"
    found = {one.name: one for one in lists.all(20.0)}
    mine = found["partners"]
    assert [name for name, one in found.items() if one.by_hand] == [
        "allow-by-hand",
        "block-by-hand",
    ]
    assert (mine.entries, mine.version, mine.who, mine.note) == (2, 2, "ann", "theirs")
    last = lists.page("partners", 20.0).entries[-1]
    assert (last.network, last.comment, last.who, last.made_at) == (
        "192.0.2.8/29",
        "lab",
        "ann",
        10.0,
    )


def test_of_two_who_edit_one_list_the_second_is_told(lists: UserLists) -> None:
    lists.edit("partners", entries("192.0.2.1"), Mode.ADD, ME, Wish(version=1))
    with pytest.raises(ListChanged, match="version 2 by ann, not 1"):
        lists.edit("partners", entries("192.0.2.2"), Mode.ADD, ME, Wish(version=1))
    assert shown(lists) == ["192.0.2.1/32"]


def test_what_empties_or_halves_a_list_is_held(lists: UserLists) -> None:
    three = entries("192.0.2.1", "192.0.2.2", "192.0.2.3")
    lists.edit("partners", three, Mode.ADD, ME, ANY)
    with pytest.raises(EditHeld, match="3 entries 1 would be left"):
        lists.edit("partners", three[:1], Mode.REPLACE, ME, ANY)
    with pytest.raises(EditHeld, match="nothing would be left"):
        lists.remove_found("partners", "192.0.2.0/24", ME, ANY)
    assert len(shown(lists)) == 3
    lists.remove_found("partners", "192.0.2.0/24", ME, SHRINK)
    assert shown(lists) == []
    lists.undo("partners", None, ME, ANY)
    assert len(shown(lists)) == 3


def test_a_search_finds_what_covers_and_what_is_covered(lists: UserLists) -> None:
    some = (
        "20.0.0.0/16",
        "20.0.5.0/24",
        "20.0.5.7",
        "20.0.4.250-20.0.5.9",
        "20.0.6.0/24",
        "2a00::/32",
    )
    lists.edit("partners", entries(*some), Mode.ADD, ME, ANY)
    assert shown(lists, "20.0.5.7") == [
        "20.0.0.0/16", "20.0.4.250-20.0.5.9", "20.0.5.0/24", "20.0.5.7/32",
    ]  # fmt: skip
    assert shown(lists, "20.0.5.0/28") == shown(lists, "20.0.5.7")
    assert shown(lists, "2a00:0:1::1") == ["2a00::/32"]
    assert shown(lists, "30.0.0.1") == []
    assert len(shown(lists, "0.0.0.0/1")) == 5


def test_an_entry_that_expired_is_not_in_force(lists: UserLists) -> None:
    soon, never = entries("192.0.2.1", "192.0.2.2")
    lists.edit("partners", (evolve(soon, until=15.0), never), Mode.ADD, ME, ANY)
    assert lists.networks("partners", 12.0) == (
        ["192.0.2.1/32", "192.0.2.2/32"],
        2,
        [(15.0, "192.0.2.1/32")],
    )
    assert lists.networks("partners", 15.0) == (["192.0.2.2/32"], 2, [])
    assert [one.in_force for one in lists.page("partners", 20.0).entries] == [False, True]


def test_undo_keeps_author_time_and_end(lists: UserLists) -> None:
    lists.edit("partners", entries("192.0.2.1 # lab"), Mode.ADD, ME, ANY)
    lists.remove_found("partners", "192.0.2.1", Who(name="bob", at=20.0), SHRINK)
    lists.undo("partners", 2, Who(name="eve", at=30.0), ANY)
    (one,) = lists.page("partners", 40.0).entries
    assert (one.who, one.made_at, one.comment) == ("ann", 10.0, "lab")
    assert lists.versions("partners")[0].who == "eve"
    with pytest.raises(ListFaulty, match="no version 99"):
        lists.undo("partners", 99, ME, ANY)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from([*Mode, "undo"]), st.sets(st.integers(0, 9), max_size=6)), max_size=6
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(OPERATIONS)
def test_every_version_reads_as_it_was(lists: UserLists, done: list[tuple[Any, set[int]]]) -> None:
    """Each example goes on with the list that the last one left."""
    name = "partners"
    model = {lists.versions(name)[0].version: set(shown(lists))}
    for what, numbers in done:
        last = max(model)
        if what == "undo":
            goal = sorted(model)[sum(numbers) % len(model)]
            version = lists.undo(name, goal, ME, SHRINK).version
            after = model[goal]
        else:
            given = entries(*(str(ip_address(0x1400_0000 + one)) for one in numbers))
            version = lists.edit(name, given, what, ME, SHRINK)[1].version
            named, before = {one.network for one in given}, model[last]
            after = {
                Mode.ADD: before | named,
                Mode.REPLACE: named,
                Mode.REMOVE: before - named,
            }[what]
        model[version] = after
    for version, networks in model.items():
        assert set(shown(lists, version=version)) == networks


def test_an_edit_that_is_interrupted_leaves_the_list_as_it_was(
    lists: UserLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_lists, "SLICE", 2)
    lists.edit("partners", entries("192.0.2.1", "192.0.2.2"), Mode.ADD, ME, ANY)
    left: list[str] = []

    def breaks(*args: Any) -> None:
        left.append(repr(args))
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(user_lists, "keep_version", breaks)
    new = entries(*(f"192.0.2.{number}" for number in range(10, 30)))
    with pytest.raises(StoreUnusable, match="disk is full"):
        lists.edit("partners", new, Mode.REPLACE, ME, ANY)
    assert left
    assert shown(lists) == ["192.0.2.1/32", "192.0.2.2/32"]
    assert lists.networks("partners", 20.0)[1] == 2
    monkeypatch.undo()
    lists.edit("partners", entries("192.0.2.3"), Mode.ADD, ME, ANY)
    assert shown(lists) == ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]


def test_old_versions_and_their_entries_are_forgotten(lists: UserLists, store: Store) -> None:
    for number in range(VERSIONS_KEPT + 5):
        lists.edit("partners", entries(f"20.0.{number}.1"), Mode.REPLACE, ME, SHRINK)
    assert len(lists.versions("partners")) == VERSIONS_KEPT
    with store.transaction() as cursor:
        (rows,) = cursor.execute("SELECT COUNT(*) FROM user_entries").fetchone()
    assert rows == VERSIONS_KEPT
    oldest = lists.versions("partners")[-1].version
    assert len(shown(lists, version=oldest)) == 1


def test_a_deleted_list_leaves_nothing(lists: UserLists, store: Store) -> None:
    lists.edit("partners", entries("192.0.2.1"), Mode.ADD, ME, ANY)
    lists.delete("partners")
    with pytest.raises(NoSuchList):
        lists.versions("partners")
    with store.transaction() as cursor:
        for table in ("user_entries", "user_list_versions"):
            assert cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE list > 4").fetchone() == (0,)
    lists.create("partners", "block", "", ME)
    assert shown(lists) == []


REFUSED: tuple[Callable[[UserLists], Any], ...] = (
    lambda one: one.edit("block-by-hand", entries("192.0.2.1"), Mode.ADD, ME, ANY),
    lambda one: one.delete("allow-by-hand"),
    lambda one: one.undo("allow-by-hand", 1, ME, ANY),
)


@pytest.mark.parametrize("ask", REFUSED)
def test_entries_by_hand_go_their_own_way(
    lists: UserLists, ask: Callable[[UserLists], Any]
) -> None:
    with pytest.raises(ListFaulty, match="tsadmin block"):
        ask(lists)


def test_entries_by_hand_are_rows_of_a_list(lists: UserLists, store: Store) -> None:
    new = HandEntry(action="block", cidr=Cidr("20.0.0.0/24"), who="bob", made_at=10.0, device="hq")
    HandEntries(store).keep(new)
    lists.edit("partners", entries("20.0.0.7"), Mode.ADD, ME, ANY)

    def told(found: tuple[UserEntry, ...]) -> list[tuple[str, str, str]]:
        return [(one.list_name, one.side, one.who) for one in found]

    assert told(lists.holding("20.0.0.7", 20.0)) == [
        ("block-by-hand", "block", "bob"),
        ("partners", "allow", "ann"),
    ]
    (kept,) = HandEntries(store).all()
    assert (kept.action, kept.cidr, kept.device) == ("block", "20.0.0.0/24", "hq")
    HandEntries(store).forget([one.id for one in lists.page("partners", 20.0).entries])
    assert shown(lists) == ["20.0.0.7/32"], "a user list's entry is not one of theirs"


def test_entries_by_hand_of_an_older_database_are_taken_over(tmp_path: Path) -> None:
    old = Store(tmp_path / "tscm.db")
    old._open_with([one for one in upgrades() if one[0] < 14])
    with old.transaction() as cursor:
        for action, device in (("block", None), ("allow", "hq"), ("block", "lab")):
            cursor.execute(
                "INSERT INTO by_hand (action, cidr, device, reason, who, made_at, until) "
                "VALUES (?, '192.0.2.1/32', ?, 'why', 'ann', 1.0, 99.0)",
                (action, device),
            )
        cursor.execute("DELETE FROM by_hand WHERE id = 3")
    old.close()
    store = Store(tmp_path / "tscm.db")
    store.open()
    found = HandEntries(store)
    assert [(one.id, one.action, one.device, one.until) for one in found.all()] == [
        (1, "block", None, 99.0),
        (2, "allow", "hq", 99.0),
    ]
    kept, _ = found.keep(evolve(found.all()[0], device="new", made_at=2.0))
    assert kept.id == 4, "a number does not come twice"
    store.close()


def test_no_transaction_of_a_large_edit_is_long(
    lists: UserLists, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its slices the reactor writes to the same file."""
    monkeypatch.setattr(user_lists, "SLICE", 5)
    begun: list[int] = []
    before = user_list_rows.writing

    def counted(connection: sqlite3.Connection) -> Any:
        begun.append(1)
        with closing(sqlite3.connect(store.path, timeout=0)) as other:
            other.execute("CREATE TABLE IF NOT EXISTS beside (a)")
        return before(connection)

    monkeypatch.setattr(user_lists, "writing", counted)
    lists.edit("partners", entries(*(f"20.0.0.{n}" for n in range(50))), Mode.ADD, ME, ANY)
    assert len(begun) >= 10


def test_a_deletion_that_is_interrupted_leaves_no_list(
    lists: UserLists, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.edit("partners", entries("192.0.2.1"), Mode.ADD, ME, ANY)

    def breaks(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(user_list_rows, "clear", breaks)
        patch.setattr(user_lists, "clear", breaks)
        with pytest.raises(StoreUnusable):
            lists.delete("partners")
    names = {one.name for one in lists.all(20.0)}
    assert names == {"allow-by-hand", "block-by-hand", "own-allow", "own-block"}
    assert set(lists.known()) == {"own-allow", "own-block"}
    lists.create("others", "block", "", ME)
    with store.transaction() as cursor:
        assert cursor.execute("SELECT COUNT(*) FROM user_lists").fetchone() == (5,)
        assert cursor.execute("SELECT COUNT(*) FROM user_entries").fetchone() == (0,)


def test_between_the_slices_of_an_edit_is_room_for_who_waits(
    lists: UserLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite asks again after some milliseconds, which the next slice would take."""
    slept: list[float] = []
    monkeypatch.setattr(user_lists, "SLICE", 5)
    monkeypatch.setattr(user_list_rows, "SLICE", 5)
    monkeypatch.setattr("time.sleep", slept.append)
    lists.edit("partners", entries(*(f"20.0.0.{n}" for n in range(50))), Mode.ADD, ME, ANY)
    assert len(slept) >= 9
    lists.delete("partners")
    assert len(slept) >= 18
