"""
What the simulated firewall says is read by the collector's own parser as what happened.
"""

from ipaddress import ip_address

import pytest

from tests.simulator.test_simulator_traffic import POLICY, device
from tscm.simulator.generate import Mix, generate
from tscm.simulator.matching import Packet
from tscm.simulator.syslog_form import HEADERS, Form, Message, header_lines
from tscm.simulator.traffic import Traffic
from tscm.syslog import asa

AT = 1730799410.0


def packets(traffic: Traffic) -> list[Packet]:
    wanted = {
        "seed": 4, "count": 300, "block_share": 0.3, "allow_share": 0.2, "icmp_share": 0.2,
        "block": ["group:Block", "2001:db8:bad::/64"], "allow": ["group:Allow"],
    }  # fmt: skip
    drawn = list(generate(Mix.of(wanted), traffic.device.configuration))
    telnet = Packet(source="203.0.113.9", destination="10.0.0.4", sport=7777, dport=23)
    return [*drawn, telnet]


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("header", HEADERS)
def test_every_line_of_every_form_is_read_as_what_happened(header: str, classes: bool) -> None:
    held = device(*POLICY, "hostname fw-1", *header_lines(header))
    traffic = Traffic(held)
    form = Form.of(held.configuration.plain, held.hostname, classes=classes)
    seen: set[str] = set()
    for packet in packets(traffic):
        messages = traffic.run([packet], AT).messages
        assert messages
        for message in messages:
            line = form.line(message, AT)
            assert line is not None
            event = asa.parse(line, AT)
            assert event is not None, line
            seen.add(event.message_id)
            assert (event.message_id, event.severity) == (message.id, message.level)
            assert event.protocol == packet.protocol, line
            assert event.source is not None, line
            assert event.destination is not None, line
            ends = {event.source.address, event.destination.address}
            assert ends == {ip_address(packet.source), ip_address(packet.destination)}, line
            if header in ("device-id", "rfc5424"):
                assert event.device == "fw-1"
            if header != "none":
                assert event.timestamp is not None
                assert event.timestamp.timestamp() == AT
            if message.id in ("106100", "106023"):
                assert asa.is_policy_line(line)
                assert event.access_list == "acl"
                assert event.source.address == ip_address(packet.source)
                assert event.source.interface == packet.interface
                assert event.destination.interface == packet.leaves_by
                if packet.protocol == "icmp":
                    assert (event.icmp_type, event.icmp_code) == (8, 0)
                else:
                    assert (event.source.port, event.destination.port) == (
                        packet.sport,
                        packet.dport,
                    )
            if message.id == "106100":
                assert event.hit_count == 1
    assert seen == {
        "106100", "106023", "302013", "302014", "302015", "302016", "302020", "302021",
    }  # fmt: skip


def test_interval_lines_are_read_with_their_counts() -> None:
    traffic = Traffic(device())
    form = Form.of(traffic.device.configuration.plain, "fw")
    bad = Packet(source="192.0.2.66", destination="10.0.0.4", sport=4444, dport=443)
    traffic.run([bad] * 145, AT)
    (message,) = traffic.tick(AT + 300)
    event = asa.parse(form.line(message, AT + 300) or b"")
    assert event is not None
    assert (event.hit_count, event.interval_seconds) == (145, 300)
    assert event.action is not None


def test_other_messages_are_known_too() -> None:
    form = Form()
    for message in (
        Message("201008", 3, "Disallowing new connections."),
        Message("342003", 3, "REST API Agent failure notification received."),
    ):
        event = asa.parse(form.line(message, AT) or b"")
        assert event is not None
        assert event.message_id == message.id
