"""
How a feed writes a network: as one, as a range, with a mask, or inside of something else.  Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from socket import AF_INET, AF_INET6, inet_pton

from tscm.policy.spelling import V4_BITS, spell_address

VALUES = ("network", "range", "mask", "ip:port", "url")

_DOTTED = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_PADDED = re.compile(rf"(?<![\w.:])({_DOTTED})(?![\w.])")
_TAIL = r"\s*(?:[#;].*)?"
_RANGE = re.compile(rf"(?<![\w.-])({_DOTTED})\s*-\s*({_DOTTED}){_TAIL}$")
_RANGE_V6 = re.compile(rf"([0-9A-Fa-f:.]{{2,45}})\s*-\s*([0-9A-Fa-f:.]{{2,45}}){_TAIL}")
_MASKED = re.compile(rf"({_DOTTED})\s*[/ \t]\s*({_DOTTED})")
_PORT = re.compile(rf"(?:({_DOTTED})|\[([0-9A-Fa-f:.]+)\]):([0-9]{{1,5}})")
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?:\[([^\]/?#]*)\]|([^:/?#]+))(?:[:/?#].*)?"
)
_LONGEST = 1024
_MOST_PORT = 65535


def networks_of(text: str, value: str, *, padded: bool) -> Iterator[str]:
    """
    The networks that *text* stands for, as `read_cidr` takes them; none for a URL with a host name.

    With *padded* octets with leading zeros are decimal.  `ValueError` says what is wrong.
    """
    if len(text) > _LONGEST:
        raise ValueError("it is too long for a network")
    if padded:
        text = _PADDED.sub(lambda found: plain(found[1]), text)
    return _READERS[value](text)


def plain(address: str) -> str:
    """An IPv4 address without the zeros that some publishers pad its octets with."""
    octets = address.strip().split(".", 4)
    return ".".join(str(int(one)) if re.fullmatch(r"[0-9]{1,3}", one) else one for one in octets)


def _network(text: str) -> Iterator[str]:
    yield text


def _range(text: str) -> Iterator[str]:
    """`A-B`, with a name and a colon before it where PeerGuardian wrote it; else one network."""
    found = _RANGE.search(text)
    if found is not None and text[: found.start()].strip()[-1:] not in {"", ":"}:
        found = None
    found = found or _RANGE_V6.fullmatch(text)
    if found is None:
        yield re.split(r"\s*[#;]", text, maxsplit=1)[0]
        return
    first, last = (_packed(one, text) for one in found.groups())
    if len(first) != len(last):
        raise ValueError(f"{text!r} starts in one address family and ends in another")
    low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
    if low > high:
        raise ValueError(f"{text!r} ends before it starts")
    bits = len(first) * 8
    while low <= high:
        step = min(low & -low or 1 << bits, 1 << (high - low + 1).bit_length() - 1)
        length = bits - step.bit_length() + 1
        yield f"{spell_address(low.to_bytes(bits // 8, 'big'))}/{length}"
        low += step


def _mask(text: str) -> Iterator[str]:
    """`net mask` or `net/mask`; else one network."""
    found = _MASKED.fullmatch(text)
    if found is None:
        yield text
        return
    mask = int.from_bytes(_packed(found[2], text), "big")
    length = mask.bit_count()
    if mask != (1 << V4_BITS) - (1 << (V4_BITS - length)):
        raise ValueError(f"{text!r} is not a valid mask: its bits have gaps")
    yield f"{found[1]}/{length}"


def _ip_port(text: str) -> Iterator[str]:
    """`192.0.2.1:443` or `[2001:db8::1]:443`."""
    found = _PORT.fullmatch(text)
    if found is None or int(found[3]) > _MOST_PORT:
        raise ValueError(f"{text!r} is not an address with a port")
    yield found[1] or found[2]


def _url(text: str) -> Iterator[str]:
    """The host, where it is an address."""
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a URL")
    if found[1] is not None:
        yield found[1]
    elif re.fullmatch(_DOTTED, found[2]):
        yield found[2]


def _packed(address: str, text: str) -> bytes:
    try:
        return inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except OSError:
        raise ValueError(f"{text!r} contains {address!r}, which is not an address") from None


_READERS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "network": _network,
    "range": _range,
    "mask": _mask,
    "ip:port": _ip_port,
    "url": _url,
}
