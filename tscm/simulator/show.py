"""
What `show …` and `more` print.
"""

from collections.abc import Callable, Mapping

from tscm.simulator import show_device, show_interfaces, show_policy, shuns
from tscm.simulator.refusal import Cause, Refused
from tscm.simulator.show_filter import filtered
from tscm.simulator.show_values import Look


def show(look: Look, line: str) -> str:
    """The text of one command; `| include X`, `| grep X` and their kin filter it."""
    _, bar, condition = line.partition("|")
    text = _more(look) if look.words[0] == "more" else _PRINTERS[look.words[1]](look)
    return filtered(text, condition.split()) if bar else text


def _more(look: Look) -> str:
    match look.words[1]:
        case "system:running-config":
            return look.device.running_config()
        case "system:startup-config":
            return look.device.startup
    raise Refused(Cause.ABSENT, f"%Error opening {look.words[1][:80]} (No such file or directory)")


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
    "context": show_device.contexts,
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
