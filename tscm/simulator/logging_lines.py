"""
`logging …`: which lines the firewall takes, how it keeps them, and which collectors they name.

docs/develop/asa.md, section 7.  Pure: words in, the line of the running configuration out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from ipaddress import ip_address

from attrs import frozen

from tscm.simulator.access_list import LEVELS, level_of
from tscm.simulator.digits import whole
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

MAX_HOSTS = 16
DEFAULT_PORTS = {"udp": 514, "tcp": 1470}
_PROTOCOLS = {"udp": "udp", "17": "udp", "tcp": "tcp", "6": "tcp"}
_NUMBERS = {"udp": "17", "tcp": "6"}
_LEAST_TCP_PORT = 1
_PLAIN = frozenset(
    ["enable", "standby", "debug-trace", "permit-hostdown", "emblem", "flash-bufferwrap"]
)
_LEVELLED = frozenset(["trap", "buffered", "console", "monitor", "asdm", "history", "mail"])
_WHOLE: Mapping[str, tuple[int, int]] = {
    "facility": (16, 23),
    "queue": (0, 8192),
    "buffer-size": (4096, 1048576),
    "asdm-buffer-size": (100, 512),
    "flash-minimum-free": (0, 1 << 31),
    "flash-maximum-allocation": (0, 1 << 31),
}
_FREE = frozenset(["from-address", "recipient-address", "ftp-server", "ftp-bufferwrap", "class"])
_LIST = "logging list "


@frozen(kw_only=True)
class LogHost:
    """
    A collector as `logging host` names it.
    """

    interface: str
    address: str
    protocol: str
    port: int
    emblem: bool = False
    secure: bool = False

    def __str__(self) -> str:
        """As the running configuration shows it: the protocol's number, and nothing for UDP 514."""
        line = f"logging host {self.interface} {self.address}"
        if (self.protocol, self.port) != ("udp", DEFAULT_PORTS["udp"]):
            line += f" {_NUMBERS[self.protocol]}/{self.port}"
        return line + (" format emblem" if self.emblem else "") + (" secure" if self.secure else "")


def _invalid(at: int = 1) -> Refused:
    return Refused(Cause.SYNTAX, INVALID, at=at)


def _incomplete() -> Refused:
    return Refused(Cause.SYNTAX, INCOMPLETE)


def read_host(words: Sequence[str]) -> LogHost:
    """
    What follows `logging host`: INTERFACE ADDRESS [udp|tcp[/PORT]] [format emblem] [secure].

    Raises `Refused`.
    """
    if len(words) < 2:
        raise _incomplete()
    interface, address, *rest = words
    protocol, port = "udp", DEFAULT_PORTS["udp"]
    if rest and rest[0].partition("/")[0] in _PROTOCOLS:
        name, slash, number = rest.pop(0).partition("/")
        protocol = _PROTOCOLS[name]
        found = whole(number, 65535, _LEAST_TCP_PORT) if slash else DEFAULT_PORTS[protocol]
        if found is None:
            raise _invalid(4)
        port = found
    emblem = rest[:2] == ["format", "emblem"]
    if emblem:
        if protocol != "udp":
            raise _invalid(5)
        del rest[:2]
    secure = rest[:1] == ["secure"]
    if secure:
        if protocol != "tcp":
            raise _invalid(5)
        del rest[0]
        if rest[:1] == ["reference-identity"]:
            del rest[:2]
    if rest:
        raise _invalid(len(words) - len(rest) + 2)
    return LogHost(
        interface=interface,
        address=_address(address),
        protocol=protocol,
        port=port,
        emblem=emblem,
        secure=secure,
    )


def _address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        raise _invalid(3) from None
    if found.is_unspecified or found.is_multicast or "%" in text:
        raise _invalid(3)
    return str(found)


def hosts(lines: Iterable[str]) -> tuple[LogHost, ...]:
    """The collectors that the configuration's *lines* name, in their order."""
    return tuple(read_host(line.split()[2:]) for line in lines if line.startswith("logging host "))


def canonical(words: Sequence[str], held: Collection[str], interfaces: Collection[str]) -> str:
    """
    The line that the firewall keeps for `logging` and *words*; raises `Refused`.

    *held* are the lines that it has, *interfaces* the names of its interfaces.
    """
    if not words:
        raise _incomplete()
    name, rest = words[0], list(words[1:])
    reader = _READERS.get(name)
    if name == "host":
        return _host_line(rest, held, interfaces)
    if reader is not None:
        return f"logging {name} {reader(rest)}".rstrip()
    if name in _PLAIN:
        return f"logging {name}" if not rest else _refuse_rest()
    if name in _LEVELLED:
        return f"logging {name} {_level_or_list(rest, held)}"
    if name in _WHOLE:
        return f"logging {name} {_one_number(rest, *_WHOLE[name])}"
    if name in _FREE and rest:
        return " ".join(["logging", *words])
    raise _incomplete() if name in _FREE else _invalid()


def is_known(name: str) -> bool:
    """Is there a `logging` command of that name?"""
    return name == "host" or any(
        name in names for names in (_READERS, _PLAIN, _LEVELLED, _WHOLE, _FREE)
    )


def _refuse_rest() -> str:
    raise _invalid(2)


def _host_line(words: list[str], held: Collection[str], interfaces: Collection[str]) -> str:
    if words and words[0] not in interfaces:
        raise _invalid(2)
    host = read_host(words)
    line = str(host)
    if line not in held and len(hosts(held)) >= MAX_HOSTS:
        text = f"ERROR: no more than {MAX_HOSTS} syslog servers can be configured"
        raise Refused(Cause.TOO_MANY, text)
    return line


def _one_number(words: list[str], least: int, most: int) -> int:
    if not words:
        raise _incomplete()
    number = whole(words[0], most, least)
    if number is None or len(words) > 1:
        raise _invalid(2)
    return number


def _level(words: list[str]) -> int:
    if not words:
        raise _incomplete()
    level = level_of(words[0])
    if level is None:  # a keyword like others: short while it is unique
        meant = [number for number, name in enumerate(LEVELS) if name.startswith(words[0])]
        level = meant[0] if len(meant) == 1 else None
    if level is None or len(words) > 1:
        raise _invalid(2)
    return level


def _level_or_list(words: list[str], held: Collection[str]) -> str:
    """A severity in its name, or the name of a `logging list` that is there."""
    if len(words) == 1 and any(one.startswith(f"{_LIST}{words[0]} ") for one in held):
        return words[0]
    return LEVELS[_level(words)]


def _timestamp(words: list[str]) -> str:
    if words not in ([], ["rfc5424"]):
        raise _invalid(2)
    return "".join(words)


def _device_id(words: list[str]) -> str:
    match words:
        case ["hostname" | "context-name" | "cluster-id"] | ["string", _] | ["ipaddress", _]:
            return " ".join(words)
        case ["ipaddress", _, "system"]:
            return " ".join(words)
        case [] | ["string"] | ["ipaddress"]:
            raise _incomplete()
    raise _invalid(2)


def _message(words: list[str]) -> str:
    """`logging message ID [level LEVEL]`, also `standby` behind it."""
    if not words:
        raise _incomplete()
    if whole(words[0], 999999, 100000) is None:
        raise _invalid(2)
    match words[1:]:
        case [] | ["standby"]:
            return " ".join(words)
        case ["level", *level]:
            return f"{words[0]} level {LEVELS[_level(level)]}"
    raise _invalid(3)


def _list(words: list[str]) -> str:
    """`logging list NAME level LEVEL [class CLASS]` or `… message ID[-ID]`."""
    match words:
        case [name, "level", level, *rest] if not rest or (len(rest) == 2 and rest[0] == "class"):
            return " ".join([name, "level", LEVELS[_level([level])], *rest])
        case [name, "message", numbers]:
            ends = numbers.split("-")
            if len(ends) > 2 or any(whole(one, 999999, 100000) is None for one in ends):
                raise _invalid(4)
            return f"{name} message {numbers}"
        case [_, "level" | "message"] | [_] | []:
            raise _incomplete()
    raise _invalid(3)


def _hide(words: list[str]) -> str:
    if words != ["username"]:
        raise _invalid(2) if words else _incomplete()
    return "username"


def _rate_limit(words: list[str]) -> str:
    if len(words) < 2:
        raise _incomplete()
    return " ".join(words)


_READERS: Mapping[str, Callable[[list[str]], str]] = {
    "timestamp": _timestamp,
    "device-id": _device_id,
    "message": _message,
    "list": _list,
    "hide": _hide,
    "rate-limit": _rate_limit,
}


def chosen_by(name: str, lines: Iterable[str]) -> tuple[int, tuple[tuple[int, int], ...]]:
    """
    What the `logging list` called *name* takes: messages up to a level, and ranges of ids.

    The level is -1 where the list names none; classes are not told apart.
    """
    level, ranges = -1, []
    for line in lines:
        match line.split():
            case ["logging", "list", held, "level", word, *_] if held == name:
                level = max(level, level_of(word) or 0)
            case ["logging", "list", held, "message", numbers] if held == name:
                first, _, last = numbers.partition("-")
                ranges.append((int(first), int(last or first)))
    return level, tuple(ranges)
