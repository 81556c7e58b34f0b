from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.base.host_port import HostPort
from tscm.settings import values

READERS = [
    values.text,
    values.account,
    values.yes_no,
    values.whole(1, 10),
    values.number(0, 1),
    values.choice("UDP", "TCP"),
    values.many(values.address),
    values.optional(values.proxy_url),
    values.nickname,
    values.device_id,
    values.dns_name,
    values.ip_address,
    values.address,
    values.group_prefix,
    values.host_port,
    values.port_number,
    values.listen_address,
    values.web_url("https"),
    values.proxy_url,
    values.rest_url,
    values.fingerprint,
    values.path,
    values.dns_port,
]
ANYTHING = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.from_regex(r"\A(https?://)?[\[\]:0-9a-f./@?#-]{0,30}\Z"),
)


@settings(deadline=None, max_examples=1000)
@given(read=st.sampled_from(READERS), value=ANYTHING)
def test_a_reader_gives_a_value_or_says_what_is_allowed(
    read: Callable[[Any], Any], value: Any
) -> None:
    refusal = ""
    try:
        found = read(value)
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert "; allowed: " in refusal
        assert "\x1b" not in refusal
        assert len(refusal) < 300
    else:
        again = str(found) if isinstance(found, HostPort) else found
        assert read(again) == found  # the normal form is its own normal form


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (values.nickname, "a" * 63, "a" * 63),
        (values.nickname, "_x-1", "_x-1"),
        (values.dns_name, "Block.Example.", "block.example"),
        (values.ip_address, " 2001:DB8::0 ", "2001:db8::"),
        (values.address, "asa.example", "asa.example"),
        (values.whole(50), "1,000", 1000),
        (values.yes_no, "Y", True),
        (values.many(values.address), "none", ()),
        (values.many(values.address), "192.0.2.1  192.0.2.1 a", ("192.0.2.1", "a")),
        (values.many(values.address), "192.0.2.1, 192.0.2.1,a", ("192.0.2.1", "a")),
        (values.optional(values.proxy_url), "''", None),
        (values.proxy_url, "http://[2001:db8::1]:3128/", "http://[2001:db8::1]:3128"),
        (values.rest_url, "auto", None),
        (values.host_port, "2001:db8::1", HostPort("2001:db8::1")),
        (values.host_port, "[2001:db8::1]:53", HostPort("2001:db8::1", 53)),
        (values.listen_address, "127.0.0.1:0", HostPort("127.0.0.1", 0)),
        (values.listen_address, "[::]:514", HostPort("::", 514)),
        (values.dns_port, "5353", 5353),
        (values.group_prefix, "x" * 53, "x" * 53),
    ],
)
def test_what_is_taken(read: Callable[[Any], Any], value: Any, found: Any) -> None:
    assert read(value) == found


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.nickname, "a" * 64),
        (values.nickname, "-a"),
        (values.nickname, "a\n"),
        (values.nickname, ".."),
        (values.device_id, "tdid_"),
        (values.device_id, "tdid_a-b"),
        (values.device_id, "TDID_a"),
        (values.dns_name, "a" * 64),
        (values.dns_name, ".".join(["a" * 50] * 6)),
        (values.dns_name, ""),
        (values.ip_address, "010.1.1.1"),
        (values.ip_address, "fe80::1%eth0"),
        (values.address, "1.2.3"),
        (values.whole(50), "49"),
        (values.whole(50), True),
        (values.whole(50), 50.5),
        (values.yes_no, 1),
        (values.proxy_url, "https://192.0.2.1:3128"),
        (values.proxy_url, "http://192.0.2.1"),
        (values.proxy_url, "http://u:p@192.0.2.1:3128"),
        (values.proxy_url, "http://192.0.2.1:3128/path"),
        (values.rest_url, "http://192.0.2.1/api"),
        (values.rest_url, "https://192.0.2.1/api?x"),
        (values.listen_address, "514"),
        (values.listen_address, "host:514"),
        (values.listen_address, "x:0"),
        (values.host_port, "a:b"),
        (values.host_port, "192.0.2.1:65536"),
        (values.dns_port, 54),
        (values.group_prefix, "x" * 54),
        (values.group_prefix, "a b"),
        (values.fingerprint, "ab"),
        (values.path, "relative"),
        (values.account, ""),
        (values.account, "a b"),
        (values.text, "a\x1b[31m"),
    ],
)
def test_what_is_refused(read: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError, match="; allowed: "):
        read(value)


def test_a_fingerprint_is_taken_as_openssl_prints_it() -> None:
    digits = "ab" * 32
    colons = ":".join(["AB"] * 32)
    for text in (digits, colons, f"sha256 Fingerprint={colons}", f"SHA256 Fingerprint={colons}\t"):
        assert values.fingerprint(text) == digits
    with pytest.raises(ValueError, match="not a SHA-256 fingerprint"):
        values.fingerprint(f"sha1 Fingerprint={colons}")
