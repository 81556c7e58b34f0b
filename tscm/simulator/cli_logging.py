"""
`logging …` and `no logging …` on a device's configuration.
"""

from collections.abc import Sequence

from tscm.simulator.device import Device
from tscm.simulator.logging_lines import canonical, is_known, read_host
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

_MANY = frozenset(["host", "message", "list", "class", "rate-limit", "recipient-address"])
"""Of these several lines may stand; of all others the last one does."""


def take(device: Device, words: Sequence[str]) -> None:
    """Keep the line of `logging` and *words*; raises `Refused`."""
    configuration = device.configuration
    plain = configuration.plain
    line = canonical(words, plain, device.interface_names())
    if words[0] == "message":
        subject = f"logging message {words[1]}"
        plain.pop(f"no {subject}", None)
        _drop(plain, subject)
        if len(words) == 2:
            configuration.changed()
            return
    elif words[0] not in _MANY:
        _drop(plain, f"logging {words[0]}")
    plain[line] = []
    configuration.changed()


def take_away(device: Device, words: Sequence[str]) -> None:
    """Forget what `no logging` and *words* name; what is not there is no error."""
    if not words:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    if not is_known(words[0]):
        raise Refused(Cause.SYNTAX, INVALID)
    plain = device.configuration.plain
    line = " ".join(["logging", *words])
    if words[0] == "host":
        line = _host(words)
    elif words[0] not in _MANY:
        line = f"logging {words[0]}"
    elif words[0] == "message" and len(words) > 1:
        line = f"logging message {words[1]}"
        canonical(["message", words[1]], plain, ())
    _drop(plain, line)
    if words[0] == "message" and len(words) > 1:
        plain[f"no {line}"] = []
    device.configuration.changed()


def _host(words: Sequence[str]) -> str:
    """Every line to the address, or the one with its port where that is told."""
    host = read_host(words[1:])
    return str(host) if len(words) > 3 else f"logging host {host.interface} {host.address}"


def _drop(plain: dict[str, list[str]], subject: str) -> None:
    for held in list(plain):
        if held == subject or held.startswith(subject + " "):
            del plain[held]
