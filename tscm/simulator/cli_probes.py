"""
`packet-tracer` and `ping`: what an operator types to see whether the configuration does its work.
"""

from collections.abc import Sequence

from tscm.simulator.access_list import PORTS
from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.matching import Matcher, Packet, number_of
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.syslog_form import Message

_MAX_PORT = 65535
_DENIED = "Drop-reason: (acl-drop) Flow is denied by configured rule\n"


def packet_tracer(device: Device, words: Sequence[str]) -> str:
    """
    `packet-tracer input IF {tcp|udp} SRC SPORT DST DPORT` and `… icmp SRC TYPE CODE DST`.

    With the switch `trace_logs` the packet goes the way of any other: it counts as a hit and
    is told by syslog.
    """
    packet = _packet(words)
    if packet.interface not in device.interface_names():
        raise Refused(Cause.SYNTAX, INVALID, at=2)
    try:
        verdict = Matcher(device.configuration).find(packet)
    except ValueError:
        raise Refused(Cause.SYNTAX, INVALID, at=4) from None
    if device.switches.trace_logs:
        device.traced.append(packet)
    result = "ALLOW" if verdict.permitted else "DROP"
    rule = "Implicit Rule" if verdict.ace is None else str(verdict.ace)
    return (
        f"\nPhase: 1\nType: ACCESS-LIST\nSubtype: {'' if verdict.ace is None else 'log'}\n"
        f"Result: {result}\nConfig:\n{rule}\nAdditional Information:\n\n"
        f"Result:\ninput-interface: {packet.interface}\ninput-status: up\ninput-line-status: up\n"
        f"Action: {result.lower()}\n{'' if verdict.permitted else _DENIED}\n"
    )


def _packet(words: Sequence[str]) -> Packet:
    match list(words):
        case ["input", interface, ("tcp" | "udp") as protocol, source, sport, target, dport, *_]:
            numbers = _port(sport, 5), _port(dport, 7)
        case ["input", interface, "icmp" as protocol, source, kind, code, target, *_]:
            numbers = _one_byte(kind, 5), _one_byte(code, 6)
        case ["input", _, ("tcp" | "udp" | "icmp"), *_] | ["input", _] | ["input"] | []:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        case ["input", *_]:
            raise Refused(Cause.SYNTAX, INVALID, at=3)
        case _:
            raise Refused(Cause.SYNTAX, INVALID)
    return Packet(
        source=source,
        destination=target,
        protocol=protocol,
        sport=numbers[0],
        dport=numbers[1],
        interface=interface,
    )


def _port(word: str, at: int) -> int:
    number = PORTS.get(word, whole(word, _MAX_PORT))
    if number is None:
        raise Refused(Cause.SYNTAX, INVALID, at=at)
    return number


def _one_byte(word: str, at: int) -> int:
    number = whole(word, 255)
    if number is None:
        raise Refused(Cause.SYNTAX, INVALID, at=at)
    return number


def ping(device: Device, words: Sequence[str]) -> str:
    """
    `ping [IF] ADDRESS`: an address in the network of an interface answers, any other does not.

    Nothing leaves the simulator; what the firewall logs of its own echo requests is logged.
    """
    if not words:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    named = [one for one in device.interfaces() if one.name == words[0]]
    rest = list(words[1:] if named else words)
    if not rest:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    try:
        number_of(rest[0])
    except ValueError:
        raise Refused(Cause.SYNTAX, INVALID, at=2 if named else 1) from None
    address = rest[0]
    way = next((one for one in named or device.interfaces() if one.holds(address)), None)
    head = (
        "Type escape sequence to abort.\n"
        f"Sending 5, 100-byte ICMP Echos to {address}, timeout is 2 seconds:\n"
    )
    if way is None or way.shutdown:
        return head + "?????\nSuccess rate is 0 percent (0/5)\n"
    ends = f"faddr {address}/0 gaddr {way.address}/0 laddr {way.address}/0"
    device.outbox.append(Message("302020", 6, f"Built outbound ICMP connection for {ends}"))
    device.outbox.append(Message("302021", 6, f"Teardown ICMP connection for {ends}"))
    return head + "!!!!!\nSuccess rate is 100 percent (5/5), round-trip min/avg/max = 1/1/1 ms\n"
