import ipaddress
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.model import Cidr
from tscm.policy.cidr import CidrSet, Entries, read_cidr

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def v4(address: int, length: int) -> Network:
    return ipaddress.IPv4Network((address, length), strict=False)


def v6(address: int, length: int) -> Network:
    return ipaddress.IPv6Network((address, length), strict=False)


# Few distinct addresses, at the edges of the space, so that networks overlap, touch and nest.
v4_edges = st.one_of(
    st.integers(0, 40), st.integers(2**32 - 40, 2**32 - 1), st.integers(0, 2**32 - 1)
)
v6_edges = st.one_of(
    st.integers(0, 40),
    st.integers(2**64 - 20, 2**64 + 20),
    st.integers(2**128 - 40, 2**128 - 1),
    st.integers(0, 2**128 - 1),
)
v4_networks = st.builds(v4, v4_edges, st.one_of(st.integers(26, 32), st.integers(0, 32)))
v6_networks = st.builds(
    v6, v6_edges, st.one_of(st.integers(122, 128), st.integers(58, 70), st.integers(0, 128))
)
networks = st.lists(st.one_of(v4_networks, v6_networks), max_size=30)


def collapsed(nets: Iterable[Network]) -> list[str]:
    """The minimal form by the standard library."""
    nets = list(nets)
    short = [net for net in nets if isinstance(net, ipaddress.IPv4Network)]
    long = [net for net in nets if isinstance(net, ipaddress.IPv6Network)]
    return [
        read_cidr(str(net))[0]
        for net in [*ipaddress.collapse_addresses(short), *ipaddress.collapse_addresses(long)]
    ]


def set_of(nets: Iterable[Network]) -> CidrSet:
    return CidrSet.of(Entries.of(str(net) for net in nets))


def without(nets: Iterable[Network], gone: Iterable[Network]) -> list[Network]:
    """Difference by the standard library, one network at a time."""
    left = list(nets)
    for hole in gone:
        remains: list[Network] = []
        for net in left:
            if net.version != hole.version or not net.overlaps(hole):
                remains.append(net)
            elif net.supernet_of(hole):  # type: ignore[arg-type]
                remains.extend(net.address_exclude(hole))  # type: ignore[arg-type]
        left = remains
    return left


@settings(deadline=None)
@given(networks)
def test_merging_gives_the_fewest_cidrs_of_the_same_addresses(nets: list[Network]) -> None:
    assert set_of(nets).cidrs() == collapsed(nets)


@settings(deadline=None)
@given(networks, networks)
def test_set_arithmetic_agrees_with_the_standard_library(
    one: list[Network], other: list[Network]
) -> None:
    a, b = set_of(one), set_of(other)
    assert a.difference(b).cidrs() == collapsed(without(one, other))
    assert a.union(b).cidrs() == collapsed([*one, *other])
    assert a.intersection(b).cidrs() == collapsed(without(one, without(one, other)))
    assert a.overlaps(b) == any(
        x.version == y.version and x.overlaps(y) for x in one for y in other
    )
    assert a.contains(b) == (not without(other, one))


@settings(deadline=None)
@given(networks)
def test_addresses_are_counted_once(nets: list[Network]) -> None:
    merged = set_of(nets)
    assert merged.addresses == sum(ipaddress.ip_network(c).num_addresses for c in merged.cidrs())


@settings(deadline=None)
@given(networks, st.one_of(v4_networks, v6_networks))
def test_covers_says_whether_all_of_a_network_is_in(nets: list[Network], net: Network) -> None:
    assert set_of(nets).covers(str(net)) == (not without([net], nets))


@settings(deadline=None)
@given(networks)
def test_entries_stand_as_published_and_come_back_from_the_store(nets: list[Network]) -> None:
    entries = Entries.of(str(net) for net in nets)
    ordered = sorted(nets, key=lambda net: net.version)
    assert [ipaddress.ip_network(cidr) for cidr in entries.cidrs()] == ordered
    assert len(entries) == len(nets)
    assert Entries.from_bytes(entries.to_bytes()) == entries
    assert Entries.of(entries.cidrs()) == entries
    assert entries + Entries() == entries


@settings(deadline=None)
@given(networks, st.data())
def test_the_same_networks_are_told_in_any_order_and_from_others(
    nets: list[Network], data: st.DataObject
) -> None:
    entries = Entries.of(str(net) for net in nets)
    again = data.draw(st.permutations(nets)) + nets[:3]
    others = data.draw(st.one_of(networks, st.just(nets[1:])))
    assert entries.same_networks(Entries.of(str(net) for net in again))
    same = entries.same_networks(Entries.of(str(net) for net in others))
    assert same == (set(nets) == set(others))


@settings(deadline=None)
@given(st.one_of(v4_networks, v6_networks))
def test_there_is_one_spelling_for_a_network(net: Network) -> None:
    exploded = str(net.exploded).upper()
    assert read_cidr(exploded) == (read_cidr(str(net))[0], False)
    assert ipaddress.ip_network(read_cidr(str(net))[0]) == net
    assert Entries.of([exploded]).cidrs() == [read_cidr(exploded)[0]]


@pytest.mark.parametrize(
    ("text", "canonical", "cleared"),
    [
        ("203.0.113.7", "203.0.113.7/32", False),
        ("203.0.113.7/24", "203.0.113.0/24", True),
        ("0.0.0.0/0", "0.0.0.0/0", False),
        ("2001:DB8::/32", "2001:db8::/32", False),
        ("2001:db8::1", "2001:db8::1/128", False),
        ("2001:db8::1/64", "2001:db8::/64", True),
        ("::ffff:192.0.2.1", "::ffff:c000:201/128", False),
        ("::192.0.2.1", "::c000:201/128", False),
        ("::1:0:0", "::1:0:0/128", False),
        ("::", "::/128", False),
        ("::1", "::1/128", False),
    ],
)
def test_a_cidr_is_read_into_its_canonical_spelling(
    text: str, canonical: str, cleared: bool
) -> None:
    assert read_cidr(text) == (Cidr(canonical), cleared)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("010.1.1.1", "leading zero"),
        ("10.0.0.0/33", "over 32"),
        ("2001:db8::/129", "over 128"),
        ("host.example.com", "is a name"),
        ("localhost", "is a name"),
        ("", "is empty"),
        (" 10.0.0.1", "whitespace"),
        ("10.0.0.1\n", "whitespace"),
        ("10.0.0", "3 octets"),
        ("1.2.3.4.5", "5 octets"),
        ("10.0.0.256", "over 255"),
        ("10.0.0.99999999999999999999", "over 255"),
        ("10.0.0.0/", "no whole number"),
        ("10.0.0.0/08", "no whole number"),
        ("10.0.0.0/+8", "no whole number"),
        ("10.0.0.0/-1", "no whole number"),
        ("10.0.0.0/٨", "no whole number"),
        ("10.0.0.0/8/8", "no whole number"),
        ("10.0.0.0/255.0.0.0", "a netmask"),
        ("10.0.0.1-10.0.0.9", "not a CIDR"),
        ("1.1.1.\x00", "not a CIDR"),
        ("2001:db8:::1", "not an IPv6"),
        ("::\x00", "not an IPv6"),
        ("fe80::1%eth0", "zone"),
        ("١.1.1.1", "not a CIDR"),
        ("<html>", "not a CIDR"),
        ("x" * 500, "is a name"),
    ],
)
def test_what_is_no_cidr_is_refused_with_its_cause(text: str, cause: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_cidr(text)
    assert cause in str(refused.value)
    assert len(str(refused.value)) < 200
    with pytest.raises(ValueError):
        Entries.of(["192.0.2.1", text])


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_does_worse_than_a_value_error(text: str) -> None:
    try:
        cidr, _ = read_cidr(text)
    except ValueError:
        return
    assert read_cidr(cidr) == (cidr, False)


def test_columns_with_host_bits_or_bad_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Entries.from_columns([0x0A000001], [8], [], [], [])
    with pytest.raises(ValueError, match="host bits"):
        Entries.from_columns([], [], [1], [1], [64])
    with pytest.raises(ValueError, match="prefix length"):
        Entries.from_columns([0], [33], [], [], [])
    with pytest.raises(ValueError, match="different length"):
        Entries.from_columns([0], [], [], [], [])
    assert Entries.from_columns([0x0A000000], [8], [2**63], [0], [1]).cidrs() == [
        "10.0.0.0/8",
        "8000::/1",
    ]


@pytest.mark.parametrize("cut", range(31))
def test_damaged_stored_entries_are_refused(cut: int) -> None:
    data = Entries.of(["10.0.0.0/8", "2001:db8::/32"]).to_bytes()
    assert len(data) > 30
    with pytest.raises(ValueError, match="stored entries"):
        Entries.from_bytes(data[:cut])


def test_columns_cannot_be_changed_behind_the_back_of_a_set() -> None:
    entries = Entries.of(["10.0.0.0/8"])
    with pytest.raises(ValueError):
        entries.v4_addresses[0] = 1


def test_rows_can_be_taken_out_by_flag_or_index() -> None:
    import numpy as np

    entries = Entries.of(["10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24"])
    assert entries.cidrs() == ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]
    assert entries.take(np.array([1, 2])).cidrs() == ["192.0.2.0/24", "2001:db8::/32"]
    assert entries.take(np.array([True, False, True])).cidrs() == ["10.0.0.0/8", "2001:db8::/32"]
