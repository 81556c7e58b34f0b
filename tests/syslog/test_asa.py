"""
ASA messages to events: own cases, hostile input, and the shared conformance set where it is.
"""

import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.asa import Action, is_policy_line, parse, policy_lines

ROOT = Path(__file__).parent.parent.parent
CHECK = ROOT.parent / "shared" / "conformance" / "check-asa-lines"

DENY = (
    b"%ASA-6-106100: access-list global_access denied tcp outside/203.0.113.7(40001)"
    b" -> inside/10.1.2.3(443) hit-cnt 1 first hit [0xd820e56a, 0x0]"
)


def test_an_access_list_line_gives_all_of_its_facts() -> None:
    event = parse(b"<166>Apr 15 2013 09:36:50 fw1 : " + DENY)
    assert event is not None
    assert (event.message_id, event.severity, event.device) == ("106100", 6, "fw1")
    assert event.timestamp == datetime(2013, 4, 15, 9, 36, 50, tzinfo=UTC)
    assert event.action is Action.DENIED
    assert event.protocol == "tcp"
    assert event.access_list == "global_access"
    assert event.hit_count == 1
    assert event.interval_seconds is None
    assert event.hashes == ("0xd820e56a", "0x0")
    assert event.source is not None
    assert event.source.address == ip_address("203.0.113.7")
    assert (event.source.port, event.source.interface) == (40001, "outside")
    assert event.destination is not None
    assert event.destination.address == ip_address("10.1.2.3")
    assert (event.destination.port, event.destination.interface) == (443, "inside")


def test_a_stamp_without_a_year_takes_the_nearest_one() -> None:
    event = parse(b"<166>Dec 31 23:59:58 fw " + DENY, datetime(2014, 1, 1, tzinfo=UTC).timestamp())
    assert event is not None
    assert event.timestamp == datetime(2013, 12, 31, 23, 59, 58, tzinfo=UTC)
    bare = parse(b"<166>Dec 31 23:59:58 fw " + DENY)
    assert bare is not None
    assert bare.timestamp is None


@pytest.mark.parametrize(
    ("text", "source", "destination", "port"),
    [
        (
            b"%ASA-4-106023: Deny tcp src outside:2001:db8::5/53638(LOCAL\\bob) dst"
            b' inside:10.0.0.132/https by access-group "acl_out" [0x71761f18, 0x0]',
            "2001:db8::5",
            "10.0.0.132",
            443,
        ),
        (
            b"%ASA-6-302013: Built inbound TCP connection 9 for outside:192.0.2.1/22 (192.0.2.1/22)"
            b" to inside:10.1.1.2/53496 (198.51.100.2/53496)",
            "192.0.2.1",
            "10.1.1.2",
            53496,
        ),
        (
            b"%ASA-2-106001: Inbound TCP connection denied from 192.0.2.1/1007 to 5.6.7.8/139"
            b" flags SYN  on interface outside",
            "192.0.2.1",
            "5.6.7.8",
            139,
        ),
    ],
)
def test_both_ends_are_found(text: bytes, source: str, destination: str, port: int) -> None:
    event = parse(text)
    assert event is not None
    assert event.source is not None
    assert event.destination is not None
    assert event.source.address == ip_address(source)
    assert event.destination.address == ip_address(destination)
    assert event.destination.port == port


def test_icmp_has_type_and_code_in_place_of_ports() -> None:
    event = parse(
        b"%ASA-6-106100: access-list a denied icmp in/10.0.0.1(8) -> out/192.0.2.1(0)"
        b" hit-cnt 4 300-second interval [0x1, 0x2]"
    )
    assert event is not None
    assert (event.icmp_type, event.icmp_code) == (8, 0)
    assert (event.hit_count, event.interval_seconds) == (4, 300)
    assert event.source is not None
    assert event.source.port is None


def test_a_name_in_place_of_an_address_is_a_host() -> None:
    event = parse(b"%ASA-7-710005: UDP request discarded from SERVER1/2741 to in:192.0.2.255/61601")
    assert event is not None
    assert event.source is not None
    assert (event.source.address, event.source.host) == (None, "SERVER1")


def test_a_tag_may_have_a_class_or_an_empty_one() -> None:
    for tag, kind in (
        (b"%FTD-4-106023", None), (b"%FTD--4-106023", None), (b"%ASA-session-4-106023", "session"),
        (b"%ASA-tag-switching-4-106023", "tag-switching"),
    ):  # fmt: skip
        line = tag + b': Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group "g"'
        event = parse(line)
        assert event is not None
        assert (event.message_class, event.access_list) == (kind, "g")
        assert is_policy_line(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"%ASA-9-106100: x",
        b"%ASA-6-10610: x",
        b"%ASA-6-1061001: x",
        b"%IOS-6-106100: x",
        b"ASA-6-106100: no sign",
    ],
)
def test_what_is_no_asa_message_is_none(line: bytes) -> None:
    assert parse(line) is None
    assert not is_policy_line(line)


HEADS = st.sampled_from([b"", b"<166>", b"<34>:Apr 04 19:28:05 EDT: ", b"<999999>\x00\xff "])
TAGS = st.sampled_from(
    [b"%ASA-6-106100: ", b"%FTD-4-106023:", b"%ASA-session-6-302013: ", b"%PIX-3-313004 "]
)


@settings(deadline=None, max_examples=300)
@given(HEADS, TAGS, st.binary(max_size=400))
def test_parse_never_raises(head: bytes, tag: bytes, text: bytes) -> None:
    event = parse(head + tag + text, 1.0e9)
    assert event is not None
    assert len(event.message_id) == 6


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.floats(allow_nan=True, allow_infinity=True))
def test_no_header_and_no_time_makes_parse_raise(head: bytes, received_at: float) -> None:
    parse(head + DENY, received_at)


LINES = st.lists(
    st.one_of(
        st.just(b"<166>" + DENY),
        st.just(b"%ASA-6-302013: Built"),
        st.just(b"%ASA-6-302013: x %ASA-4-106023: second tag in one line %ASA-4-106023: third"),
        st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=200)
@given(LINES)
def test_the_block_search_finds_just_the_policy_lines(lines: list[bytes]) -> None:
    block = b"".join(line + b"\n" for line in lines)
    assert policy_lines(block) == [line + b"\n" for line in lines if is_policy_line(line)]


@pytest.mark.skipif(not CHECK.exists(), reason="the conformance set is not beside this checkout")
@pytest.mark.parametrize(
    ("ids", "share"), [("106001,106006,106007,106010,106011,106012,106014,106015,106016,106017,"
                        "106020,106021,106022,106023,106027,106100,106101,106102,106103", "100"), ("", "98")]
)  # fmt: skip
def test_lines_of_other_projects_are_read_as_they_expect(ids: str, share: str) -> None:
    command = [sys.executable, str(CHECK), "--at-least", share, *(["--ids", ids] if ids else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
