from ipaddress import ip_network

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.rank import AllowOverMaximum, Confident, Ranking, cut, hits_on


def merged(*texts: str) -> CidrSet:
    return CidrSet.of_texts(texts)


HOSTS = merged(*(f"8.8.{n}.1" for n in range(10)))


def test_a_policy_that_fits_is_not_cut() -> None:
    done = cut(HOSTS, merged("1.1.1.1"), 11)
    assert done.block == HOSTS
    assert done.size == 11
    assert done.queue() == []


def test_both_lists_count_and_the_allow_list_is_never_cut() -> None:
    allow = merged("1.1.1.1", "1.1.1.3", "1.1.1.5")
    done = cut(HOSTS, allow, 8)
    assert done.allow == allow
    assert len(done.block) == 5
    assert len(done.dropped) == 5
    assert done.size == 8


@pytest.mark.parametrize("maximum", [1, 2])
def test_an_allow_list_that_leaves_no_room_is_refused(maximum: int) -> None:
    with pytest.raises(AllowOverMaximum) as refused:
        cut(HOSTS, merged("1.1.1.1", "1.1.1.3"), maximum)
    assert "the allow list has 2 entries" in str(refused.value)
    assert "nothing was changed" in str(refused.value)


def test_an_allow_list_as_large_as_the_maximum_is_fine_when_nothing_is_to_be_blocked() -> None:
    assert cut(CidrSet(), merged("1.1.1.1", "1.1.1.3"), 2).size == 2


def test_wide_entries_stay_before_narrow_ones() -> None:
    done = cut(
        merged("8.0.0.0/24", "9.0.0.0/16", "11.0.0.1", "2600::/40", "2601::/16"), CidrSet(), 3
    )
    assert done.block.cidrs() == ["9.0.0.0/16", "2600::/40", "2601::/16"]
    assert done.queue() == ["8.0.0.0/24", "11.0.0.1/32"]


def test_own_entries_beat_hits_beat_confidence_beat_width() -> None:
    block = merged("8.0.0.0/16", "8.2.0.1", "8.4.0.1", "8.6.0.1", "8.8.0.1")
    seen = {"8.4.0.1/32": 7}
    ranking = Ranking(
        own=merged("8.2.0.1"),
        hits=lambda entries: np.array([seen.get(cidr, 0) for cidr in entries.cidrs()]),
        confidence=(
            Confident(networks=merged("8.6.0.0/24", "8.8.0.0/24"), confidence=0.5),
            Confident(networks=merged("8.8.0.0/24"), confidence=0.9),
        ),
    )
    order = ["8.2.0.1/32", "8.4.0.1/32", "8.8.0.1/32", "8.6.0.1/32", "8.0.0.0/16"]
    for room in range(1, 6):
        done = cut(block, CidrSet(), room, ranking)
        assert set(done.block.cidrs()) == set(order[:room])
        assert done.queue() == order[room:]


networks = st.builds(
    lambda a, n: f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/{n}",
    st.integers(8 << 24, (8 << 24) + 4096),
    st.integers(20, 32),
)


@settings(deadline=None)
@given(st.lists(networks, max_size=30), st.integers(1, 30))
def test_what_is_cut_and_what_stays_are_the_whole_list(texts: list[str], maximum: int) -> None:
    block = CidrSet.of(Entries.of(texts))
    done = cut(block, CidrSet(), maximum)
    assert len(done.block) == min(maximum, len(block))
    assert sorted(done.block.cidrs() + done.queue()) == sorted(block.cidrs())
    assert CidrSet.of(done.block.entries) == done.block
    assert sorted(done.places.tolist()) == list(range(len(done.dropped)))


@settings(deadline=None)
@given(st.lists(networks, min_size=1, max_size=30), st.integers(1, 30))
def test_a_larger_maximum_keeps_what_a_smaller_one_kept(texts: list[str], maximum: int) -> None:
    block = CidrSet.of(Entries.of(texts))
    assert cut(block, CidrSet(), maximum + 1).block.contains(cut(block, CidrSet(), maximum).block)


anything = st.one_of(
    networks,
    st.builds(
        lambda n, length: f"2001:db8::{n:x}/{length}", st.integers(0, 255), st.integers(120, 128)
    ),
    st.sampled_from(["0.0.0.0/0", "::/0", "255.255.255.254/31", "255.255.255.255", "0.0.0.0"]),
)


@settings(deadline=None)
@given(st.lists(anything, max_size=20), st.lists(anything, max_size=10))
def test_hits_count_for_whatever_shares_an_address_now(listed: list[str], seen: list[str]) -> None:
    block = CidrSet.of(Entries.of(listed))
    counts = {
        cidr: 10**number for number, cidr in enumerate(dict.fromkeys(Entries.of(seen).cidrs()))
    }
    wanted = [
        sum(
            hits
            for other, hits in counts.items()
            if (":" in cidr) == (":" in other) and ip_network(cidr).overlaps(ip_network(other))
        )
        for cidr in block.cidrs()
    ]
    assert hits_on(block.entries, counts.items()).tolist() == wanted


def test_an_entry_that_was_merged_keeps_its_hits() -> None:
    block = merged("8.8.8.8", "8.8.8.9", "9.0.0.0/16", "11.0.0.0/16")
    ranking = Ranking(hits=lambda entries: hits_on(entries, [("8.8.8.8/32", 1)]))
    assert cut(block, CidrSet(), 1, ranking).block.cidrs() == ["8.8.8.8/31"]
