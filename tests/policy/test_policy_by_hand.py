"""
Entries by hand by themselves: what stands, what ends next, what a device is to hold.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tscm.model import Cidr
from tscm.policy.by_hand import (
    EntryFaulty,
    HandEntry,
    NoSuchEntry,
    after_jump,
    expired,
    held_already,
    is_due,
    named,
    next_end,
    read_network,
    read_span,
    replaced,
    standing,
    to_hold,
    unused,
)

TIMES = st.integers(0, 1000).map(float)


def entry(number: int = 1, **changes: Any) -> HandEntry:
    plain = HandEntry(id=number, action="block", cidr=Cidr("20.0.0.1/32"), who="root", made_at=0.0)
    return evolve(plain, **changes)


ENTRIES = st.lists(
    st.builds(
        HandEntry,
        id=st.integers(1, 50),
        action=st.sampled_from(["block", "allow"]),
        cidr=st.sampled_from([Cidr("20.0.0.1/32"), Cidr("20.0.0.0/24"), Cidr("2a00::/32")]),
        device=st.none() | st.sampled_from(["one", "two"]),
        who=st.just("root"),
        made_at=TIMES,
        until=st.none() | TIMES,
        ended_at=st.none() | TIMES,
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)
IDS = st.frozensets(st.integers(1, 8))


@given(ENTRIES, TIMES)
def test_every_entry_stands_has_expired_or_was_ended(
    entries: Sequence[HandEntry], now: float
) -> None:
    for one in entries:
        states = one.stands(now), one in expired(entries, now), one.ended_at is not None
        assert states.count(True) == 1
    for device in ("one", "two", "three"):
        assert all(one.device in {None, device} for one in standing(entries, device, now))


@given(ENTRIES, TIMES)
def test_nothing_changes_before_the_next_end_and_something_does_at_it(
    entries: Sequence[HandEntry], now: float
) -> None:
    end = next_end(entries, now)
    if end is None:
        assert standing(entries, "one", now) == standing(entries, "one", 1e9)
        return
    assert end > now
    before = now + (end - now) / 2
    for device in ("one", "two"):
        assert standing(entries, device, now) == standing(entries, device, before)
    assert len([one for one in entries if one.stands(end)]) < len(
        [one for one in entries if one.stands(now)]
    )


@given(ENTRIES, TIMES, st.integers(-5000, 5000).map(float))
def test_a_clock_that_is_set_leaves_each_entry_the_time_it_had(
    entries: Sequence[HandEntry], before: float, jump: float
) -> None:
    moved = {one.id: one for one in after_jump(entries, jump, before)}
    for one in entries:
        now = moved.get(one.id, one)
        if one.stands(before):
            assert now.stands(before + jump)
            if one.until is not None:
                assert now.until == one.until + jump
        else:
            assert now is one, "what is over stays over"


@given(IDS, IDS, IDS)
def test_what_was_pushed_is_due_no_more(
    ids: frozenset[int], holds: frozenset[int], left: frozenset[int]
) -> None:
    for less in (False, True):
        wanted = to_hold(ids, holds, only_less=less)
        assert not is_due(ids, wanted - left, left, only_less=less)
        if less:
            assert wanted <= holds
    assert not is_due(ids, ids, (), only_less=False)
    assert is_due((), holds, (), only_less=True) == bool(holds), "what ended goes, also where held"


def test_the_same_again_is_held_already_and_a_longer_one_replaces_it() -> None:
    old = entry(1, until=100.0)
    assert held_already([old], entry(2, until=50.0), 10.0) is old
    assert held_already([old], entry(2, until=100.0), 10.0) is old
    assert held_already([old], entry(2, until=101.0), 10.0) is None
    assert replaced([old], entry(2, until=101.0), 10.0) == [old]
    assert replaced([old], entry(2), 10.0) == [old]
    assert held_already([entry(1)], entry(2, until=1e9), 10.0) is not None
    for other in ({"device": "one"}, {"action": "allow"}, {"cidr": Cidr("20.0.0.0/24")}):
        assert held_already([old], entry(2, **other), 10.0) is None
        assert replaced([old], entry(2, **other), 10.0) == []
    assert held_already([old], entry(2, until=200.0), 150.0) is None, "it is over"


def test_entries_are_named_by_number_or_network() -> None:
    known = [entry(1), entry(2, action="allow"), entry(3, cidr=Cidr("20.0.0.0/24"))]
    assert named(known, "3", 0.0) == [known[2]]
    assert named(known, "20.0.0.1", 0.0) == known[:2]
    assert named(known, " 20.0.0.0/24", 0.0) == [known[2]]
    for asked in ("4", "20.0.0.2", "0"):
        with pytest.raises(NoSuchEntry):
            named(known, asked, 0.0)
    with pytest.raises(NoSuchEntry):
        named([entry(1, ended_at=1.0)], "1", 2.0)
    assert unused([entry(1, ended_at=1.0), entry(2, ended_at=1.0), entry(3)], {2}) == [1]


@pytest.mark.parametrize(
    ("text", "cidr"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.0/24 ", "203.0.113.0/24"),
        ("2001:DB8:0::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_an_address_or_network_is_read(text: str, cidr: str) -> None:
    assert read_network(text) == cidr


def test_host_bits_are_refused_with_both_ways_out() -> None:
    with pytest.raises(EntryFaulty) as caught:
        read_network("203.0.113.7/24")
    assert "203.0.113.0/24" in str(caught.value)
    assert "203.0.113.7 for the address" in str(caught.value)


@pytest.mark.parametrize("text", ["", "example.com", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "::1%eth0"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(EntryFaulty):
        read_network(text)


def test_times_to_stand_are_read_and_bounded() -> None:
    read = {text: read_span(text) for text in ("90s", "30m", "4h", "2 d", "1w", "3650d")}
    assert list(read.values()) == [90, 1800, 14400, 172800, 604800, 3650 * 86400]
    for text in ("", "0m", "4", "h", "-4h", "1.5h", "3651d", "99999999999d", "4y"):
        with pytest.raises(EntryFaulty):
            read_span(text)
