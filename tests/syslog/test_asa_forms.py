"""
The texts of ASA messages, form by form: what is read out of each, and what no form leads astray.
"""

import re
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.asa import Action, AsaEvent, parse
from tscm.syslog.asa_ends import Endpoint


class End(NamedTuple):
    """What a test says of one end; None says nothing of it."""

    at: str | None = None
    port: int | None = None
    interface: str | None = None
    user: str | None = None


def seen(end: Endpoint | None) -> End:
    if end is None:
        return End()
    at = end.host if end.address is None else str(end.address)
    assert end.address is None or end.host is None
    assert not (end.host and re.fullmatch(r"[0-9.]{7,15}|[0-9a-f]*::[0-9a-f:]*", end.host))
    return End(at, end.port, end.interface, end.user)


def event(text: str) -> AsaEvent:
    """*text* begins with the six digits."""
    found = parse(f"<166>%ASA-6-{text}".encode())
    assert found is not None
    return found


DENIED, BUILT, TEARDOWN = Action.DENIED, Action.BUILT, Action.TEARDOWN


@pytest.mark.parametrize(
    ("text", "action", "protocol", "source", "destination"),
    [
        (
            "106001: Inbound TCP connection denied from 198.51.100.7/4100 to 10.9.0.4/23 flags SYN  on interface wan-1.7",
            DENIED, "tcp", End("198.51.100.7", 4100, "wan-1.7"), End("10.9.0.4", 23),
        ),
        (
            "106001: Inbound TCP connection denied from 2001:db8:7::1/4100 to 2001:db8:9::4/23 flags",
            DENIED, "tcp", End("2001:db8:7::1", 4100), End("2001:db8:9::4", 23),
        ),
        (
            "106002: udp connection denied by outbound list 17 src 10.9.0.4 1023 dest 198.51.100.7 53",
            DENIED, "udp", End("10.9.0.4"), End("198.51.100.7"),
        ),
        (
            "106006: Deny inbound UDP from 198.51.100.7/4100 to 10.9.0.4/161 on  interface wan",
            DENIED, "udp", End("198.51.100.7", 4100, "wan"), End("10.9.0.4", 161),
        ),
        (
            "106007: Deny inbound UDP from 198.51.100.7/53 to 10.9.0.4/33000 due to DNS Response",
            DENIED, "udp", End("198.51.100.7", 53), End("10.9.0.4", 33000),
        ),
        (
            "106007: Deny inbound UDP from wan:198.51.100.7/53 to lan:10.9.0.4/33000 due to DNS Query",
            DENIED, "udp", End("198.51.100.7", 53, "wan"), End("10.9.0.4", 33000, "lan"),
        ),
        (
            "106010: Deny inbound protocol 47 src wan:198.51.100.7 dst lan:10.9.0.4",
            DENIED, "47", End("198.51.100.7", None, "wan"), End("10.9.0.4", None, "lan"),
        ),
        (
            "106010: Deny inbound tcp src wan:198.51.100.7/4100(CORP\\Ann Lee, 12:Guests) dst lan:10.9.0.4/445(9:Servers)",
            DENIED, "tcp", End("198.51.100.7", 4100, "wan", "CORP\\Ann Lee"), End("10.9.0.4", 445, "lan"),
        ),
        (
            "106011: Deny inbound (No xlate) udp src wan:198.51.100.7/137 dst wan:10.9.0.4/netbios-ns",
            DENIED, "udp", End("198.51.100.7", 137, "wan"), End("10.9.0.4", 137, "wan"),
        ),
        (
            '106012: Deny IP from 198.51.100.7 to 10.9.0.4, IP options: "0x1f"',
            DENIED, "ip", End("198.51.100.7"), End("10.9.0.4"),
        ),
        (
            "106013: Dropping echo request from 198.51.100.7 to PAT address 192.0.2.80",
            Action.DISCARDED, None, End("198.51.100.7"), End("192.0.2.80"),
        ),
        (
            "106014: Deny inbound icmp src wan:198.51.100.7 dst NP Identity Ifc:192.0.2.80 (type 8, code 0)",
            DENIED, "icmp", End("198.51.100.7", None, "wan"), End("192.0.2.80", None, "NP Identity Ifc"),
        ),
        (
            "106014: Deny inbound icmp src wan:edge.example.net dst lan:10.9.0.4 and more",
            DENIED, "icmp", End("edge.example.net", None, "wan"), End("10.9.0.4", None, "lan"),
        ),
        (
            "106015: Deny TCP (no connection) from 198.51.100.7/443 to mail-gw_2/51000 flags FIN PSH ACK  on interface dmz_2.",
            DENIED, "tcp", End("198.51.100.7", 443, "dmz_2"), End("mail-gw_2", 51000),
        ),
        (
            "106016: Deny IP spoof from (198.51.100.7) to 10.9.0.255 on interface lan",
            DENIED, "ip", End("198.51.100.7", None, "lan"), End("10.9.0.255"),
        ),
        (
            "106017: Deny IP due to Land Attack from 198.51.100.7 to 198.51.100.7.",
            DENIED, "ip", End("198.51.100.7"), End("198.51.100.7"),
        ),
        (
            "106018: ICMP packet type 8 denied by outbound list go src 10.9.0.4 dest 198.51.100.7",
            DENIED, "icmp", End("10.9.0.4"), End("198.51.100.7"),
        ),
        (
            "106020: Deny IP teardrop fragment (size = 36, offset = 8) from 198.51.100.7 to 10.9.0.4",
            DENIED, "ip", End("198.51.100.7"), End("10.9.0.4"),
        ),
        (
            "106021: Deny protocol 17 reverse path check from 198.51.100.7 to 10.9.0.4 on interface wan",
            DENIED, "17", End("198.51.100.7", None, "wan"), End("10.9.0.4"),
        ),
        (
            "106022: Deny tcp connection spoof from 198.51.100.7 to 10.9.0.4 on interface wan",
            DENIED, "tcp", End("198.51.100.7", None, "wan"), End("10.9.0.4"),
        ),
        (
            "302013: Built outbound TCP connection 71 for wan:198.51.100.7/443 (198.51.100.7/443)"
            " to lan:10.9.0.4/50001 (192.0.2.80/1025)(CORP\\ann)",
            BUILT, "tcp", End("198.51.100.7", 443, "wan"), End("10.9.0.4", 50001, "lan", "CORP\\ann"),
        ),
        (
            "302014: Teardown TCP connection 71 for wan:198.51.100.7/443(3:Web) to lan:10.9.0.4/50001(CORP\\ann, 7:Staff)"
            " duration 0:00:31 bytes 1234 TCP Reset-O from wan (ann)",
            TEARDOWN, "tcp", End("198.51.100.7", 443, "wan"), End("10.9.0.4", 50001, "lan", "CORP\\ann"),
        ),
        (
            "302015: Built inbound UDP connection 72 for GigabitEthernet0/1:2001:db8:7::1/500 (2001:db8:7::1/500)"
            " to identity:2001:db8:9::4/500 (2001:db8:9::4/500)",
            BUILT, "udp", End("2001:db8:7::1", 500, "GigabitEthernet0/1"), End("2001:db8:9::4", 500, "identity"),
        ),
        (
            "302016: Teardown UDP connection 72 for wan:198.51.100.7/67 ann to NP Identity Ifc:255.255.255.255/68 bo"
            " duration 0:00:31 bytes 1234",
            TEARDOWN, "udp", End("198.51.100.7", 67, "wan", "ann"), End("255.255.255.255", 68, "NP Identity Ifc", "bo"),
        ),
        (
            "302020: Built inbound ICMP connection for faddr 198.51.100.7/4(CORP\\Ann Lee) gaddr 192.0.2.80/0"
            " laddr 10.9.0.4/0 (ann) type 8 code 0",
            BUILT, "icmp", End("10.9.0.4", 0, None, "ann"), End("198.51.100.7", 4, None, "CORP\\Ann Lee"),
        ),
        (
            "302021: Teardown ICMP connection for faddr 2001:db8:7::1/0 gaddr 2001:db8:9::4/128 laddr 2001:db8:9::4/128",
            TEARDOWN, "icmp", End("2001:db8:9::4", 128), End("2001:db8:7::1", 0),
        ),
        (
            "302020: Built inbound ICMP connection for faddr 198.51.100.7/4 laddr 10.9.0.4/0 type 8 code 0",
            BUILT, "icmp", End("10.9.0.4", 0), End("198.51.100.7", 4),
        ),
        (
            "302021: Teardown ICMP connection for faddr 198.51.100.7/4(CORP\\Ann Lee) laddr 10.9.0.4/0 (ann)",
            TEARDOWN, "icmp", End("10.9.0.4", 0, None, "ann"), End("198.51.100.7", 4, None, "CORP\\Ann Lee"),
        ),
        (
            "313008: Denied IPv6-ICMP type=135, code=0 from 2001:db8:7::1 on interface DMZ(1)",
            DENIED, "ipv6-icmp", End("2001:db8:7::1", None, "DMZ(1)"), End(None, None, "DMZ(1)"),
        ),
        (
            "605004: Login denied from 198.51.100.7/4100 to DMZ(1):192.0.2.80/https for user Ann Lee",
            DENIED, None, End("198.51.100.7", 4100, None, "Ann Lee"), End("192.0.2.80", 443, "DMZ(1)"),
        ),
        (
            "302022: Built forwarder  stub TCP connection for wan:198.51.100.7/443 (198.51.100.7/443)"
            " to lan:10.9.0.4/50001 (192.0.2.80/1025)",
            BUILT, "tcp", End("198.51.100.7", 443, "wan"), End("10.9.0.4", 50001, "lan"),
        ),
        (
            "302304: Teardown TCP state-bypass connection 73 from wan:198.51.100.7/443 to lan:10.9.0.4/50001"
            " duration 1:00:02 bytes 245 Connection timeout",
            TEARDOWN, "tcp", End("198.51.100.7", 443, "wan"), End("10.9.0.4", 50001, "lan"),
        ),
        (
            "313001: Denied ICMP type=3, code=1 from 198.51.100.7 on interface wan",
            DENIED, "icmp", End("198.51.100.7", None, "wan"), End(None, None, "wan"),
        ),
        (
            "313004: Denied ICMP type=0, from laddr 2001:db8:9::4 on interface lan to 2001:db8:7::1: no matching session",
            DENIED, "icmp", End("2001:db8:9::4", None, "lan"), End("2001:db8:7::1"),
        ),
        (
            "313009: Denied invalid ICMP code 9, for lan:10.9.0.4/7 (192.0.2.80/7) to wan:198.51.100.7/0"
            " (198.51.100.7/0), ICMP id 7, ICMP type 8",
            DENIED, "icmp", End("10.9.0.4", 7, "lan"), End("198.51.100.7", 0, "wan"),
        ),
        (
            "710003: TCP access denied by ACL from 2001:db8:7::1/4100 to wan:2001:db8:9::4/ssh",
            DENIED, "tcp", End("2001:db8:7::1", 4100), End("2001:db8:9::4", 22, "wan"),
        ),
        (
            '605004: Login denied from 198.51.100.7/4100 to wan:192.0.2.80/https for user "Ann Lee"',
            DENIED, None, End("198.51.100.7", 4100, None, "Ann Lee"), End("192.0.2.80", 443, "wan"),
        ),
        (
            "605005: Login permitted from 198.51.100.7/4100 to wan:192.0.2.80/ssh for user ann",
            Action.PERMITTED, None, End("198.51.100.7", 4100, None, "ann"), End("192.0.2.80", 22, "wan"),
        ),
        (
            "109033: Authentication failed for admin user ann from 198.51.100.7. Interactive challenge processing is not"
            " supported for https connections",
            DENIED, None, End("198.51.100.7", None, None, "ann"), End(),
        ),
    ],
)  # fmt: skip
def test_each_message_of_the_table_gives_its_facts(
    text: str, action: Action, protocol: str | None, source: End, destination: End
) -> None:
    found = event(text)
    assert (found.action, found.protocol) == (action, protocol)
    assert seen(found.source) == source
    assert seen(found.destination) == destination


@pytest.mark.parametrize(
    ("text", "told", "source", "destination"),
    [
        (
            "106100: access-list lan_in est-allowed udp lan/10.9.0.4(5060) -> wan/sip.example.net(5061)"
            " hit-cnt 3 300-second interval [0x1f, 0x0]",
            ("est-allowed", 3, 300), End("10.9.0.4", 5060, "lan"), End("sip.example.net", 5061, "wan"),
        ),
        (
            "106100: access-list lan_in denied tcp lan/10.9.0.4(50001)(CORP\\Ann Lee, 7:Staff) ->"
            " wan/2001:db8:7::1(443)(3:Web) hit-cnt 1 first hit [0x1f, 0x0]",
            ("denied", 1, None), End("10.9.0.4", 50001, "lan", "CORP\\Ann Lee"), End("2001:db8:7::1", 443, "wan"),
        ),
        (
            "106100: access-list lan_in denied tcp lan/10.9.0.4(50001) -> vlan_10.9/198.51.100.7(443)"
            " hit-cnt 8 (300-second interval)",
            ("denied", 8, 300), End("10.9.0.4", 50001, "lan"), End("198.51.100.7", 443, "vlan_10.9"),
        ),
        (
            "106100: access-list lan_in permitted tcp lan/10.9.0.4(50001) -> wan/198.51.100.7(443)",
            ("permitted", None, None), End("10.9.0.4", 50001, "lan"), End("198.51.100.7", 443, "wan"),
        ),
        (
            "106100: access-list lan_in denied tcp Gi0/1/10.9.0.4(50001) -> wan/no/host(443) hit-cnt 1 first hit",
            ("denied", 1, None), End("10.9.0.4", 50001, "Gi0/1"), End("no/host", 443, "wan"),
        ),
        (
            "106100: access-list lan_in denied tcp DMZ(1)/10.9.0.4(50001)-> DMZ(2)/198.51.100.7(443)(CORP\\ann)"
            " hit-cnt 1 first hit [0x1f, 0x0]",
            ("denied", 1, None), End("10.9.0.4", 50001, "DMZ(1)"), End("198.51.100.7", 443, "DMZ(2)", "CORP\\ann"),
        ),
        (
            "106100: access-list lan_in denied tcp lan/10.9.0.4(50001)->wan/198.51.100.7(443) hit-cnt 1 first hit",
            ("denied", 1, None), End("10.9.0.4", 50001, "lan"), End("198.51.100.7", 443, "wan"),
        ),
        (
            "106100: access-list lan_in denied tcp lan/10.9.0.4(50001) ->wan/198.51.100.7(443) hit-cnt 1 first hit",
            ("denied", 1, None), End("10.9.0.4", 50001, "lan"), End("198.51.100.7", 443, "wan"),
        ),
        (
            "106103: access-list vpn denied tcp for user Ann Lee wan/10.9.0.4(500) -> lan/10.9.0.5(53)"
            " hit-cnt 1 first hit [0x1f, 0x0]",
            ("denied", 1, None), End("10.9.0.4", 500, "wan", "Ann Lee"), End("10.9.0.5", 53, "lan"),
        ),
        (
            "106102: access-list vpn permitted udp for user 'Ann Lee' wan/10.9.0.4(500) -> lan/10.9.0.5(53)"
            " hit-cnt 1 first hit [0x1f,0x2f]",
            ("permitted", 1, None), End("10.9.0.4", 500, "wan", "Ann Lee"), End("10.9.0.5", 53, "lan"),
        ),
        (
            "106103: access-list vpn denied tcp for user ann wan/10.9.0.4(500) -> lan/10.9.0.5(53)"
            " hit-cnt 2 300-second interval [0x1f, 0x0] trailing words",
            ("denied", 2, 300), End("10.9.0.4", 500, "wan", "ann"), End("10.9.0.5", 53, "lan"),
        ),
    ],
)  # fmt: skip
def test_counted_flows_give_their_counts(
    text: str, told: tuple[str, int | None, int | None], source: End, destination: End
) -> None:
    found = event(text)
    assert (found.action, found.hit_count, found.interval_seconds) == told
    assert seen(found.source) == source
    assert seen(found.destination) == destination


@pytest.mark.parametrize(
    ("ends", "source", "destination"),
    [
        ("src DMZ(1):198.51.100.7/4100 dst DMZ(2):[2001:db8:7::1]/443(ann)", End("198.51.100.7", 4100, "DMZ(1)"),
         End("2001:db8:7::1", 443, "DMZ(2)", "ann")),
        ("src wan:198.51.100.7/4100 dst lan:10.9.0.4/443", End("198.51.100.7", 4100, "wan"), End("10.9.0.4", 443, "lan")),
        ("src a:wan:198.51.100.7 dst b:lan:10.9.0.4/443", End("198.51.100.7", None, "a:wan"), End("10.9.0.4", 443, "b:lan")),
        ("src wan:[2001:db8:7::1]/4100 dst lan:2001:db8:9::4", End("2001:db8:7::1", 4100, "wan"), End("2001:db8:9::4", None, "lan")),
        ("src 198.51.100.7/4100 dst 10.9.0.4/443", End("198.51.100.7", 4100), End("10.9.0.4", 443)),
        ("src wan:198.51.100.7/4100 dst lan:10.9.0.4/53 type 3, code 0,", End("198.51.100.7", 4100, "wan"), End("10.9.0.4", 53, "lan")),
        ("src wan:dead.beef dst lan:10.9.0.4(type 3, code 0)", End("dead.beef", None, "wan"), End("10.9.0.4", None, "lan")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("group", ['"wan in"', "'wan in'"])
def test_denied_packets_give_their_ends_and_group(
    ends: str, source: End, destination: End, group: str
) -> None:
    for tail in ("", " [0x1f, 0x0]", ' [0x1f, 0x0]"'):
        found = event(f"106023: Deny tcp {ends} by access-group {group}{tail}")
        assert (found.action, found.access_list) == (DENIED, "wan in")
        assert (seen(found.source), seen(found.destination)) == (source, destination)
        assert found.hashes == (("0x1f", "0x0") if tail else ())


def test_a_group_without_quotation_marks_is_read() -> None:
    found = event("106023: Deny tcp src a:192.0.2.1/1 dst b:192.0.2.2/2 by access-group wan_in")
    assert found.access_list == "wan_in"


def test_other_ethertypes_have_hardware_addresses_for_ends() -> None:
    found = event('106027: Deny 0x0806 src 02:00:5e:10:00:01 dst [0200.5e10.0002] by access-group "l2".')  # fmt: skip
    assert (found.action, found.access_list, found.protocol) == (DENIED, "l2", "0x0806")
    assert (seen(found.source).at, seen(found.destination).at) == ("02:00:5e:10:00:01", "0200.5e10.0002")  # fmt: skip


def test_the_type_and_code_of_icmp_are_read_wherever_they_stand() -> None:
    for text, both in (
        ("106014: Deny inbound icmp src a:192.0.2.1 dst b:192.0.2.2(type 8, code 0)", (8, 0)),
        ('106023: Deny icmp src a:192.0.2.1 dst b:192.0.2.2 (type 3, code 13) by access-group "g"', (3, 13)),
        ("106100: access-list g denied icmp a/192.0.2.1(11) -> b/192.0.2.2(1) hit-cnt 1 first hit", (11, 1)),
        ("302021: Teardown ICMP connection for faddr 192.0.2.1/0 gaddr 192.0.2.3/0 laddr 192.0.2.2/0 type 3 code 4", (3, 4)),
    ):  # fmt: skip
        found = event(text)
        assert (found.icmp_type, found.icmp_code) == both


def test_numbers_too_large_for_icmp_are_left_as_they_are() -> None:
    found = event("106103: access-list g denied icmp a/192.0.2.1(40001) -> b/192.0.2.2(8080) hit-cnt 1 first hit")  # fmt: skip
    assert (found.icmp_type, found.icmp_code) == (None, None)
    assert (seen(found.source).port, seen(found.destination).port) == (40001, 8080)


def test_commands_are_told_with_who_gave_them() -> None:
    found = event("111008: User 'ann' executed the 'no access-list wan_in' command.")
    assert (found.command, seen(found.source).user) == ("'no access-list wan_in'", "ann")
    found = event("111010: User 'ann', running 'CLI' from IP 192.0.2.9, executed 'write memory'")
    assert (found.command, seen(found.source)) == ("'write memory'", End("192.0.2.9", user="ann"))


def test_what_a_relay_says_that_it_left_out_is_counted() -> None:
    denied = "Deny inbound UDP from 198.51.100.7/137 to 10.9.0.4/137 on interface lan"
    found = event(f"106006: message repeated 4 times: [ {denied}]")
    assert (found.action, found.hit_count) == (DENIED, 4)
    assert seen(found.source) == End("198.51.100.7", 137, "lan")
    flow = "access-list g denied tcp a/192.0.2.1(1) -> b/192.0.2.2(2) hit-cnt 5 300-second interval"
    assert event(f"106100: message repeated 3 times: [ {flow}]").hit_count == 15


def test_a_count_beyond_what_an_asa_counts_is_none() -> None:
    for digits in ("4294967296", "9" * 60):
        flow = "access-list g denied tcp a/192.0.2.1(1) -> b/192.0.2.2(2)"
        assert event(f"106100: {flow} hit-cnt {digits} first hit").hit_count is None


@pytest.mark.parametrize(
    "text",
    [
        "106023: Deny tcp src outside:198.51.100.7/4100",
        "106100: access-list g denied tcp",
        "106015: Deny TCP (no connection) from",
        "302013: Built inbound TCP connection",
        "106101: Number of cached deny-flows for ACL log has reached limit (4096).",
        "342001: REST API Agent started successfully",
    ],
)
def test_a_text_that_fits_no_form_is_an_event_without_facts(text: str) -> None:
    found = event(text)
    assert found.message_id == text[:6]
    assert found.text == text.partition(": ")[2]
    assert (found.action, found.source, found.destination) == (None, None, None)


@settings(deadline=None, max_examples=200)
@given(st.ip_addresses(), st.sampled_from(["lan", "dmz-1_2.3", "in side", "Gi0/1", "v1:lan"]))
def test_an_address_is_told_from_the_interface_before_it(address: object, interface: str) -> None:
    found = event(f"302015: Built inbound UDP connection 1 for {interface}:{address}/53 to b:192.0.2.1/1")  # fmt: skip
    assert found.source is not None
    assert found.source.address == ip_address(str(address))
    assert (found.source.interface, found.source.port) == (interface, 53)


@pytest.mark.parametrize(
    "piece", [" dst ", " to ", " -> ", " src ", "(", "a:", "/1 ", " by access-group "]
)
@pytest.mark.parametrize("digits", ["106023", "106100", "302013", "106015", "302020", "106010"])
def test_text_made_to_be_tried_again_and_again_ends(digits: str, piece: str) -> None:
    for start in ("Deny tcp src ", "access-list g denied tcp ", "Built inbound TCP connection 1 for ",
                  "Built inbound ICMP connection for faddr ", "Deny TCP (no connection) from "):  # fmt: skip
        event(f"{digits}: {start}{piece * 2000}")
