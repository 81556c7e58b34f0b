"""
The bulk path tells just what `parse` tells, line by line.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.syslog.mutations import corpus, disagreement, mutants
from tscm.syslog import asa_bulk
from tscm.syslog.asa import is_policy_line, parse
from tscm.syslog.asa_bulk import PolicyEvent, event_of, of_event, policy_events, policy_rows
from tscm.syslog.escape import escape, unescape

HEADS = st.sampled_from(
    [
        b"",
        b"<166>",
        b"<166>Apr 24 2013 16:00:28 FW : ",
        b"50% off ",
        b"<34>:Apr 04 19:28:05 EDT: ",
        b"\x10 x \x10p ",
    ]
)
TAGS = st.sampled_from(
    [b"%ASA-6-106100: ", b"%ASA-6-106100 ", b"%FTD-session-5-106102: ", b"%ASA-4-106023: ",
     b"%ASA-6-302013: x %ASA-6-106100: ", b"%PIX-4-106103: ", b"%ASA-6-106100::  ",
     b"%FTD--6-106100: ", b"%ASA-tag-switching-4-106023: ",
     b"%ASA-6-106100: message repeated 3 times: [ ", b"%ASA-4-106023: message repeated 2 times: ["]
)  # fmt: skip
ADDRESSES = st.sampled_from(
    ["203.0.113.7", "10.0.0.1", "192.168.256.51", "010.1.1.1", "1.2.3", "2001:db8::5",
     "2001:0DB8:0:0::5", "SERVER1", "...7...", "255.255.255.255", "\xfcber", "be:10.0.0.9", "a:be:2001:db8::5",
     "[2001:db8::5]", "dead:beef", ":", "10.0.0.1."]
)  # fmt: skip
PORTS = st.sampled_from(
    [
        "0",
        "1",
        "8",
        "08",
        "255",
        "256",
        "443",
        "0443",
        "59999",
        "60000",
        "65535",
        "65536",
        "99999",
        "https",
        "",
    ]
)
PROTOCOLS = st.sampled_from(
    [
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "gre",
        "47",
        "protocol 115",
        "protocol 6",
        "TCP",
        "ipv6-icmp",
        "1000",
    ]
)
USERS = st.sampled_from(
    [
        "",
        "(LOCAL\\bob)",
        "(LOCAL\\ab.v)",
        "(dom/bob)",
        "(bob)(9:Guests)",
        "(it's)",
        "(type 8)",
        "()",
        " (a, b)",
        "(1.2.3.4/5)",
        "(9:Guests)",
        "(A to B -> C)",
    ]
)
NAMES = st.sampled_from(
    ["outside", "in side", "dmz_1.2", "Ünter", 'a"b', "be", "v1:lan", "Gi0/1", "it's"]
)


@st.composite
def listed(draw: st.DrawFn) -> bytes:
    word = draw(st.sampled_from(["permitted", "denied", "est-allowed", "Denied", "allowed"]))
    when = draw(st.sampled_from(["first hit", "300-second interval", "second", "(first hit)"]))
    tail = draw(st.sampled_from([" [0xd820e56a, 0x0]", "", " [0x1]", " and more"]))
    ends = " -> ".join(
        f"{draw(NAMES)}/{draw(ADDRESSES)}({draw(PORTS)}){draw(USERS)}" for _ in range(2)
    )
    hits = draw(st.sampled_from(["1", "144", "007", "0", "99999999999"]))
    count = draw(st.sampled_from([f" hit-cnt {hits} {when}{tail}", ""]))
    user = draw(
        st.sampled_from(
            [
                "",
                " for user bob",
                " for user 'b ob'",
                " for user 'LOCAL\\bob'",
                " for user a/b",
                " for user 'x",
                " for user b(ob)",
                " for user in/10.0.0.1(5)",
            ]
        )
    )
    text = f"access-list {draw(NAMES)} {word} {draw(PROTOCOLS)}{user} {ends}{count}"
    return text.encode("latin-1")


@st.composite
def denied(draw: st.DrawFn) -> bytes:
    ends = [
        f"{draw(NAMES)}:{draw(ADDRESSES)}{draw(st.sampled_from(['', '/443', '/https']))}{draw(USERS)}"
        for _ in range(2)
    ]
    kind = draw(
        st.sampled_from(["", " (type 8, code 0)", " (type 999, code 1)", ", type 3, code 0"])
    )
    tail = draw(st.sampled_from(["", " (type 3, code 0)", " [0x1, 0x2]"]))
    text = (
        f"Deny {draw(PROTOCOLS)} src {ends[0]} dst {ends[1]}{kind} by access-group "
        f'"{draw(NAMES)}"{tail}'
    )
    return text.encode("latin-1")


LINES = st.builds(
    lambda head, tag, text: escape(head + tag + text),
    HEADS,
    TAGS,
    st.one_of(listed(), denied(), st.binary(max_size=80)),
)
MIXED = st.lists(st.one_of(LINES, st.just(b"%ASA-6-302013: Built"), st.just(b"")), max_size=20)
ORDINARY_ADDRESSES = st.sampled_from(["203.0.113.7", "10.0.0.1", "2001:0DB8:0:0::5"])
ORDINARY = (
    "fw{head} : %ASA-6-106100: access-list g{odd} {word} tcp outside/{one}(7) -> inside/{other}(443) hit-cnt 3 {when}",
    'fw{head} : %ASA-4-106023: Deny udp src outside:{one}/7 dst inside:{other}/53 by access-group "g{odd}"',
    'fw{head} : %ASA-4-106023: Deny icmp src outside:{one} dst inside:{other} (type 8, code 0) by access-group "g{odd}"',
    "fw{head} : %ASA-6-106100: access-list g{odd} {word} icmp outside/{one}(8) -> inside/{other}(0) hit-cnt 3 {when}",
    'fw{head} : %ASA-4-106023: Deny tcp src in:{one}/7(LOCAL\\bob) dst out:{other}/53 by access-group "g{odd}"',
    "fw{head} : %ASA-6-106100: access-list g{odd} {word} udp for user 'L\\bob' in/{one}(8) -> out/{other}(0) hit-cnt 3 {when}",
)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Ordinary lines of one form, now and then with one that is not or with a second percent sign."""
    form = draw(st.sampled_from(ORDINARY))
    lines = [
        form.format(
            head=draw(st.sampled_from(["", "", "", "%"])),
            odd=draw(st.sampled_from(["", "", "", "%", " x"])),
            word=draw(st.sampled_from(["denied", "permitted"])),
            one=draw(ORDINARY_ADDRESSES),
            other=draw(ORDINARY_ADDRESSES),
            when=draw(st.sampled_from(["first hit", "300-second interval [0x1, 0x0]"])),
        ).encode()
        for _ in range(draw(st.integers(1, 6)))
    ]
    return lines + draw(st.one_of(st.just([]), st.just([]), st.lists(LINES, max_size=1)))


BLOCKS = st.one_of(MIXED, alike())


@settings(deadline=None, max_examples=300)
@given(BLOCKS)
def test_a_block_gives_what_its_lines_give(lines: list[bytes]) -> None:
    block = b"".join(line + b"\n" for line in lines)
    expected: list[tuple[bytes, PolicyEvent]] = []
    for line in lines:
        event = parse(unescape(line)) if is_policy_line(line) else None
        found = None if event is None else of_event(event)
        if found is not None:
            expected.append((line, found))
    assert list(policy_events(block)) == expected
    assert [event_of(row) for row in policy_rows(block)] == [event for _, event in expected]


@pytest.mark.parametrize("form", ORDINARY)
def test_ordinary_lines_never_take_the_slow_way(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(line: bytes) -> None:
        pytest.fail(f"parsed one by one: {line!r}")

    monkeypatch.setattr(asa_bulk, "_row", slow)
    line = form.format(
        head="", odd="", word="denied", one="203.0.113.7", other="10.0.0.1", when="first hit"
    ).encode()
    other = b'%ASA-4-106023: Deny udp src a:10.0.0.1/7 dst b:10.0.0.2/53 by access-group "g"\n'
    assert len(policy_rows((line + b"\n") * 3 + other + line + b"\n")) == 5


def test_the_common_form_is_told_whole() -> None:
    line = (
        b"<166>Nov 23 2026 10:00:00 fw : %ASA-6-106100: access-list global_access denied tcp"
        b" outside/203.0.113.7(40001) -> inside/10.1.2.3(443) hit-cnt 12 300-second interval [0xd8, 0x0]"
    )
    (event,) = [event_of(row) for row in policy_rows(b"noise\n" + line + b"\nmore noise\n")]
    assert event == PolicyEvent(
        "global_access",
        "denied",
        "tcp",
        "203.0.113.7",
        "10.1.2.3",
        443,
        12,
        300,
        "global_access denied tcp outside/203.0.113.7(40001) -> inside/10.1.2.3(443)",
    )


def test_protocols_without_ports_have_one_row() -> None:
    ends = ("outside", "203.0.113.7", "inside", "10.1.2.3")
    lines = [
        "%ASA-6-106100: access-list a denied gre {}/{}(0) -> {}/{}(0) hit-cnt 1 first hit [0x1, 0x0]",
        '%ASA-4-106023: Deny gre src {}:{} dst {}:{} by access-group "a" [0x1, 0x0]',
        "%ASA-6-106100: access-list a denied tcp {}/{}(0) -> {}/{}(0) hit-cnt 1 first hit [0x1, 0x0]",
    ]
    block = "".join(line.format(*ends) + "\n" for line in lines).encode()
    assert [event_of(row).port for row in policy_rows(block)] == [-1, -1, 0]


def test_what_relays_make_of_a_line_is_counted() -> None:
    deny = b'Deny tcp src outside:203.0.113.9/40000 dst inside:192.0.2.2/22 by access-group "outside_in" [0x1, 0x0]'
    flow = b"access-list acl_in permitted udp outside/203.0.113.9(40000) -> inside/192.0.2.8(53) hit-cnt 3 300-second interval"
    lines = [
        b"<164>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-4-106023 - - -  " + deny,
        b"<166>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-6-106100 - - - " + flow,
        b"<164>Nov 30 06:11:50 fw1 : message repeated 3 times: [ %ASA-4-106023: " + deny + b"]",
        b"<166>Nov 30 06:11:50 fw1 : message repeated 3 times: [ %ASA-6-106100: " + flow,
        b"%ASA-4-106023: %ASA-4-106023: " + deny,
    ]
    block = b"".join(line + b"\n" for line in lines)
    assert [event_of(row).hits for row in policy_rows(block)] == [1, 3, 3, 9, 1]


def test_no_accident_makes_block_and_single_line_differ() -> None:
    """Some seconds of it; `make fuzz` goes on for longer and elsewhere."""
    chance = random.Random(20261130)
    lines = corpus()
    made = mutants(lines, chance)
    assert all(disagreement([line]) is None for line in lines)
    for _ in range(300):
        block = [next(made) for _ in range(12)]
        assert (found := disagreement(block)) is None, found
        for line in block:
            assert (found := disagreement([line])) is None, found
