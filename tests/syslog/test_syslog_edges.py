"""
The edges of the syslog rooms: the last value that is taken beside the first that is not.
"""

import pytest

from tscm.syslog.asa import parse
from tscm.syslog.asa_bulk import _rows_of_one_form
from tscm.syslog.framing_start import Framing, open_stream
from tscm.syslog.header import read_header

FLOW = (
    b"<166>fw1 : %ASA-6-106100: access-list in permitted tcp inside/192.0.2.1(1024) -> "
    b"outside/198.51.100.1(443) hit-cnt 1 first hit [0x1, 0x2]\n"
)
DENIAL = (
    b"<164>fw1 : %ASA-4-106023: Deny tcp src outside:198.51.100.1/1024 dst inside:192.0.2.1/443 by "
    b'access-group "in" [0x1, 0x2]\n'
)


@pytest.mark.parametrize("lines", [[FLOW], [FLOW] * 3, [DENIAL], [DENIAL] * 3])
def test_lines_of_one_form_go_the_short_way(lines: list[bytes]) -> None:
    found = _rows_of_one_form(b"".join(lines), lines)
    assert found is not None
    assert len(found) == len(lines)


@pytest.mark.parametrize(
    "lines",
    [
        [FLOW, DENIAL],
        [FLOW, FLOW.replace(b"fw1", b"fw%1")],
        [FLOW, FLOW.replace(b"fw1 :", b"fw1 : message repeated 2 times: [")],
        [DENIAL, DENIAL.replace(b"tcp", b"icmp")],
    ],
)
def test_lines_of_several_forms_are_read_one_by_one(lines: list[bytes]) -> None:
    assert _rows_of_one_form(b"".join(lines), lines) is None


@pytest.mark.parametrize(
    ("kind", "code", "as_icmp"),
    [(255, 255, True), (0, 0, True), (256, 0, False), (0, 256, False), (256, 256, False)],
)
def test_type_and_code_of_icmp_are_octets(kind: int, code: int, *, as_icmp: bool) -> None:
    event = parse(
        b"<166>fw1 : %%ASA-6-106100: access-list in denied icmp inside/192.0.2.1(%d) -> "
        b"outside/198.51.100.1(%d) hit-cnt 1 first hit [0x1, 0x2]" % (kind, code)
    )
    assert event is not None
    assert event.source is not None
    assert event.destination is not None
    ports = (event.source.port, event.destination.port)
    found = (event.icmp_type, event.icmp_code, *ports)
    assert found == ((kind, code, None, None) if as_icmp else (None, None, kind, code))


def test_a_proxy_header_has_at_most_107_octets() -> None:
    begin = b"PROXY UNKNOWN "
    longest = begin + b"0" * (107 - len(begin) - 2) + b"\r\n"
    assert open_stream(longest + b"<1>x").headers == 1
    assert open_stream(longest.replace(b"0\r", b"00\r") + b"<1>x").headers == 0
    assert open_stream(longest[:106]).framing is None
    assert open_stream(longest.replace(b"\r\n", b"00")).framing is Framing.LINES


def test_a_zone_that_a_colon_follows_at_once_may_be_a_name() -> None:
    found = read_header(b"<166>Jul 29 2025 10:00:00 America/New_York: x")
    assert (found.zone, found.names) == (b"America/New_York", ())
    assert found.doubtful == (b"America/New_York",)
