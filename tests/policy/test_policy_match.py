import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy.cidr import Entries
from tscm.policy.match import Matcher

networks = st.one_of(
    st.builds(
        lambda a, n: str(ipaddress.ip_network((a, n), strict=False)),
        st.one_of(st.integers(0, 40), st.integers(2**32 - 40, 2**32 - 1)),
        st.one_of(st.integers(26, 32), st.integers(0, 32)),
    ),
    st.builds(
        lambda a, n: str(ipaddress.IPv6Network((a, n), strict=False)),
        st.one_of(st.integers(0, 40), st.integers(2**128 - 40, 2**128 - 1)),
        st.one_of(st.integers(122, 128), st.integers(0, 128)),
    ),
)
addresses = st.one_of(
    st.one_of(st.integers(0, 42), st.integers(2**32 - 42, 2**32 - 1)).map(
        lambda a: str(ipaddress.IPv4Address(a))
    ),
    st.one_of(st.integers(0, 42), st.integers(2**128 - 42, 2**128 - 1)).map(
        lambda a: str(ipaddress.IPv6Address(a))
    ),
)
lists = st.dictionaries(
    st.sampled_from(["block", "allow", "own"]), st.lists(networks, max_size=12), max_size=3
)


@settings(deadline=None)
@given(lists, st.lists(addresses, max_size=20))
def test_an_address_is_found_under_the_narrowest_entry_that_holds_it(
    texts: dict[str, list[str]], asked: list[str]
) -> None:
    entries = {name: Entries.of(cidrs) for name, cidrs in texts.items()}
    matcher = Matcher.of(entries)
    found = matcher.find(asked)
    cidrs = {name: part.cidrs() for name, part in entries.items()}
    for address, number, row in zip(asked, found.lists.tolist(), found.rows.tolist(), strict=True):
        host = ipaddress.ip_address(address)
        holding = [
            ipaddress.ip_network(cidr).prefixlen
            for part in cidrs.values()
            for cidr in part
            if host in ipaddress.ip_network(cidr)
        ]
        if not holding:
            assert (number, row) == (-1, -1)
            continue
        narrowest = ipaddress.ip_network(cidrs[matcher.names[number]][row])
        assert host in narrowest
        assert narrowest.prefixlen == max(holding)


def test_of_equal_entries_the_list_named_first_is_found() -> None:
    entries = Entries.of(["8.8.8.0/24"])
    found = Matcher.of({"empty": Entries(), "a": entries, "b": entries}).find(["8.8.8.8"])
    assert (found.lists.tolist(), found.rows.tolist()) == ([1], [0])


def test_what_is_no_address_is_under_no_entry() -> None:
    found = Matcher.of({"all": Entries.of(["0.0.0.0/0", "::/0"])}).find(
        ["", "host", "1.2.3.4/32", "010.1.1.1", "::1%eth0", "1.2.3.4", "::1"]
    )
    assert found.lists.tolist() == [-1, -1, -1, -1, -1, 0, 0]
    assert found.rows.tolist() == [-1, -1, -1, -1, -1, 0, 1]


def test_numbers_are_found_without_text() -> None:
    matcher = Matcher.of({"x": Entries.of(["8.8.8.0/24", "8.8.8.8/32", "2600::/32"])})
    assert matcher.find_v4(np.array([0x08080808, 0x08080801, 1], np.uint32)).rows.tolist() == [
        1,
        0,
        -1,
    ]
    high = np.array([0x2600 << 48], np.uint64)
    assert matcher.find_v6(high, np.array([5], np.uint64)).rows.tolist() == [2]


def test_no_list_at_all_finds_nothing() -> None:
    assert Matcher.of({}).find(["1.1.1.1", "::1"]).lists.tolist() == [-1, -1]
