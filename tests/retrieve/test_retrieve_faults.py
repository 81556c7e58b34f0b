"""
Servers, and things in between, that do what they should not: one generation or nothing.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from tests.retrieve.scripted import Talk, reply, rrset, send, server, soa
from tscm.base.host_port import HostPort
from tscm.errors import ListUnavailable
from tscm.policy.lists import PolicyList
from tscm.retrieve.server import is_newer
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.stream import DnsStream, Limits
from tscm.retrieve.transfer import TransferIn

AXFR = dns.rdatatype.AXFR
ALG = "no ip nat service alg tcp dns"
BODY = [rrset("A", "192.0.2.1", "192.0.2.2"), rrset("APL", "1:198.51.100.0/24")]


def fetch(port: int, known: PolicyList | None = None, /, **limits: float) -> PolicyList | None:
    source = ListSource(
        name="z.example",
        servers=(HostPort("127.0.0.1"),),
        port=port,
        limits=Limits(**{"connect_seconds": 5, "idle_seconds": 5, "whole_seconds": 20, **limits}),  # type: ignore[arg-type]
    )
    return fetch_list(source, known, 1.0)


def refused(port: int, **limits: float) -> ListUnavailable:
    with pytest.raises(ListUnavailable) as caught:
        fetch(port, None, **limits)
    return caught.value


def transfer(*messages: Sequence[dns.rrset.RRset]) -> Talk:
    """Answer SOA with serial 5, AXFR with *messages*, the rest with nothing."""

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        if kind == AXFR:
            for message in messages:
                send(one, reply(query, message))
        elif kind == dns.rdatatype.SOA:
            send(one, reply(query, [soa(5)]))
        else:
            send(one, reply(query))

    return talk


def test_a_transfer_cut_at_every_byte_gives_nothing() -> None:
    query = dns.message.make_query("z.example", "AXFR")
    whole = b""
    for message in ([soa(5), BODY[0]], [BODY[1]], [soa(5)]):
        wire = reply(query, message)
        whole += struct.pack(">H", len(wire)) + wire
    cuts = [0]

    def talk(one: socket.socket, asked: dns.message.Message) -> None:
        if asked.question[0].rdtype != AXFR:
            send(one, reply(asked, [soa(5)]))
            return
        sent = bytearray(whole)
        at = 0
        while at < len(sent):
            sent[at + 2 : at + 4] = asked.id.to_bytes(2, "big")
            at += 2 + int.from_bytes(sent[at : at + 2], "big")
        one.sendall(sent[: cuts[0]])
        one.close()

    with server(talk) as port:
        for cuts[0] in range(len(whole)):
            assert "closed the connection" in refused(port).cause, cuts
        cuts[0] = len(whole)
        found = fetch(port)
    assert found is not None
    assert len(found.entries) == 3


@pytest.mark.parametrize(
    ("messages", "cause"),
    [
        ([[soa(5), *BODY, soa(6)]], "changed during"),
        ([[soa(5), *BODY], [soa(6), BODY[0], soa(5)]], "changed during"),
        ([[soa(5), BODY[0], soa(5), BODY[1]]], "after the closing SOA"),
        ([[*BODY, soa(5)]], "does not start with the zone's SOA"),
        ([[soa(5, "other.example."), *BODY, soa(5, "other.example.")]], "does not start"),
        ([[soa(5), *BODY], []], "an empty message"),
        ([[soa(5), *BODY, soa(5, "a.z.example.")]], "changed during"),
    ],
)
def test_a_transfer_against_the_rules_gives_nothing(
    messages: list[list[dns.rrset.RRset]], cause: str
) -> None:
    with server(transfer(*messages)) as port:
        error = refused(port)
    assert cause in error.cause
    assert ALG in error.remedy


def test_a_transfer_that_breaks_off_with_an_error_gives_nothing() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        send(one, reply(query, [soa(5), *(BODY if query.question[0].rdtype == AXFR else ())]))
        if query.question[0].rdtype == AXFR:
            send(one, reply(query, [], rcode=2))

    with server(talk) as port:
        assert "aborted with SERVFAIL" in refused(port).cause


def test_the_answer_to_another_query_is_not_taken() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        query.id ^= 1
        send(one, reply(query, [soa(5)]))

    with server(talk) as port:
        assert "another query" in refused(port).cause


def test_the_answer_to_another_question_is_not_taken() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        other = dns.message.make_query("y.example", "SOA", id=query.id)
        send(one, reply(other, [soa(5)]))

    with server(talk) as port:
        assert "another query" in refused(port).cause


@pytest.mark.parametrize(
    ("rcode", "cause", "remedy"),
    [
        (2, "SERVFAIL", "try again later"),
        (3, "no such name (NXDOMAIN)", "check the list name; if the device or policy is new"),
        (5, "REFUSED", "if the device or policy is new, wait 15 minutes"),
        (4, "NOTIMP", "try again later"),
        (11, "response code 11", "try again later"),
    ],
)
def test_each_response_code_is_told_with_its_remedy(rcode: int, cause: str, remedy: str) -> None:
    with server(lambda one, query: send(one, reply(query, rcode=rcode))) as port:
        error = refused(port)
    assert cause in error.cause
    assert remedy in error.remedy


def test_a_refused_transfer_falls_back_to_direct_questions() -> None:
    asked = []

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        asked.append(dns.rdatatype.to_text(kind))
        if kind == AXFR:
            send(one, reply(query, rcode=5))
        else:
            found = [one for one in BODY if one.rdtype == kind]
            send(one, reply(query, [soa(5)] if kind == dns.rdatatype.SOA else found))

    with server(talk) as port:
        found = fetch(port)
        assert found is not None
        assert len(found.entries) == 3
        assert fetch(port, found) is None
    assert asked == ["SOA", "AXFR", "SOA", "A", "AAAA", "APL", "TXT", "SOA", "SOA"]


def test_hanging_up_on_a_transfer_is_no_refusal() -> None:
    """Else what a gateway cuts off would pass for a name with few records."""

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        if kind == AXFR:
            one.close()
        else:
            send(one, reply(query, [soa(5)] if kind == dns.rdatatype.SOA else BODY[:1]))

    with server(talk) as port:
        assert "closed the connection" in refused(port).cause


@pytest.mark.parametrize(("rcode", "falls_back"), [(0, True), (1, True), (2, False), (3, False)])
def test_only_what_means_no_transfer_leads_to_direct_questions(
    rcode: int, falls_back: bool
) -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        if kind == AXFR:
            send(one, reply(query, rcode=rcode))
        else:
            found = [one for one in BODY if one.rdtype == kind]
            send(one, reply(query, [soa(5)] if kind == dns.rdatatype.SOA else found))

    with server(talk) as port:
        if falls_back:
            assert fetch(port) is not None
        else:
            assert "could not transfer the zone" in refused(port).cause


def test_a_server_that_closes_after_each_answer_is_served_all_the_same() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        transfer([soa(5), *BODY, soa(5)])(one, query)
        one.close()

    with server(talk) as port:
        found = fetch(port)
    assert found is not None
    assert len(found.entries) == 3


def test_an_alias_is_followed_within_the_answer_and_no_stranger_taken() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        if query.question[0].rdtype == dns.rdatatype.A:
            alias = rrset("CNAME", "l.example.")
            own, other = (
                rrset("A", "192.0.2.1", owner="l.example."),
                rrset("A", "192.0.2.9", owner="x.example."),
            )
            send(one, reply(query, [own, alias, other]))
        else:
            send(one, reply(query))

    with server(talk) as port:
        found = fetch(port)
    assert found is not None
    assert found.entries.cidrs() == ["192.0.2.1/32"]
    assert found.serial is None


def test_a_list_that_keeps_changing_under_direct_questions_is_not_mixed() -> None:
    serial = 5

    def talk(one: socket.socket, query: dns.message.Message) -> None:
        nonlocal serial
        kind = query.question[0].rdtype
        if kind == AXFR:
            send(one, reply(query, rcode=5))
        elif kind == dns.rdatatype.A:
            serial += 1
            send(one, reply(query, [BODY[0]]))
        else:
            send(one, reply(query, [soa(serial)] if kind == dns.rdatatype.SOA else []))

    with server(talk) as port:
        assert "changed the list 3 times" in refused(port).cause


def test_a_cut_short_answer_says_that_a_transfer_is_needed() -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        kind = query.question[0].rdtype
        if kind == dns.rdatatype.SOA:
            send(one, reply(query, [soa(5)]))
        else:
            send(one, reply(query, rcode=5) if kind == AXFR else reply(query, flags=dns.flags.TC))

    with server(talk) as port:
        error = refused(port)
    assert "not fit into one answer (64 KB)" in error.cause
    assert "refuses to transfer it (REFUSED)" in error.cause


def test_a_gateway_that_cuts_tcp_is_named() -> None:
    def talk(one: socket.socket, _query: dns.message.Message) -> None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()

    with server(talk) as port:
        error = refused(port)
    assert ALG in error.remedy
    assert "`--dns_port 5353`" in error.remedy


def test_a_silent_server_is_left_after_the_limit() -> None:
    left = threading.Event()

    def silent(_one: socket.socket, _query: dns.message.Message) -> None:
        left.wait(60)

    with server(silent) as port:
        error = refused(port, idle_seconds=0.3)
        left.set()
    assert "sent nothing for 0.3 s" in error.cause


def trickle(one: socket.socket, query: dns.message.Message) -> None:
    if query.question[0].rdtype != AXFR:
        send(one, reply(query, [soa(5)]))
        return
    send(one, reply(query, [soa(5)]))
    while True:
        send(one, reply(query, [BODY[0]]))
        time.sleep(0.02)


def flood(one: socket.socket, query: dns.message.Message) -> None:
    send(one, reply(query, [soa(5)]))
    wire = reply(query, [rrset("TXT", '"' + "x" * 250 + '"')] * 100)
    while query.question[0].rdtype == AXFR:
        send(one, wire)


@pytest.mark.parametrize(
    ("talk", "limits", "cause"),
    [
        (trickle, {"whole_seconds": 0.5}, "took longer than 0.5 s"),
        (trickle, {"max_entries": -990}, "more than 10 records"),
        (flood, {"max_bytes": 200_000}, "sent more than 200,000 bytes"),
    ],
)
def test_a_transfer_without_end_is_left_at_a_bound(
    talk: Callable[[socket.socket, dns.message.Message], None],
    limits: dict[str, float],
    cause: str,
) -> None:
    with server(talk) as port:
        assert cause in refused(port, **limits).cause


def test_a_failure_keeps_nothing_of_what_was_received() -> None:
    """A thread of the pool keeps its last failure, and the failure its frames."""
    with server(flood) as port:
        error = refused(port, max_bytes=200_000)
    held: list[object] = []
    one: BaseException | None = error
    while one is not None:
        trace = one.__traceback__
        while trace is not None:
            held += trace.tb_frame.f_locals.values()
            trace = trace.tb_next
        one = one.__context__
    assert not [it for it in held if isinstance(it, TransferIn | DnsStream)]


@pytest.mark.parametrize(
    "owner", [b"\xc0\x1b", b"\xc0\x1d", b"\xff\xff", b"\x01a\xc0\x1b"], ids=bytes.hex
)
def test_a_compression_loop_in_a_transfer_gives_nothing(owner: bytes) -> None:
    def talk(one: socket.socket, query: dns.message.Message) -> None:
        if query.question[0].rdtype != AXFR:
            send(one, reply(query, [soa(5)]))
            return
        question = query.to_wire()[12 : 12 + 11 + 4]  # z.example. AXFR IN
        data = bytes.fromhex("00010001000000050004") + b"\xc0\x00\x02\x01"
        head = query.id.to_bytes(2, "big") + bytes.fromhex("8400 0001 0001 0000 0000")
        send(one, head + question + owner + data)

    with server(talk) as port:
        error = refused(port)
    assert "sent a malformed answer: a compression pointer does not point backwards" in error.cause


def test_no_server_is_said_so() -> None:
    with pytest.raises(ListUnavailable, match="no policy server is configured"):
        fetch_list(ListSource(name="z.example", servers=()), None, 0)


def test_a_server_without_address_is_said_so() -> None:
    source = ListSource(name="z.example", servers=(HostPort("absent.invalid"),))
    with pytest.raises(ListUnavailable, match=r"absent\.invalid has no address"):
        fetch_list(source, None, 0)


def test_serials_are_compared_round_the_corner() -> None:
    assert is_newer(6, 5)
    assert not is_newer(5, 5)
    assert not is_newer(4, 5)
    assert is_newer(3, 0xFFFF_FFF0)
    assert not is_newer(0xFFFF_FFF0, 3)
