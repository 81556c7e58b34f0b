"""
Differences instead of the whole list, and the whole wherever they will not do.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retrieve.name_servers import bind, knot, reload_zone, zone_text
from tests.retrieve.scripted import Talk, reply, rrset, send, server, soa
from tscm.base.host_port import HostPort
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.retrieve.delta import DeltaUnfit, changed
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import Limits

IXFR, AXFR = dns.rdatatype.IXFR, dns.rdatatype.AXFR
CIDRS = st.sampled_from(
    ["10.0.0.0/8", "10.0.0.0/9", "0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"]
)


def fetch(port: int, known: PolicyList | None, name: str = "z.example") -> PolicyList | None:
    source = ListSource(
        name=name,
        servers=(HostPort("127.0.0.1", port),),
        limits=Limits(idle_seconds=5, whole_seconds=20),
    )
    return fetch_list(source, known, 1.0)


@given(st.lists(CIDRS), st.lists(CIDRS), st.lists(CIDRS))
@settings(deadline=None, max_examples=200)
def test_every_occurrence_counts(known: list[str], removed: list[str], added: list[str]) -> None:
    wanted = Counter(known) + Counter(added)
    wanted.subtract(Counter(removed))
    given_entries = [Entries.of(one) for one in (known, removed, added)]
    if min(wanted.values(), default=0) < 0:
        with pytest.raises(DeltaUnfit):
            changed(*given_entries)
    else:
        found = changed(*given_entries)
        assert Counter(map(str, found.cidrs())) == +wanted


@pytest.mark.parametrize(
    ("serve", "by_differences", "whole_log"),
    [
        pytest.param(
            knot,
            "IXFR, outgoing, remote 127.0.0.1",
            "AXFR, outgoing",
            marks=pytest.mark.peer("knotd"),
        ),
        pytest.param(bind, "IXFR started", "AXFR ", marks=pytest.mark.peer("named")),
    ],
)
def test_a_server_is_asked_for_differences_only(
    serve: Callable[..., AbstractContextManager[int]],
    by_differences: str,
    whole_log: str,
    tmp_path: Path,
) -> None:
    hosts = [f"h{n} A 11.0.{n >> 8}.{n & 255}\n" for n in range(3000)]
    extra = "@ NS ns\nns A 192.0.2.253\n@ APL 1:198.51.100.0/24 2:2001:db8::/32\n"

    def text(serial: int, body: Sequence[str]) -> str:
        return zone_text("z.example", serial, extra + "".join(body))

    with serve(tmp_path, {"z.example": text(1, hosts)}) as port:
        first = fetch(port, None)
        reload_zone(tmp_path, "z.example", text(2, [*hosts[:-1], "x A 12.0.0.1\n"]), 2)
        reload_zone(
            tmp_path,
            "z.example",
            text(3, [*hosts[5:-1], "y AAAA 2001:db8:9::9\n", "ns AAAA ::9\n"]),
            3,
        )
        assert first is not None
        second = fetch(port, first)
        whole = fetch(port, None)
        log = logged(tmp_path / "log", whole_log, 4)
    assert second is not None
    assert whole is not None
    assert second.serial == 3
    assert sorted(second.entries.cidrs()) == sorted(whole.entries.cidrs())
    assert second.other_records == whole.other_records
    assert by_differences in log
    assert log.count(whole_log) == 4, "the first and the one to compare with, begun and ended"


def logged(path: Path, words: str, times: int) -> str:
    """The server's log, once *words* stand in it so often: it writes after it has answered."""
    deadline = time.monotonic() + 60
    while (log := path.read_text()).count(words) < times and time.monotonic() < deadline:
        time.sleep(0.05)
    return log


def talk_with(
    ixfr: Sequence[Sequence[dns.rrset.RRset]],
    axfr: Sequence[dns.rrset.RRset],
    asked: list[str],
    *,
    serial: int = 7,
    rcode: int = 0,
    name_servers: Sequence[str] = (),
) -> Talk:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        asked.append(dns.rdatatype.to_text(kind))
        if kind == IXFR:
            assert query.authority[0][0].serial == 5
            for message in ixfr or [[]]:
                send(one, reply(query, message, rcode=rcode))
        elif kind == AXFR:
            send(one, reply(query, axfr))
        elif kind == dns.rdatatype.NS and name_servers:
            send(one, reply(query, [rrset("NS", *name_servers)]))
        else:
            send(one, reply(query, [soa(serial)] if kind == dns.rdatatype.SOA else []))

    return talk


def known_list(*cidrs: str, source: str = "axfr://127.0.0.1:53") -> PolicyList:
    return PolicyList(name="z.example", entries=Entries.of(cidrs), serial=5, source=source)


WHOLE = [soa(7), rrset("A", "192.0.2.77"), soa(7)]


def test_several_differences_follow_one_another() -> None:
    asked: list[str] = []
    messages = [
        [soa(7), soa(5), rrset("A", "192.0.2.1"), soa(6), rrset("A", "192.0.2.2")],
        [rrset("A", "192.0.2.3"), soa(6), rrset("A", "192.0.2.2")],
        [soa(7), rrset("APL", "1:198.51.100.0/24"), soa(7)],
    ]
    with server(talk_with(messages, WHOLE, asked)) as port:
        found = fetch(port, known_list("192.0.2.1/32", "10.0.0.0/8"))
    assert found is not None
    assert found.entries.cidrs() == ["10.0.0.0/8", "192.0.2.3/32", "198.51.100.0/24"]
    assert found.serial == 7
    assert asked == ["SOA", "NS", "IXFR"]


@pytest.mark.parametrize(
    "messages",
    [
        [[soa(7), soa(5), rrset("A", "192.0.2.9"), soa(7), soa(7)]],
        [[soa(7), soa(5), soa(6), soa(5), soa(7), soa(7)]],
        [[soa(7), soa(5), rrset("NS", "ns.z.example."), soa(7), soa(7)]],
        [[soa(7), soa(5), soa(7), rrset("TXT", "no-cidr"), soa(7)]],
        [[soa(7), soa(5), soa(7), rrset("APL", "1:10.1.1.1/8"), soa(7)]],
        [[soa(7), soa(5), soa(7), soa(7), rrset("A", "192.0.2.9")]],
    ],
    ids=["absent entry", "gap", "name server", "left out", "host bits", "after the end"],
)
def test_differences_that_do_not_do_lead_to_the_whole(
    messages: Sequence[Sequence[dns.rrset.RRset]],
) -> None:
    asked: list[str] = []
    with server(talk_with(messages, WHOLE, asked)) as port:
        found = fetch(port, known_list("192.0.2.1/32"))
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.77/32"]
    assert asked == ["SOA", "NS", "IXFR", "AXFR"]


@pytest.mark.parametrize("rcode", [1, 2, 4, 5, 9])
def test_a_server_without_differences_gives_the_whole(rcode: int) -> None:
    asked: list[str] = []
    with server(talk_with([], WHOLE, asked, rcode=rcode)) as port:
        found = fetch(port, known_list("192.0.2.1/32"))
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.77/32"]
    assert asked == ["SOA", "NS", "IXFR", "AXFR"]


@pytest.mark.parametrize("split", [False, True])
def test_the_whole_zone_in_answer_to_ixfr_is_taken_as_such(split: bool) -> None:
    asked: list[str] = []
    messages = [[WHOLE[0]], WHOLE[1:]] if split else [WHOLE]
    with server(talk_with(messages, [], asked)) as port:
        found = fetch(port, known_list("192.0.2.1/32"))
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.77/32"]
    assert asked == ["SOA", "NS", "IXFR"]


def test_the_known_soa_alone_means_unchanged() -> None:
    asked: list[str] = []
    with server(talk_with([[soa(5)]], [], asked)) as port:
        assert fetch(port, known_list("192.0.2.1/32")) is None


def test_addresses_of_the_zones_own_servers_are_no_entries_in_differences() -> None:
    asked: list[str] = []
    glue = rrset("A", "192.0.2.250", owner="ns.z.example.")
    old = rrset("A", "192.0.2.251", owner="ns.z.example.")
    messages = [[soa(7), soa(5), old, soa(7), glue, rrset("A", "192.0.2.2"), soa(7)]]
    talk = talk_with(messages, [], asked, name_servers=["ns.z.example."])
    with server(talk) as port:
        found = fetch(port, known_list("192.0.2.1/32"))
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.1/32", "192.0.2.2/32"]


@pytest.mark.parametrize(
    "known",
    [
        known_list("192.0.2.1/32", source="dns://127.0.0.1:53"),
        known_list("192.0.2.1/32", source=""),
    ],
)
def test_only_a_whole_and_clean_list_is_brought_forward(known: PolicyList) -> None:
    asked: list[str] = []
    with server(talk_with([], WHOLE, asked)) as port:
        assert fetch(port, known) is not None
    assert asked == ["SOA", "AXFR"]


def test_a_list_with_entries_left_out_is_never_the_base_of_differences() -> None:
    asked: list[str] = []
    left_out = [soa(5), rrset("TXT", "192.0.2.1 not-a-cidr"), soa(5)]
    with server(talk_with([], left_out, asked, serial=5)) as port:
        found = fetch(port, None)
    assert found is not None
    assert found.source.startswith("dns://")


@pytest.mark.parametrize("rcode", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("unwilling", ["NS", "IXFR"])
def test_a_question_that_only_helps_and_is_refused_ends_in_the_whole_list(
    unwilling: str, rcode: int
) -> None:
    serial = 1

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if kind == unwilling:
            send(one, reply(query, rcode=rcode))
        elif kind in {"AXFR", "IXFR"}:
            entries = rrset("A", *(f"20.0.0.{n}" for n in range(serial)))
            send(one, reply(query, [soa(serial), entries, soa(serial)]))
        else:
            send(one, reply(query, [soa(serial)] if kind == "SOA" else []))

    with server(talk) as port:
        known = fetch(port, None)
        serial = 3
        found = fetch(port, known)
    assert found is not None
    assert (found.serial, len(found.entries)) == (3, 3)


@pytest.mark.parametrize("rcode", [1, 4])
def test_a_server_that_knows_no_question_but_the_transfer_gives_the_list(rcode: int) -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        if query.question[0].rdtype == AXFR:
            send(one, reply(query, [soa(1), rrset("A", "20.0.0.1"), soa(1)]))
        else:
            send(one, reply(query, rcode=rcode))

    with server(talk) as port:
        known = fetch(port, None)
        found = fetch(port, known)
    assert known is not None
    assert found is not None
    assert (found.serial, len(found.entries)) == (1, 1)
