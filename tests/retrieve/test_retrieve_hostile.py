"""
Answers made to be slow: what reading one costs grows with its octets and with nothing else.
"""

import gc
import struct
from typing import Any, SupportsIndex

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieve import hostile
from tscm.policy.collect import FEW, Collector, ListTooLong, ReadingTooLong
from tscm.policy.names import Names
from tscm.policy.records import NS, SOA, Section, read_table
from tscm.retrieve.transfer import TransferIn, add_parts, servers_of


class Counted(bytes):
    """A message that counts how often it is looked into."""

    looks: int = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        self.looks += 1
        return super().__getitem__(key)


def soa(serial: int) -> bytes:
    """Of the zone that has the longest name."""
    data = hostile.pointer(12) * 2 + struct.pack(">5I", serial, 0, 0, 0, 0)
    return hostile.record(hostile.pointer(12), SOA, data)


KINDS = sorted(hostile.POINTERS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [hostile.one_name_for_all, hostile.a_name_for_each])
def test_names_cost_no_more_than_the_message_is_long(make: Any, kind: int) -> None:
    message = Counted(make(kind))
    assert len(message) > 60_000
    table = read_table(message)
    names = Names(message)
    before, count, _after = hostile.POINTERS[kind]
    for record in table.answers:
        owner = names.read(record.owner_at)
        assert len(owner) == record.owner_octets
        at = record.rdata_at + len(before)
        for _ in range(count if record.type == kind else 0):
            name, at = names.read_on(at)
            assert name == owner
    assert message.looks < len(message)


def test_a_chain_of_pointers_costs_no_more_than_the_message_is_long() -> None:
    message = Counted(hostile.a_chain())
    table, names = read_table(message), Names(message)
    for number in table.answers.where(NS):
        assert names.read(table.answers[number].rdata_at) == b"\0"
    assert message.looks < len(message)


def test_a_transfer_of_many_small_parts_is_looked_through_once_a_message() -> None:
    zone = hostile.LONGEST
    address = hostile.record(hostile.pointer(12), 1, b"\1\2\3\4")
    name_server = hostile.record(hostile.pointer(12), NS, hostile.pointer(12))

    body, count = bytearray(soa(9_999)), 1
    for serial in range(1, 500):
        body += soa(serial) + name_server + soa(serial + 1) + address
        count += 4
    message = Counted(hostile.counted(count, bytes(body)))
    transfer = TransferIn(zone, 7, 10_000, 1)
    transfer.feed(read_table(message))
    collector = Collector()
    add_parts(transfer.added, servers_of(transfer.removed), collector)
    add_parts(transfer.removed, set(), collector)
    assert len(transfer.added) == len(transfer.removed) == 499
    assert (len(collector), collector.other_records) == (0, 998)
    assert message.looks < len(message)


def test_serials_count_as_records_of_a_transfer() -> None:
    body = soa(9_999) + b"".join(soa(serial) + soa(serial + 1) for serial in range(1, 600))
    message = hostile.counted(1199, body)
    with pytest.raises(ListTooLong, match="more than 1,000 records"):
        TransferIn(hostile.LONGEST, 7, 1000, 1).feed(read_table(message))


def test_words_that_are_left_out_count_as_entries() -> None:
    words = b"x " * 120
    text = hostile.record(hostile.pointer(12), hostile.TXT, bytes([len(words)]) + words)
    message = hostile.counted(20, text * 20)
    with pytest.raises(ListTooLong, match="more than 1,000 entries"):
        Collector(1000).add_records(message, read_table(message).answers)


@pytest.mark.parametrize("kind", [SOA, NS, hostile.CNAME])
def test_what_is_read_is_what_dnspython_reads(kind: int) -> None:
    body = hostile.record(
        b"\1b" + hostile.pointer(16),
        kind,
        hostile.POINTERS[kind][0]
        + (b"\1C" + hostile.pointer(18)) * hostile.POINTERS[kind][1]
        + hostile.POINTERS[kind][2],
    )
    message = hostile.counted(1, body)
    (found,) = dns.message.from_wire(message).answer
    table, names = read_table(message), Names(message)
    assert names.read(table.answers[0].owner_at) == found.name.to_digestable()
    target = names.read(table.answers[0].rdata_at)
    assert target in found[0].to_digestable()
    assert target.startswith(b"\1c\1a")


GLUE = b"\2ns\7example\0"
RECORDS = st.one_of(
    st.tuples(st.just(1), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(28), st.binary(min_size=16, max_size=16)),
    st.tuples(st.just(42), st.just(b"\0\1\x18\3\x2d\1\2\0\1\x20\x84\x2d\1\2\7")),
    st.tuples(st.sampled_from([16, 99]), st.just(b"\x0a192.0.2.7 \2no")),
)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"\7example\0", GLUE]), RECORDS, st.sampled_from([1, 1, 3])),
        min_size=FEW + 1,
        max_size=3 * FEW,
    )
)
def test_records_one_by_one_and_in_one_message_give_the_same_list(
    rows: list[tuple[bytes, tuple[int, bytes], int]],
) -> None:
    records = [hostile.record(owner, kind, data, cls) for owner, (kind, data), cls in rows]
    head = hostile.HEADER.pack(7, 0x8400, 0, len(records), 0, 0)
    whole, single = Collector(), Collector()
    table = read_table(head + b"".join(records))
    whole.add_records(table.message, table.answers, {GLUE})
    for record in records:
        table = read_table(hostile.HEADER.pack(7, 0x8400, 0, 1, 0, 0) + record)
        single.add_records(table.message, table.answers, {GLUE})
    both = [
        one.to_list("l", serial=1, fetched_at=0.0, source="dns://here") for one in (whole, single)
    ]
    assert sorted(both[0].entries.cidrs()) == sorted(both[1].entries.cidrs())
    assert both[0].refused == both[1].refused
    assert (whole.other_records, whole.excepted) == (single.other_records, single.excepted)


def test_a_zone_of_one_record_a_message_makes_no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: list[int] = []
    real = Section.columns
    monkeypatch.setattr(Section, "columns", lambda self: columns.append(len(self)) or real(self))  # type: ignore[func-returns-value]
    transfer = TransferIn(b"\7example\0", 7, 10_000)
    end = hostile.record(b"\7example\0", SOA, b"\0\0" + struct.pack(">5I", 1, 0, 0, 0, 0))
    hosts = [hostile.record(b"\7example\0", 1, bytes([192, 0, 2, n])) for n in range(200)]
    for record in (end, *hosts, end):
        transfer.feed(read_table(hostile.HEADER.pack(7, 0x8400, 0, 1, 0, 0) + record))
    collector = Collector()
    add_parts(transfer.added, servers_of(transfer.added), collector)
    assert transfer.done
    assert len(collector) == 200
    assert not columns


def test_a_list_is_read_no_longer_than_its_time() -> None:
    collector = Collector(out_of_time=lambda: True)
    table = read_table(hostile.one_name_for_all(NS))
    with pytest.raises(ReadingTooLong):
        add_parts([(table.message, bytes(table.answers.rows))], set(), collector)


def test_a_zone_in_a_thousand_messages_is_nothing_to_the_garbage_collector() -> None:
    """What is kept of each would be walked through by every full collection, with all threads waiting."""
    transfer = TransferIn(hostile.LONGEST, 7, 10_000)
    transfer.feed(read_table(hostile.counted(1, soa(9))))
    address = hostile.record(hostile.pointer(12), 1, b"\1\2\3\4")
    for _ in range(1000):
        transfer.feed(read_table(hostile.counted(1, address)))
    gc.collect()
    assert len(transfer.added) == 1000
    assert not any(map(gc.is_tracked, transfer.added))
