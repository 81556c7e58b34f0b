"""
`shun`: addresses whose packets are dropped whatever the access-lists say, until a reload.

Messages 401001 to 401004 (ASA syslog messages).  Not part of any configuration.
"""

from collections.abc import Sequence

from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.matching import number_of
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.syslog_form import SINGLE_CONTEXT, Message

MAX_SHUNS = 10_000
_PROTOCOLS = {"ip": 0, "icmp": 1, "tcp": 6, "udp": 17}
_NOBODY = "0.0.0.0"  # noqa: S104 - how the ASA shows that no destination was told


def add(device: Device, words: Sequence[str]) -> str:
    """`shun SOURCE [DESTINATION SPORT DPORT [PROTOCOL [VLAN]]]`; raises `Refused`."""
    if not words or len(words) in (2, 3):
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    source, held = _address(words, 0), device.shuns
    flow = _flow(words)
    if source not in held and len(held) >= MAX_SHUNS:
        raise Refused(Cause.TOO_MANY, f"ERROR: no more than {MAX_SHUNS} shuns can be held")
    printed = f"Shun {source} successful\n"
    if source not in held:
        printed = f"Shun {source} added in context: {SINGLE_CONTEXT}\n{printed}"
        text = f"Shun added: {source} {' '.join(flow[:3])}"
        device.outbox.append(Message("401002", 4, text))
    held[source] = flow
    return printed


def _flow(words: Sequence[str]) -> tuple[str, str, str, str]:
    if len(words) == 1:
        return _NOBODY, "0", "0", "0"
    ports = [whole(words[at], 65535) for at in (2, 3)]
    if None in ports or len(words) > 6:
        raise Refused(Cause.SYNTAX, INVALID, at=3 + ports.index(None) if None in ports else 7)
    protocol = words[4] if len(words) > 4 else "0"
    number = _PROTOCOLS.get(protocol, whole(protocol, 255))
    if number is None:
        raise Refused(Cause.SYNTAX, INVALID, at=5)
    return _address(words, 1), words[2], words[3], str(number)


def _address(words: Sequence[str], at: int) -> str:
    try:
        number_of(words[at])
    except ValueError:
        raise Refused(Cause.SYNTAX, INVALID, at=at + 1) from None
    return words[at]


def remove(device: Device, words: Sequence[str]) -> None:
    """`no shun SOURCE`; what is not shunned is no error."""
    if not words:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    source = _address(words, 0)
    if device.shuns.pop(source, None) is not None:
        device.outbox.append(Message("401003", 4, f"Shun deleted: {source}"))


def clear(device: Device) -> None:
    """`clear shun`."""
    device.shuns.clear()
    device.outbox.append(Message("401001", 4, "Shuns cleared"))


def dropped(source: str, destination: str, interface: str) -> Message:
    """What is said of a packet from a shunned address."""
    text = f"Shunned packet: {source} ==> {destination} on interface {interface}"
    return Message("401004", 4, text)


def shown(device: Device, words: Sequence[str]) -> str:
    """`show shun [ADDRESS | statistics]`."""
    if words and words[0] == "statistics":
        return "".join(
            f"{name}=ON, cnt=0\n" for name in sorted(device.interface_names())
        ) + "".join(f"Shun {source} cnt=0, time=(0:00:00)\n" for source in device.shuns)
    wanted = [_address(words, 0)] if words else list(device.shuns)
    return "".join(
        f"shun ({_interface(device, source)}) {source} {' '.join(device.shuns[source])}\n"
        for source in wanted
        if source in device.shuns
    )


def _interface(device: Device, address: str) -> str:
    named = [one for one in device.interfaces() if one.name]
    held = [one.name for one in named if one.holds(address)]
    lowest = min(named, key=lambda one: one.level, default=None)
    return held[0] if held else (lowest.name if lowest else "outside")
