"""
Our reader of DNS messages held against dnspython's.
"""

import gc
import struct
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy import records
from tscm.policy.cidr import CidrSet, read_cidr
from tscm.policy.collect import Collector, ListTooLong, rpz_network
from tscm.policy.names import MessageDamaged, Names, read_name
from tscm.policy.records import read_table

LABELS = st.binary(min_size=1, max_size=12) | st.sampled_from([b"a", b"B", b"rpz-ip", b"x" * 63])


def legal_name(labels: list[bytes]) -> dns.name.Name:
    """A name below `example.`, without the first labels where it would pass 255 octets (RFC 1035)."""
    kept = [b"example", b""]
    for label in reversed(labels):
        if sum(len(one) + 1 for one in kept) + len(label) + 1 > 255:
            break
        kept.insert(0, label)
    return dns.name.Name(kept)


NAMES = st.lists(LABELS, max_size=4).map(legal_name)
V4 = st.integers(0, (1 << 32) - 1).map(lambda n: n.to_bytes(4, "big"))
V6 = st.integers(0, (1 << 128) - 1).map(lambda n: n.to_bytes(16, "big"))


def apl_item(family: int, prefix: int, octets: bytes, *, negated: bool) -> bytes:
    part = octets.rstrip(b"\0")
    return struct.pack(">HBB", family, prefix, len(part) | negated << 7) + part


APL_V4 = st.builds(apl_item, st.just(1), st.integers(0, 32), V4, negated=st.booleans())
APL_V6 = st.builds(apl_item, st.just(2), st.integers(0, 128), V6, negated=st.booleans())
APL = st.lists(APL_V4 | APL_V6, max_size=8).map(b"".join)
TXT = st.lists(st.binary(max_size=60), min_size=1, max_size=4).map(
    lambda strings: b"".join(bytes([len(one)]) + one for one in strings)
)
RDATA = st.one_of(
    st.tuples(st.just("A"), V4),
    st.tuples(st.just("AAAA"), V6),
    st.tuples(st.just("APL"), APL),
    st.tuples(st.just("TXT"), TXT),
    st.tuples(st.just("NS"), NAMES.map(lambda name: name.to_wire())),
    st.tuples(st.just("SOA"), st.binary(min_size=20, max_size=20).map(lambda b: b"\1n\0\1h\0" + b)),
    st.tuples(st.just("TYPE65280"), st.binary(max_size=30)),
)
SECTION = st.lists(st.tuples(NAMES, RDATA), max_size=8)


@st.composite
def messages(draw: Any) -> dns.message.Message:
    message = dns.message.make_query(draw(NAMES), "AXFR", id=draw(st.integers(0, 65535)))
    message.flags = dns.flags.Flag(draw(st.integers(0, 65535)) & 0x87FF)
    for section in (message.answer, message.authority, message.additional):
        for owner, (kind, octets) in draw(SECTION):
            rdata = dns.rdata.from_wire("IN", kind, octets, 0, len(octets))
            rrset = dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind))
            rrset.add(rdata, 60)
            section.append(rrset)
    return message


def as_dnspython(message: dns.message.Message) -> list[list[tuple[bytes, int, bytes]]]:
    return [
        sorted(
            (rrset.name.to_digestable(), int(rrset.rdtype), rdata.to_digestable())
            for rrset in section
            for rdata in rrset
        )
        for section in (message.answer, message.authority, message.additional)
    ]


def as_ours(table: records.Table) -> list[list[tuple[bytes, int, bytes]]]:
    found, names = [], Names(table.message)
    for section in (table.answers, table.authorities, table.additionals):
        rows = []
        for record in section:
            data = table.rdata(record)
            if record.type == records.NS:
                data = read_name(table.message, record.rdata_at)[0]
            elif record.type == records.SOA:
                first, at = read_name(table.message, record.rdata_at)
                second, at = read_name(table.message, at)
                data = first + second + table.message[at : at + 20]
            owner = names.read(record.owner_at)
            assert owner == read_name(table.message, record.owner_at)[0]
            assert len(owner) == record.owner_octets
            rows.append((owner, record.type, data))
        found.append(sorted(rows))
    return found


def apl_as_published(data: bytes) -> set[tuple[int, bool, str, int]]:
    rdata: Any = dns.rdata.from_wire("IN", "APL", data, 0, len(data))
    return {(one.family, one.negation, one.address, one.prefix) for one in rdata.items}


def test_no_name_is_drawn_that_cannot_be_sent() -> None:
    assert len(legal_name([b"x" * 63] * 4).to_digestable()) == 201
    assert len(legal_name([b"x" * 53, *[b"x" * 63] * 3]).to_digestable()) == 255
    assert len(legal_name([b"x" * 54, *[b"x" * 63] * 3]).to_digestable()) == 201


@given(messages())
@settings(deadline=None, max_examples=150)
def test_both_readers_find_the_same_records(message: dns.message.Message) -> None:
    wire = message.to_wire(max_size=65535)
    table = read_table(wire)
    parsed = dns.message.from_wire(wire, one_rr_per_rrset=True)
    assert (table.id, table.flags) == (parsed.id, int(parsed.flags))
    assert as_ours(table) == as_dnspython(parsed)
    assert table.question is not None
    assert table.question[0] == parsed.question[0].name.to_digestable()


@given(messages(), st.data())
@settings(deadline=None, max_examples=150)
def test_a_damaged_message_is_read_alike_or_refused(
    message: dns.message.Message, data: st.DataObject
) -> None:
    wire = bytearray(message.to_wire(max_size=65535))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at] = data.draw(st.integers(0, 255) | st.sampled_from([0xC0, 0x3F, 0]))
    damaged = (
        bytes(wire[: data.draw(st.integers(0, len(wire)))])
        if data.draw(st.booleans())
        else bytes(wire)
    )
    try:
        parsed = dns.message.from_wire(damaged, one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError, NotImplementedError):
        parsed = None
    try:
        table = read_table(damaged)
        Collector().add_records(damaged, table.answers)
        ours = as_ours(table)
    except MessageDamaged:
        assert parsed is None or {one.rdclass for one in parsed.answer} != {1}, parsed.to_text()
        return
    if parsed is not None and {
        one.rdclass for one in parsed.answer + parsed.authority + parsed.additional
    } <= {1}:
        mine = [[row for row in section if row[1] != records.OPT] for section in ours]
        if parsed.opt is None and len(table.answers) == len(parsed.answer):
            assert [len(one) for one in mine] == [len(one) for one in as_dnspython(parsed)]


@given(st.lists(APL_V4 | APL_V6, max_size=20))
@settings(deadline=None, max_examples=150)
def test_apl_items_mean_what_dnspython_says(items: list[bytes]) -> None:
    data = b"".join(items)
    message = dns.message.make_response(dns.message.make_query("l.example", "APL"))
    rrset = dns.rrset.RRset(dns.name.from_text("l.example"), dns.rdataclass.IN, dns.rdatatype.APL)
    rrset.add(dns.rdata.from_wire("IN", "APL", data, 0, len(data)), 60)
    message.answer.append(rrset)
    wire = message.to_wire(max_size=65535)
    table = read_table(wire)
    collector = Collector()
    collector.add_records(wire, table.answers)
    found = collector.to_list("l", serial=None, fetched_at=0, source="")
    import ipaddress

    # Items as dnspython reads them, in their order.
    published: Any = rrset[0]

    def networks(*, negated: bool) -> list[str]:
        return [
            str(ipaddress.ip_network(f"{one.address}/{one.prefix}", strict=False))
            for family in (1, 2)
            for one in published.items
            if one.family == family and one.negation == negated
        ]

    wanted, excepted = networks(negated=False), networks(negated=True)
    assert (found.refused_count, found.excepted) == (0, len(excepted))
    if excepted:
        left = CidrSet.of_texts(wanted).difference(CidrSet.of_texts(excepted))
        assert CidrSet.of(found.entries) == left
    else:
        assert [str(ipaddress.ip_network(one)) for one in found.entries.cidrs()] == wanted
    assert len(apl_as_published(data)) <= len(items)


def message_with(answer: bytes, count: int = 1) -> bytes:
    question = b"\1z\0\0\xfc\0\1"
    return struct.pack(">HHHHHH", 7, 0x8400, 1, count, 0, 0) + question + answer


def record(owner: bytes, kind: int, data: bytes, cls: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, cls, 60, len(data)) + data


@pytest.mark.parametrize(
    ("owner", "cause"),
    [
        (b"\xc0\x13", "backwards"),
        (b"\xc0\x14", "backwards"),
        (b"\1a\xc0\x13", "backwards"),
        (b"\x80\x0c", "unknown label type"),
        (b"\x40\x0c", "unknown label type"),
        (b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\0",
         "over 255"),
        (b"\xff\xff", "backwards"),
    ],
    ids=["itself", "forwards", "own start", "10 label", "01 label", "too long", "far away"],
)  # fmt: skip
def test_a_name_that_leads_astray_is_refused(owner: bytes, cause: str) -> None:
    with pytest.raises(MessageDamaged, match=cause):
        read_table(message_with(record(owner, 1, b"\0" * 4)))


def test_a_chain_of_pointers_is_followed_only_so_far() -> None:
    begin = len(message_with(b"")) + 12  # of the first record's data
    data = b"\0\0" + b"".join(
        struct.pack(">H", 0xC000 | begin + 2 * (n - 1)) for n in range(1, 300)
    )
    for hops, good in ((100, True), (200, False)):
        last = record(struct.pack(">H", 0xC000 | begin + 2 * hops), 1, b"abcd")
        wire = message_with(record(b"\xc0\x0c", 65280, data) + last, 2)
        if good:
            assert read_table(wire).answers[1].owner_octets == 1
        else:
            with pytest.raises(MessageDamaged, match="an endless chain"):
                read_table(wire)


def test_every_cut_of_a_message_is_damaged() -> None:
    wire = message_with(
        record(b"\xc0\x0c", 1, b"\1\2\3\4") + record(b"\1a\xc0\x0c", 42, b"\0\1\x18\3\1\2\3"), 2
    )
    assert len(read_table(wire).answers) == 2
    for end in range(len(wire)):
        with pytest.raises(MessageDamaged):
            read_table(wire[:end])
    with pytest.raises(MessageDamaged, match="after the last"):
        read_table(wire + b"\0")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (1, b"abc"),
        (1, b"abcde"),
        (28, b"a" * 15),
        (42, b"\0\1\x18"),
        (42, b"\0\1\x18\4abc"),
        (16, b"\5abc"),
    ],
)
def test_data_of_the_wrong_length_is_damaged(kind: int, data: bytes) -> None:
    wire = message_with(record(b"\xc0\x0c", kind, data))
    with pytest.raises(MessageDamaged):
        Collector().add_records(wire, read_table(wire).answers)


def test_what_is_no_entry_is_counted_with_its_cause() -> None:
    wire = message_with(
        record(
            b"\xc0\x0c", 42, b"\0\1\x21\1a" + b"\0\3\x08\1a" + b"\0\2\x81\1a" + b"\0\1\x08\5abcde"
        )
        + record(b"\xc0\x0c", 15, b"\0\1\0")
        + record(b"\xc0\x0c", 1, b"abcd", 3)
        + record(b"\xc0\x0c", 16, b"\x0810.0.0.1\x04what"),
        4,
    )
    collector = Collector()
    collector.add_records(wire, read_table(wire).answers)
    found = collector.to_list("l", serial=1, fetched_at=0, source="")
    assert found.entries.cidrs() == ["10.0.0.1/32"]
    assert (found.refused_count, found.other_records) == (5, 2)
    assert {one.cause for one in found.refused} == {
        "not an IPv4 or IPv6 APL item",
        "'what' is a name, not an address",
    }


def test_more_entries_than_wanted_are_refused() -> None:
    wire = message_with(record(b"\xc0\x0c", 1, b"abcd") * 3, 3)
    with pytest.raises(ListTooLong, match="more than 2 entries"):
        Collector(2).add_records(wire, read_table(wire).answers)


@given(V6, st.integers(0, 128), st.booleans())
@settings(deadline=None, max_examples=150)
def test_an_rpz_trigger_is_read_back_as_it_was_written(
    address: bytes, length: int, short: bool
) -> None:
    import ipaddress

    network = ipaddress.ip_network((address, length), strict=False)
    text = str(network.network_address) if short else network.network_address.exploded
    if "::" in text:
        head, tail = text.split("::")
        words = [*filter(None, head.split(":")), "zz", *filter(None, tail.split(":"))]
    else:
        words = text.split(":")
    found = rpz_network([str(length), *reversed(words)])
    assert ipaddress.ip_network(found) == network


@pytest.mark.parametrize(
    "labels",
    [[], ["24"], ["24", ""], ["24", "zz", "1", "zz"], ["", "1", "2", "3", "4"], ["24", "1"]],
)
def test_what_is_no_rpz_trigger_is_no_network(labels: list[str]) -> None:
    with pytest.raises(ValueError):
        read_cidr(rpz_network(labels))


def test_a_large_message_makes_no_work_for_the_garbage_collector() -> None:
    """Its pauses would stop every thread, intake's too."""
    wire = message_with(b"".join(record(b"\xc0\x0c", 1, b"abcd") for _ in range(3000)), 3000)
    collector = Collector()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        table = read_table(wire)
        collector.add_records(wire, table.answers)
        made = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert len(collector) == 3000
    assert made < 100
