"""
The network of the appliance as a value, and as systemd-networkd reads it (systemd.network(5)).
"""

import ipaddress
from collections.abc import Sequence

from attrs import frozen

from tscm.appliance.refusal import NotPossible
from tscm.printable import quoted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_DNS_MOST = 4
_POINT_TO_POINT = 31
"""From this length on an IPv4 network has neither a network address nor a broadcast address (RFC 3021)."""


@frozen
class Network:
    """One network interface: by DHCP, or with an address; while a change is tried, with more than one way."""

    dhcp: bool = True
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


def static(address: str, gateway: str, dns: Sequence[str] = ()) -> Network:
    """A fixed address with the length of its network.  Raises `NotPossible`."""
    if "/" not in address:
        raise NotPossible(
            f"{quoted(address)!r} has no length of its network; allowed: 192.0.2.5/24"
        )
    try:
        interface = ipaddress.ip_interface(_without_zone(address))
    except ValueError:
        wrong = f"{quoted(address)!r} is not an address with a length; allowed: 192.0.2.5/24"
        raise NotPossible(wrong) from None
    network = interface.network
    if network.prefixlen == 0:
        raise NotPossible(f"{interface} has no network; allowed: a length such as /24")
    edge = interface.version == 4 and network.prefixlen < _POINT_TO_POINT
    if edge and interface.ip in {network.network_address, network.broadcast_address}:
        raise NotPossible(
            f"{interface.ip} is the first or the last address of {network}; use one between them"
        )
    _refuse_special(interface.ip)
    router = _address(gateway)
    _refuse_special(router)
    if router.version != interface.version:
        raise NotPossible(
            f"the gateway {router} and the address {interface.ip} are of different IP versions"
        )
    if router not in network and not router.is_link_local:
        raise NotPossible(f"the gateway {router} is not in {network}; give the router's address")
    if router == interface.ip:
        raise NotPossible(f"{router} is both address and gateway; give the router's address")
    if len(dns) > _DNS_MOST:
        raise NotPossible(f"{len(dns)} DNS servers are too many; give at most {_DNS_MOST}")
    servers = tuple(str(_address(one)) for one in dns)
    return Network(dhcp=False, addresses=(str(interface),), gateways=(str(router),), dns=servers)


def _without_zone(text: str) -> str:
    """*text*, unless it has a zone (RFC 4007, 11), which may be any text, and lines of a file too: `ValueError`."""
    if "%" in text:
        raise ValueError
    return text


def plain_address(text: str) -> Address:
    """An address without a zone.  Raises `ValueError`."""
    return ipaddress.ip_address(_without_zone(text))


def _address(text: str) -> Address:
    try:
        return plain_address(text)
    except ValueError:
        wrong = f"{quoted(text)!r} is not an address; allowed: 192.0.2.1, 2001:db8::1"
        raise NotPossible(wrong) from None


def _refuse_special(address: Address) -> None:
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise NotPossible(f"{address} cannot be the address of a host; give one of its network")


def both(before: Network, wanted: Network) -> Network:
    """What is in force until a change is confirmed: all that was, and all that is wanted."""
    return Network(
        dhcp=before.dhcp or wanted.dhcp,
        addresses=_united(wanted.addresses, before.addresses),
        gateways=_united(wanted.gateways, before.gateways),
        dns=_united(wanted.dns, before.dns),
    )


def _united(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def render(network: Network) -> str:
    """The file as systemd-networkd reads it."""
    lines = ["# Written by tsadmin network.", "[Match]", "Name=en* eth*", "", "[Network]"]
    lines.append(f"DHCP={'yes' if network.dhcp else 'no'}")
    lines += [f"Address={one}" for one in network.addresses]
    lines += [f"Gateway={one}" for one in network.gateways]
    lines += [f"DNS={one}" for one in network.dns]
    return "\n".join(lines) + "\n"


def parse(text: str) -> Network:
    """What `render` wrote; other lines are ignored."""
    found: dict[str, list[str]] = {"DHCP": [], "Address": [], "Gateway": [], "DNS": []}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name in found:
            found[name].append(value.strip())
    return Network(
        dhcp="yes" in found["DHCP"],
        addresses=tuple(found["Address"]),
        gateways=tuple(found["Gateway"]),
        dns=tuple(found["DNS"]),
    )
