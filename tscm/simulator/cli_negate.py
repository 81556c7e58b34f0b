"""
`no …` in configuration mode.
"""

from collections.abc import Sequence

from tscm.simulator import cli_logging
from tscm.simulator.access_list import read_ace, read_binding
from tscm.simulator.cli_store import forget
from tscm.simulator.device import Device
from tscm.simulator.interfaces import canonical_name
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

_NO_CONFIGURATION = frozenset(["exit", "quit", "end", "help", "configure", "clear"])
_DEFAULT_HOSTNAME = "ciscoasa"


def negate(device: Device, words: Sequence[str]) -> None:
    """Take away what *words*, those behind `no`, name; raises `Refused`."""
    configuration = device.configuration
    match list(words):
        case ["object-group", "network", name]:
            if configuration.type_of(name) not in ("network", None):
                configuration.check_free(name)
            configuration.remove_group(name)
        case ["object-group", _, name, *_]:
            if configuration.other_groups.pop(name, None) is None:
                text = f"Removing object-group ({name}) failed; it does not exist"
                raise Refused(Cause.ABSENT, text)
            configuration.changed()
        case ["object", "network", name]:
            configuration.remove_object(name)
        case ["access-list", "deny-flow-max" | "alert-interval", *_]:
            forget(device, " ".join(words))
        case ["access-list", *rest] if rest:
            configuration.remove_ace(read_ace(rest)[1])
        case ["access-group", *rest] if rest:
            configuration.unbind(*read_binding(rest))
        case ["username", name, *_]:
            device.accounts.users.pop(name, None)
            configuration.plain.pop(f"username {name} attributes", None)
            configuration.changed()
        case ["object-group" | "object" | "access-list" | "access-group" | "username", *_]:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        case ["logging", *rest]:
            cli_logging.take_away(device, rest)
        case ["interface", *rest]:
            forget(device, f"interface {canonical_name(rest)}")
        case ["hostname", *_]:
            configuration.hostname = _DEFAULT_HOSTNAME
            configuration.changed()
        case [first, *_] if first in _NO_CONFIGURATION:
            raise Refused(Cause.SYNTAX, INVALID)
        case _:
            if list(words) == ["rest-api", "agent"]:
                device.health.stop()
            forget(device, " ".join(words))
