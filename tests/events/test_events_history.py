"""
Since when an address is on a list, and what it was seen to do.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from tscm.events.history import _lies_in, look_back
from tscm.events.judge import Force, judge
from tscm.events.rollups import EventPosition, Rollups
from tscm.policy.cidr import CidrSet, Entries, read_cidr
from tscm.policy.standing import Met, Seen, Since, Some, Standing
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies
from tscm.syslog.asa_bulk import policy_rows

HOUR = 3600

NARROW = 4
"""Bits of an address that are drawn: pairs shall meet."""


def networks(version: Any, bits: int, first: int) -> st.SearchStrategy[Any]:
    """Networks of any length about *first*."""
    return st.builds(
        lambda number, length: version((first + number, length), strict=False),
        st.integers(0, (1 << NARROW) - 1),
        st.one_of(st.integers(0, bits), st.integers(bits - NARROW, bits)),
    )


V4 = networks(IPv4Network, 32, 0xCB007100)
V6 = networks(IPv6Network, 128, 0x20010DB8 << 96)
PAIR_OF_V4 = st.tuples(V4, V4)
PAIR_OF_V6 = st.tuples(V6, V6)


def standings(asked: str) -> tuple[Standing, ...]:
    cidr, none = read_cidr(asked)[0], Some(cidrs=(), count=0)
    return tuple(
        Standing(
            kind=kind,
            list_name=kind[0],
            asked=cidr,
            covered="all",
            in_force=none,
            published=none,
            waiting=none,
            left_out=(),
        )
        for kind in ("block", "allow")
    )


@define
class World:
    """A device whose block list changed, and its database."""

    path: Path

    def generations(self, *lists: list[str]) -> None:
        store = Store(self.path)
        store.open()
        for number, block in enumerate(lists):
            Policies(store).save_generation(
                "fw",
                Generation(
                    applied_at=1000.0 * number,
                    block_entries=len(block),
                    allow_entries=0,
                    block=pack(CidrSet.of_texts(block).entries),
                    allow=pack(Entries.of([])),
                ),
            )
        store.close()

    def hit(self, address: str, hour: int, hits: int = 1, *, device: str = "fw") -> None:
        line = (
            b"%%ASA-6-106100: access-list g denied tcp outside/%s(4) -> inside/10.0.0.1(443)"
            b" hit-cnt %d first hit [0x1, 0x0]\n" % (address.encode(), hits)
        )
        force = Force.of(
            1, 0.0, ("b", Entries.of(["203.0.113.0/24", "2001:db8::/32", "203.0.113.64/26", "203.0.113.200"])),
            ("a", Entries.of([])),
        )  # fmt: skip
        connection = open_database(str(self.path))
        Rollups(connection).add(device, {hour: judge(policy_rows(line), [force])}, EventPosition())
        connection.close()

    def ask(self, asked: str) -> tuple[Standing, ...]:
        return look_back(self.path, "fw", standings(asked))[0]

    def seen(self, asked: str) -> Seen:
        return look_back(self.path, "fw", standings(asked))[1]

    def since(self, asked: str) -> Since:
        found = self.ask(asked)[0].since
        assert found is not None
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    store = Store(tmp_path / "tscm.db")
    store.open()
    store.close()
    return World(tmp_path / "tscm.db")


def test_since_is_the_first_generation_of_the_unbroken_run(world: World) -> None:
    one, two = "203.0.113.7", "203.0.113.9"
    world.generations([one], [two], [one, two], [one, two, "192.0.2.0/24"])
    assert world.since(one) == Since(generation=3, applied_at=2000.0)
    assert world.since(two) == Since(generation=2, applied_at=1000.0)
    assert world.since("192.0.2.128/25").generation == 4
    assert world.ask("198.51.100.1")[0].since is None
    told = [str(one).partition("; it is not in the list")[2] for one in world.ask(one)]
    assert told == ["; since generation 3", ""]


def test_what_the_oldest_generation_has_may_be_older(world: World) -> None:
    world.generations(["203.0.113.0/24"], ["203.0.113.0/24", "192.0.2.1"])
    assert world.since("203.0.113.7") == Since(generation=1, applied_at=0.0)
    assert str(world.ask("203.0.113.7")[0]).endswith("; since generation 1")


def test_a_network_that_became_whole_is_told_since_then(world: World) -> None:
    world.generations(["203.0.113.7"], ["203.0.113.0/25"], ["203.0.113.0/24"])
    assert world.since("203.0.113.0/24").generation == 3
    assert world.since("203.0.113.7").generation == 1


def test_first_and_last_hour_and_hits_of_entry_and_address(world: World) -> None:
    for hour in (480_000 + 23, 480_000 + 30, 480_000 + 100):
        world.hit("203.0.113.7", hour, 5)
    world.hit("203.0.113.8", 480_000 + 5, 2)
    world.hit("203.0.113.70", 480_000 + 7)
    world.hit("203.0.113.7", 480_000 + 200, device="other")
    seen = world.seen("203.0.113.7")
    assert seen.entries == (
        Met(
            entry="203.0.113.0/24",
            action="blocked",
            list="b",
            first_hour=(480_000 + 5) * HOUR,
            last_hour=(480_000 + 100) * HOUR,
            lines=4,
            hits=17,
        ),
    )
    (itself,) = seen.address
    assert (itself.first_hour, itself.last_hour) == ((480_000 + 23) * HOUR, 480_100 * HOUR)
    assert (itself.lines, itself.hits) == (3, 15)


def test_an_address_with_an_entry_of_its_own_is_told_by_it(world: World) -> None:
    for hour in (480_005, 480_009):
        world.hit("203.0.113.200", hour, 3)
    world.hit("2001:db8::5", 480_020)
    seen = world.seen("203.0.113.200")
    (entry,), (itself,) = seen.entries, seen.address
    assert (entry.entry, itself.outside) == ("203.0.113.200/32", "203.0.113.200")
    assert evolve(entry, entry=None) == evolve(itself, outside=None)
    assert (itself.first_hour, itself.last_hour) == (480_005 * HOUR, 480_009 * HOUR)
    assert (itself.lines, itself.hits) == (2, 6)


def test_a_network_asks_for_the_entries_within_and_around(world: World) -> None:
    for address in ("203.0.113.7", "203.0.113.70", "2001:db8::5"):
        world.hit(address, 480_000)
    found = world.seen("203.0.113.0/25")
    assert {one.entry for one in found.entries} == {"203.0.113.0/24", "203.0.113.64/26"}
    assert found.address == ()
    assert {one.entry for one in world.seen("::/0").entries} == {"2001:db8::/32"}
    assert world.seen("198.51.100.0/24") == Seen()


@pytest.mark.parametrize("packed_to", [0, 480_020, 480_040])
def test_hours_that_were_taken_away_are_told_no_more(world: World, packed_to: int) -> None:
    for hour in (480_005, 480_012, 480_030):
        world.hit("203.0.113.7", hour)
    connection = open_database(str(world.path))
    rollups = Rollups(connection)
    for device, day in rollups.days_to_pack(packed_to):
        assert rollups.pack(device, day, packed_to)
    assert rollups.expire(480_010) == 1
    connection.close()
    (one,) = world.seen("203.0.113.7").address
    assert (one.first_hour, one.last_hour) == (480_012 * HOUR, 480_030 * HOUR)
    assert (one.lines, one.hits) == (2, 2)


@given(st.one_of(PAIR_OF_V4, PAIR_OF_V6, st.tuples(V4, V6), st.tuples(V6, V4)))
def test_an_entry_lies_within_a_network_as_ipaddress_says(pair: tuple[Any, Any]) -> None:
    entry, asked = pair
    assert _lies_in(str(entry), asked) == (
        entry.version == asked.version and entry.subnet_of(asked)
    )


def test_of_many_entries_those_that_hit_most_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tscm.events.history.SHOWN", 1)
    world.hit("203.0.113.7", 480_003, 2)
    world.hit("203.0.113.70", 480_004, 7)
    world.hit("203.0.113.70", 480_009, 1)
    seen = world.seen("203.0.113.0/25")
    assert seen.count == 2
    (one,) = seen.entries
    assert (one.entry, one.hits) == ("203.0.113.64/26", 8)
    assert (one.first_hour, one.last_hour) == (480_004 * HOUR, 480_009 * HOUR)


def test_a_damaged_generation_ends_what_can_be_known(world: World) -> None:
    world.generations(["203.0.113.7"], ["203.0.113.7"], ["203.0.113.7", "192.0.2.1"])
    connection = open_database(str(world.path))
    connection.execute("UPDATE generations SET block = x'00' WHERE number = 2")
    connection.close()
    assert world.since("203.0.113.7").generation == 3
    assert "since generation 3 or earlier" in str(world.ask("203.0.113.7")[0])
