"""
An address of documentation space that no list has: what a test of the chain blocks for a moment.

Pure.  No host is reached at these addresses and no router carries them (RFC 5737), so that a block of
one harms no traffic.
"""

from ipaddress import IPv4Address, IPv4Network

from tscm.model import Cidr
from tscm.policy.cidr import CidrSet

PLACEHOLDER = Cidr("192.0.2.1/32")
"""
Stands for an empty list on a device (RFC 5737: an address that no host has).
"""

PREFIXES = (Cidr("203.0.113.0/24"), Cidr("198.51.100.0/24"), Cidr("192.0.2.0/24"))
"""RFC 5737, the one with our placeholder last."""


def free_host(taken: CidrSet, first: int) -> Cidr | None:
    """
    A host of documentation space that is not in *taken*, as `203.0.113.7/32`; None where there is none.

    A prefix of which nothing is taken comes first; within it the search begins at number *first*, so
    that two tests use two addresses: a firewall logs a flow's first packet and counts those after it.
    The host's neighbour is free too, or both would be merged into one entry.
    """
    whole = {prefix: CidrSet.of_texts((prefix,)) for prefix in PREFIXES}
    for prefix in sorted(PREFIXES, key=lambda one: whole[one].overlaps(taken)):
        network = IPv4Network(prefix)
        free = {
            int(address)
            for cidr in whole[prefix].difference(taken).cidrs()
            for address in IPv4Network(cidr)
        }
        hosts = [int(address) for address in network.hosts()]
        at = first % len(hosts)
        for number in (*hosts[at:], *hosts[:at]):
            found = Cidr(f"{IPv4Address(number)}/32")
            if number in free and number ^ 1 in free and found != PLACEHOLDER:
                return found
    return None
