"""
A running configuration, read: access-lists, where they are bound, logging, interfaces, accounts.

Pure, and patient: a line that is not understood is passed over, for the text is an ASA's and may hold
anything.  What is read is what shows whether our groups are used and whether the lists' work is told.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from tscm.kinds.asa.access_lists import Entry, level_of, read_entry

UDP, TCP = "udp", "tcp"
_PROTOCOLS = {"17": UDP, "udp": UDP, "6": TCP, "tcp": TCP}
_DEFAULT_PORTS = {UDP: 514, TCP: 1470}
_PORT = re.compile(r"[0-9]{1,5}")
_OCTETS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_NO_NETWORK = re.compile(r"(?m)^object-group (?!network )\S+ (\S+)")


@frozen(kw_only=True)
class Binding:
    """`access-group`: where a list is in force; *way* is `in`, `out` or `global`."""

    access_list: str
    way: str
    interface: str | None = None


@frozen(kw_only=True)
class LogHost:
    """`logging host`: a collector."""

    interface: str
    address: str
    protocol: str
    port: int
    secure: bool = False

    def __str__(self) -> str:
        """As an operator types it."""
        return f"{self.interface} {self.address} {self.protocol}/{self.port}"


@frozen(kw_only=True)
class Interface:
    """An interface with a name; *address* and *mask* are None where it has none that is written down."""

    name: str
    level: int = 0
    address: str | None = None
    mask: str | None = None
    management: bool = False


@frozen(kw_only=True)
class RunningConfig:
    """
    What we read of a device's configuration.

    *trap* is the level up to which messages go to collectors; None where nothing does or a message
    list decides (*trap_list*).
    """

    entries: Mapping[str, Sequence[Entry]] = field(factory=dict)
    bindings: tuple[Binding, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    log_enabled: bool = False
    log_hosts: tuple[LogHost, ...] = ()
    trap: int | None = None
    trap_list: str | None = None
    permit_hostdown: bool = False
    silenced: frozenset[str] = frozenset()
    """Message ids under `no logging message`."""
    privileges: Mapping[str, int] = field(factory=dict)
    """Local accounts."""

    def bound(self, access_list: str) -> tuple[Binding, ...]:
        """Where a list is in force."""
        return tuple(one for one in self.bindings if one.access_list == access_list)

    def using(self, group: str) -> tuple[Entry, ...]:
        """Entries of any list that name *group*."""
        return tuple(
            entry for lines in self.entries.values() for entry in lines if entry.names(group)
        )


def read_running(text: str) -> RunningConfig:
    """The configuration in *text*, as `show running-config` prints it."""
    lines = text.splitlines()
    services = service_groups(text)
    entries: dict[str, list[Entry]] = {}
    for line in lines:
        entry = read_entry(line, services) if line.startswith("access-list ") else None
        if entry is not None:
            entries.setdefault(entry.access_list, []).append(entry)
    trap, trap_list = _trap(lines)
    return RunningConfig(
        entries=entries,
        bindings=tuple(_bindings(lines)),
        interfaces=tuple(_interfaces(lines)),
        log_enabled="logging enable" in (line.rstrip() for line in lines),
        log_hosts=tuple(_log_hosts(lines)),
        trap=trap,
        trap_list=trap_list,
        permit_hostdown=any(line.strip() == "logging permit-hostdown" for line in lines),
        silenced=frozenset(_first(lines, r"no logging message (\d{6})\s*$")),
        privileges=dict(_privileges(lines)),
    )


def service_groups(text: str) -> frozenset[str]:
    """Names of object-groups that hold ports, protocols and the like."""
    return frozenset(_NO_NETWORK.findall(text))


def _bindings(lines: Sequence[str]) -> Iterator[Binding]:
    for line in lines:
        match line.split():
            case ["access-group", name, "global", *_]:
                yield Binding(access_list=name, way="global")
            case ["access-group", name, ("in" | "out") as way, "interface", interface, *options]:
                if "control-plane" not in options:  # that is about traffic to the device itself
                    yield Binding(access_list=name, way=way, interface=interface)


def _interfaces(lines: Sequence[str]) -> Iterator[Interface]:
    held: list[str] = []
    for line in (*lines, "!"):
        if held and line.startswith(" "):
            held.append(line)
            continue
        yield from _interface(held)
        held = [line] if line.startswith("interface ") else []


def _interface(lines: Sequence[str]) -> Iterator[Interface]:
    name = next(_first(lines, r" nameif (\S+)"), None)
    if name is None:
        return
    address = next(_first(lines, rf" ip address ({_OCTETS} {_OCTETS})(?![0-9.])"), "")
    parts = address.split() if _is_interface(address) else []
    yield Interface(
        name=name,
        level=int(next(_first(lines, r" security-level ([0-9]{1,3})(?![0-9])"), "0")),
        address=parts[0] if parts else None,
        mask=parts[1] if parts else None,
        management=any(line.strip() == "management-only" for line in lines),
    )


def _is_interface(text: str) -> bool:
    """Whether it is an address and a mask."""
    try:
        ipaddress.ip_interface("/".join(text.split()))
    except ValueError:
        return False
    return True


def _log_hosts(lines: Sequence[str]) -> Iterator[LogHost]:
    for line in lines:
        match line.split():
            case ["logging", "host", interface, address, *options]:
                protocol, port = UDP, _DEFAULT_PORTS[UDP]
                for option in options:
                    kind, slash, number = option.lower().partition("/")
                    if kind in _PROTOCOLS and (not slash or _PORT.fullmatch(number)):
                        protocol = _PROTOCOLS[kind]
                        port = int(number) if slash else _DEFAULT_PORTS[protocol]
                yield LogHost(
                    interface=interface,
                    address=address,
                    protocol=protocol,
                    port=port,
                    secure="secure" in options,
                )


def _trap(lines: Sequence[str]) -> tuple[int | None, str | None]:
    word = next(_first(lines, r"logging trap (\S+)"), None)
    if word is None:
        return None, None
    level = level_of(word)
    return (level, None) if level is not None else (None, word)


def _privileges(lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        if found := re.match(r"username (\S+) .*\bprivilege ([0-9]{1,2})\b", line):
            yield found[1], int(found[2])


def _first(lines: Sequence[str], pattern: str) -> Iterator[str]:
    wanted = re.compile(pattern)
    for line in lines:
        if found := wanted.match(line):
            yield found[1]
