"""
STIX 2.1 and exports of MISP: which addresses they give, and what of them is counted and told.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.policy.collect import Collector
from tscm.policy.feed_formats import OBJECTS_MAX, FeedDamaged, Shape, read_feed
from tscm.policy.lists import PolicyList
from tscm.policy.stix import addresses_of

NOW = 1_780_000_000.0  # 28 May 2026
V4 = "[ipv4-addr:value = '198.51.100.1']"


def read(content: bytes, form: str = "stix", where: str = "") -> tuple[PolicyList, Collector]:
    collector = Collector(now=NOW)
    read_feed(content, Shape(format=form, where=where), collector)
    return collector.to_list("f", serial=None, fetched_at=0, source=""), collector


def indicator(pattern: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{number}",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "pattern": pattern, "pattern_type": "stix", **more,
    }  # fmt: skip


def bundle(*objects: Any) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(objects)}).encode()


@pytest.mark.parametrize(
    ("pattern", "addresses"),
    [
        (V4, ("198.51.100.1",)),
        ("[ipv6-addr:value='2001:db8::1']", ("2001:db8::1",)),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", ("198.51.100.0/24",)),
        ("[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]", ("192.0.2.1", "192.0.2.2")),
        ("[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2']", ("192.0.2.1", "192.0.2.2")),
        (f"{V4} OR ([ipv4-addr:value = '192.0.2.2'])", ("198.51.100.1", "192.0.2.2")),
        ("[(ipv4-addr:value = '192.0.2.1')]", ("192.0.2.1",)),
        ("[domain-name:value = 'example.com']", None),
        ("[ipv4-addr:value = '192.0.2.1' AND network-traffic:dst_port = 443]", None),
        ("[ipv4-addr:value != '192.0.2.1']", None),
        ("[NOT ipv4-addr:value = '192.0.2.1']", None),
        ("[ipv4-addr:value NOT ISSUBSET '192.0.2.0/24']", None),
        (f"{V4} WITHIN 300 SECONDS", None),
        (f"{V4} FOLLOWEDBY {V4}", None),
        ("ipv4-addr:value = '192.0.2.1'", None),
        (f"[{V4}]", None),
        (f"{V4} OR", None),
        (f"({V4}", None),
        ("[ipv4-addr:value IN ('192.0.2.1' '192.0.2.2')]", None),
        ("[ipv4-addr:value IN ()]", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_pattern_gives_its_addresses_or_nothing(
    pattern: str, addresses: tuple[str, ...] | None
) -> None:
    assert addresses_of(pattern) == addresses


@given(st.text(alphabet="[]() 'ORIN=,ipv4-addr:value192.0", max_size=80))
def test_no_text_breaks_the_reading_of_patterns(text: str) -> None:
    found = addresses_of(text)
    assert found is None or "NOT" not in text


def test_what_is_revoked_over_or_to_come_gives_no_address_and_is_told() -> None:
    found, collector = read(
        bundle(
            indicator(V4, 1, valid_until="2026-06-01T00:00:00Z"),
            indicator("[ipv4-addr:value = '192.0.2.1']", 2, valid_until="2026-05-01T00:00:00Z"),
            indicator("[ipv4-addr:value = '192.0.2.2']", 3, revoked=True),
            indicator("[ipv4-addr:value = '192.0.2.3']", 4, valid_from="2026-05-29T00:00:00Z"),
            indicator("[url:value = 'http://192.0.2.4/']", 5),
            indicator("rule x", 6, pattern_type="yara"),
            {"type": "malware", "id": "malware--1"},
            {"type": "ipv4-addr", "id": "ipv4-addr--1", "value": "192.0.2.9"},
        )
    )
    assert [str(one) for one in found.entries.cidrs()] == ["198.51.100.1/32"]
    assert dict(found.passed_over) == {
        "indicator that is over": 1,
        "revoked indicator": 1,
        "indicator that is still to come": 1,
        "indicator of more than addresses": 1,
        "indicator in another language than STIX": 1,
        "malware": 1,
        "ipv4-addr": 1,
    }
    assert found.refused_count == 0
    assert collector.next_change == 1_780_012_800.0  # what is to come comes before what ends


@pytest.mark.parametrize("backwards", [False, True])
def test_of_an_indicator_the_version_that_was_modified_last_counts(*, backwards: bool) -> None:
    versions = [
        indicator(V4, 1),
        indicator(V4, 1, modified="2026-02-01T00:00:00.000Z", revoked=True),
        indicator("[ipv4-addr:value = '192.0.2.7']", 2),
    ]
    found, _ = read(bundle(*(reversed(versions) if backwards else versions)))
    assert [str(one) for one in found.entries.cidrs()] == ["192.0.2.7/32"]
    assert ("earlier version of an indicator", 1) in found.passed_over


def test_faulty_indicators_are_left_out_and_counted() -> None:
    found, _ = read(
        bundle(
            indicator("[ipv4-addr:value = '300.1.1.1']", 1),
            indicator(V4, 2, valid_until="tomorrow"),
            indicator(V4, 3, modified=10**400),
            {"type": "indicator", "id": "indicator--4"},
            "text",
            indicator(V4, 5, pattern_type=7),
            indicator("[ipv4-addr:value = '192.0.2.7']", 7),
        )
    )
    assert [str(one) for one in found.entries.cidrs()] == ["192.0.2.7/32"]
    assert found.refused_count == 5


def test_the_filter_of_a_feed_asks_fields_of_an_indicator() -> None:
    content = bundle(
        indicator(V4, 1, confidence=90),
        indicator("[ipv4-addr:value='192.0.2.7']", 2, confidence=10),
    )
    found, _ = read(content, where="confidence >= 75")
    assert [str(one) for one in found.entries.cidrs()] == ["198.51.100.1/32"]


@pytest.mark.parametrize(
    ("form", "content", "cause"),
    [
        ("stix", b"<html>Please log in</html>", "HTML page"),
        ("stix", b'{"error": "no such collection"}', "it has no objects"),
        ("stix", b'{"objects": [{"type": "indicator"', "not valid JSON"),
        ("stix", b'{"objects": [' + b"{}," * (OBJECTS_MAX + 1) + b"{}]}", "more than 200,000 objects"),
        ("stix", b'{"objects": ' + b"[" * 100_000, "100 levels"),
        ("misp", b"<!DOCTYPE html><title>MISP</title>", "HTML page"),
        ("misp", b'{"name": "Authentication failed.", "message": "x"}', "neither response nor Event"),
        ("misp", b"[1, 2, 3]", "neither response nor Event"),
    ],
)  # fmt: skip
def test_what_is_no_such_feed_is_refused_whole(form: str, content: bytes, cause: str) -> None:
    with pytest.raises(FeedDamaged, match=cause):
        read(content, form)


def attribute(value: Any, kind: str = "ip-dst", **more: Any) -> dict[str, Any]:
    return {
        "id": "7", "event_id": "1", "category": "Network activity", "type": kind, "value": value,
        "to_ids": True, "uuid": "5f0a", "timestamp": "1742853555", "deleted": False, **more,
    }  # fmt: skip


MANY = [attribute(f"20.0.{number // 256}.{number % 256}") for number in range(1000)]


@pytest.mark.parametrize(
    "content",
    [
        {"response": {"Attribute": [attribute("198.51.100.1")]}},
        {"response": [{"Event": {"id": "1", "Attribute": [attribute("198.51.100.1")]}}]},
        {"response": [{"Event": {"Object": [{"Attribute": [attribute("198.51.100.1", "ip-src")]}]}}]},
        {"Event": {"Attribute": [attribute("198.51.100.1|443", "ip-dst|port")], "Object": []}},
        {"Event": {"Attribute": [attribute("198.51.100.1", to_ids="1", deleted=0)]}},
    ],
)  # fmt: skip
def test_each_export_of_misp_is_read(content: Any) -> None:
    found, _ = read(json.dumps(content).encode(), "misp")
    assert [str(one) for one in found.entries.cidrs()] == ["198.51.100.1/32"]


def test_large_exports_of_misp_are_read_as_small_ones() -> None:
    content = {"response": [{"Event": {"Attribute": MANY, "Object": [{"Attribute": MANY[:3]}]}}]}
    found, _ = read(json.dumps(content).encode(), "misp")
    assert len(found.entries) == 1003


def test_attributes_that_are_not_for_detection_are_counted_and_told() -> None:
    content = {
        "response": {
            "Attribute": [
                attribute("198.51.100.1"),
                attribute("192.0.2.1", to_ids=False),
                attribute("192.0.2.2", deleted=True),
                attribute("example.com", "domain"),
                attribute(7),
                attribute("not an address"),
            ]
        }
    }
    found, _ = read(json.dumps(content).encode(), "misp")
    assert len(found.entries) == 1
    assert found.refused_count == 2
    assert dict(found.passed_over) == {
        "attribute that is not for detection": 1,
        "deleted attribute": 1,
        "attribute domain": 1,
    }
