"""
How fast a client may try passwords.  Pure: the time is handed in.

Never a lock-out: an attacker who guesses at an account must not keep its owner out.  A try is counted by the address that it
comes from, and by the account where that account has not been used from the address before; it counts
as failed from its beginning, so that many at once are no way around.
"""

from collections import OrderedDict
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from attrs import define, field, frozen

FREE = 5
"""Tries without a wait."""
LONGEST_SECONDS = 60.0
FORGOTTEN_SECONDS = 3600.0
MOST_KEYS = 10_000


@frozen
class _Tries:
    count: int
    next_at: float


@define(eq=False)
class Throttle:
    """
    Failed tries by key; the key that failed longest ago makes room for a new one.
    """

    _tries: "OrderedDict[str, _Tries]" = field(factory=OrderedDict, init=False)

    def wait(self, keys: Iterable[str], now: float) -> float:
        """How many seconds must pass before the next try; 0 where it may come."""
        return max(
            (max(0.0, self._of(key, now).next_at - now) for key in keys),
            default=0.0,
        )

    def tried(self, keys: Iterable[str], now: float) -> None:
        """A try begins: it has failed until `good` says otherwise."""
        for key in keys:
            count = self._of(key, now).count + 1
            delay = min(LONGEST_SECONDS, 2.0 ** (count - FREE)) if count >= FREE else 0.0
            self._tries[key] = _Tries(count, now + delay)
            self._tries.move_to_end(key)
        while len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def good(self, key: str) -> None:
        """The try was good: its key is as new."""
        self._tries.pop(key, None)

    def forgive(self, key: str, now: float) -> None:
        """
        The try was good, but others of its key were not: only itself is taken back.

        Else a good login between two guesses would make an address as new.
        """
        count = self._of(key, now).count - 1
        if count > 0:
            self._tries[key] = _Tries(count, now)
        else:
            self._tries.pop(key, None)

    def _of(self, key: str, now: float) -> _Tries:
        found = self._tries.get(key)
        if (
            found is None
            or now - found.next_at > FORGOTTEN_SECONDS
            or found.next_at - now > 2 * LONGEST_SECONDS
        ):
            return _Tries(0, 0.0)  # long ago, or before the clock was set back
        return found


def place_of(address: str) -> str:
    """What an address is counted as: itself, or the /64 in which an IPv6 host may choose any."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, 64), strict=False))
