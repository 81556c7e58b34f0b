from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList, Refused
from tscm.store.database import Store, upgrades
from tscm.store.generations import Generation, StoredDamaged, decode_entries, pack, stored
from tscm.store.policies import Policies


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Policies]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    yield Policies(store)
    store.close()


def generation(note: str, block: Entries) -> Generation:
    return Generation(
        applied_at=5.0,
        note=note,
        block_entries=len(block),
        allow_entries=0,
        block_serial=7,
        block=pack(block),
        allow=pack(Entries()),
    )


@given(st.lists(st.ip_addresses(), max_size=20))
@settings(deadline=None, max_examples=50)
def test_packed_entries_come_back_as_they_were(addresses: list[object]) -> None:
    entries = Entries.of(map(str, addresses))
    assert decode_entries(pack(entries)) == entries


def test_damaged_entries_are_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        decode_entries(b"nothing of ours")


def test_the_last_good_list_of_a_name_replaces_the_one_before(kept: Policies) -> None:
    for serial in (1, 2):
        entries = Entries.of([f"203.0.113.{serial}"])
        found = PolicyList(
            name="b.example",
            entries=entries,
            serial=serial,
            fetched_at=9.0,
            refused=(Refused(entry="x", cause="no CIDR"),),
            refused_count=3,
            normalised=2,
            other_records=1,
        )
        kept.save_list("fw", stored(found))
    kept.save_list("other", stored(PolicyList(name="b.example", entries=Entries())))
    lists = kept.lists("fw")
    assert list(lists) == ["b.example"]
    assert lists["b.example"].policy_list() == found
    assert (lists["b.example"].serial, lists["b.example"].count) == (2, 1)


def test_generations_are_numbered_for_each_device_and_bounded(kept: Policies) -> None:
    kept.generations_kept = 3
    numbers = [kept.save_generation("fw", generation(str(n), Entries())) for n in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert kept.save_generation("other", generation("", Entries())) == 1
    assert [one.number for one in kept.generations("fw")] == [5, 4, 3]
    assert kept.generation("fw", 1) is None


def test_a_generation_comes_back_with_its_content(kept: Policies) -> None:
    entries = Entries.of(["198.51.100.0/24", "2001:db8::/32"])
    kept.save_generation("fw", generation("first", entries))
    kept.save_generation("fw", generation("second", Entries()))
    newest, first = kept.generation("fw"), kept.generation("fw", 1)
    assert newest is not None
    assert first is not None
    assert (newest.note, newest.number, first.block_serial) == ("second", 2, 7)
    assert decode_entries(first.block) == entries


def test_updates_are_bounded_and_given_newest_first(kept: Policies) -> None:
    kept.updates_kept = 3
    for n in range(5):
        kept.save_update("fw", n, n, "changed" if n == 3 else "failed", {"n": n})
    assert [one["n"] for one in kept.updates("fw")] == [4, 3, 2]
    assert kept.last_update("fw", "changed") == {"n": 3}
    assert kept.last_update("fw", "refused") is None


def test_a_forgotten_device_leaves_nothing(kept: Policies) -> None:
    kept.save_memory("fw", {"failures": 1})
    kept.save_update("fw", 0, 1, "failed", {})
    kept.save_generation("fw", generation("", Entries()))
    kept.save_list("fw", stored(PolicyList(name="b", entries=Entries())))
    assert kept.memory("fw") == {"failures": 1}
    kept.forget("fw")
    assert (kept.memory("fw"), kept.lists("fw"), kept.updates("fw")) == ({}, {}, [])
    assert kept.generation("fw") is None


def test_a_database_of_the_first_schema_keeps_its_lists(tmp_path: Path) -> None:
    store = Store(tmp_path / "tscm.db")
    store._open_with(upgrades()[:1])
    content = pack(Entries.of(["203.0.113.7"]))
    with store.transaction() as cursor:
        cursor.execute(
            "INSERT INTO lists VALUES ('fw', 'b.example', 5, 1.0, 'dns', 1, ?)", (content,)
        )
    store.close()
    store.open()
    kept = Policies(store).lists("fw")["b.example"].policy_list()
    store.close()
    assert (kept.serial, kept.entries.cidrs(), kept.refused) == (5, ["203.0.113.7/32"], ())


def test_an_installation_keeps_its_id_and_no_two_have_the_same(
    kept: Policies, tmp_path: Path
) -> None:
    first = kept.installation()
    assert kept.installation() == first
    other = Store(tmp_path / "other.db")
    other.open()
    assert Policies(other).installation() != first
    other.close()


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_a_flipped_bit_is_damage_and_never_another_address(data: st.DataObject) -> None:
    content = bytearray(pack(Entries.of([f"20.0.{n}.7" for n in range(200)])))
    at = data.draw(st.integers(0, len(content) * 8 - 1))
    content[at // 8] ^= 1 << at % 8
    try:
        found = decode_entries(bytes(content))
    except ValueError:
        return
    assert found == Entries.of([f"20.0.{n}.7" for n in range(200)])


def test_what_is_damaged_tells_whose_it_is_and_what_to_do(kept: Policies) -> None:
    good = generation("", Entries.of(["203.0.113.7"]))
    kept.save_generation("fw", evolve(good, block=good.block[:-3]))
    found = kept.generation("fw")
    assert found is not None
    for look in (found.check, lambda name: found.entries(name, "block")):
        with pytest.raises(StoredDamaged, match=r"generation 1 of fw .*tsadmin policy history fw"):
            look("fw")
    assert found.entries("fw", "allow") == Entries()
    one = evolve(stored(PolicyList(name="b.example", entries=Entries())), content=b"x")
    with pytest.raises(
        StoredDamaged, match=r"b\.example of fw .*fetch it again with `tsadmin update fw`"
    ):
        one.readable("fw")
    with pytest.raises(StoredDamaged):
        evolve(one, content=good.block, besides="{").readable("fw")
