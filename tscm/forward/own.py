"""
Targets that are this manager itself: what it sent there would come in again, and go out again, for ever.

A hundred lines become a hundred thousand in ten seconds.  A relay that sends lines back to us cannot be
told from here.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from tscm.forward.target import Target
from tscm.settings.node import Listen

_KINDS = {"UDP": ("udp",), "TCP": ("tcp", "tls"), "TLS": ("tcp", "tls")}
"""Listeners that take what a protocol sends; lines of plain TCP to a TLS port are no use either."""

Ip = IPv4Address | IPv6Address
Listeners = Mapping[str, Sequence[str]]
"""Where the manager listens (`address:port`), by kind: `udp`, `tcp`, `tls`."""


def listeners_of(listen: Listen) -> Listeners:
    """Where a manager with these settings listens; a port of the kernel's choice is none that a target has."""
    return {kind: [str(one) for one in getattr(listen, kind)] for kind in ("udp", "tcp", "tls")}


def is_local(ip: Ip) -> bool:
    """Whether *ip* is an address of this host; asks the kernel, which lets no process bind another's."""
    if ip.is_loopback:
        return True
    if ip.version == 4:
        return _binds(socket.AF_INET, (str(ip), 0))
    # An address of one link says nothing without the link (RFC 4007), and a target may name any.
    scopes = [number for number, _ in socket.if_nameindex()] if ip.is_link_local else [0]
    return any(_binds(socket.AF_INET6, (str(ip), 0, 0, scope)) for scope in scopes)


def _binds(family: int, place: tuple[str, int] | tuple[str, int, int, int]) -> bool:
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind(place)
        return True
    return False


def own_listener(
    address: str,
    port: int,
    protocol: str,
    listeners: Listeners,
    local: Callable[[Ip], bool] = is_local,
) -> str | None:
    """
    The listener, as `udp 0.0.0.0:514`, that takes what is sent to the IP *address*; None where none does.
    """
    try:
        ip = _plain(address)
    except ValueError:
        return None
    for kind in _KINDS[protocol]:
        for place in listeners.get(kind, ()):
            host, _, number = place.rpartition(":")
            with contextlib.suppress(ValueError):
                if int(number) == port and _takes(_plain(host.strip("[]")), ip, local):
                    return f"{kind} {place}"
    return None


def loop_of(target: Target, listeners: Listeners) -> str | None:
    """
    The listener that *target* leads to by any of its addresses.  Blocking: a name is looked up.

    A name that does not resolve leads nowhere.
    """
    with contextlib.suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(target.address, target.port, type=socket.SOCK_DGRAM)
        for place in dict.fromkeys(str(one[4][0]) for one in found):
            own = own_listener(place, target.port, target.protocol, listeners)
            if own is not None:
                return own
    return None


def _plain(text: str) -> Ip:
    """Without a zone, and an IPv4 address as such however it is written."""
    ip = ip_address(text.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def _takes(host: Ip, ip: Ip, local: Callable[[Ip], bool]) -> bool:
    """
    Whether a listener bound to *host* gets what is sent to *ip*.

    One on `::` may take IPv4 too, and Linux takes an unspecified address for its own.
    """
    if host == ip:
        return True
    if ip.is_unspecified:
        return host.is_unspecified or host.is_loopback
    return host.is_unspecified and (host.version == 6 or ip.version == 4) and local(ip)
