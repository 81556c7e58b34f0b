"""
The ways in which publishers write networks, the rows that are wanted, and what they count themselves.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.policy.cidr import CidrSet
from tscm.policy.collect import Collector
from tscm.policy.feed_formats import FeedDamaged, Shape, read_feed
from tscm.policy.feed_rows import Condition
from tscm.policy.lists import PolicyList
from tscm.settings import feed

THREATFOX = b"""################
# ThreatFox IOCs #
# "first_seen_utc","ioc_id","ioc_value","ioc_type","confidence_level"
"2026-01-01 00:00:00", "1", "20.0.0.1:443", "ip:port", "100"
"2026-01-01 00:00:00", "2", "20.0.0.2:80", "ip:port", "50"
"2026-01-01 00:00:00", "3", "evil.example", "domain", "100"
# Number of entries: 3
"""
FEODO = b"""# Feodo
"first_seen","dst_ip","c2_status"
"2026-01-01","20.0.0.1","online"
"2026-01-01","20.0.0.2","offline"
# END 2 entries
"""
URLHAUS = (
    b"# list\nhttp://20.0.0.1:4321/a;b#c\nhttps://evil.example/x\nhttp://[2620:0:1::5]/\nno url\n"
)
EXITS = b"""ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E
Published 2026-01-01 00:00:00
LastStatus 2026-01-01 01:00:00
ExitAddress 20.0.0.1 2026-01-01 01:02:03
ExitAddress 20.0.0.2 2026-01-01 01:02:03
nonsense
"""
RANGES = b"""# peers
Some; Inc #1:20.0.0.0-20.0.0.255
20.0.1.0 - 20.0.1.2 # MineMeld
20.0.2.0/24 ; one network
2620::-2620::1
20.0.3.9-20.0.3.1
20.0.3.1-2620::1
"""
MASKS = b"20.0.0.0 255.255.255.0\n20.0.1.0/255.255.255.128\n20.0.2.0/24\n20.0.3.0 255.0.255.0\n"
DROP = b"".join(
    json.dumps(one).encode() + b"\n"
    for one in (
        {"cidr": "20.0.0.0/24", "rir": "ripencc"},
        {"cidr": "20.0.1.0/24", "rir": "arin"},
        {"type": "metadata", "records": 2},
    )
)
RECORDS = json.dumps(
    {
        "type": "allow",
        "data": [
            {"ip": "20.0.0.1", "type": "block", "confidence_level": 75, "more": ["20.0.2.0/24"]},
            {"ip": "20.0.0.2", "type": "block", "confidence_level": 62.5, "about": {"seen": False}},
            {"ip": "20.0.0.3", "type": "allow", "confidence_level": 100},
            {"ip": "20.0.0.4", "confidence_level": None},
        ],
    }
).encode()


def read(content: bytes, shape: Shape) -> PolicyList:
    collector = Collector()
    read_feed(content, shape, collector)
    return collector.to_list("f", serial=None, fetched_at=0, source="")


@pytest.mark.parametrize(
    ("content", "shape", "cidrs", "refused", "others"),
    [
        (
            THREATFOX,
            Shape(format="csv", pick="ioc_value", value="ip:port", where="ioc_type = IP:port and confidence_level >= 75"),
            ["20.0.0.1/32"], 0, 2,
        ),
        (THREATFOX, Shape(format="csv", pick="3", value="ip:port", where="4 = ip:port"), ["20.0.0.1/32", "20.0.0.2/32"], 0, 1),
        (THREATFOX, Shape(format="csv", pick="3", value="ip:port", where="4 != domain and 9 = x"), [], 3, 0),
        (FEODO, Shape(format="csv", pick="dst_ip", where="c2_status = online"), ["20.0.0.1/32"], 0, 1),
        (FEODO, Shape(format="csv", pick="dst_ip", where="c2_status != Offline"), ["20.0.0.1/32"], 0, 1),
        (URLHAUS, Shape(value="url"), ["20.0.0.1/32", "2620:0:1::5/128"], 1, 1),
        (EXITS, Shape(format="exit-addresses"), ["20.0.0.1/32", "20.0.0.2/32"], 1, 0),
        (
            RANGES, Shape(value="range"),
            ["20.0.0.0/24", "20.0.1.0/31", "20.0.1.2/32", "20.0.2.0/24", "2620::/127"], 2, 0,
        ),
        (MASKS, Shape(value="mask"), ["20.0.0.0/24", "20.0.1.0/25", "20.0.2.0/24"], 1, 0),
        (b"020.000.001.000/24\n020.0.0.08\n", Shape(padded=True), ["20.0.1.0/24", "20.0.0.8/32"], 0, 0),
        (b"020.000.001.000-020.000.001.255\n", Shape(value="range", padded=True), ["20.0.1.0/24"], 0, 0),
        (b"20.0.0.1\n020.000.001.000\n", Shape(), ["20.0.0.1/32"], 1, 0),
        (b"20.0.0.1-20.0.0.9\n20.0.0.1\n", Shape(), ["20.0.0.1/32"], 1, 0),
        (b"[2620::1]:443\n20.0.0.1:70000\n2620::1:443\n", Shape(value="ip:port"), ["2620::1/128"], 2, 0),
        (DROP, Shape(format="drop-json", where="rir = arin"), ["20.0.1.0/24"], 0, 1),
        (RECORDS, Shape(format="json", pick="data.*.ip", where="type = Block and confidence_level >= 75"), ["20.0.0.1/32"], 1, 2),
        (RECORDS, Shape(format="json", pick="data.*.ip", where="about.seen = false"), ["20.0.0.2/32"], 3, 0),
        (RECORDS, Shape(format="json", pick="data.*.more.*", where="type = block"), ["20.0.2.0/24"], 1, 1),
        (RECORDS, Shape(format="json", pick="data.*.ip", where="confidence_level < 62.6"), ["20.0.0.2/32"], 1, 2),
        (b"20.0.0.1\n# END (1 entries)\n", Shape(), ["20.0.0.1/32"], 0, 0),
        (b"# nothing\n# END 0 entries\n", Shape(), [], 0, 0),
        (b'{"a": ["20.0.0.1:1"]}', Shape(format="json", pick="a", value="ip:port"), ["20.0.0.1/32"], 0, 0),
    ],
)  # fmt: skip
def test_networks_are_read_however_they_are_written(
    content: bytes, shape: Shape, cidrs: list[str], refused: int, others: int
) -> None:
    if not cidrs and refused:
        with pytest.raises(FeedDamaged, match=r"is (not )?a network$"):
            read(content, shape)
        return
    found = read(content, shape)
    assert found.entries.cidrs() == cidrs
    assert (found.refused_count, found.other_records) == (refused, others)


@pytest.mark.parametrize(
    ("content", "shape", "cause"),
    [
        (FEODO.replace(b"END 2", b"END 24"), Shape(format="csv", pick="dst_ip"), "declares 24"),
        (b"20.0.0.1\n# END 2 entries\n", Shape(), "contains 1 entry but declares 2"),
        (FEODO, Shape(format="csv", pick="dst_ip", where="status = online"), "no column 'status'"),
    ],
)  # fmt: skip
def test_a_list_that_is_not_what_it_says_is_refused(
    content: bytes, shape: Shape, cause: str
) -> None:
    with pytest.raises(FeedDamaged, match=cause):
        read(content, shape)


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 1 << 20))
def test_a_range_holds_its_addresses_and_no_other(low: int, more: int) -> None:
    high = min(low + more, (1 << 32) - 1)
    ends = [".".join(str(one >> shift & 255) for shift in (24, 16, 8, 0)) for one in (low, high)]
    found = read("-".join(ends).encode(), Shape(value="range"))
    merged = CidrSet.of(found.entries)
    assert merged.addresses == high - low + 1
    assert merged.covers(ends[0])
    assert merged.covers(ends[1])


def test_a_whole_family_is_a_range_too() -> None:
    found = read(
        b"0.0.0.0-255.255.255.255\n::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n",
        Shape(value="range"),
    )
    assert found.entries.cidrs() == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("value", ["range", "mask", "ip:port", "url"])
@pytest.mark.parametrize("piece", [":", "1.", " ", "1.1.1.1-", "a://", "[", "-", "#"])
def test_no_line_costs_more_than_its_length(value: str, piece: str) -> None:
    content = (piece * 2000 + "\n").encode() * 200
    with pytest.raises(FeedDamaged):
        read(b"x\n" + content, Shape(value=value))


def test_a_filter_out_of_form_is_refused() -> None:
    one = {"name": "a", "url": "https://x.example/", "format": "csv", "pick": "1"}
    assert feed.feeds([{**one, "where": "a b = c"}])[0].where == "a b = c"
    for where in ("c2_status", "= x", "a >= many"):
        with pytest.raises(ValueError, match="is not a filter"):
            feed.feeds([{**one, "where": where}])
    with pytest.raises(ValueError, match="where is only for csv, drop-json, json"):
        feed.feeds([{**one, "format": "cidr", "where": "a = b"}])


def test_a_filter_of_a_json_needs_records() -> None:
    one = {"name": "a", "url": "https://x.example/", "format": "json", "where": "a = b"}
    for pick in ("data.*.ip", "*.ip.value", "data.*.ips.*"):
        assert feed.feeds([{**one, "pick": pick}])[0].where == "a = b"
    for pick in ("", "data", "data.*", "data.0.ip", "*.*"):
        with pytest.raises(ValueError, match="requires a pick with records"):
            feed.feeds([{**one, "pick": pick}])
    place = {"url": "https://y.example/", "pick": "data"}
    with pytest.raises(ValueError, match="requires a pick with records"):
        feed.feeds([{**one, "pick": "*.ip", "also": [place]}])
    assert Condition.all_of("a = b AND c < 1")[1] == Condition("c", "<", "1")
    assert not Condition("c", "<", "1").holds("1")
