"""
Each rendering names exactly the networks of the lists, in the form that its consumer reads.
"""

import csv
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network, summarize_address_range

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.kinds.lists import render
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.lists.render import Lists, networks_of
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER
from tscm.services.publication import PLAIN_ALLOW, PLAIN_BLOCK, Body

RSC = re.compile(
    r":do \{ /(ip|ipv6) firewall address-list add list=(\S+) address=(\S+) timeout=(\d+)m \} "
    r"on-error=\{ /\1 firewall address-list set \[find list=\2 address=\3\] timeout=\4m \}"
)


def v4(address: int, length: int) -> str:
    return str(IPv4Network((address, length), strict=False))


def v6(address: int, length: int) -> str:
    return str(IPv6Network((address, length), strict=False))


networks = st.lists(
    st.one_of(
        st.builds(v4, st.integers(0, 2**32 - 1), st.integers(0, 32)),
        st.builds(v6, st.integers(0, 2**128 - 1), st.integers(0, 128)),
    ),
    max_size=12,
)


def lists_of(block: list[str], allow: list[str], minutes: int = 60) -> Lists:
    return Lists.of(CidrSet.of_texts(block), CidrSet.of_texts(allow), "ThreatSTOP", minutes)


def rows(body: Body) -> list[str]:
    text = body.content.decode("ascii")
    assert text.endswith("\n")
    assert "\r" not in text
    assert "" not in text.splitlines()
    found = (row.partition("#")[0].rstrip() for row in text.splitlines())
    return [row for row in found if row]


@given(networks, networks)
def test_every_consumer_reads_the_block_list_without_what_is_allowed(
    block: list[str], allow: list[str]
) -> None:
    lists = lists_of(block, allow)
    expected = CidrSet.of_texts(block).difference(CidrSet.of_texts(allow))
    for consumer in CONSUMERS.values():
        bodies = consumer.render(lists)
        named = rows(bodies[PLAIN_BLOCK])
        if "192.0.2.1" not in named:
            assert networks_of(bodies[PLAIN_BLOCK].content) == expected
        assert named
        assert len(named) == max(1, bodies[PLAIN_BLOCK].entries)
        assert CidrSet.of_texts(named) == (expected or CidrSet.of_texts([PLACEHOLDER]))
        assert all("/0" not in row[-2:] for row in named) or consumer is not CONSUMERS["firepower"]
        assert bodies == consumer.render(lists_of(block[::-1], allow[::-1]))


def test_a_list_without_an_entry_holds_the_placeholder_in_every_form() -> None:
    for consumer in CONSUMERS.values():
        for name, body in consumer.render(lists_of([], [])).items():
            assert body.entries == 0
            assert "192.0.2.1" in rows(body)[-1], name


def test_fmc_is_given_two_halves_in_the_place_of_everything() -> None:
    body = render.firepower(lists_of(["0.0.0.0/0", "::/0"], []))[PLAIN_BLOCK]
    assert rows(body) == ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]


def test_plain_text_has_no_comments_and_panos_has_one_behind_an_entry() -> None:
    lists = lists_of(["198.51.100.7", "2001:db8::/32"], ["203.0.113.0/24"])
    assert render.generic(lists)[PLAIN_BLOCK].content == b"198.51.100.7\n2001:db8::/32\n"
    bodies = render.panos(lists)
    assert bodies[PLAIN_BLOCK].content == b"198.51.100.7 # block list, 2 entries\n2001:db8::/32\n"
    assert bodies[PLAIN_ALLOW].content == b"203.0.113.0/24 # allow list, 1 entry\n"
    nothing = render.panos(lists_of([], []))[PLAIN_BLOCK].content
    assert nothing == b"192.0.2.1 # block list, 0 entries\n"
    assert not networks_of(nothing)


@given(networks)
def test_check_point_reads_seven_fields_with_names_of_their_own(block: list[str]) -> None:
    body = render.checkpoint(lists_of(block, []))["block.csv"]
    table = list(csv.reader(rows(body)))
    assert all(len(row) == 7 and all(row) for row in table)
    assert len({row[0] for row in table}) == len(table)
    found: list[str] = []
    for _, value, kind, *_ in table:
        if kind == "IP":
            found.append(value)
            continue
        assert kind == "IP Range"
        first, last = (IPv4Address(one) for one in value.split("-"))
        found += [str(one) for one in summarize_address_range(first, last)]
    merged = CidrSet.of_texts(block)
    wanted = [one for one in merged.cidrs() if ":" not in one or ip_network(one).prefixlen == 128]
    assert body.left_out == len(merged) - len(wanted)
    assert CidrSet.of_texts(found) == (CidrSet.of_texts(wanted) or CidrSet.of_texts([PLACEHOLDER]))


@given(networks, st.integers(1, 43_200))
def test_an_import_of_routeros_outlives_the_interval(block: list[str], minutes: int) -> None:
    body = render.mikrotik(lists_of(block, [], minutes))["block.rsc"]
    found: list[str] = []
    for row in rows(body):
        matched = RSC.fullmatch(row)
        assert matched is not None, row
        family, name, address, timeout = matched.groups()
        assert name == "ThreatSTOP-Block"
        assert (family == "ipv6") == (":" in address)
        assert int(timeout) > minutes
        found.append(address)
    assert CidrSet.of_texts(found) == (CidrSet.of_texts(block) or CidrSet.of_texts([PLACEHOLDER]))


def test_what_is_no_list_is_refused_when_it_is_read_back() -> None:
    with pytest.raises(ValueError):
        networks_of(b"198.51.100.7\nno network\n")
    with pytest.raises(ValueError):
        networks_of(b"\xff\xfe\n")
