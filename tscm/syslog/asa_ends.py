"""
One end of a packet's way, as the texts of ASA messages spell it.

`IF:HOST/PORT (mapped)(user, group)` in most of them, `IF/HOST(PORT)(user, group)` in 106100.
Interface names may hold blanks, colons and slashes, hosts may be IPv6 addresses or names, so that
no single expression can tell where the interface ends: the first colon before an address does.
"""

import contextlib
import ipaddress
import re

from attrs import frozen

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@frozen(kw_only=True)
class Endpoint:
    """
    One end of a packet's way: an address, or the name that the ASA put in its place.
    """

    address: Address | None = None
    host: str | None = None
    port: int | None = None
    interface: str | None = None
    user: str | None = None


_COLON_FORM = re.compile(
    r"(?P<name>[^()]*?)(?:(?: ?/ ?(?P<port>[\w-]+))(?: (?P<word>[^\s(),]+))?(?P<rest>[ (,].*)?"
    r"| ?(?P<parens>\(.*))?",
    re.ASCII,
)
_SLASH_FORM = re.compile(
    r"(?P<name>[^()]+?) ?\((?P<port>[\w-]*)\)(?P<parens> ?\(.*| [^/].*)?", re.ASCII
)
_SLASH_FORM_PARENS = re.compile(
    r"(?P<name>[^()/]*\([^()/]*\)[^()/]*/[^()]+?) ?\((?P<port>[\w-]*)\)(?P<parens>.*)", re.ASCII
)
"""An interface whose name has parentheses, `DMZ(1)`."""
_INTERFACE_PARENS = re.compile(r"([^():]{0,100}\([^():]{0,100}\)[^():]{0,100}):(?=[^:])")
_PARENTHESES = re.compile(r"\(([^()]*)\)?")
_GROUP_TAG = re.compile(r"[0-9]+(?::.*)?")
_MAPPED = re.compile(r"[^\s/]+/[\w-]+", re.ASCII)
_MAX_COLONS = 12  # eight groups of an IPv6 address and an interface name with a few of its own

_SERVICES = {
    "aol": 5190, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cifs": 3020,
    "citrix-ica": 1494, "cmd": 514, "ctiqbe": 2748, "daytime": 13, "discard": 9, "dnsix": 195,
    "domain": 53, "echo": 7, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70,
    "h323": 1720, "hostname": 101, "http": 80, "https": 443, "ident": 113, "imap4": 143, "irc": 194,
    "isakmp": 500, "kerberos": 750, "klogin": 543, "kshell": 544, "ldap": 389, "ldaps": 636,
    "login": 513, "lotusnotes": 1352, "lpd": 515, "mobile-ip": 434, "nameserver": 42,
    "netbios-dgm": 138, "netbios-ns": 137, "netbios-ssn": 139, "nfs": 2049, "nntp": 119, "ntp": 123,
    "pcanywhere-data": 5631, "pcanywhere-status": 5632, "pim-auto-rp": 496, "pop2": 109, "pop3": 110,
    "pptp": 1723, "radius": 1645, "radius-acct": 1646, "rip": 520, "rsh": 514, "rtsp": 554,
    "secureid-udp": 5510, "sip": 5060, "smtp": 25, "snmp": 161, "snmptrap": 162, "sqlnet": 1521,
    "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "tftp": 69,
    "time": 37, "uucp": 540, "vxlan": 4789, "who": 513, "whois": 43, "www": 80, "xdmcp": 177,
}  # fmt: skip
"""Names that the ASA writes in place of port numbers (ASA CLI guide, TCP and UDP ports)."""


def inspected(spec: str) -> Endpoint | None:
    """`IF:HOST/PORT (mapped)(user)`; the interface may be missing, never a bare IPv6 address."""
    return _colon_form(spec, bare=False)


def bare(spec: str) -> Endpoint | None:
    """`HOST/PORT(user)`; some releases put the interface before it."""
    return _colon_form(spec, bare=True)


def listed(spec: str) -> Endpoint | None:
    """`IF/HOST(PORT)(user, group)` as 106100 writes it."""
    found = _SLASH_FORM.fullmatch(spec) or _SLASH_FORM_PARENS.fullmatch(spec)
    if found is None:
        return None
    interface, _, host = found["name"].rpartition("/")
    address = _address(host)
    if address is None:  # a name then, and the interface's has no slash
        interface, parted, host = found["name"].partition("/")
        if not parted:
            interface, host = "", interface
    return _endpoint(
        interface,
        host,
        address,
        port=port_number(found["port"]),
        user=user(found["parens"]),
    )


def hardware(spec: str) -> Endpoint | None:
    """A MAC address, as non-IP packets have: a name whose colons part nothing."""
    return _endpoint(None, spec) if spec else None


def port_number(word: str | None) -> int | None:
    """A port from digits or from the name that the ASA writes for it."""
    if not word:
        return None
    if word.isascii() and word.isdecimal() and len(word) <= 5:
        number = int(word)
        return number if number <= 65535 else None
    return _SERVICES.get(word.lower())


def user(parens: str | None) -> str | None:
    """
    The user out of what stands in parentheses behind an endpoint.

    Mapped addresses and security-group tags (`9:Guests`) stand in parentheses too and are none.
    """
    if not parens:
        return None
    for inner in _PARENTHESES.findall(parens):
        word = str(inner).split(",")[0].strip()
        if not word or _MAPPED.fullmatch(word) or _GROUP_TAG.fullmatch(word) or _address(word):
            continue
        if not word.startswith("type "):
            return word
    return None


def _colon_form(spec: str, *, bare: bool) -> Endpoint | None:
    spec, named = spec.strip(), None
    if "(" in spec and (parens := _INTERFACE_PARENS.match(spec)):
        spec, named = spec[parens.end() :], parens[1].strip()
    found = _COLON_FORM.fullmatch(spec)
    if found is None:
        return None
    name = found["name"].strip(" ,")
    interface, host, address = _interface_and_host(name, bare=bare or named is not None)
    if named is not None:
        interface = f"{named}:{interface}" if interface else named
    return _endpoint(
        interface,
        host,
        address,
        port=port_number(found["port"]),
        user=user(found["rest"] or found["parens"]) or found["word"],
    )


def _interface_and_host(name: str, *, bare: bool) -> tuple[str | None, str, Address | None]:
    if bare and (address := _address(name)):
        return None, name, address
    colon = name.find(":") if name.count(":") <= _MAX_COLONS else -1
    while colon >= 0:
        rest = name[colon + 1 :].strip()
        if address := _address(rest):
            return name[:colon].strip(), rest, address
        colon = name.find(":", colon + 1)
    before, parted, after = name.rpartition(":")
    if not parted or name.startswith("["):
        return None, name, _address(name)
    return before.strip(), after.strip(), None


def _endpoint(
    interface: str | None,
    host: str,
    address: Address | None = None,
    *,
    port: int | None = None,
    user: str | None = None,
) -> Endpoint | None:
    if not host and not interface:
        return None
    return Endpoint(
        address=address,
        host=None if address is not None or not host else host,
        port=port,
        interface=interface or None,
        user=user,
    )


def _address(text: str) -> Address | None:
    bare = text.strip("[]") if text.startswith("[") else text.removesuffix(".")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(bare)
    return None
