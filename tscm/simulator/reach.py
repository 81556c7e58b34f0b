"""
Where the simulated firewall may send syslog to.

A configuration that was copied from a real firewall names real collectors.  So a typed `logging host`
is followed to this machine's own addresses and to networks that were named at the start, and nowhere else.
"""

import socket
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from attrs import frozen

from tscm.simulator.refusal import SimulatorUnavailable

Network = IPv4Network | IPv6Network
_ANY_PORT = 9


def network_of(text: str) -> Network:
    """The network that an option names; raises `SimulatorUnavailable`."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise SimulatorUnavailable(
            f"syslog network {text!r}", str(error), "write ADDRESS/LENGTH, such as 192.0.2.0/24"
        ) from None


@frozen
class Reach:
    """
    *named* are collectors given at the start, *networks* those that may be sent to besides.
    """

    named: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """May lines go to *address*, an address that was read before?"""
        if address in self.named:
            return True
        found = ip_address(address)
        return found.is_loopback or any(found in one for one in self.networks) or _is_own(address)


def _is_own(address: str) -> bool:
    """Is it one of this machine's?  To those the kernel goes from the same address; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _ANY_PORT))
            return bool(probe.getsockname()[0] == address)
    except OSError:
        return False
