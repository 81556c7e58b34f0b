import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.render import Render, rfc5424, with_header

AT = 1795455600.25  # 2026-11-23T17:40:00.250Z


def test_a_line_that_names_no_sender_gets_a_header() -> None:
    line = b"<166>%ASA-6-106100: access-list a denied"
    assert with_header(line, "192.0.2.1", AT) == (
        b"<166>2026-11-23T17:40:00.250Z 192.0.2.1 %ASA-6-106100: access-list a denied"
    )


def test_a_time_stamp_of_its_own_stays_in_the_line() -> None:
    line = b"<166>Apr 15 2013 09:36:50: %ASA-4-106023: Deny"
    assert with_header(line, "2001:db8::1", AT) == (
        b"<166>2026-11-23T17:40:00.250Z 2001:db8::1 Apr 15 2013 09:36:50: %ASA-4-106023: Deny"
    )


def test_a_line_that_names_its_sender_stays_as_it_is() -> None:
    line = b"<166>Apr 24 2013 16:00:28 INT-FW01 : %ASA-6-106100: x"
    assert with_header(line, "192.0.2.1", AT) == line


def test_a_line_without_a_pri_is_a_notice_of_a_user() -> None:
    assert with_header(b"%ASA-6-302013: Built", "192.0.2.1", 0.0) == (
        b"<13>192.0.2.1 %ASA-6-302013: Built"
    )


def test_rfc5424_carries_origin_and_time_of_receipt() -> None:
    line = b"<166>Apr 24 2013 16:00:28 INT-FW01 : %ASA-6-106100: x"
    assert rfc5424(line, "192.0.2.1", AT) == (
        b"<166>1 2026-11-23T17:40:00.250Z INT-FW01 ASA - 106100 "
        b'[origin ip="192.0.2.1"][received@32473 at="2026-11-23T17:40:00.250Z"] '
        b"Apr 24 2013 16:00:28 INT-FW01 : %ASA-6-106100: x"
    )


def test_rfc5424_says_nil_for_what_is_not_known() -> None:
    assert rfc5424(b"hello", None, 0.0) == b"<13>1 - - - - - - hello"


def test_the_number_is_found_behind_a_class_also_an_empty_one() -> None:
    for tag in (b"%FTD-session-6-106100", b"%FTD--6-106100"):
        sent = rfc5424(b"<166>fw1 : " + tag + b": x", None, 0.0)
        assert re.search(rb" FTD - 106100 ", sent), sent


def test_what_is_rfc5424_already_is_not_wrapped_again() -> None:
    line = b"<165>1 2003-10-11T22:14:15.003Z host app - ID47 - text"
    assert rfc5424(line, "192.0.2.1", AT) == line
    assert with_header(line, "192.0.2.1", AT) == line


@pytest.mark.parametrize("render", [rfc5424, with_header])
@pytest.mark.parametrize(
    ("host", "text", "told"),
    [
        (b"-", b"text", b"192.0.2.1"),
        (b"-", b"Nov 30 2026 05:54:08 fw1 : %ASA-6-302013: x", b"fw1"),
        (b"::ffff:192.0.2.2", b"text", b"192.0.2.2"),
        (b"::FFFF:c000:202", b"%ASA-6-302013: x", b"192.0.2.2"),
        (b"[::ffff:192.0.2.2]:514", b"text", b"192.0.2.2"),
        (b"192.0.2.2:41234", b"text", b"192.0.2.2"),
        (b"relay", b"Nov 30 2026 05:54:08 fw1 : %ASA-6-302013: x", b"relay"),
        (b"2001:db8::9", b"text", b"2001:db8::9"),
    ],
)
def test_the_hostname_of_rfc5424_is_a_name_or_an_address_in_its_one_spelling(
    render: Render, host: bytes, text: bytes, told: bytes
) -> None:
    line = b"<165>1 2026-11-30T05:54:08Z %b app - - - %b"
    assert render(line % (host, text), "192.0.2.1", AT) == line % (told, text)


@pytest.mark.parametrize("render", [rfc5424, with_header])
def test_where_nobody_is_known_the_nil_hostname_stays(render: Render) -> None:
    line = b"<165>1 - - app - - - text"
    assert render(line, None, 0.0) == line


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=300),
    st.one_of(st.none(), st.text(max_size=40)),
    st.floats(0, 4e9, allow_nan=False),
)
def test_any_bytes_make_a_message_that_ends_with_them(
    message: bytes, sender: str | None, at: float
) -> None:
    made = rfc5424(message, sender, at)
    assert re.match(rb"<\d{1,3}>[1-9]\d{0,2} ", made)
    rest = re.sub(rb"^<\d{1,3}>", b"", message)
    assert made.endswith(rest)
    assert with_header(message, sender, at).endswith(rest.lstrip(b" :"))
