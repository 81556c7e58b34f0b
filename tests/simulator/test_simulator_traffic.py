"""
What the firewall says of packets, and in which form.
"""

import re
from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.errors import SettingsFaulty
from tscm.simulator.cli import Console
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.generate import Mix, generate, packet_of
from tscm.simulator.loading import load
from tscm.simulator.matching import Matcher, Packet
from tscm.simulator.syslog_form import HEADERS, Form, Message, header_lines
from tscm.simulator.traffic import Traffic

POLICY = (
    "object-group network Block-1",
    " network-object host 192.0.2.66",
    " network-object 198.18.0.0 255.255.0.0",
    " network-object 2001:db8:bad::/48",
    "object-group network Block",
    " group-object Block-1",
    "object-group network Allow-1",
    " network-object host 198.18.7.7",
    "object-group network Allow",
    " group-object Allow-1",
    "access-list acl extended permit ip object-group Allow any log",
    "access-list acl extended permit ip any object-group Allow log",
    "access-list acl extended deny ip object-group Block any log",
    "access-list acl extended deny ip any object-group Block log",
    "access-list acl extended deny tcp any any eq telnet",
    "access-list acl extended permit ip any any",
    "access-group acl global",
)
BAD = Packet(source="192.0.2.66", destination="10.0.0.4", sport=4444, dport=443)
GOOD = Packet(source="203.0.113.5", destination="10.0.0.4", sport=4444, dport=443)


def device(*lines: str) -> Device:
    made = Device()
    load(made, "\n".join((*FACTORY_LINES, *(lines or POLICY))), 0.0)
    assert made.load_errors == []
    return made


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(device())


def texts(messages: list[Message]) -> list[str]:
    return [f"{message.level}-{message.id}: {message.text}" for message in messages]


def test_a_logged_entry_tells_the_first_hit_at_once_and_the_others_by_interval(
    traffic: Traffic,
) -> None:
    first = traffic.run([BAD, BAD, BAD], 1000.0)
    assert first.denied == 3
    (line,) = texts(first.messages)
    assert re.fullmatch(
        r"6-106100: access-list acl denied tcp outside/192\.0\.2\.66\(4444\) -> "
        r"inside/10\.0\.0\.4\(443\) hit-cnt 1 first hit \[0x[0-9a-f]{8}, 0x[0-9a-f]+\]",
        line,
    )
    assert traffic.next_due == 1300.0
    assert traffic.tick(1299.0) == []
    (later,) = texts(traffic.tick(1300.0))
    assert "hit-cnt 3 300-second interval [0x" in later
    traffic.run([BAD], 1400.0)
    (later,) = texts(traffic.tick(1600.0))
    assert "hit-cnt 1 300-second interval" in later
    assert traffic.tick(1900.0) == []
    assert traffic.next_due is None
    assert "first hit" in texts(traffic.run([BAD], 2000.0).messages)[0]
    assert traffic.tick(2300.0) == []  # nothing came behind the first hit


def test_whether_the_interval_counts_the_first_hit_is_a_switch(traffic: Traffic) -> None:
    traffic.device.switches.interval_counts_first = False
    traffic.run([BAD, BAD], 0.0)
    (line,) = texts(traffic.end_intervals(10.0))
    assert "hit-cnt 1 300-second interval" in line


def test_an_entry_without_log_and_the_implicit_deny_give_106023() -> None:
    held = device(
        "access-list acl extended deny tcp any any eq telnet",
        "access-list acl extended deny udp any any log disable",
        "access-list acl extended permit ip host 203.0.113.5 any",
        "access-group acl in interface outside",
    )
    traffic = Traffic(held)
    telnet = Packet(source="192.0.2.1", destination="10.0.0.4", sport=5, dport=23)
    silent = Packet(source="192.0.2.1", destination="10.0.0.4", protocol="udp", dport=53)
    ping = Packet(source="192.0.2.1", destination="10.0.0.4", protocol="icmp", sport=8, dport=0)
    entry = held.configuration.access_lists["acl"][0]
    outcome = traffic.run([telnet, silent, ping], 0.0)
    assert texts(outcome.messages) == [
        "4-106023: Deny tcp src outside:192.0.2.1/5 dst inside:10.0.0.4/23 "
        f'by access-group "acl" [0x{entry.hash:08x}, 0x0]',
        "4-106023: Deny icmp src outside:192.0.2.1 dst inside:10.0.0.4 (type 8, code 0) "
        'by access-group "acl" [0x0, 0x0]',
    ]
    assert (outcome.denied, outcome.permitted) == (3, 0)


def test_a_permitted_connection_is_built_and_torn_down(traffic: Traffic) -> None:
    outbound = Packet(
        source="10.0.0.9", destination="203.0.113.5", protocol="udp", sport=5353, dport=53,
        interface="inside", size=80,
    )  # fmt: skip
    outcome = traffic.run([GOOD, GOOD, outbound], 0.0)
    assert texts(outcome.messages) == [
        "6-302013: Built inbound TCP connection 1 for outside:203.0.113.5/4444 "
        "(203.0.113.5/4444) to inside:10.0.0.4/443 (10.0.0.4/443)",
        "6-302015: Built outbound UDP connection 2 for outside:203.0.113.5/53 "
        "(203.0.113.5/53) to inside:10.0.0.9/5353 (10.0.0.9/5353)",
        "6-302014: Teardown TCP connection 1 for outside:203.0.113.5/4444 to "
        "inside:10.0.0.4/443 duration 0:00:00 bytes 120 TCP FINs",
        "6-302016: Teardown UDP connection 2 for outside:203.0.113.5/53 to "
        "inside:10.0.0.9/5353 duration 0:00:00 bytes 80",
    ]


def test_an_open_connection_is_not_looked_up_again(traffic: Traffic) -> None:
    traffic.run([GOOD], 0.0, close=False)
    Console.of(traffic.device).run("access-list acl line 1 extended deny ip any any", 0.0)
    assert traffic.run([GOOD], 1.0, admit=False, close=False).permitted == 1
    (line,) = texts(traffic.tear_down_all(3725.0))
    assert "duration 1:02:05 bytes 120 TCP FINs" in line
    assert traffic.run([GOOD], 1.0).denied == 1


def test_allow_above_block_decides_and_is_counted_by_group_and_address(traffic: Traffic) -> None:
    both = Packet(source="198.18.7.7", destination="10.0.0.4", sport=9, dport=80)
    outcome = traffic.run([both, BAD, BAD, GOOD], 0.0)
    assert outcome.hits == {"Allow": 1, "Block": 2}
    assert outcome.addresses == {"Allow": {"198.18.7.7": 1}, "Block": {"192.0.2.66": 2}}
    ids = Counter(message.id for message in outcome.messages)
    assert ids == {"106100": 2, "302013": 2, "302014": 2}
    shown = Console.of(traffic.device).run("show access-list acl", 0.0)
    assert "object-group Block any log informational interval 300 (hitcnt=2)" in shown


def test_a_change_of_a_group_works_at_once(traffic: Traffic) -> None:
    assert traffic.run([GOOD], 0.0).denied == 0
    console = Console.of(traffic.device)
    console.run("object-group network Block-1", 0.0)
    console.run(" network-object host 203.0.113.5", 0.0)
    assert traffic.run([GOOD], 1.0).denied == 1
    console.run(" no network-object host 203.0.113.5", 0.0)
    assert traffic.run([GOOD], 2.0).denied == 0


def test_without_an_access_list_everything_passes() -> None:
    assert Traffic(device("names")).run([BAD, GOOD], 0.0).permitted == 2


def test_new_connections_are_refused_while_they_are_not_admitted(traffic: Traffic) -> None:
    outcome = traffic.run([GOOD, BAD], 0.0, admit=False)
    assert (outcome.refused, outcome.permitted, outcome.denied) == (1, 0, 1)
    assert "3-201008: Disallowing new connections." in texts(outcome.messages)


def test_a_full_cache_of_denied_flows_is_said_once_and_counted(traffic: Traffic) -> None:
    Console.of(traffic.device).run("access-list deny-flow-max 10", 0.0)
    packets = [
        Packet(source="192.0.2.66", destination="10.0.0.4", sport=port, dport=80)
        for port in range(1, 31)
    ]
    outcome = traffic.run(packets, 0.0)
    ids = Counter(message.id for message in outcome.messages)
    assert ids == {"106100": 10, "106101": 1}
    assert outcome.unlogged == 20
    assert "has reached limit (10)." in next(m.text for m in outcome.messages if m.id == "106101")
    traffic.end_intervals(300.0)
    assert traffic.run(packets[:5], 301.0).unlogged == 0


def test_the_hash_of_the_line_is_that_of_show_access_list(traffic: Traffic) -> None:
    (message,) = traffic.run([BAD], 0.0).messages
    found = re.search(r"\[0x([0-9a-f]+), ", message.text)
    assert found is not None
    assert f"0x{found[1]}" in Console.of(traffic.device).run("show access-list acl", 0.0)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("none", b"<164>%ASA-4-106023: x"),
        ("timestamp", b"<164>Nov 05 2024 09:36:50: %ASA-4-106023: x"),
        ("device-id", b"<164>Nov 05 2024 09:36:50 fw-1 : %ASA-4-106023: x"),
        ("rfc5424", b"<164>2024-11-05T09:36:50Z fw-1 : %ASA-4-106023: x"),
        ("emblem", b"<164>:Nov 05 09:36:50 UTC: %ASA-4-106023: x"),
    ],
)
def test_every_header_form(form: str, line: bytes) -> None:
    held = device("hostname fw-1", *header_lines(form))
    read = Form.of(held.configuration.plain, held.hostname)
    at = 1730799410.0
    assert read.line(Message("106023", 4, "x"), at) == line
    if form == "emblem":  # the ASA knows this form over UDP alone
        assert read.line(Message("106023", 4, "x"), at, udp=False) == (
            b"<164>Nov 05 2024 09:36:50: %ASA-4-106023: x"
        )
    classes = Form.of(held.configuration.plain, held.hostname, classes=True)
    assert b"%ASA-session-4-106023: x" in (classes.line(Message("106023", 4, "x"), at) or b"")
    assert form in HEADERS


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["logging device-id ipaddress inside"], b"Nov 05 2024 09:36:50 10.0.0.1 : "),
        (["logging device-id string berlin-office-east-17"], b"Nov 05 2024 09:36:50 berlin-office-ea : "),
        (["logging device-id context-name"], b"Nov 05 2024 09:36:50 single_vf : "),
        (["clock timezone EST -5"], b"Nov 05 2024 04:36:50 EST: "),
        (["clock timezone EST -5", "logging timestamp rfc5424"], b"2024-11-05T09:36:50Z: "),
        (["no logging timestamp", "logging device-id hostname"], b"fw-1 : "),
        (["clock timezone CEST 2", "logging emblem"], b":Nov 05 11:36:50 CEST: "),
    ],
)  # fmt: skip
def test_the_other_device_ids_and_time_zones(lines: list[str], header: bytes) -> None:
    held = device("hostname fw-1", *lines)
    addresses = held.interface_addresses()
    assert addresses == {
        "outside": "198.51.100.1", "inside": "10.0.0.1", "management": "192.168.45.1",
    }  # fmt: skip
    form = Form.of(held.configuration.plain, held.hostname, addresses=addresses)
    assert (
        form.line(Message("106023", 4, "x"), 1730799410.0)
        == b"<164>" + header + b"%ASA-4-106023: x"
    )


def test_logging_commands_hold_lines_back_and_change_their_level() -> None:
    held = device(
        "no logging timestamp", "logging trap warnings", "no logging message 106023",
        "logging message 106100 level alerts", "logging facility 16",
    )  # fmt: skip
    form = Form.of(held.configuration.plain, "fw")
    assert form.line(Message("302013", 6, "x"), 0) is None
    assert form.line(Message("106023", 4, "x"), 0) is None
    assert form.line(Message("106100", 6, "x"), 0) == b"<129>%ASA-1-106100: x"
    assert form.line(Message("201008", 3, "x"), 0) == b"<131>%ASA-3-201008: x"
    off = Form.of(device("no logging enable").configuration.plain, "fw")
    assert off.line(Message("201008", 3, "x"), 0) is None


def test_a_generated_share_hits_the_lists_exactly() -> None:
    held = device()
    mix = Mix.of(
        {
            "seed": 7, "count": 2000, "block_share": 0.25, "allow_share": 0.1,
            "block": ["192.0.2.66", "198.19.0.0/16"], "allow": ["group:Allow"],
            "others": ["198.18.0.0/15"], "icmp_share": 0.1,
        }
    )  # fmt: skip
    Console.of(held).run("object-group network Block-1", 0.0)
    packets = list(generate(mix, held.configuration))
    assert packets == list(generate(mix, held.configuration))
    drawn = Counter()  # type: Counter[str]
    for packet in packets:
        far = packet.source if packet.interface == "outside" else packet.destination
        blocked = far == "192.0.2.66" or ip_address(far) in ip_network("198.19.0.0/16")
        drawn["block" if blocked else "allow" if far == "198.18.7.7" else "others"] += 1
    assert drawn == {"block": 500, "allow": 200, "others": 1300}
    assert {packet.protocol for packet in packets} == {"tcp", "udp", "icmp"}


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ({"count": -1}, "count"),
        ({"count": 1.5}, "count"),
        ({"count": True}, "count"),
        ({"block_share": 2}, "block_share"),
        ({"block_share": 0.6, "allow_share": 0.6}, "block_share"),
        ({"block": "192.0.2.1"}, "block"),
        ({"nonsense": 1}, "nonsense"),
        ({"count": 10**7}, "count"),
    ],
)
def test_a_faulty_description_is_refused_by_name(wanted: dict[str, object], where: str) -> None:
    with pytest.raises(SettingsFaulty, match=where):
        Mix.of(wanted)


def test_a_share_of_an_empty_list_and_a_bad_cidr_are_refused() -> None:
    configuration = device().configuration
    for wanted in ({"block_share": 0.5}, {"block_share": 0.5, "block": ["nonsense"]}):
        with pytest.raises(SettingsFaulty, match="block"):
            list(generate(Mix.of(wanted), configuration))
    for packet in ({"source": "x", "destination": "192.0.2.1"}, {"source": "192.0.2.1"}, {"a": 1}):
        with pytest.raises(SettingsFaulty):
            packet_of(packet)


NETS = st.builds(
    lambda number, length: ip_network((number, length), strict=False),
    st.integers(0, 2**32 - 1).map(lambda n: n & 0xF0F0FFFF),
    st.integers(2, 32),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(NETS, min_size=1, max_size=12), st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_the_matcher_agrees_with_a_look_at_every_network(
    nets: list[object], numbers: list[int]
) -> None:
    listed = [ip_network(str(net)) for net in nets]
    lines = [
        f" network-object {net.network_address} {net.netmask}" for net in dict.fromkeys(listed)
    ]
    held = Device()
    load(
        held,
        "\n".join(
            (
                "object-group network G",
                *lines,
                "access-list acl extended deny ip object-group G any",
                "access-list acl extended permit ip any any",
                "access-group acl global",
            )
        ),
        0.0,
    )
    matcher = Matcher(held.configuration)
    edges = [int(net.network_address) for net in listed]
    edges += [int(net.broadcast_address) for net in listed]
    edges += [(edge + 1) % 2**32 for edge in edges]
    for number in numbers + edges:
        address = ip_address(number)
        verdict = matcher.find(Packet(source=str(address), destination="10.0.0.1"))
        assert verdict.permitted == (not any(address in net for net in listed))


@pytest.mark.timeout(300)  # entry by entry, each packet against each, it would take longer
def test_tens_of_thousands_of_packets_meet_tens_of_thousands_of_entries() -> None:
    held = device(
        "object-group network Block",
        *(f" network-object host 11.0.{at >> 8}.{at & 255}" for at in range(20_000)),
        "access-list acl extended deny ip object-group Block any log",
        "access-list acl extended deny ip any object-group Block log",
        "access-list acl extended permit ip any any",
        "access-group acl global",
    )
    mix = Mix.of({"count": 20_000, "block_share": 0.3, "block": ["group:Block"]})
    held.switches.deny_flow_max = 0
    outcome = Traffic(held).run(generate(mix, held.configuration), 0.0)
    assert outcome.hits == {"Block": 6000}
