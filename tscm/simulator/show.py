"""
What `show …` and `more` print.
"""

import re
from collections.abc import Callable, Mapping

from tscm.simulator import show_device, show_interfaces, show_policy, shuns
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused
from tscm.simulator.show_values import Look

_MAX_PATTERN = 100
_MAX_REPEATS = 3
_REPEATS = re.compile(r"[*+?{]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_FILTERS = ("begin", "exclude", "grep", "include")


def show(look: Look, line: str) -> str:
    """The text of one command; `| include X`, `| grep X` and their kin filter it."""
    _, bar, condition = line.partition("|")
    text = _more(look) if look.words[0] == "more" else _PRINTERS[look.words[1]](look)
    return _filtered(text, condition.split()) if bar else text


def _more(look: Look) -> str:
    match look.words[1]:
        case "system:running-config":
            return look.device.running_config()
        case "system:startup-config":
            return look.device.startup
    raise Refused(Cause.ABSENT, f"%Error opening {look.words[1][:80]} (No such file or directory)")


def _filtered(text: str, condition: list[str]) -> str:
    if len(condition) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    found = [one for one in _FILTERS if one.startswith(condition[0])]
    if not found:
        raise Refused(Cause.SYNTAX, INVALID, at=2)
    how, words = found[0], condition[1:]
    invert = how == "exclude"
    if how == "grep" and words[0] == "-v":
        invert, words = True, words[1:]
    wanted = _pattern(" ".join(words))
    lines = text.splitlines()
    if how == "begin":
        start = next((at for at, one in enumerate(lines) if wanted.search(one)), len(lines))
        kept = lines[start:]
    else:
        kept = [one for one in lines if bool(wanted.search(one)) != invert]
    return "".join(one + "\n" for one in kept)


def _pattern(text: str) -> re.Pattern[str]:
    """
    The expression, unless it could take long: matching runs where all else does.

    A repeated group takes time that doubles with each character of a line.
    """
    repeated = len(_REPEATS.findall(text))
    if len(text) > _MAX_PATTERN or repeated > _MAX_REPEATS or _REPEATED_GROUP.search(text):
        raise Refused(Cause.SYNTAX, INVALID, at=3)
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        raise Refused(Cause.SYNTAX, INVALID, at=3) from None


def _nothing(look: Look) -> str:
    """What is there, and empty."""
    del look
    return ""


_PRINTERS: Mapping[str, Callable[[Look], str]] = {
    "access-list": show_policy.access_lists,
    "arp": show_interfaces.arp,
    "checksum": show_device.checksum,
    "clock": show_device.clock,
    "conn": show_device.connections,
    "cpu": show_device.cpu,
    "curpriv": show_device.curpriv,
    "failover": show_device.failover,
    "hostname": show_device.hostname,
    "interface": show_interfaces.interface,
    "inventory": show_device.inventory,
    "ip": show_interfaces.ip,
    "logging": show_device.logging,
    "memory": show_device.memory,
    "mode": show_device.mode,
    "nameif": show_interfaces.nameif,
    "object-group": show_policy.object_groups,
    "pager": show_device.pager,
    "rest-api": show_device.rest_agent,
    "running-config": show_policy.running,
    "serial-number": show_device.serial_number,
    "shun": lambda look: shuns.shown(look.device, look.rest),
    "startup-config": lambda look: look.device.startup or "No Configuration\n",
    "terminal": show_device.terminal,
    "version": show_device.version,
    "xlate": _nothing,
}
