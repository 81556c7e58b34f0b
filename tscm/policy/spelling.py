"""
Networks as text: one spelling for each, and in words what is wrong with anything else.
"""

import re
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from tscm.model import Cidr

V4_BITS = 32
V6_BITS = 128
_V4_LENGTHS = {str(length): length for length in range(V4_BITS + 1)}
_V6_LENGTHS = {str(length): length for length in range(V6_BITS + 1)}
_DOTTED = re.compile(r"[0-9]+(\.[0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9_*.-]*[A-Za-z_][A-Za-z0-9_*.-]*")
_SHOWN = 60
_LOOKED_AT = 1000


def read_cidr(text: str) -> tuple[Cidr, bool]:
    """
    A network in its canonical spelling, and whether host bits had to be cleared.

    An address without a length is one host.  `ValueError` says in words what is wrong; nothing
    ambiguous is taken: a leading zero is octal to some readers.
    """
    packed, length = parse_cidr(text)
    bits = len(packed) * 8
    number = int.from_bytes(packed, "big")
    network = number >> (bits - length) << (bits - length)
    return Cidr(f"{spell_address(network.to_bytes(bits // 8, 'big'))}/{length}"), network != number


def parse_cidr(text: str) -> tuple[bytes, int]:
    """
    The address as 4 or 16 bytes, host bits and all, and the prefix length; else `ValueError`.
    """
    address, slash, tail = text[: _LOOKED_AT + 1].partition("/")
    try:
        if ":" in address:
            packed, lengths, bits = inet_pton(AF_INET6, address), _V6_LENGTHS, V6_BITS
        else:
            packed, lengths, bits = inet_pton(AF_INET, address), _V4_LENGTHS, V4_BITS
        return packed, lengths[tail] if slash else bits
    except (OSError, ValueError, KeyError):
        raise ValueError(_cause(text)) from None


def _cause(text: str) -> str:
    """Why *text* is not a CIDR."""
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
    if len(text) > _LOOKED_AT:  # looking closer would cost as much as the sender likes
        return f"{shown} is too long for a CIDR"
    address, slash, length = text.partition("/")
    if not text.strip():
        return f"{shown} is empty"
    if text != text.strip():
        return f"{shown} has whitespace around it"
    if _DOTTED.fullmatch(address):
        octets = address.split(".")
        if len(octets) != 4:
            return f"{shown} has {len(octets)} octets instead of 4"
        if any(len(octet) > 1 and octet.startswith("0") for octet in octets):
            return f"{shown} has an octet with a leading zero, which some programs read as octal"
        if any(int(octet) > 255 for octet in octets):
            return f"{shown} has an octet over 255"
        bits = V4_BITS
    elif ":" in address:
        if "%" in address:
            return f"{shown} has a zone, which is meaningless on another machine"
        try:
            inet_pton(AF_INET6, address)
        except (OSError, ValueError):
            return f"{shown} is not an IPv6 address"
        bits = V6_BITS
    elif _NAME.fullmatch(address):
        return f"{shown} is a name, not an address"
    else:
        return f"{shown} is not a CIDR"
    if slash and re.fullmatch(r"[1-9][0-9]*", length):
        return f"{shown} has a prefix length over {bits}"
    if _DOTTED.fullmatch(length) and "." in length:
        return f"{shown} has a netmask instead of a prefix length"
    return f"{shown} has no whole number from 0 to {bits} as its prefix length"


def spell_address(packed: bytes) -> str:
    """The one spelling of an address of 4 or 16 bytes (RFC 5952, never with a dotted tail)."""
    if len(packed) == 4:
        return inet_ntop(AF_INET, packed)
    if packed.startswith(bytes(10)) and any(packed[10:14]):
        # The C library writes these with a dotted tail; one network, one spelling.
        groups = [f"{packed[i] << 8 | packed[i + 1]:x}" for i in (10, 12, 14)]
        return "::" + ":".join(groups).removeprefix("0:")
    return inet_ntop(AF_INET6, packed)
