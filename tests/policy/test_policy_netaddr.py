"""
Sets of networks held against netaddr's, which somebody else wrote: whole lists with much that overlaps.
"""

import random
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork, IPSet

from tscm.policy.cidr import CidrSet, Entries, overlapping
from tscm.policy.match import Matcher


@st.composite
def lists(draw: st.DrawFn) -> list[str]:
    """Up to 400 networks, crowded into a small part of each family's space so that they meet."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 400))
    found = []
    for _ in range(count):
        if chance.random() < 0.7:
            address, length = 0x08000000 + chance.randrange(1 << 14), chance.randint(19, 32)
            found.append(str(ip_network((address, length), strict=False)))
        else:
            address, length = (0x2600 << 112) + chance.randrange(1 << 14), chance.randint(115, 128)
            found.append(str(ip_network((address, length), strict=False)))
    return found


def ours(texts: list[str]) -> CidrSet:
    return CidrSet.of(Entries.of(texts))


def spelt(networks: IPSet) -> list[str]:
    return [str(one) for one in sorted(networks.iter_cidrs(), key=lambda one: (one.version, one))]


@settings(deadline=None, max_examples=40)
@given(lists(), lists())
def test_set_arithmetic_agrees_with_netaddr(one: list[str], other: list[str]) -> None:
    a, b = ours(one), ours(other)
    x, y = IPSet(one), IPSet(other)
    assert a.cidrs() == spelt(x)
    assert a.union(b).cidrs() == spelt(x | y)
    assert a.intersection(b).cidrs() == spelt(x & y)
    assert a.difference(b).cidrs() == spelt(x - y)
    assert a.contains(b) == x.issuperset(y)
    assert a.overlaps(b) == (not x.isdisjoint(y))
    assert a.addresses == x.size


@settings(deadline=None, max_examples=40)
@given(lists(), lists())
def test_looking_up_agrees_with_netaddr(listed: list[str], asked: list[str]) -> None:
    known, entries = IPSet(listed), Entries.of(listed)
    questions = Entries.of(asked[:40])
    assert overlapping(questions, ours(listed)).tolist() == [
        not known.isdisjoint(IPSet([cidr])) for cidr in questions.cidrs()
    ]
    addresses = [cidr.partition("/")[0] for cidr in questions.cidrs()]
    rows = Matcher.of({"list": entries}).find(addresses).rows.tolist()
    networks = [IPNetwork(cidr) for cidr in entries.cidrs()]
    for address, row in zip(addresses, rows, strict=True):
        assert (row >= 0) == (address in known)
        if row >= 0:
            holding = [one for one in networks if IPAddress(address) in one]
            assert networks[row].prefixlen == max(one.prefixlen for one in holding)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_list_of_ten_thousand_agrees_with_netaddr(seed: int) -> None:
    chance = random.Random(seed)
    texts = [
        str(ip_network((chance.randrange(1 << 32), chance.choice((16, 24, 28, 32))), strict=False))
        for _ in range(10_000)
    ]
    assert ours(texts).cidrs() == spelt(IPSet(texts))
