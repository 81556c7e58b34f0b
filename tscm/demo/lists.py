"""
The lists of the demonstration: the same every time.

Addresses come from space that is routed nowhere here; nothing is ever sent to them.
"""

from ipaddress import IPv4Network
from random import Random

BLOCK_LIST = "block.demo.example"
ALLOW_LIST = "allow.demo.example"
BLOCK_ENTRIES = 12_000
ALLOW_ENTRIES = 200

_BLOCK_FIRST_OCTETS = (5, 23, 31, 37, 45, 62, 77, 80, 91, 103, 141, 176, 185, 193, 212)
_ALLOW_FIRST_OCTETS = (8, 13, 20, 52)


def _networks(random: Random, first_octets: tuple[int, ...], count: int) -> list[str]:
    """
    *count* networks of which no two touch, so that merging leaves just as many.
    """
    found: dict[int, str] = {}
    while len(found) < count:
        block = (random.choice(first_octets) << 16) | random.getrandbits(16)
        if block in found:
            continue
        length = random.choice((32, 32, 32, 30, 28, 26, 25))
        base = (block << 8) | (random.getrandbits(7) & ~((1 << (32 - length)) - 1) & 0xFF)
        network = IPv4Network((base, length))
        found[block] = str(network.network_address) if length == 32 else str(network)
    return [found[block] for block in sorted(found)]


def block_entries() -> list[str]:
    """12,000 networks to block."""
    return _networks(Random(1), _BLOCK_FIRST_OCTETS, BLOCK_ENTRIES)  # noqa: S311 - a fixed choice


def allow_entries() -> list[str]:
    """200 networks to allow."""
    return _networks(Random(2), _ALLOW_FIRST_OCTETS, ALLOW_ENTRIES)  # noqa: S311 - a fixed choice


def list_text(entries: list[str]) -> bytes:
    """A list's file."""
    return "".join(f"{entry}\n" for entry in entries).encode()
