"""
Access-list entries: read from the command line, rendered back, hashed for the log.

`access-list NAME [line N] extended {permit|deny} PROTOCOL SOURCE [PORT] DESTINATION [PORT]
[log [LEVEL] [interval S] | log disable | log default] [inactive]` (ASA command reference,
"access-list extended").  Users, security groups and FQDN are not modelled.
"""

from collections.abc import Sequence
from zlib import crc32

from attrs import evolve, field, frozen

from tscm.simulator import members
from tscm.simulator.digits import whole
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

PROTOCOLS = frozenset(
    [
        "ip",
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "igmp",
        "gre",
        "esp",
        "ah",
        "ospf",
        "eigrp",
        "pim",
        "sctp",
        "nos",
        "ipinip",
        "pcp",
    ]
)
LEVELS = [
    "emergencies",
    "alerts",
    "critical",
    "errors",
    "warnings",
    "notifications",
    "informational",
    "debugging",
]
PORTS = {
    "domain": 53,
    "ftp": 21,
    "https": 443,
    "imap4": 143,
    "ldap": 389,
    "ntp": 123,
    "pop3": 110,
    "smtp": 25,
    "snmp": 161,
    "ssh": 22,
    "syslog": 514,
    "telnet": 23,
    "www": 80,
}
_MAX_PORT = 65535
_MAX_LINE = 1 << 31


def level_of(word: str) -> int | None:
    """The severity that a name or a digit stands for; None for any other word."""
    return LEVELS.index(word) if word in LEVELS else whole(word, 7)


@frozen
class Endpoint:
    """
    One side of an entry: any, one member text, a group's or an object's name; and ports.
    """

    kind: str
    """`any`, `any4`, `any6`, `member`, `group` or `object`."""
    value: str = ""
    ports: tuple[int, int] | None = None
    negated: bool = False
    """`neq`: every port but the one."""

    def __str__(self) -> str:
        match self.kind:
            case "group":
                text = f"object-group {self.value}"
            case "object":
                text = f"object {self.value}"
            case "member":
                text = self.value.removeprefix("network-object ")
            case _:
                text = self.kind
        return text + self._ports_text()

    def _ports_text(self) -> str:
        if self.ports is None:
            return ""
        low, high = self.ports
        if self.negated:
            return f" neq {low}"
        if low == high:
            return f" eq {low}"
        if low == 0:
            return f" lt {high + 1}"
        return f" gt {low - 1}" if high == _MAX_PORT else f" range {low} {high}"


@frozen(kw_only=True)
class Ace:
    """
    One entry of an access-list; a remark is one that matches nothing.
    """

    name: str
    action: str
    """`permit`, `deny` or `remark`."""
    protocol: str = "ip"
    source: Endpoint = field(default=Endpoint("any"))
    destination: Endpoint = field(default=Endpoint("any"))
    log: bool = False
    """Has `log`: reported by 106100 instead of 106023."""
    log_disabled: bool = False
    level: int = 6
    interval: int = 300
    inactive: bool = False
    remark: str = ""

    def __str__(self) -> str:
        if self.action == "remark":
            return f"access-list {self.name} remark {self.remark}"
        words = (
            f"access-list {self.name} extended {self.action} {self.protocol} "
            f"{self.source} {self.destination}"
        )
        if self.log_disabled:
            words += " log disable"
        elif self.log:
            words += " log" if self.level == 6 else f" log {LEVELS[self.level]}"
            words += "" if self.interval == 300 else f" interval {self.interval}"
        return words + (" inactive" if self.inactive else "")

    @property
    def shown(self) -> str:
        """As `show access-list` prints it: with level and interval, even where they are the defaults."""
        if not self.log or self.log_disabled or self.action == "remark":
            return str(self)
        text = str(evolve(self, log=False, inactive=False))
        text += f" log {LEVELS[self.level]} interval {self.interval}"
        return text + (" inactive" if self.inactive else "")

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the network object-groups that it names."""
        return tuple(end.value for end in (self.source, self.destination) if end.kind == "group")

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the network objects that it names."""
        return tuple(end.value for end in (self.source, self.destination) if end.kind == "object")

    @property
    def hash(self) -> int:
        """What 106100, 106023 and `show access-list` print of it; the log option is no part."""
        return crc32(str(evolve(self, log=False, log_disabled=False, inactive=False)).encode())


def _port(word: str) -> int:
    number = PORTS.get(word, whole(word, _MAX_PORT))
    if number is None:
        raise Refused(Cause.SYNTAX, INVALID)
    return number


def _ports(words: list[str]) -> tuple[tuple[int, int] | None, bool]:
    if not words or words[0] not in ("eq", "neq", "lt", "gt", "range"):
        return None, False
    operator = words.pop(0)
    needed = 2 if operator == "range" else 1
    if len(words) < needed:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    numbers = [_port(words.pop(0)) for _ in range(needed)]
    low, high = numbers[0], numbers[-1]
    if operator == "lt":
        low, high = 0, high - 1
    elif operator == "gt":
        low, high = low + 1, _MAX_PORT
    if low > high:
        raise Refused(Cause.SYNTAX, INVALID)
    return (low, high), operator == "neq"


def _endpoint(words: list[str], *, with_ports: bool) -> Endpoint:
    if not words:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    first = words.pop(0)
    if first in ("any", "any4", "any6"):
        end = Endpoint(first)
    elif first in ("object-group", "object", "host"):
        if not words:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        value = words.pop(0)
        if first == "host":
            end = Endpoint("member", members.from_words(["network-object", "host", value]))
        else:
            end = Endpoint("group" if first == "object-group" else "object", value)
    elif "/" in first:
        end = Endpoint("member", members.from_words(["network-object", first]))
    else:
        if not words:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        end = Endpoint("member", members.from_words(["network-object", first, words.pop(0)]))
    ports, negated = _ports(words) if with_ports else (None, False)
    return evolve(end, ports=ports, negated=negated)


def _log(ace: Ace, words: list[str]) -> Ace:
    while words:
        word = words.pop(0)
        if word == "inactive":
            ace = evolve(ace, inactive=True)
        elif word == "log":
            ace = evolve(ace, log=True)
            if words and words[0] == "disable":
                words.pop(0)
                ace = evolve(ace, log=False, log_disabled=True)
            elif words and words[0] == "default":
                words.pop(0)
                ace = evolve(ace, log=False)
            elif words and (level := level_of(words[0])) is not None:
                words.pop(0)
                ace = evolve(ace, level=level)
            if words and words[0] == "interval":
                words.pop(0)
                typed = words.pop(0) if words else ""
                seconds = whole(typed, 600, 1)
                if seconds is None:
                    raise Refused(Cause.SYNTAX, INVALID if typed else INCOMPLETE)
                ace = evolve(ace, interval=seconds)
        else:
            raise Refused(Cause.SYNTAX, INVALID)
    return ace


def read_ace(words: Sequence[str]) -> tuple[int | None, Ace]:
    """
    The line number, if one is given, and the entry; *words* follow `access-list`.
    """
    rest = list(words)
    if len(rest) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    name = rest.pop(0)
    line: int | None = None
    if rest[0] == "line":
        if len(rest) < 3:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
        line = whole(rest[1], _MAX_LINE, 1)
        if line is None:
            raise Refused(Cause.SYNTAX, INVALID)
        del rest[:2]
    if rest[0] == "remark":
        return line, Ace(name=name, action="remark", remark=" ".join(rest[1:]))
    if rest[0] == "extended":
        rest.pop(0)
    if not rest:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    action = rest.pop(0)
    if action not in ("permit", "deny"):
        raise Refused(Cause.SYNTAX, INVALID)
    if not rest:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    protocol = rest.pop(0)
    if protocol not in PROTOCOLS and whole(protocol, 255) is None:
        raise Refused(Cause.SYNTAX, INVALID)
    with_ports = protocol in ("tcp", "udp", "sctp")
    source = _endpoint(rest, with_ports=with_ports)
    destination = _endpoint(rest, with_ports=with_ports)
    ace = Ace(name=name, action=action, protocol=protocol, source=source, destination=destination)
    return line, _log(ace, rest)


Binding = tuple[str, str]
"""Interface and direction of an access-group; `("", "global")` for the global one."""


def read_binding(words: Sequence[str]) -> tuple[str, Binding]:
    """The access-list's name and where `access-group …` binds it."""
    match list(words):
        case [name, "global"]:
            return name, ("", "global")
        case [name, ("in" | "out") as direction, "interface", interface, *_]:
            return name, (interface, direction)
        case [_, ("in" | "out"), *_] | [_] | []:
            raise Refused(Cause.SYNTAX, INCOMPLETE)
    raise Refused(Cause.SYNTAX, INVALID)


def binding_text(name: str, binding: Binding) -> str:
    """The `access-group` line of the running configuration."""
    interface, direction = binding
    if direction == "global":
        return f"access-group {name} global"
    return f"access-group {name} {direction} interface {interface}"
