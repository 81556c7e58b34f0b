"""
Security contexts: one firewall as several, each with a configuration of its own.

A session lands in `admin`; `changeto` leads to another, and to the system space, which has no groups and no
access-lists and knows where the others are kept.
"""

import re
from collections.abc import Iterable

from tscm.simulator.device import ADMIN, SYSTEM, Device
from tscm.simulator.refusal import Cause, Refused

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_NOT_IN_SYSTEM = frozenset(
    ["object", "object-group", "access-list", "access-group", "nat", "route", "logging", "xlate"]
)


def is_name(text: str) -> bool:
    """Can a context be called that?"""
    return _NAME.fullmatch(text) is not None and text not in {ADMIN, SYSTEM}


def divide(device: Device, names: Iterable[str]) -> None:
    """Make *device* the admin context of a firewall with the contexts *names* beside it, all of them empty."""
    device.space, device.spaces = ADMIN, {ADMIN: device}
    for name in (SYSTEM, *names):
        made = Device(
            profile=device.profile,
            serial=device.serial,
            started_at=device.started_at,
            switches=device.switches,
            accounts=device.accounts,
            asa_version=device.asa_version,
            space=name,
        )
        made.configuration.hostname = device.hostname
        made.outbox, made.spaces = device.outbox, device.spaces
        device.spaces[name] = made


def context_named(device: Device, name: str) -> Device:
    """The context that `changeto context` leads to; raises `Refused`."""
    found = None if name == SYSTEM else device.spaces.get(name)
    if found is None:
        raise Refused(Cause.ABSENT, f"ERROR: '{name}' is not valid")
    return found


def known_in(device: Device, words: Iterable[str]) -> bool:
    """Does the space of *device* know a command, `show running-config` of it included?"""
    return device.space != SYSTEM or _NOT_IN_SYSTEM.isdisjoint(words)


def table(device: Device) -> str:
    """`show context`."""
    rows = [
        f"{'*' if name == ADMIN else ' '}{name:<17}default      GigabitEthernet0/0   disk0:/{name}.cfg\n"
        for name in device.spaces
        if name != SYSTEM
    ]
    head = "Context Name      Class      Interfaces           URL\n"
    return f"{head}{''.join(rows)}\nTotal active Security Contexts: {len(rows)}\n"
