"""
Who may open one more connection: few for strangers, and places kept for those who are known.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address

from attrs import define, field, frozen

_V6_NETWORK = 64


@frozen(kw_only=True)
class PlaceBounds:
    """
    Connections in all and of one address; of strangers among them in all and of one address.
    """

    most: int
    by_address: int
    strangers: int
    by_stranger: int

    def of(self, *, known: bool) -> tuple[int, int]:
        """In all and of one address, for those who are known or for strangers."""
        return (self.most, self.by_address) if known else (self.strangers, self.by_stranger)


@define(eq=False)
class Place:
    """
    One connection that is open; *known* is false for a stranger's.
    """

    address: str
    known: bool


@define(eq=False)
class Places:
    """
    Counts the open connections of one listener by address.
    """

    bounds: PlaceBounds
    _open: set[Place] = field(factory=set, init=False)
    _of_known: dict[str, int] = field(factory=dict, init=False)
    _of_strangers: dict[str, int] = field(factory=dict, init=False)
    _strangers: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._open)

    def take(self, address: str, *, known: bool) -> Place | None:
        """
        A place for one more connection of *address*; None where there is no room.
        """
        bounds, where = self.bounds, network_of(address, known=known)
        if len(self._open) >= bounds.most:
            return None
        if known:
            if self._of_known.get(where, 0) >= bounds.by_address:
                return None
        elif (
            self._strangers >= bounds.strangers
            or self._of_strangers.get(where, 0) >= bounds.by_stranger
        ):
            return None
        place = Place(address, known)
        self._open.add(place)
        self._count(place, 1)
        return place

    def leave(self, place: Place) -> None:
        """The connection is gone; a second call does nothing."""
        if place in self._open:
            self._open.discard(place)
            self._count(place, -1)

    def recognise(self, place: Place) -> None:
        """A stranger has shown who it is: its place no longer counts among those of strangers."""
        if place in self._open and not place.known:
            self._count(place, -1)
            place.known = True
            self._count(place, 1)

    def _count(self, place: Place, change: int) -> None:
        counts = self._of_known if place.known else self._of_strangers
        where = network_of(place.address, known=place.known)
        left = counts.get(where, 0) + change
        if left:
            counts[where] = left
        else:
            counts.pop(where, None)
        if not place.known:
            self._strangers += change


def network_of(address: str, *, known: bool) -> str:
    """
    What is counted together: a stranger's IPv6 addresses by /64, for a host can have all of one.
    """
    found = ip_address(address)
    if known or not isinstance(found, IPv6Address):
        return address
    return str(IPv6Network((found, _V6_NETWORK), strict=False))
