from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.escape import escape, escape_lines, needs_escape, unescape

awkward = st.lists(
    st.sampled_from([b"\n", b"\r", b"\0", b"\x10", b"n", b"r", b"0", b"p", b"\\", b"\xff"])
).map(b"".join)
payloads = st.binary() | awkward


@settings(deadline=None, max_examples=300)
@given(payloads)
def test_every_payload_comes_back_byte_for_byte(payload: bytes) -> None:
    assert unescape(escape(payload)) == payload


@settings(deadline=None, max_examples=300)
@given(payloads)
def test_no_byte_that_breaks_lines_stands_in_the_log(payload: bytes) -> None:
    assert not set(escape(payload)) & set(b"\n\r\0")


@settings(deadline=None, max_examples=300)
@given(payloads)
def test_only_what_needs_it_is_changed(payload: bytes) -> None:
    assert needs_escape(payload) == bool(set(payload) & set(b"\n\r\0\x10"))
    assert (escape(payload) != payload) == needs_escape(payload)


def test_an_ordinary_line_is_handed_back_itself() -> None:
    line = b"<166>Nov 23 2026 10:00:00 asa : %ASA-6-106100: C:\\nothing\\r to do"
    assert escape(line) is line
    assert unescape(line) is line


def test_the_letters_are_those_of_the_agreement() -> None:
    assert escape(b"a\nb\rc\0d\x10e") == b"a\x10nb\x10rc\x100d\x10pe"


def test_an_escape_of_somebody_else_stays_as_it_is() -> None:
    assert unescape(b"a\x10zb\x10") == b"a\x10zb\x10"


@settings(deadline=None, max_examples=300)
@given(st.lists(payloads.map(lambda one: one.replace(b"\n", b""))))
def test_many_lines_at_once_are_escaped_as_each_is(lines: list[bytes]) -> None:
    assert escape_lines(b"\n".join(lines)) == b"\n".join(map(escape, lines))
