"""
What a line of a firewall says of one packet or connection, whichever firewall wrote it.

Pure.  The parsers of single forms are beside it: `ftd`, `panos`, `fortios`, `checkpoint`, `routeros`.
"""

import re
from ipaddress import IPv6Address, ip_address

from attrs import frozen

from tscm.syslog.asa import Action

MOST_BYTES = 16384
"""Of a line; what stands behind that is not looked at."""
_PORTS_MOST = 65535
_DIGITS_MOST = 12
_PROTOCOLS = {
    "1": "icmp",
    "2": "igmp",
    "6": "tcp",
    "17": "udp",
    "47": "gre",
    "50": "esp",
    "51": "ah",
    "58": "icmp6",
    "89": "ospf",
    "132": "sctp",
    "ipv6-icmp": "icmp6",
    "icmpv6": "icmp6",
}
_WITHOUT_PORTS = frozenset({"icmp", "icmp6", "igmp", "gre", "esp", "ah", "ospf"})
_WORD = re.compile(r"[a-z0-9-]{1,20}")


@frozen(kw_only=True)
class Passage:
    """
    A packet or connection.  What the line does not say is None; an action that it leaves open too.

    Ports and addresses are those before translation.  *list_name* is there where the line says that a list acted.
    """

    message: str
    """What kind of line it is, in the vendor's own word."""
    action: Action | None = None
    protocol: str | None = None
    source: str | None = None
    source_port: int | None = None
    destination: str | None = None
    destination_port: int | None = None
    rule: str | None = None
    list_name: str | None = None
    connection: str | None = None
    """
    What the lines about one connection share that was let through, where a line tells of its begin or its end.
    """
    lasted: int | None = None
    """Seconds, in the line about its end; None in the one about its begin."""


def text_of(line: bytes) -> str:
    """The line as text, within the bound."""
    return line[:MOST_BYTES].decode("utf-8", "replace").rstrip("\r\n")


def address(text: str | None) -> str | None:
    """An address as `str(ip_address(…))` spells it; None for what is none, and for those that stand for none."""
    if not text or len(text) > 45:
        return None
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and (found.ipv4_mapped is not None or found.scope_id):
        return None if found.ipv4_mapped is None else str(found.ipv4_mapped)
    return None if found.is_unspecified else str(found)


def protocol(text: str | None) -> str | None:
    """Its name in lower case; a number by its name where it has a usual one."""
    word = (text or "").strip().lower()
    return _PROTOCOLS.get(word, word) if _WORD.fullmatch(word) else None


def number(text: str | None) -> int:
    """A whole number; 0 for what is none, or too long to be one."""
    found = (text or "").strip()
    return int(found) if found.isascii() and found.isdecimal() and len(found) <= _DIGITS_MOST else 0


def port(text: str | None, of: str | None) -> int | None:
    """A port of the protocol *of*; None where that has none."""
    if of is None or of in _WITHOUT_PORTS or not text or not text.isascii() or not text.isdecimal():
        return None
    found = int(text[:6])
    return found if found <= _PORTS_MOST else None
