"""
What a list excepts is never among its entries.
"""

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.collect import Collector
from tscm.policy.exceptions import without
from tscm.policy.lists import PolicyList
from tscm.policy.records import APL, CNAME, TXT, read_table

NONE = Entries()
NETS = st.lists(
    st.builds(
        lambda number, length: f"20.0.0.{number >> (32 - length) << (32 - length)}/{length}",
        st.integers(0, 255),
        st.integers(26, 32),
    ),
    max_size=4,
)


def collected(*records: tuple[bytes, int, bytes]) -> PolicyList:
    """The list that a message with these records (owner, type, data) gives."""
    body = b"".join(
        owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for owner, kind, data in records
    )
    message = struct.pack(">HHHHHH", 1, 0x8400, 0, len(records), 0, 0) + body
    collector = Collector()
    collector.add_records(message, read_table(message).answers)
    return collector.to_list("l", serial=None, fetched_at=0, source="")


def name(text: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in text.split(".") if one) + b"\0"


def test_a_negated_apl_item_is_taken_out_of_the_entries() -> None:
    # The example of RFC 3123, section 5, and one of IPv6.
    items = bytes.fromhex(
        "0001 15 03 c0a820 0001 1c 83 c0a826 0002 20 04 20010db8 0002 30 86 20010db80001"
    )
    found = collected((name("l.example"), APL, items))
    assert (found.refused_count, found.excepted) == (0, 2)
    held = CidrSet.of(found.entries)
    assert held.covers("192.168.32.0/22")
    assert not held.overlaps(CidrSet.of_texts(["192.168.38.0/28"]))
    assert held.covers("2001:db8:2::/48")
    assert not held.covers("2001:db8:1::1")


@pytest.mark.parametrize("target", ["rpz-passthru.", "28.16.0.0.20.rpz-ip."])
def test_a_passthru_trigger_is_taken_out_of_wider_ones(target: str) -> None:
    found = collected(
        (name("24.0.0.0.20.rpz-ip.p.example"), CNAME, name(".")),
        (name("28.16.0.0.20.rpz-ip.p.example"), CNAME, name(target)),
        (name("32.17.0.0.20.rpz-ip.p.example"), CNAME, name("rpz-drop.")),
    )
    assert (found.refused_count, found.excepted) == (0, 1)
    wanted = CidrSet.of_texts(["20.0.0.0/24"]).difference(CidrSet.of_texts(["20.0.0.16/28"]))
    assert CidrSet.of(found.entries) == wanted.union(CidrSet.of_texts(["20.0.0.17/32"]))


@settings(deadline=None, max_examples=50)
@given(NETS, NETS, NETS)
def test_every_address_is_judged_by_its_narrowest_network(
    listed: list[str], everywhere: list[str], from_wider: list[str]
) -> None:
    found = without(Entries.of(listed), Entries.of(everywhere), Entries.of(from_wider))
    held = {int(one) & 255 for cidr in found.cidrs() for one in ip_network(cidr)}

    def longest(networks: list[str], number: int) -> int:
        address = ip_address(f"20.0.0.{number}")
        nets = map(ip_network, networks)
        return max((net.prefixlen for net in nets if address in net), default=-1)

    assert held == {
        number
        for number in range(256)
        if longest(listed, number) > longest(from_wider, number) and longest(everywhere, number) < 0
    }


def test_entries_that_meet_no_exception_stand_as_published() -> None:
    listed = Entries.of(["20.0.0.0/24", "20.0.0.0/25", "20.0.0.1"])
    assert without(listed, Entries.of(["21.0.0.0/8"]), NONE) is listed


@pytest.mark.parametrize(
    "text", ["20.0.0.0 /24", "20.0.0.0 255.255.255.0", "20.0.0.0 - 20.0.0.255", "20.0.0.0 -"]
)
def test_a_network_in_several_words_is_no_host(text: str) -> None:
    found = collected((name("l.example"), TXT, bytes([len(text)]) + text.encode()))
    assert len(found.entries) == 0
    assert found.refused[0].entry == text
