"""
The store of entries by hand: numbers, the bound, and what ends.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tscm.model import Cidr
from tscm.policy.by_hand import ENTRIES_MOST, HandEntry, NoSuchEntry, TooManyEntries
from tscm.store.by_hand import HandEntries
from tscm.store.database import Store
from tscm.store.generations import BY_HAND, Generation
from tscm.store.policies import GENERATIONS_KEPT, Policies

NEW = HandEntry(action="block", cidr=Cidr("20.0.0.1/32"), who="root", made_at=10.0, until=100.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(tmp_path / "tscm.db")
    one.open()
    yield one
    one.close()


@pytest.fixture
def entries(store: Store) -> HandEntries:
    return HandEntries(store)


def test_an_entry_gets_a_number_that_no_other_had(entries: HandEntries) -> None:
    first, fresh = entries.keep(NEW)
    assert (first.id, fresh) == (1, True)
    entries.remove("1", 20.0, "removed by root")
    entries.forget([1])
    second, _ = entries.keep(NEW)
    assert second.id == 2
    assert entries.all() == [evolve(NEW, id=2)]


def test_the_same_again_is_the_same_and_a_longer_one_takes_its_place(entries: HandEntries) -> None:
    first, _ = entries.keep(NEW)
    assert entries.keep(evolve(NEW, made_at=20.0, until=90.0)) == (first, False)
    longer, fresh = entries.keep(evolve(NEW, made_at=30.0, until=None))
    assert fresh
    old, new = entries.all()
    assert (old.ended_at, old.ended) == (30.0, f"replaced by entry {longer.id}")
    assert new.stands(1e9)


def test_two_who_remove_the_same_remove_it_once(entries: HandEntries) -> None:
    entries.keep(NEW)
    assert [one.id for one in entries.remove("20.0.0.1", 20.0, "removed by one")] == [1]
    with pytest.raises(NoSuchEntry):
        entries.remove("1", 20.0, "removed by two")
    assert entries.all()[0].ended == "removed by one"


def test_there_is_a_bound_and_what_ended_does_not_count(entries: HandEntries) -> None:
    for number in range(ENTRIES_MOST):
        entries.keep(evolve(NEW, cidr=Cidr(f"20.0.{number >> 8}.{number & 255}/32")))
    more = evolve(NEW, cidr=Cidr("30.0.0.1/32"))
    with pytest.raises(TooManyEntries):
        entries.keep(more)
    _, fresh = entries.keep(evolve(NEW, cidr=Cidr("20.0.0.9/32"), until=None))
    assert fresh, "one that takes another's place adds none"
    entries.remove("20.0.0.0/32", 20.0, "removed")
    assert entries.keep(more)[1]
    later = evolve(NEW, cidr=Cidr("30.0.0.2/32"), made_at=200.0, until=300.0)
    assert entries.keep(later)[1], "all others have expired"


def test_entries_of_a_device_go_with_it_and_those_of_all_stay(
    store: Store, entries: HandEntries
) -> None:
    entries.keep(evolve(NEW, device="one"))
    entries.keep(evolve(NEW, device="two"))
    entries.keep(NEW)
    policies = Policies(store)
    policies.save_memory("two", {"by_hand": [2, 3]})
    policies.save_memory("old", {})
    assert entries.held() == {2, 3}
    policies.forget("one")
    assert [one.device for one in entries.all()] == ["two", None]


def generation(number: int, note: str) -> Generation:
    return Generation(
        applied_at=float(number), note=note, block_entries=2, allow_entries=0, block=b"", allow=b""
    )


def test_who_blocks_all_day_loses_no_way_back(store: Store) -> None:
    policies = Policies(store)
    policies.save_generation("one", generation(0, ""))
    for number in range(3 * GENERATIONS_KEPT):
        policies.save_generation("one", generation(number, BY_HAND))
    kept = policies.generations("one")
    assert [one.note for one in kept].count("") == 1
    assert [one.note for one in kept].count(BY_HAND) == GENERATIONS_KEPT
    for number in range(3 * GENERATIONS_KEPT):
        policies.save_generation("one", generation(number, ""))
    kept = policies.generations("one")
    assert [one.note for one in kept].count("") == GENERATIONS_KEPT


def test_a_generation_tells_what_came_from_the_lists(store: Store) -> None:
    policies = Policies(store)
    whole = evolve(
        generation(1, ""),
        block=b"all",
        lists_block=b"lists",
        lists_block_entries=1,
        lists_allow=b"",
        lists_allow_entries=0,
    )
    number = policies.save_generation("one", whole)
    found = policies.generation("one")
    assert found == evolve(whole, number=number)
    assert found is not None
    assert (found.of_lists.block, found.of_lists.block_entries) == (b"lists", 1)
    assert generation(1, "").of_lists == generation(1, "")


def test_a_good_update_that_fetched_is_found_behind_many_that_did_not(store: Store) -> None:
    policies = Policies(store)
    policies.save_update("one", 1.0, 2.0, "changed", {"finished_at": 2.0, "good": True})
    for at in range(30):
        policies.save_update("one", at, at, "changed", {"good": True, "only_entries": True})
        policies.save_update("one", at, at, "unchanged", {"good": True, "cause": "a reload"})
        policies.save_update("one", at, at, "changed", {"good": True, "kept": True})
    policies.save_update("one", 50.0, 50.0, "failed", {"good": False})
    good = {"finished_at": 2.0, "good": True}
    assert policies.last_fetched("one", results=["changed", "unchanged"]) == good
    assert policies.last_fetched("one") == {"good": False}
    assert policies.last_fetched("one", without=["failed"]) == good
