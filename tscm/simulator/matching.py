"""
Which access-list entry takes a packet.

Networks become sorted, merged intervals of numbers, looked up by bisection; they are kept until
the group or one of its children changes, so that tens of thousands of packets cost little.
"""

from bisect import bisect_right
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_pton

from attrs import define, field, frozen

from tscm.simulator import members
from tscm.simulator.access_list import Ace, Endpoint
from tscm.simulator.configuration import Configuration

Interval = tuple[int, int]
Flow = tuple[str, str, int, str, int]


def number_of(address: str) -> tuple[int, int]:
    """An address as a number, and its family; raises `ValueError`."""
    family = 6 if ":" in address else 4
    try:
        packed = inet_pton(AF_INET6 if family == 6 else AF_INET, address)
    except (OSError, UnicodeError):
        raise ValueError(f"{address!r} is not an address") from None
    return int.from_bytes(packed, "big"), family


@frozen
class AddressSet:
    """
    Addresses of both families as merged intervals.
    """

    starts: dict[int, list[int]]
    ends: dict[int, list[int]]

    @classmethod
    def of(cls, intervals: dict[int, Iterable[Interval]]) -> "AddressSet":
        """Merge *intervals* of each family."""
        starts: dict[int, list[int]] = {4: [], 6: []}
        ends: dict[int, list[int]] = {4: [], 6: []}
        for family, found in intervals.items():
            low, high = starts[family], ends[family]
            for first, last in sorted(found):
                if high and first <= high[-1] + 1:
                    high[-1] = max(high[-1], last)
                else:
                    low.append(first)
                    high.append(last)
        return cls(starts, ends)

    def holds(self, number: int, family: int) -> bool:
        """Is the address in it?"""
        at = bisect_right(self.starts[family], number) - 1
        return at >= 0 and number <= self.ends[family][at]

    def start_of(self, number: int, family: int) -> int:
        """Where the interval that holds the address begins; 0 when none does."""
        at = bisect_right(self.starts[family], number) - 1
        return self.starts[family][at] if at >= 0 else 0


@frozen(kw_only=True)
class Packet:
    """
    What arrives at an interface; for ICMP the ports are type and code.
    """

    source: str
    destination: str
    protocol: str = "tcp"
    sport: int = 0
    dport: int = 0
    interface: str = "outside"
    to: str = ""
    """The interface it leaves by; empty: the other one of inside and outside."""
    size: int = 60

    @property
    def leaves_by(self) -> str:
        """The interface it leaves by."""
        return self.to or ("inside" if self.interface == "outside" else "outside")

    @property
    def flow(self) -> Flow:
        """What makes packets belong together."""
        return self.protocol, self.source, self.sport, self.destination, self.dport


@frozen
class Verdict:
    """
    What the access-lists say; no *acl*: none is bound; no *ace*: the implicit deny at the end.
    """

    permitted: bool
    acl: str | None = None
    ace: Ace | None = None


def _ports_match(end: Endpoint, port: int) -> bool:
    if end.ports is None:
        return True
    inside = end.ports[0] <= port <= end.ports[1]
    return inside != end.negated


@define(eq=False)
class Matcher:
    """
    Looks packets up in the configuration's own groups and access-lists.
    """

    _configuration: Configuration
    _own: dict[str, tuple[int, dict[int, list[Interval]]]] = field(factory=dict, init=False)
    _sets: dict[str, AddressSet] = field(factory=dict, init=False)
    _generation: int = field(default=-1, init=False)

    def find(self, packet: Packet) -> Verdict:
        """The verdict of interface list, global list and implicit deny."""
        held = self._configuration
        if held.generation != self._generation:
            self._sets.clear()
            self._generation = held.generation
        names = [
            name
            for name in (
                held.bindings.get((packet.interface, "in")),
                held.bindings.get(("", "global")),
            )
            if name is not None
        ]
        if not names:
            return Verdict(permitted=True)
        source = number_of(packet.source)
        destination = number_of(packet.destination)
        for name in names:
            for ace in held.access_lists.get(name, ()):
                if self._takes(ace, packet, source, destination):
                    return Verdict(ace.action == "permit", name, ace)
        return Verdict(permitted=False, acl=names[-1])

    def _takes(
        self, ace: Ace, packet: Packet, source: tuple[int, int], destination: tuple[int, int]
    ) -> bool:
        if ace.action == "remark" or ace.inactive:
            return False
        if ace.protocol not in ("ip", packet.protocol):
            return False
        if not _ports_match(ace.source, packet.sport):
            return False
        if not _ports_match(ace.destination, packet.dport):
            return False
        return self._inside(ace.source, source) and self._inside(ace.destination, destination)

    def _inside(self, end: Endpoint, address: tuple[int, int]) -> bool:
        if end.kind == "any":
            return True
        if end.kind in ("any4", "any6"):
            return end.kind == f"any{address[1]}"
        return self.addresses(end).holds(*address)

    def addresses(self, end: Endpoint) -> AddressSet:
        """What one side of an entry covers."""
        key = f"{end.kind} {end.value}"
        held = self._sets.get(key)
        if held is None:
            found: dict[int, list[Interval]] = {4: [], 6: []}
            if end.kind == "group":
                self._collect(end.value, found, set())
            elif end.kind == "object":
                _add_object(self._configuration, end.value, found)
            else:
                first, last, family = members.interval(end.value)
                found[family].append((first, last))
            held = self._sets[key] = AddressSet.of({f: list(i) for f, i in found.items()})
        return held

    def _collect(self, name: str, found: dict[int, list[Interval]], seen: set[str]) -> None:
        group = self._configuration.groups.get(name)
        if group is None or name in seen:
            return
        seen.add(name)
        version, own = self._own.get(name, (-1, {}))
        if version != group.version:
            own = {4: [], 6: []}
            for member in group.members:
                referred = members.object_name(member)
                if referred is not None:
                    _add_object(self._configuration, referred, own)
                elif members.nested_name(member) is None:
                    first, last, family = members.interval(member)
                    own[family].append((first, last))
            self._own[name] = (group.version, own)
        for family, intervals in own.items():
            found[family].extend(intervals)
        for child in group.children:
            self._collect(child, found, seen)


def _add_object(configuration: Configuration, name: str, found: dict[int, list[Interval]]) -> None:
    held = configuration.objects.get(name)
    words = held.body.split() if held else []
    match words:
        case ["host", address]:
            number, family = number_of(address)
            found[family].append((number, number))
        case ["range", low, high]:
            number, family = number_of(low)
            found[family].append((number, number_of(high)[0]))
        case ["subnet", *rest]:
            first, last, family = members.interval("network-object " + " ".join(rest))
            found[family].append((first, last))
