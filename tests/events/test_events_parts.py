"""
Hits on entries by hand count for them, and those on what the lists hold for the lists.
"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.events.test_events_judge import judged, row
from tscm.events.judge import Force, applicable
from tscm.events.parts import parted
from tscm.events.worker import ForceTable
from tscm.policy.by_hand import LIST_NAME
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.match import Matcher
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies

SPACE = st.lists(
    st.tuples(st.integers(0, 31), st.integers(27, 32)).map(
        lambda pair: f"20.0.0.{pair[0] >> (32 - pair[1]) << (32 - pair[1])}/{pair[1]}"
    ),
    max_size=8,
)


@given(SPACE, SPACE)
def test_each_address_stands_under_the_lists_or_by_hand(
    lists: list[str], by_hand: list[str]
) -> None:
    listed = CidrSet.of_texts(lists)
    whole = listed.union(CidrSet.of_texts(by_hand))
    entries, texts = parted(whole.entries, listed.entries)
    addresses = [f"20.0.0.{n}" for n in range(32)]
    found = Matcher.of({"x": entries}).find(addresses)
    cidrs = entries.cidrs()
    for address, at in zip(addresses, found.rows.tolist(), strict=True):
        assert (at >= 0) == whole.covers(address)
        if at >= 0:
            assert (cidrs[at] in texts) == (not listed.covers(address))


def generation(applied_at: float, lists: list[str], by_hand: list[str]) -> Generation:
    listed = CidrSet.of_texts(lists)
    whole = listed.union(CidrSet.of_texts(by_hand))
    return Generation(
        applied_at=applied_at,
        block_entries=len(whole),
        allow_entries=0,
        block=pack(whole.entries),
        allow=pack(Entries()),
        lists_block=pack(listed.entries) if by_hand else None,
        lists_allow=pack(Entries()) if by_hand else None,
    )


def forces(path: Path, *generations: Generation, first: float, last: float) -> list[Force]:
    store = Store(path / "tscm.db")
    store.open()
    for one in generations:
        Policies(store).save_generation("one", one)
    store.close()
    connection = open_database(str(path / "tscm.db"))
    try:
        return ForceTable(connection).between("one", ("b.example", "a.example"), first, last)
    finally:
        connection.close()


def test_hits_count_for_who_blocked(tmp_path: Path) -> None:
    found = forces(
        tmp_path,
        generation(100.0, ["20.0.0.1"], ["20.0.0.0/24", "30.0.0.1"]),
        first=200.0,
        last=200.0,
    )
    rows = [
        row("denied", source, "10.0.0.1") for source in ("20.0.0.1", "20.0.0.2", "30.0.0.1")
    ] + [row("denied", "10.0.0.1", "30.0.0.1")]
    hits, others = judged(rows, found)
    assert others == 0
    assert sorted((one.outside, one.list, one.entry) for one in hits) == [
        ("20.0.0.1", "b.example", "20.0.0.1/32"),
        ("20.0.0.2", LIST_NAME, "20.0.0.0/24"),
        ("30.0.0.1", LIST_NAME, "30.0.0.1/32"),
        ("30.0.0.1", LIST_NAME, "30.0.0.1/32"),
    ]


def test_as_many_generations_are_read_as_may_be_told_of(tmp_path: Path) -> None:
    many = [generation(1000.0 + at, ["20.0.0.1"], [f"30.0.0.{at}"]) for at in range(40)]
    found = forces(tmp_path, *many, first=1020.5, last=1020.5)
    assert len(found) == 3, "and not all of a quarter of an hour"
    assert [one.applied_at for one in applicable(found, 1020.5)] == [1020.0, 1019.0, 1021.0]
