"""
Lines that the configuration keeps as they stand, and the lines below them.
"""

from collections.abc import Sequence

from tscm.simulator import time_range
from tscm.simulator.cli_words import SINGLE
from tscm.simulator.configuration import FORWARD_REFERENCE
from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.interfaces import canonical_name
from tscm.simulator.matching import number_of
from tscm.simulator.members import LENGTH_OF
from tscm.simulator.refusal import INVALID, Cause, Refused

_ONE_BELOW = (
    "nameif",
    "security-level",
    "ip address",
    "description",
    "speed",
    "duplex",
    "vlan",
    "mac-address",
    "channel-group",
)
"""Lines of an interface of which the last one stands."""
_SHOWN_WHEN_UNSET = frozenset(["nameif", "security-level", "ip address"])
_MAX_BELOW = 10_000


def keep(device: Device, line: str) -> None:
    """Keep a line that has lines below it."""
    if line not in device.configuration.plain:
        device.configuration.plain[line] = []
        device.configuration.changed()


def store(device: Device, words: Sequence[str]) -> None:
    """Keep a line; of the commands in `SINGLE` it takes the former one's place."""
    plain = device.configuration.plain
    text = " ".join(words)
    single = next((one for one in SINGLE if text.startswith(one)), None)
    for held in list(plain):
        if held == f"no {text}" or (single and held.startswith(single)):
            del plain[held]
    plain[text] = []
    device.configuration.changed(acl=text == FORWARD_REFERENCE)


def forget(device: Device, text: str) -> None:
    """Drop a line and whatever begins with it."""
    plain = device.configuration.plain
    single = next((one for one in SINGLE if text.startswith(one)), None)
    for held in list(plain):
        if held == text or (single and held.startswith(single)) or held.startswith(text + " "):
            del plain[held]
    if text.startswith("failover"):
        plain[f"no {text}"] = []
    device.configuration.changed(acl=text == FORWARD_REFERENCE)


def keep_below(
    device: Device, mode: str, target: str, words: Sequence[str], *, negative: bool
) -> None:
    """Keep or drop a line below *target*, the line of a sub-mode; raises `Refused`."""
    configuration = device.configuration
    kept = configuration.other_groups[target][1] if mode == "other-group" else None
    if kept is None:
        kept = configuration.plain[target]
    if not negative and mode in _CHECKS:
        words = _CHECKS[mode](words)
    bare = " ".join(words)
    single = next((one for one in _ONE_BELOW if mode == "interface" and bare.startswith(one)), None)
    subject = " " + (single or bare)
    if negative or single:
        for line in [one for one in kept if one == subject or one.startswith(subject + " ")]:
            kept.remove(line)
        if single in _SHOWN_WHEN_UNSET and f" no {single}" in kept:
            kept.remove(f" no {single}")
    if not negative and f" {bare}" not in kept:
        if len(kept) >= _MAX_BELOW:
            raise Refused(Cause.TOO_MANY, f"ERROR: no more than {_MAX_BELOW} lines can stand here")
        kept.append(f" {bare}")
    elif negative and single in _SHOWN_WHEN_UNSET:
        kept.append(f" no {single}")
    configuration.changed()


def _checked(words: Sequence[str]) -> list[str]:
    """A line of an interface whose numbers are numbers."""
    match list(words):
        case ["ip", "address", "dhcp", *_]:
            pass
        case ["ip", "address", address, *rest]:
            _check_address(address, 2)
            if rest and rest[0] not in LENGTH_OF:
                raise Refused(Cause.SYNTAX, INVALID, at=3)
            if rest[1:2] == ["standby"]:
                _check_address(rest[2], 5)
        case ["security-level", level] if whole(level, 100) is None:
            raise Refused(Cause.SYNTAX, INVALID)
        case ["vlan", number] if whole(number, 4094, 1) is None:
            raise Refused(Cause.SYNTAX, INVALID)
        case ["channel-group", number, *_] if whole(number, 48, 1) is None:
            raise Refused(Cause.SYNTAX, INVALID)
        case ["member-interface", *rest]:
            return ["member-interface", canonical_name(rest)]
    return list(words)


def _check_address(address: str, at: int) -> None:
    try:
        family = number_of(address)[1]
    except ValueError:
        family = 0
    if family != 4:
        raise Refused(Cause.SYNTAX, INVALID, at=at)


_CHECKS = {"interface": _checked, "time-range": time_range.check}
