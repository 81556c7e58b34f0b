"""
Which entry a line tells of, by which generation, in which direction.
"""

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.events.judge import (
    ALLOWED,
    BLOCKED,
    INBOUND,
    LATE_SECONDS,
    OUTBOUND,
    Force,
    Hit,
    Sum,
    applicable,
    judge,
)
from tscm.model import Cidr
from tscm.policy.cidr import Entries
from tscm.syslog.asa_bulk import Row


def force(block: list[str], allow: list[str], number: int = 1, applied_at: float = 0.0) -> Force:
    return Force.of(
        number, applied_at, ("b.example", Entries.of(block)), ("a.example", Entries.of(allow))
    )


def row(
    action: str, source: str, destination: str, *, port: int = 443, hits: int = 1, acl: str = "acl"
) -> Row:
    return (
        b"", acl.encode(), action.encode(), b"tcp", source.encode(), destination.encode(),
        str(port).encode() if port >= 0 else b"", str(hits).encode(), b"",
    )  # fmt: skip


def judged(rows: list[Row], forces: list[Force]) -> tuple[dict[Hit, Sum], int]:
    tally = judge(rows, forces)
    return dict(tally), tally.others


def test_a_denied_source_on_the_block_list_is_blocked_inbound() -> None:
    found, others = judged(
        [row("denied", "203.0.113.7", "10.0.0.1")], [force(["203.0.113.0/24"], [])]
    )
    assert found == {
        Hit(
            BLOCKED,
            INBOUND,
            "b.example",
            Cidr("203.0.113.0/24"),
            "10.0.0.1",
            "203.0.113.7",
            "tcp",
            443,
        ): Sum(1, 1)
    }
    assert others == 0


def test_an_inside_host_that_calls_a_listed_address_is_outbound() -> None:
    found, _ = judged([row("denied", "10.0.0.1", "2001:db8::5")], [force(["2001:db8::/32"], [])])
    (hit,) = found
    assert (hit.direction, hit.inside, hit.outside) == (OUTBOUND, "10.0.0.1", "2001:db8::5")


def test_the_most_specific_entry_is_told() -> None:
    lists = force(["203.0.113.0/24", "203.0.113.7"], ["198.51.100.0/24"])
    found, _ = judged([row("denied", "203.0.113.7", "10.0.0.1")], [lists])
    assert [hit.entry for hit in found] == ["203.0.113.7/32"]


def test_what_another_rule_did_is_no_hit() -> None:
    lists = force(["203.0.113.0/24"], ["198.51.100.0/24"])
    rows = [
        row("permitted", "203.0.113.7", "10.0.0.1"),
        row("denied", "198.51.100.7", "10.0.0.1"),
        row("denied", "192.0.2.7", "10.0.0.1"),
        row("denied", "SERVER1", "not.an.address"),
    ]
    assert judged(rows, [lists]) == ({}, 4)


def test_allow_above_block_is_told_by_the_line_itself() -> None:
    both = force(["203.0.113.0/24"], ["203.0.113.7"])
    found, _ = judged([row("permitted", "203.0.113.7", "10.0.0.1")], [both])
    assert [(hit.action, hit.list) for hit in found] == [(ALLOWED, "a.example")]


@pytest.mark.parametrize(
    ("source", "destination"),
    [("203.0.113.7", "10.0.0.1"), ("10.0.0.1", "203.0.113.7"), ("203.0.113.9", "198.51.100.7")],
)
def test_what_the_allow_list_permits_was_denied_by_another_rule(
    source: str, destination: str
) -> None:
    lists = force(["203.0.113.0/24"], ["203.0.113.7", "198.51.100.0/24"])
    assert judged([row("denied", source, destination)], [lists]) == ({}, 1)


def test_what_passed_with_a_standing_connection_was_denied_by_the_access_list() -> None:
    lists = force(["203.0.113.0/24"], ["198.51.100.0/24"])
    found, others = judged(
        [
            row("est-allowed", "203.0.113.7", "10.0.0.1"),
            row("est-allowed", "198.51.100.7", "10.0.0.1"),
        ],
        [lists],
    )
    assert [(hit.action, hit.outside) for hit in found] == [(BLOCKED, "203.0.113.7")]
    assert others == 1


def test_lines_and_hits_are_counted_apart() -> None:
    rows = [
        row("denied", "203.0.113.7", "10.0.0.1"),
        row("denied", "203.0.113.7", "10.0.0.1", hits=144, acl="other"),
        row("denied", "203.0.113.7", "10.0.0.1"),
    ]
    found, _ = judged(rows, [force(["203.0.113.0/24"], [])])
    assert list(found.values()) == [Sum(3, 146)]


def test_late_lines_find_the_generation_before() -> None:
    old = force(["203.0.113.7"], [], 1, 1000.0)
    new = force(["192.0.2.7"], [], 2, 5000.0)
    at = 5000.0 + LATE_SECONDS - 1
    forces = applicable([new, old], at)
    assert [one.number for one in forces] == [2, 1]
    found, others = judged([row("denied", "203.0.113.7", "10.0.0.1")], forces)
    assert len(found) == 1
    assert others == 0
    assert [one.number for one in applicable([old, new], at + 2)] == [2]


def test_lines_of_a_push_under_way_find_the_generation_after() -> None:
    old, new = force([], [], 1, 1000.0), force([], [], 2, 5000.0)
    assert [one.number for one in applicable([old, new], 4500.0)] == [1, 2]
    assert [one.number for one in applicable([old, new], 3000.0)] == [1]
    assert [one.number for one in applicable([old, new], 900.0)] == [1]
    assert applicable([new], 10.0) == []


def test_what_a_generation_remembers_is_bounded() -> None:
    lists = force(["203.0.113.0/24"], [])
    lists = evolve(lists, judged=evolve(lists.judged, found_kept=20))
    for n in range(50):
        near = [f"10.0.{n}.{last}" for last in range(8)]
        found, others = judged([row("denied", f"203.0.113.{n}", host) for host in near], [lists])
        assert len(found) == len(near)
        assert others == 0
        assert len(lists.judged.found(BLOCKED)) <= 20


ADDRESS = st.integers(0, 255).map(lambda n: f"203.0.113.{n}")
NETWORK = st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
    lambda pair: str(ip_network(f"203.0.113.{pair[0]}/{pair[1]}", strict=False))
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(NETWORK, max_size=6),
    st.lists(NETWORK, max_size=6),
    st.lists(
        st.tuples(st.sampled_from(["denied", "permitted", "est-allowed"]), ADDRESS), max_size=20
    ),
)
def test_every_line_is_judged_as_one_by_one(
    block: list[str], allow: list[str], lines: list[tuple[str, str]]
) -> None:
    rows = [row(action, source, "10.0.0.1") for action, source in lines]
    found, others = judged(rows, [force(block, allow)])
    expected = 0
    for action, source in lines:
        blocked, allowed = (
            any(ip_address(source) in ip_network(entry) for entry in entries)
            for entries in (block, allow)
        )
        expected += allowed if action == "permitted" else blocked and not allowed
    assert sum(one.lines for one in found.values()) == expected
    assert others == len(lines) - expected
