"""
The address that a test of the chain blocks: in documentation space, and nobody's entry, list or neighbour.
"""

import pytest

from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER, PREFIXES, free_host


def test_two_tests_block_two_addresses() -> None:
    found = {free_host(CidrSet(), number) for number in range(254)}
    assert len(found) == 254
    assert all(str(one).startswith("203.0.113.") for one in found)


@pytest.mark.parametrize("taken", ["203.0.113.0/24", "203.0.112.0/20", "203.0.113.77"])
def test_a_prefix_that_somebody_uses_comes_after_one_of_nobodys(taken: str) -> None:
    assert str(free_host(CidrSet.of_texts((taken,)), 5)) == "198.51.100.6/32"


def test_the_neighbour_is_free_so_that_nothing_is_merged() -> None:
    used = [str(one) for one in PREFIXES[1:]]
    used += [f"203.0.113.{number}" for number in range(0, 256, 2) if number != 8]
    assert str(free_host(CidrSet.of_texts(used), 0)) in {"203.0.113.8/32", "203.0.113.9/32"}


def test_the_placeholder_of_an_empty_list_is_never_taken() -> None:
    used = CidrSet.of_texts(("203.0.113.0/24", "198.51.100.0/24", "192.0.2.4/30", "192.0.2.8/29",
                             "192.0.2.16/28", "192.0.2.32/27", "192.0.2.64/26", "192.0.2.128/25",
                             "192.0.2.2/31"))  # fmt: skip
    assert free_host(used, 0) is None  # .0 is no host, and .1 stands for an empty list
    assert PLACEHOLDER == "192.0.2.1/32"


def test_where_all_is_taken_there_is_none() -> None:
    assert free_host(CidrSet.of_texts(("0.0.0.0/0",)), 3) is None
