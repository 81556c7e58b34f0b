"""
Members of network object-groups: one canonical text each, and its two faces.

The canonical text is the line of the running configuration without its indent
(`network-object host 192.0.2.1`, `network-object 192.0.2.0 255.255.255.0`,
`group-object X`), so that members are compared, stored and rendered as plain
strings.  The REST agent's JSON and the command line's words are turned into it and
back here.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from tscm.simulator.digits import whole
from tscm.simulator.refusal import Cause, Refused

_HOST = "network-object host "
_NET = "network-object "
_OBJECT = "network-object object "
_GROUP = "group-object "
ANY_KINDS = {"any": "AnyIPAddress", "any4": "AnyIPAddress", "any6": "AnyIPv6Address"}

LENGTH_OF = {str(IPv4Network((0, length)).netmask): length for length in range(33)}
MASK_OF = {length: mask for mask, length in LENGTH_OF.items()}


def _bad(text: str) -> Refused:
    return Refused(Cause.BAD_MEMBER, text)


def host(value: str) -> str:
    """The member for one IPv4 address; leading zeros and short forms are refused."""
    try:
        packed = inet_pton(AF_INET, value)
    except (OSError, ValueError, UnicodeError):
        raise _bad(f"ERROR: {value!r} is not a valid IPv4 address") from None
    return _HOST + inet_ntop(AF_INET, packed)


def host6(value: str) -> str:
    """The member for one IPv6 address, in RFC 5952 spelling."""
    try:
        packed = inet_pton(AF_INET6, value)
    except (OSError, ValueError, UnicodeError):
        raise _bad(f"ERROR: {value!r} is not a valid IPv6 address") from None
    return _HOST + inet_ntop(AF_INET6, packed)


def network(address: str, length: int, *, clear_host_bits: bool = False) -> str:
    """The member for an IPv4 network; a /32 becomes a host, as on the command line."""
    try:
        number = int.from_bytes(inet_pton(AF_INET, address), "big")
    except (OSError, ValueError, UnicodeError):
        raise _bad(f"ERROR: {address!r} is not a valid IPv4 address") from None
    if not 0 <= length <= 32:
        raise _bad(f"ERROR: /{length} is not a valid prefix length")
    host_bits = number & ((1 << (32 - length)) - 1)
    if host_bits and not clear_host_bits:
        raise _bad(f"ERROR: IP address,mask <{address},{MASK_OF[length]}> doesn't pair")
    text = inet_ntop(AF_INET, (number - host_bits).to_bytes(4, "big"))
    return _HOST + text if length == 32 else f"{_NET}{text} {MASK_OF[length]}"


def network6(address: str, length: int, *, clear_host_bits: bool = False) -> str:
    """The member for an IPv6 network; a /128 becomes a host."""
    try:
        number = int.from_bytes(inet_pton(AF_INET6, address), "big")
    except (OSError, ValueError, UnicodeError):
        raise _bad(f"ERROR: {address!r} is not a valid IPv6 address") from None
    if not 0 <= length <= 128:
        raise _bad(f"ERROR: /{length} is not a valid prefix length")
    host_bits = number & ((1 << (128 - length)) - 1)
    if host_bits and not clear_host_bits:
        raise _bad(f"ERROR: IPv6 address {address}/{length} has host bits set")
    text = inet_ntop(AF_INET6, (number - host_bits).to_bytes(16, "big"))
    return _HOST + text if length == 128 else f"{_NET}{text}/{length}"


def named(name: str) -> str:
    """The member that stands for a named network object."""
    return _OBJECT + name


def group(name: str) -> str:
    """The member that stands for a nested group."""
    return _GROUP + name


def nested_name(member: str) -> str | None:
    """The name of the nested group, when the member is one."""
    return member[len(_GROUP) :] if member.startswith(_GROUP) else None


def object_name(member: str) -> str | None:
    """The name of the network object, when the member is a reference to one."""
    return member[len(_OBJECT) :] if member.startswith(_OBJECT) else None


def from_words(words: Sequence[str]) -> str:
    """
    The member in `network-object …` or `group-object …`, as typed in the sub-mode.
    """
    match words:
        case ["group-object", name]:
            return group(name)
        case ["network-object", "object", name]:
            return named(name)
        case ["network-object", "host", address]:
            return host6(address) if ":" in address else host(address)
        case ["network-object", prefix] if "/" in prefix and ":" in prefix:
            address, _, length = prefix.partition("/")
            bits = whole(length, 128)
            if bits is None:
                raise _bad("ERROR: % Invalid input detected at '^' marker.")
            return network6(address, bits)
        case ["network-object", ("any" | "any4" | "any6") as word]:
            return _NET + word
        case ["network-object", address, mask]:
            if mask not in LENGTH_OF:
                raise _bad(f"ERROR: IP address,mask <{address},{mask}> doesn't pair")
            return network(address, LENGTH_OF[mask])
        case ["network-object" | "group-object"] | ["network-object", _]:
            raise _bad("ERROR: % Incomplete command")
    raise _bad("ERROR: % Invalid input detected at '^' marker.")


def interval(member: str) -> tuple[int, int, int]:
    """
    First and last address of a literal member as numbers, and the family (4 or 6).

    Without `ipaddress`, for groups of many thousand members.
    """
    words = member.split()
    word = words[-1] if words[1] == "host" else words[1]
    if word in ANY_KINDS:
        return (0, (1 << 128) - 1, 6) if word == "any6" else (0, (1 << 32) - 1, 4)
    if ":" in word:
        address, _, length = word.partition("/")
        first = int.from_bytes(inet_pton(AF_INET6, address), "big")
        return first, first | ((1 << (128 - int(length or 128))) - 1), 6
    first = int.from_bytes(inet_pton(AF_INET, word), "big")
    length4 = 32 if words[1] == "host" else LENGTH_OF[words[2]]
    return first, first | ((1 << (32 - length4)) - 1), 4
