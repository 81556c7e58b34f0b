"""
A look at a stored set tells what the set itself tells.
"""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.model import Cidr
from tscm.policy.cidr import CidrSet
from tscm.policy.presence import MergedSet, presence


def network(base: str, least: int) -> st.SearchStrategy[str]:
    around = ip_network(base)
    return st.tuples(
        st.integers(0, around.num_addresses - 1), st.integers(least, around.max_prefixlen)
    ).map(
        lambda pair: str(ip_network((int(around.network_address) + pair[0], pair[1]), strict=False))
    )


NETWORKS = (
    network("203.0.112.0/24", 22)
    | network("0.0.0.0/30", 0)
    | network("255.255.255.0/28", 24)
    | network("2001:db8::/120", 112)
    | network("2001:db8:0:0:ffff::/80", 60)
    | network("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/124", 0)
)


@settings(deadline=None, max_examples=300)
@given(st.lists(NETWORKS, max_size=8), NETWORKS)
def test_presence_is_what_the_set_says(listed: list[str], asked: str) -> None:
    held, wanted = CidrSet.of_texts(listed), CidrSet.of_texts([asked])
    expected = "all" if held.contains(wanted) else "part" if held.overlaps(wanted) else "none"
    assert presence(held.entries.to_bytes(), Cidr(asked)) == expected


ADDRESSES = NETWORKS.map(lambda text: text.partition("/")[0].encode())


@settings(deadline=None, max_examples=300)
@given(st.lists(NETWORKS, max_size=8), st.sets(ADDRESSES, max_size=8))
def test_many_addresses_are_told_as_one_by_one(listed: list[str], asked: set[bytes]) -> None:
    held = CidrSet.of_texts(listed)
    found = MergedSet.of(held.entries.to_bytes()).without(
        asked | {b"SERVER1", b"1.2.3", b"::x", b""}
    )
    expected = {one for one in asked if not held.covers(one.decode())}
    assert found == expected | {b"SERVER1", b"1.2.3", b"::x", b""}


def test_damage_is_told() -> None:
    whole = CidrSet.of_texts(["203.0.113.0/24"]).entries.to_bytes()
    with pytest.raises(ValueError, match="damaged"):
        presence(whole[:-1], Cidr("203.0.113.7/32"))
