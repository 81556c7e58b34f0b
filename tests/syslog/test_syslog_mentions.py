"""
Which lines are about an address or a user, and which only look so.
"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.syslog.mentions import Mentions, NotNamed, about_address, about_user, mentions


def lines(about: Mentions, *given_lines: bytes) -> list[bytes]:
    block = b"".join(one + b"\n" for one in given_lines)
    return [block[start:end] for start, end in about.spans(block)]


OF_ADDRESS = [
    b"Built inbound TCP connection for outside:192.0.2.1/443 (192.0.2.1/443)",
    b"Teardown for 192.0.2.1.",
    b"192.0.2.1",
    b"from=192.0.2.1,to=192.0.2.10",
    b"::ffff:192.0.2.1",
]
OF_OTHERS = [b"192.0.2.10", b"1192.0.2.1", b"10.192.0.2.1", b"192.0.2.1.5", b"192.0.2.11/1", b""]


def test_an_address_is_a_whole_one() -> None:
    about = about_address("192.0.2.1")
    assert lines(about, *OF_ADDRESS, *OF_OTHERS) == OF_ADDRESS
    assert lines(about, *OF_OTHERS, *OF_ADDRESS) == OF_ADDRESS


def test_an_ipv6_address_is_found_in_each_of_its_forms() -> None:
    about = about_address("2001:db8::1")
    its = [
        b"for outside:2001:db8::1/443 to",
        b"inside:2001:0DB8:0:0:0:0:0:1",
        b"[2001:db8::0001]:514",
        b"2001:db8::0.0.0.1",
        b"dead:2001:db8::1/1 is down",
        b"the peer 2001:db8::1.",
        b"2001:db8:0:0:0:0:0:1:443",
    ]
    others = [
        b"2001:db8::11",
        b"2001:db8::1:1",
        b"12001:db8::1",
        b"12:30:01",
        b":" * 64,
        b"a:b:c:d",
        b"xy:1:2",
    ]
    assert lines(about, *its, *others) == its


@given(st.ip_addresses(v=6))
def test_any_ipv6_address_is_found(address: ipaddress.IPv6Address) -> None:
    about = about_address(str(address))
    assert lines(about, f"outside:{address.exploded}/80".encode(), b"outside:10.0.0.1/80")


def test_a_user_is_a_word_by_itself_in_either_case() -> None:
    its = [
        b"user 'bob' logged in",
        rb"LOCAL\Bob executed",
        b"BOB@example.org",
        b"from (bob).",
        b"bob. Next",
    ]
    others = [b"bobby", b"bob-2", b"xbob", b"bob.smith", b"j.bob", b"\xc3\xa9bob", b"bob\xc3\xa9"]
    assert lines(about_user("bob"), *its, *others) == its
    assert lines(about_user("a.*b"), b"a.*b", b"axxb") == [b"a.*b"]


@pytest.mark.parametrize(
    ("address", "user"),
    [
        (None, None),
        ("192.0.2.1", "bob"),
        ("192.0.2.0/24", None),
        ("192.0.2", None),
        ("", None),
        (None, ""),
        (None, " "),
        (None, "a\nb"),
        (None, "x" * 300),
    ],
)
def test_what_names_neither_is_refused(address: str | None, user: str | None) -> None:
    with pytest.raises(NotNamed):
        mentions(address, user)
