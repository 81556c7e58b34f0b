"""
Who shows codes and tokens that are not good: how often, and when an address is not listened to.  Pure.

Times are of the steady clock.
"""

from ipaddress import ip_address

from attrs import define, field

GUESSES = 10
"""Of one address, before it is not listened to."""
FORGET_SECONDS = 600.0
"""What an address showed longer ago does not count."""
_ADDRESSES = 2048


def place_of(address: str) -> str:
    """Who counts as one: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None or found.version == 4:
        return str(mapped or found)
    return str(ip_address(int(found) >> 64 << 64))


@define(eq=False)
class Guesses:
    """
    Wrong codes and tokens by place, the place with the oldest first; of at most so many places.
    """

    _found: dict[str, tuple[float, int]] = field(factory=dict, init=False)

    def waits(self, address: str, now: float) -> float:
        """For how many seconds *address* is not listened to; 0 where it is."""
        since, count = self._found.get(place_of(address), (now, 0))
        left = since + FORGET_SECONDS - now
        return left if count >= GUESSES and 0 < left <= FORGET_SECONDS else 0.0

    def wrong(self, address: str, now: float) -> int:
        """One more of *address*; the number of them within the time that counts."""
        place = place_of(address)
        since, count = self._found.pop(place, (now, 0))
        if not 0 <= now - since < FORGET_SECONDS:
            since, count = now, 0
        while len(self._found) >= _ADDRESSES:
            del self._found[next(iter(self._found))]
        self._found[place] = (since, count + 1)
        return count + 1
