"""
Which entry stands in which child.

Entries stay where they are; additions fill the room that there is, in as few children as
possible; then new children are made.  A child holds one address family.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from attrs import define, field

from tscm.errors import TscmError
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.groups import Present, child_name, is_v6, parent_name
from tscm.model import Cidr

_NAME_MAX = 64


@define(eq=False)
class TooManyChildren(TscmError):
    """
    The numbers of children would not fit into a group's name any more.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"group name {self.name} would exceed {_NAME_MAX} characters, which no device "
            "accepts; raise Object-Group Size or shorten Prefix"
        )


@define(eq=False)
class Child:
    """
    What is to become of one numbered group.
    """

    name: str
    present: Group | None
    """None for a child that has to be made."""
    attached: bool
    """Is it nested in its parent already?"""
    strangers: bool = False
    v6: bool | None = None
    """None while nothing decides the family."""
    keep: list[Cidr] = field(factory=list)
    add: list[Cidr] = field(factory=list)

    @property
    def remove(self) -> list[Cidr]:
        """Members that must go."""
        staying = set(self.keep)
        return [m for m in self.present.members if m not in staying] if self.present else []

    def room(self, size: int, limit: int | None) -> int:
        """How many entries can come, where it is to hold *size* and can hold *limit* until others have gone."""
        room = size - len(self.keep)
        if limit is None or self.present is None or not self.attached:
            return room  # one that is not nested is made clean first
        held = self.present
        return min(room, limit - len(held.members) - len(held.children) - held.foreign)

    @property
    def used(self) -> bool:
        """Does it hold anything in the end?  What is not ours keeps a child where it is."""
        return bool(self.keep or self.add or (self.attached and self.strangers))


def place(
    present: Present,
    kind: str,
    wanted: Sequence[Cidr],
    size: int,
    avoid: AbstractSet[str],
    *,
    taken: AbstractSet[str] = frozenset(),
    limit: int | None = None,
) -> list[Child]:
    """
    Every entry of *wanted* put into one child, at most *size* in each.

    Gives all children worked with, those that end up empty included.  Groups named in *avoid* are left
    as they are and count for nothing; names in *taken* are something else's.  A child that is attached may hold more than *size*
    while the run is between adding and removing, but never more than *limit*, which the device has.
    """
    missing = dict.fromkeys(wanted)
    parent = present.parent(kind)
    nested = set(parent.children) if parent else set()
    free = [group for group in present.children(kind) if group.name not in avoid]
    children = [
        _stay(Child(group.name, group, True, bool(present.strangers(group))), missing, size)
        for group in free
        if group.name in nested
    ]
    for group in free:
        # A group that is not nested may be the rest of a run that was interrupted: worth
        # taking up when most of it is wanted, and when attaching it brings nothing else along.
        if group.name in nested or group.children or group.foreign:
            continue
        useful = sum(1 for member in group.members if member in missing)
        if 2 * useful > len(group.members):
            children.append(_stay(Child(group.name, group, False), missing, size))
    names = _unused_names(present, kind, taken)
    for v6 in (False, True):
        entries = [one for one in missing if is_v6(one) == v6]
        rest = _fill(children, entries, v6, size, limit)
        children += [
            Child(names.take(), None, False, v6=v6, add=rest[at : at + size])
            for at in range(0, len(rest), size)
        ]
    return children


def _stay(child: Child, missing: dict[Cidr, None], size: int) -> Child:
    """Keep what is wanted of the family that most of it belongs to."""
    members = child.present.members if child.present else ()
    good = [member for member in members if member in missing]
    decisive = good or members
    if decisive:
        child.v6 = 2 * sum(map(is_v6, decisive)) > len(decisive)
    child.keep = [m for m in dict.fromkeys(good) if is_v6(m) == child.v6][:size]
    for member in child.keep:
        del missing[member]
    return child


def _fill(
    children: Iterable[Child], entries: list[Cidr], v6: bool, size: int, limit: int | None
) -> list[Cidr]:
    """Put *entries* into children with room; gives those that find none."""
    usable = [child for child in children if child.v6 in (v6, None)]
    # The emptiest of those that stay first, so that few are touched; those that would go, last.
    usable.sort(key=lambda child: (not child.keep, len(child.keep)))
    at = 0
    for child in usable:
        room = child.room(size, limit)
        if at < len(entries) and room > 0:
            child.v6 = v6
            child.add = entries[at : at + room]
            at += len(child.add)
    return entries[at:]


def held_at_most(present: Present, kind: str, children: Iterable[Child]) -> int:
    """How many members the parent of a kind holds at most, while what comes is nested and nothing has left yet."""
    parent = present.parent(kind)
    before = 0 if parent is None else len(parent.children) + len(parent.members) + parent.foreign
    return before + sum(1 for child in children if child.used and not child.attached)


@define(eq=False)
class _Names:
    """Names of children that nothing bears, by ascending number."""

    prefix: str
    kind: str
    taken: AbstractSet[str]
    number: int = 0

    def take(self) -> str:
        while True:
            self.number += 1
            name = child_name(self.prefix, self.kind, self.number)
            if len(name) > _NAME_MAX:
                raise TooManyChildren(name)
            if name not in self.taken:
                return name


def _unused_names(present: Present, kind: str, taken: AbstractSet[str]) -> _Names:
    named = {child for group in present.groups.values() for child in group.children}
    return _Names(present.prefix, kind, named | set(present.groups) | taken)


def shared(present: Present, kind: str) -> set[str]:
    """
    Children of a kind that work through something else than their own parent.

    Changing them would change the other list, or what another child brings in; they are replaced
    instead.
    """
    own = parent_name(present.prefix, kind)
    other = parent_name(present.prefix, "Allow" if kind == "Block" else "Block")
    elsewhere = present.reached(other)
    parent = present.parent(kind)
    nested = set(parent.children) if parent else set()
    found = set()
    for group in present.children(kind):
        users = [name for name in present.users(group.name) if name in present.places]
        if group.name in elsewhere or (group.name not in nested and set(users) - {own}):
            found.add(group.name)
    return found
