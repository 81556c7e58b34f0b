"""
Lists fetched from name servers that others wrote.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.ports import held_port
from tests.retrieve.name_servers import bind, knot, nsd, zone_text
from tscm.base.host_port import HostPort
from tscm.errors import ListUnavailable
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import Limits

MIXED = """
@ NS ns
@ NS other.example.net.
ns A 192.0.2.253
ns AAAA 2001:db8:ffff::1
@ A 203.0.113.7
@ AAAA 2001:db8::7
h1 A 203.0.113.8
@ APL 1:198.51.100.0/24 1:10.1.2.3/16 2:2001:db8:1::/48 !1:192.0.2.0/24
t TXT "100.64.0.0/10 not-a-cidr" "2001:db8:2::/48" "10.0.0.0/33 010.1.1.1"
@ MX 10 mail.example.net.
"""
MIXED_APEX = {"203.0.113.7/32", "2001:db8::7/128", "198.51.100.0/24", "10.1.0.0/16"} | {
    "2001:db8:1::/48"
}
MIXED_ALL = MIXED_APEX | {"203.0.113.8/32", "100.64.0.0/10", "2001:db8:2::/48"}
BIG = zone_text(
    "big.example", 9, "".join(f"@ APL 1:11.{n >> 8}.{n & 255}.0/24\n" for n in range(3000))
)
RPZ = """
@ NS ns.example.net.
24.0.2.0.192.rpz-ip CNAME .
32.7.113.0.203.rpz-ip CNAME *.
48.zz.1.db8.2001.RPZ-IP CNAME rpz-drop.
128.1.zz.db8.2001.rpz-ip A 10.9.9.9
8.0.0.0.10.rpz-ip CNAME rpz-passthru.
33.1.1.1.1.rpz-ip CNAME .
24.5.100.51.198.rpz-ip CNAME .
bad.example CNAME .
32.1.2.3.4.rpz-client-ip CNAME .
"""
ZONES = {
    "rpz.example": zone_text("rpz.example", 3, RPZ),
    "mixed.example": zone_text("mixed.example", 41, MIXED),
    "empty.example": zone_text("empty.example", 5, "@ NS ns.example.net.\n"),
    "many.example": zone_text(
        "many.example",
        7,
        "@ NS ns.example.net.\n"
        + "".join(f"h{n} A 11.0.{n >> 8}.{n & 255}\n" for n in range(5000)),
    ),
}


def source(name: str, *ports: int, **limits: float) -> ListSource:
    servers = tuple(HostPort("127.0.0.1", port) for port in ports)
    return ListSource(name=name, servers=servers, limits=Limits(idle_seconds=10, **limits))  # type: ignore[arg-type]


def fetched(name: str, *ports: int, known: PolicyList | None = None) -> PolicyList:
    found = fetch_list(source(name, *ports), known, 1000.0)
    assert found is not None
    return found


SERVERS = [
    pytest.param(knot, id="knot", marks=pytest.mark.peer("knotd")),
    pytest.param(nsd, id="nsd", marks=pytest.mark.peer("nsd")),
    pytest.param(bind, id="bind", marks=pytest.mark.peer("named")),
]


@pytest.fixture(scope="module", params=SERVERS)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    serve: Callable[..., Iterator[int]] = request.param
    with serve(tmp_path_factory.mktemp("zones"), ZONES) as where:  # type: ignore[attr-defined]
        yield where


def test_a_transferred_zone_gives_every_kind_of_entry(port: int) -> None:
    found = fetched("mixed.example", port)
    assert set(found.entries.cidrs()) == MIXED_ALL
    assert len(found.entries) == len(MIXED_ALL)
    assert found.serial == 41
    assert found.normalised == 1
    assert (found.refused_count, found.excepted) == (3, 1)
    assert [one.entry for one in found.refused if "not-a" in one.entry] == ["not-a-cidr"]
    assert found.other_records == 5, "two NS, their address records, MX"
    assert found.fetched_at == 1000.0


def test_a_response_policy_zone_gives_its_networks(port: int) -> None:
    found = fetched("rpz.example", port)
    assert set(found.entries.cidrs()) == {
        "192.0.2.0/24",
        "203.0.113.7/32",
        "2001:db8:1::/48",
        "2001:db8::1/128",
        "198.51.100.0/24",
    }
    assert found.normalised == 1
    assert [one.entry for one in found.refused] == ["1.1.1.1/33"]
    assert found.excepted == 1
    assert found.other_records == 3, "NS and two triggers of other kinds"


def test_the_same_serial_means_no_transfer(port: int) -> None:
    known = fetched("mixed.example", port)
    assert fetch_list(source("mixed.example", port), known, 2000.0) is None


def test_an_empty_zone_is_an_empty_list(port: int) -> None:
    found = fetched("empty.example", port)
    assert (len(found.entries), found.serial) == (0, 5)


def test_a_transfer_in_many_messages_comes_whole(port: int) -> None:
    found = fetched("many.example", port)
    assert len(set(found.entries.cidrs())) == 5000


def test_a_list_over_the_bound_is_refused(port: int) -> None:
    with pytest.raises(ListUnavailable, match="more than 4,999 entries"):
        fetch_list(source("many.example", port, max_entries=4999), None, 0)


def test_a_zone_that_is_not_served_is_said_to_be_refused(port: int) -> None:
    with pytest.raises(ListUnavailable) as caught:
        fetched("absent.example", port)
    assert str(caught.value).startswith(
        "block or allow list [absent.example] could not be fetched from ThreatSTOP DNS servers: "
    )
    assert "REFUSED" in caught.value.cause
    assert "if the device or policy is new, wait 15 minutes" in caught.value.remedy


def test_a_name_below_a_zone_that_does_not_exist_is_said_so(port: int) -> None:
    with pytest.raises(ListUnavailable, match="no such name"):
        fetched("absent.mixed.example", port)


def test_the_second_server_gives_what_the_first_cannot(port: int) -> None:
    found = fetched("mixed.example", held_port(), port)
    assert found.source == f"dns://127.0.0.1:{port}"


def test_when_all_fail_each_cause_is_named(port: int) -> None:
    closed = held_port()
    with pytest.raises(ListUnavailable) as caught:
        fetched("absent.mixed.example", closed, port)
    assert f"no TCP connection to port {closed} of 127.0.0.1 (connection refused)" in str(
        caught.value
    )
    assert "NXDOMAIN" in str(caught.value)


def test_a_name_below_a_zone_is_asked_directly(port: int) -> None:
    found = fetched("t.mixed.example", port)
    assert set(found.entries.cidrs()) == {"100.64.0.0/10", "2001:db8:2::/48"}
    assert found.serial == 41


@pytest.mark.parametrize(
    ("trigger", "network"),
    [
        ("24.0.2.0.192.rpz-ip", "192.0.2.0/24"),
        ("32.7.113.0.203.rpz-ip", "203.0.113.7/32"),
        ("48.zz.1.db8.2001.rpz-ip", "2001:db8:1::/48"),
        ("128.1.zz.db8.2001.rpz-ip", "2001:db8::1/128"),
        ("24.5.100.51.198.rpz-ip", "198.51.100.0/24"),
    ],
)
def test_a_trigger_of_a_response_policy_is_asked_directly(
    port: int, trigger: str, network: str
) -> None:
    found = fetched(f"{trigger}.rpz.example", port)
    assert found.entries.cidrs() == [network]
    assert (found.refused_count, found.other_records) == (0, 0)
    assert found.source == f"dns://127.0.0.1:{port}"


def test_an_exception_or_no_network_is_no_entry_of_a_direct_answer_either(port: int) -> None:
    for trigger, refused, excepted in (("8.0.0.0.10", 0, 1), ("33.1.1.1.1", 1, 0)):
        found = fetched(f"{trigger}.rpz-ip.rpz.example", port)
        assert len(found.entries) == 0
        assert (found.refused_count, found.excepted) == (refused, excepted)


def test_a_trigger_that_a_response_policy_does_not_have_is_no_such_name(port: int) -> None:
    with pytest.raises(ListUnavailable, match="no such name"):
        fetched("24.9.9.9.9.rpz-ip.rpz.example", port)


@pytest.mark.peer("knotd")
def test_where_transfer_is_refused_the_names_own_records_serve(tmp_path: Path) -> None:
    with knot(tmp_path, ZONES | {"big.example": BIG}, transfer=False) as port:
        found = fetched("mixed.example", port)
        assert set(found.entries.cidrs()) == MIXED_APEX
        assert found.serial == 41


@pytest.mark.peer("knotd")
def test_a_list_too_large_for_a_direct_answer_says_that_a_transfer_is_needed(
    tmp_path: Path,
) -> None:
    body = "".join(f"@ A 11.{n >> 8}.{n & 255}.1\n" for n in range(5000))
    zones = {"big.example": zone_text("big.example", 9, body)}
    with (
        knot(tmp_path, zones, transfer=False) as port,
        pytest.raises(ListUnavailable, match="not fit into one answer") as caught,
    ):
        fetched("big.example", port)
    assert "allow zone transfers" in caught.value.remedy


@pytest.mark.peer("knotd")
def test_a_server_that_is_behind_is_asked_only_when_none_is_ahead(tmp_path: Path) -> None:
    new = {"mixed.example": zone_text("mixed.example", 41, MIXED)}
    old = {"mixed.example": zone_text("mixed.example", 40, MIXED)}
    newer = {"mixed.example": zone_text("mixed.example", 42, "@ A 203.0.113.9\n")}
    with (
        knot(tmp_path / "new", new) as now,
        knot(tmp_path / "old", old) as behind,
        knot(tmp_path / "newer", newer) as ahead,
    ):
        known = fetched("mixed.example", now)
        assert fetched("mixed.example", behind, ahead, known=known).serial == 42
        assert fetched("mixed.example", behind, known=known).serial == 40


@pytest.mark.parametrize("serve", SERVERS)
def test_a_hundred_thousand_entries_of_every_kind_come_whole(
    serve: Callable[..., AbstractContextManager[int]], tmp_path: Path
) -> None:
    hosts = [f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(50_000)]
    long = [f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::{n & 0xFF:x}" for n in range(20_000)]
    nets = [f"12.{n >> 8 & 255}.{n & 255}.0/{24 + n % 8}" for n in range(20_000)]
    words = [f"13.{n >> 8 & 255}.{n & 255}.0/25" for n in range(10_000)]
    body = ["@ NS ns.example.net.\n"]
    body += [f"h{n} A {one}\n" for n, one in enumerate(hosts)]
    body += [f"l{n} AAAA {one}\n" for n, one in enumerate(long)]
    body += [
        f"n{at} APL {' '.join('1:' + one for one in nets[at : at + 50])}\n"
        for at in range(0, len(nets), 50)
    ]
    body += [f'w{at} TXT "{" ".join(words[at : at + 10])}"\n' for at in range(0, len(words), 10)]
    with serve(
        tmp_path / "zone", {"all.example": zone_text("all.example", 1, "".join(body))}
    ) as port:
        deadline = time.monotonic() + 60
        while True:
            try:
                found = fetched("all.example", port)
                break
            except ListUnavailable:  # still loading the zone
                assert time.monotonic() < deadline
                time.sleep(0.2)
    wanted = Entries.of([*hosts, *long, *nets, *words])
    assert sorted(found.entries.cidrs()) == sorted(wanted.cidrs())
    assert len(found.entries) == 100_000
