"""
Which addresses may be asked on behalf of a user who only names a URL.  Pure.

A name is looked up once, all its addresses are judged, and the connection goes to one of just those: a name that
answers differently a moment later (DNS rebinding) reaches nothing else.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

from attrs import frozen

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_IPV4_MASK = 0xFFFFFFFF


def refusal(address: str, *, allow_private: bool, setting: str = "allow_private") -> str | None:
    """
    Why nothing may be sent to this address, or None; *setting* is the one that permits private ones.

    Link-local addresses are refused in any case: clouds serve credentials there.
    """
    found = _inner(ip_address(address.partition("%")[0]))
    if found.is_multicast or found.is_unspecified or found.is_link_local or _is_reserved(found):
        return f"{address} is not an address of a server"
    if not allow_private and (not found.is_global or _is_site_local(found)):
        return f"{address} is a private or loopback address, which {setting} does not permit"
    return None


@frozen(kw_only=True)
class PermittedServers:
    """
    Public servers, and private ones by host name, address or network; *setting* is where those are named.
    """

    setting: str
    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str], setting: str) -> Self:
        """Out of host names, addresses and CIDRs."""
        names, networks = [], []
        for text in texts:
            try:
                networks.append(ip_network(text))
            except ValueError:
                names.append(text.lower())
        return cls(setting=setting, names=frozenset(names), networks=tuple(networks))

    def refusal(self, host: str, address: str) -> str | None:
        """Why nothing may be sent to *address*, which *host* stands for, or None."""
        found = ip_address(address.partition("%")[0])
        either = (found, _inner(found))
        named = host.rstrip(".").lower() in self.names or any(
            one in network for one in either for network in self.networks
        )
        return refusal(address, allow_private=named, setting=self.setting)


def _is_reserved(found: IPv4Address | IPv6Address) -> bool:
    return found.is_reserved and not found.is_loopback  # ::1 lies in reserved space


def _is_site_local(found: IPv4Address | IPv6Address) -> bool:
    return isinstance(found, IPv6Address) and found.is_site_local  # RFC 3879


def _inner(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(int(found) & _IPV4_MASK)
    teredo = None if found.teredo is None else found.teredo[1]
    return found.ipv4_mapped or found.sixtofour or teredo or found
