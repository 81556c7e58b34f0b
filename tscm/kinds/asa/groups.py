"""
Our object-groups on a device: their names, and which of them may be worked with.

The groups of a prefix are `PREFIX-Block` and `PREFIX-Allow`, which hold only groups, and numbered
children `PREFIX-Block-1` … that hold only addresses.  Any other name with the prefix is foreign, or edited by
own and is never touched.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from attrs import field, frozen

from tscm.kinds.asa.driver import Group
from tscm.model import Cidr
from tscm.policy.documentation import PLACEHOLDER

KINDS = ("Block", "Allow")


def parent_name(prefix: str, kind: str) -> str:
    """`ThreatSTOP-Block`."""
    return f"{prefix}-{kind}"


def child_name(prefix: str, kind: str, number: int) -> str:
    """`ThreatSTOP-Block-1`."""
    return f"{prefix}-{kind}-{number}"


@frozen
class Place:
    """What a name of ours means: a parent (number 0) or a numbered child of a kind."""

    kind: str
    number: int


def place_of(prefix: str, name: str) -> Place | None:
    """What *name* means under *prefix*; None for a name that is not ours."""
    found = re.fullmatch(r"-(Block|Allow)(?:-([1-9][0-9]{0,8}))?", name.removeprefix(prefix))
    if found is None or not name.startswith(prefix):
        return None
    return Place(found[1], int(found[2] or 0))


def children_among(prefix: str, kind: str, names: Iterable[str]) -> list[str]:
    """Names of numbered children of a kind, in the order of their numbers."""
    places = ((place_of(prefix, name), name) for name in names)
    return [
        name
        for _, name in sorted(
            (place.number, name)
            for place, name in places
            if place is not None and place.kind == kind and place.number
        )
    ]


def is_v6(cidr: str) -> bool:
    """Is this the spelling of an IPv6 network?"""
    return ":" in cidr


@frozen
class Present:
    """
    The groups of a prefix as they are on the device, and who nests whom.
    """

    prefix: str
    groups: Mapping[str, Group]
    places: Mapping[str, Place] = field(init=False)
    """Our groups by name."""

    @places.default
    def _find_places(self) -> dict[str, Place]:
        found = {}
        for name in self.groups:
            place = place_of(self.prefix, name)
            if place is not None:
                found[name] = place
        return found

    nesting: Mapping[str, Sequence[str]] = field(init=False)
    """By name, the groups of the prefix that nest it, ours or not."""

    @nesting.default
    def _find_nesting(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for group in self.groups.values():
            for name in group.children:
                found.setdefault(name, []).append(group.name)
        return found

    def parent(self, kind: str) -> Group | None:
        """The parent of a kind, if it exists."""
        return self.groups.get(parent_name(self.prefix, kind))

    def children(self, kind: str) -> list[Group]:
        """All numbered groups of a kind, nested or not, in the order of their numbers."""
        names = [n for n, place in self.places.items() if place.kind == kind and place.number]
        return [self.groups[n] for n in sorted(names, key=lambda n: self.places[n].number)]

    def ours(self, group: Group) -> list[str]:
        """
        Groups of ours that *group* nests, also those that are gone.

        Under `forward-reference enable` a deleted group leaves its references behind; a name of our form
        is ours, even if what had it was deleted by others.
        """
        return [name for name in group.children if self._is_ours(name)]

    def _is_ours(self, name: str) -> bool:
        return name in self.places or place_of(self.prefix, name) is not None

    def strangers(self, group: Group) -> int:
        """What *group* holds that is not ours to touch: objects, ranges, others' groups."""
        return group.foreign + sum(1 for name in group.children if not self._is_ours(name))

    def users(self, name: str) -> list[str]:
        """Groups of the prefix, ours or not, that nest *name*."""
        return list(self.nesting.get(name, ()))

    def reached(self, start: str) -> set[str]:
        """Our groups nested below *start*, at any depth; also names of those that are gone."""
        found: set[str] = set()
        waiting = [start]
        while waiting:
            group = self.groups.get(waiting.pop())
            for name in self.ours(group) if group else ():
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def in_force(self, kind: str) -> Iterator[Cidr]:
        """Every member that works through the parent of a kind, repeated where it stands twice."""
        start = parent_name(self.prefix, kind)
        for name in (start, *sorted(self.reached(start))):
            if name in self.groups:
                yield from self.groups[name].members

    @classmethod
    def of(cls, prefix: str, groups: Mapping[str, Group]) -> Self:
        """Without names that do not start with the prefix."""
        return cls(prefix, {n: g for n, g in groups.items() if n.startswith(f"{prefix}-")})


def members_under(groups: Mapping[str, Group], parent: str) -> tuple[str, ...]:
    """Members of a parent's children, less the placeholder of an empty list."""
    return tuple(
        member
        for child in groups[parent].children
        for member in (groups[child].members if child in groups else ())
        if member != PLACEHOLDER
    )
